"""A simulated stretch of life: all promises are kept, and the same seed gives the same life."""

import asyncio
import json
from datetime import UTC, datetime
from pathlib import Path

import pytest

from app.simulation.report import YearReport
from app.simulation.run import simulate
from tests.app.conftest import Start

CUSTOMERS, DAYS, SEED = 60, 45, 11
START = datetime(2028, 1, 20, tzinfo=UTC)
"""29 February is within, and eight days before and after it."""


@pytest.fixture(scope="module")
def lived() -> YearReport:
    return asyncio.run(simulate(customers=CUSTOMERS, days=DAYS, seed=SEED, start=START))


def test_everything_is_as_promised_each_day(lived: YearReport) -> None:
    assert lived.findings.examples == []
    assert lived.is_clean
    assert lived.findings.checked["days"] == DAYS


def test_people_have_done_all_sorts_of_things(lived: YearReport) -> None:
    for deed in ("joined", "receipts", "returns", "clicked", "read by telegram", "read by webchat",
                 "read by phone", "entered a promo code", "promo_codes", "mailings"):  # fmt: skip
        assert lived.done[deed] > 0, deed
    assert lived.done["joined"] == CUSTOMERS


def test_every_check_had_something_to_look_at(lived: YearReport) -> None:
    for what in ("arrivals", "caps", "consent", "quiet hours", "stories",
                 "transactions verified"):  # fmt: skip
        assert lived.findings.checked[what] > 0, what


def test_the_caps_had_something_to_hold_up(lived: YearReport) -> None:
    assert any("marketing_week" in reason for reason in lived.reasons)


async def test_the_same_seed_is_the_same_life_in_another_process(
    lived: YearReport, start: Start, tmp_path: Path
) -> None:
    """Also where strings hash differently, and however the threads of a machine take turns."""
    arguments = ("--customers", str(CUSTOMERS), "--days", str(DAYS), "--seed", str(SEED))
    first_day = ("--start", START.date().isoformat())
    async with start("simulate", *arguments, *first_day, env={"PYTHONHASHSEED": "7"}) as other:
        code, said = await other.end(120)
    assert code == 0, said
    for line in lived.lines():
        assert line in said
    assert f"Fingerprint: {lived.fingerprint}" in said


async def test_another_seed_is_another_life(lived: YearReport, start: Start) -> None:
    async with start("simulate", "--customers", "5", "--days", "5", "--seed", "12", "--json") as it:
        code, said = await it.end(120)
    assert code == 0, said
    record = json.loads(said[said.index("{") : said.rindex("}") + 1])
    assert record["done"]["joined"] == 5
    assert record["fingerprint"] != lived.fingerprint
