"""The naive ways to take goods back, each of which the stories of returns must catch."""

from collections.abc import Callable
from datetime import UTC, datetime
from sqlite3 import IntegrityError
from typing import Any

import pytest

from app.database import database
from loyalty.checkout import returnable, returning
from loyalty.clock import VirtualClock
from loyalty.conflicts import OvertakenError
from loyalty.programme import build_programme
from loyalty.rules import returns
from loyalty.rules.posting import Batch
from loyalty.rules.programme import ProgrammeRules
from tests.backends import Backend
from tests.conftest import SECRET
from tests.loyalty.test_return_story import STORIES, tell

CAUGHT = (AssertionError, IntegrityError, OvertakenError)
"""By a row of a story, or by what the writing demands. A mutant that breaks down proves nothing."""

Mutation = Callable[[pytest.MonkeyPatch], None]
MUTANTS: dict[str, Mutation] = {}


def mutant(function: Mutation) -> Mutation:
    MUTANTS[function.__name__] = function
    return function


@mutant
def rounds_each_return_by_itself(patch: pytest.MonkeyPatch) -> None:
    real = returns.portion

    def naive(number: int, line: Any, quantity: int) -> Any:
        fresh = returns.SoldLine(
            quantity_milli=line.quantity_milli, amount_minor=line.amount_minor,
            paid_minor=line.paid_minor, spent=line.spent, earned=line.earned,
        )  # fmt: skip
        return real(number, fresh, quantity)

    patch.setattr(returns, "portion", naive)


@mutant
def forgets_what_has_come_back(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(returns.SoldLine, "left_milli", property(lambda self: self.quantity_milli))


@mutant
def pays_points_out_in_money(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(returnable, "paid_by_line", lambda amounts, *_: list(amounts))


@mutant
def keeps_what_was_earned(patch: pytest.MonkeyPatch) -> None:
    real = returning._reversals

    def naive(*args: Any) -> Any:
        return {what: command for what, command in real(*args).items() if what != "take"}

    patch.setattr(returning, "_reversals", naive)


@mutant
def takes_back_before_it_gives_back(patch: pytest.MonkeyPatch) -> None:
    real = returning._reversals
    patch.setattr(returning, "_reversals", lambda *args: dict(reversed(list(real(*args).items()))))


@mutant
def returns_what_is_cancelled(patch: pytest.MonkeyPatch) -> None:
    real = returnable.judge_receipt

    def naive(desk: Any, rows: Any, request: Any) -> Any:
        return real(desk, [dict(row) | {"state": "committed"} for row in rows], request)

    patch.setattr(returning, "judge_receipt", naive)


@mutant
def returns_at_any_age(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(returnable, "too_old", lambda *_: None)


@mutant
def takes_a_return_number_twice(patch: pytest.MonkeyPatch) -> None:
    real = returnable.look

    async def naive(desk: Any, request: Any) -> Any:
        return [dict(row) | {"namesake_id": None} for row in await real(desk, request)]

    patch.setattr(returning, "look", naive)


@mutant
def guesses_which_receipt_is_meant(patch: pytest.MonkeyPatch) -> None:
    real = returnable.judge_receipt
    patch.setattr(
        returning, "judge_receipt", lambda desk, rows, request: real(desk, rows[:1], request)
    )


@mutant
def gives_expired_points_a_second_grace(patch: pytest.MonkeyPatch) -> None:
    real = Batch._restore

    def naive(self: Batch, account: Any, lot: Any, *rest: Any) -> None:
        lot.origin_id = None
        real(self, account, lot, *rest)

    patch.setattr(Batch, "_restore", naive)


@pytest.mark.parametrize("name", MUTANTS)
async def test_a_naive_return_is_caught(
    name: str, sqlite: Backend, monkeypatch: pytest.MonkeyPatch
) -> None:
    MUTANTS[name](monkeypatch)
    for story in STORIES.values():
        url = sqlite.create()
        try:
            async with database(url, migrate=False):
                clock = VirtualClock(datetime(2026, 1, 1, 9, 0, tzinfo=UTC))
                rules = ProgrammeRules(welcome_points=0, cancel_grace_days=7)
                await tell(build_programme(clock=clock, secret=SECRET, rules=rules), clock, story)
        except CAUGHT:
            return
        finally:
            sqlite.drop(url)
    raise AssertionError("the stories do not notice")
