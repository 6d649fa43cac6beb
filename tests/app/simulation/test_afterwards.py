"""What only the whole shows is found in a year that was kept and then spoiled."""

from pathlib import Path

from app.database import database
from app.simulation.afterwards import look_back
from app.simulation.findings import Findings
from app.simulation.run import START, simulate
from loyalty.database import query


async def _looked_at() -> dict[str, int]:
    findings = Findings()
    await look_back(findings, [], {}, START.replace(year=START.year + 1))
    return dict(findings.wrong)


async def test_reminders_of_what_was_given_back_and_the_forgotten_unhappy_are_found(
    tmp_path: Path,
) -> None:
    path = tmp_path / "year.sqlite3"
    lived = await simulate(customers=60, days=50, seed=6, keep=path)
    assert lived.findings.checked["refills"] > 0
    assert lived.findings.checked["detractors"] > 0
    assert lived.is_clean, lived.findings
    async with database(f"sqlite://{path}"):
        assert await _looked_at() == {}
        await query("UPDATE receipt SET state = 'cancelled', cancelled_at = at")
        await query("UPDATE task SET due_at = due_at + 3600000000")
        wrong = await _looked_at()
    assert set(wrong) == {"reminded of returned goods", "detractor not called"}
