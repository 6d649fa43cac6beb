"""A product that breaks a promise is caught by the simulated life, the whole way."""

from typing import Any

import pytest

from app.simulation.run import simulate
from bot import settings_pages
from loyalty.ledger.verify import Finding, Report
from messaging.journeys.builtin import abandoned
from messaging.policy import caps, consent, quiet_hours
from messaging.policy.verdicts import Send


def _always(answer: Any) -> Any:
    return lambda *_args, **_kwargs: answer


def _fails(*_args: Any, **_kwargs: Any) -> Any:
    raise RuntimeError("broken")


BROKEN = {
    "a dialogue fails": (
        settings_pages, "page", _fails, "logged an error: dialogue_failed",
    ),
    "caps are not asked": (caps.Tally, "check", _always(caps.Free()), "cap violated"),
    "nobody sleeps": (quiet_hours, "check", _always(Send()), "woke somebody"),
    "consent is not asked": (
        consent, "check", _always(consent.Allowed()), "advertised without consent",
    ),
    "the ledger does not add up": (
        "app.simulation.auditing.verify", "", None, "ledger: balance_differs",
    ),
}  # fmt: skip


@pytest.mark.parametrize("broken", BROKEN)
async def test_a_broken_promise_is_found(broken: str, monkeypatch: pytest.MonkeyPatch) -> None:
    where, name, instead, found = BROKEN[broken]
    if isinstance(where, str):
        report = Report(findings=[Finding(1, "balance_differs", "")])

        async def verify() -> Report:
            return report

        monkeypatch.setattr(where, verify)
    else:
        monkeypatch.setattr(where, name, instead)
    lived = await simulate(customers=25, days=12, seed=3)
    assert any(wrong.startswith(found) for wrong in lived.findings.wrong), lived.findings


async def test_a_journey_that_nobody_hears_of_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    """Its event says otherwise than it listens: it lets everybody out without a word."""

    async def nothing(*_args: Any) -> dict[int, Any]:
        return {}

    monkeypatch.setattr(abandoned, "_items", nothing)
    lived = await simulate(customers=60, days=24, seed=3)
    assert set(lived.findings.wrong) == {"journey says nothing"}, lived.findings
