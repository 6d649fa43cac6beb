"""kill -9 after every statement of a journey's life: nothing is lost and nothing is done twice."""

import asyncio
import sys
from collections import Counter
from pathlib import Path

import pytest

from app.database import database
from loyalty.clock import VirtualClock
from loyalty.database import query
from loyalty.ledger import verify
from loyalty.programme import build_programme
from loyalty.rules.programme import ProgrammeRules
from messaging.journeys.revisions import publish
from tests.faults.journey_process import JOURNEY, POINTS, START
from tests.messaging.conftest import customer_with

ROOT = Path(__file__).parents[2]
PEOPLE = 40


async def prepare(url: str) -> list[int]:
    async with database(url, migrate=False):
        clock = VirtualClock(START)
        programme = build_programme(clock=clock, secret=b"s" * 32, rules=ProgrammeRules())
        await publish(JOURNEY, author="t", key="k", moves_inside=False, at=START)
        people = [await customer_with(("telegram", str(5000 + n))) for n in range(PEOPLE)]
        await programme.ledger.open_accounts(people)
        await programme.stop()
    return people


@pytest.mark.timeout(600)
async def test_a_life_with_a_death_after_every_statement_is_a_life(db_url: str) -> None:
    people = await prepare(db_url)
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "tests.faults.journey_process", db_url, cwd=ROOT,
        stdout=asyncio.subprocess.PIPE,
    )  # fmt: skip
    said, _ = await process.communicate()
    deaths, exit_code = map(int, said.split()[-2:])
    assert exit_code == 0
    assert deaths > PEOPLE, "more statements than people, who come one with each process"
    async with database(db_url, migrate=False):
        outcomes = await query("SELECT outcome FROM enrolment")
        assert [row["outcome"] for row in outcomes] == ["finished"] * PEOPLE
        steps = Counter(row["step"] for row in await query("SELECT step FROM enrolment_step"))
        assert steps == {step.name: PEOPLE for step in JOURNEY.steps}
        for table in ("promo_code", "task"):
            rows = await query(f"SELECT customer_id FROM {table}")
            assert sorted(row["customer_id"] for row in rows) == sorted(people), table
        messages = await query("SELECT customer_id, state FROM message")
        assert Counter(row["customer_id"] for row in messages) == dict.fromkeys(people, 2)
        tries = await query("SELECT message_id, COUNT(*) AS n FROM attempt GROUP BY message_id")
        assert [row["n"] for row in tries] == [1] * 2 * PEOPLE, "nothing is sent again blindly"
        programme = build_programme(
            clock=VirtualClock(START), secret=b"s" * 32, rules=ProgrammeRules()
        )
        for customer in people:
            balance = await programme.ledger.balance(customer)
            assert balance.available == POINTS  # type: ignore[union-attr]
        assert (await verify()).findings == []
        await programme.stop()
