"""Promo codes with real processes: a limit holds among them, and dies with none of them."""

import asyncio
import sys
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from app.database import database
from loyalty.clock import VirtualClock
from loyalty.database import query
from loyalty.ledger import verify
from loyalty.programme import Programme, build_programme
from loyalty.promo_campaigns import Campaign
from loyalty.rules.programme import ProgrammeRules
from loyalty.rules.promo import Kind, Terms
from tests.backends import Backend
from tests.faults.promo_process import SECRET, buy, card
from tests.loyalty.tills import open_shop

ROOT = Path(__file__).parents[2]
PROCESSES, CALLERS, LIMIT = 4, 1_000, 3
CODE = "SPRING"


@pytest.fixture
def postgres_url(postgres: Backend) -> Iterator[str]:
    """SQLite has one process only."""
    url = postgres.create()
    yield url
    postgres.drop(url)


@asynccontextmanager
async def opened(url: str, ahead: timedelta = timedelta(0)) -> AsyncIterator[Programme]:
    """A programme whose clock is the real one, or `ahead` of it."""
    async with database(url, migrate=False):
        clock = VirtualClock(datetime.now(UTC) + ahead)
        made = build_programme(clock=clock, secret=SECRET.encode(), rules=ProgrammeRules())
        yield made
        await made.stop()


async def stock(url: str, customers: int, **terms: object) -> None:
    """A shop, so many customers with phones, and a campaign with one code for all of them."""
    async with opened(url) as programme:
        await open_shop()
        ids = [10_000 + n for n in range(customers)]
        for n, customer_id in enumerate(ids):
            await query(
                "INSERT INTO customer (id, name, city, language, timezone, joined_at) "
                "VALUES ($1, '', '', 'ru', 'UTC', 0)", None, customer_id,
            )  # fmt: skip
            await query(
                "INSERT INTO identity (id, customer_id, kind, value, proof, created_at) "
                "VALUES ($1, $2, 'phone', $3, 'staff', 0)", None, customer_id, customer_id, card(n),
            )  # fmt: skip
        await programme.ledger.open_accounts(ids)
        offer = Terms(kind=Kind.POINTS, points=7, **terms)  # type: ignore[arg-type]
        made = await programme.campaigns.create("spring", "Весна", offer, shared_code=CODE)
        assert isinstance(made, Campaign)


class Tills:
    """One process of `promo_process`."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self._process = process
        self.said: list[str] = []

    @classmethod
    async def start(cls, url: str, how: str, first: int, count: int) -> "Tills":
        arguments = (url, how, str(first), str(count), CODE)
        process = await asyncio.create_subprocess_exec(
            sys.executable, "-m", "tests.faults.promo_process", *arguments,
            cwd=ROOT, stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE,
        )  # fmt: skip
        tills = cls(process)
        assert await tills.hears() == "ready"
        return tills

    async def hears(self) -> str:
        assert self._process.stdout is not None
        line = await asyncio.wait_for(self._process.stdout.readline(), 120)
        return line.decode().strip()

    def go(self) -> None:
        assert self._process.stdin is not None
        self._process.stdin.write(b"go\n")

    async def end(self) -> None:
        assert await self._process.wait() == 0

    async def kill(self) -> None:
        """kill -9."""
        self._process.kill()
        await self._process.wait()


async def crowd(url: str, first: int, callers: int) -> list[int]:
    """Many callers over several processes at once; those who have got the code."""
    share = callers // PROCESSES
    starts = [first + n * share for n in range(PROCESSES)]
    everybody = [await Tills.start(url, "crowd", start, share) for start in starts]
    for tills in everybody:
        tills.go()
    winners = [int(n) for tills in everybody for n in (await tills.hears()).split()]
    for tills in everybody:
        await tills.end()
    return winners


async def _tallies() -> list[int]:
    return [row[0] for row in await query("SELECT taken FROM promo_tally WHERE customer_id = 0")]


async def test_a_limit_of_3_with_1000_callers_is_redeemed_3_times(postgres_url: str) -> None:
    await stock(postgres_url, 2 * CALLERS, total_max=LIMIT)
    winners = await crowd(postgres_url, 0, CALLERS)
    assert len(winners) == LIMIT
    async with opened(postgres_url) as programme:
        sold = await query("SELECT receipt_id FROM promo_use WHERE state = 'redeemed'")
        assert len({row[0] for row in sold}) == LIMIT
        assert await _tallies() == [LIMIT]
        freed = winners[0]
        await programme.checkout.cancel(
            till_id=1 + freed % 2, key="cancel", receipt_number=f"R{freed}"
        )
        assert await _tallies() == [LIMIT - 1]
    again = await crowd(postgres_url, CALLERS, 200)
    assert len(again) == 1, "a cancelled receipt frees exactly its own"
    async with opened(postgres_url):
        rows = await query("SELECT state, COUNT(*) FROM promo_use GROUP BY state ORDER BY state")
        assert [tuple(row) for row in rows] == [("freed", 1), ("redeemed", LIMIT)]
        assert not (await verify()).findings


async def test_killed_between_reserve_and_redeem_the_code_comes_back(db_url: str) -> None:
    await stock(db_url, 2, total_max=1)
    tills = await Tills.start(db_url, "quote", 0, 1)
    tills.go()
    assert await tills.hears() == "0"
    await tills.kill()
    async with opened(db_url) as programme:
        assert not await buy(programme, 1, CODE, commits=False), "it is still set aside"
    async with opened(db_url, ahead=timedelta(minutes=16)) as programme:
        await query("DELETE FROM quote WHERE customer_id = 10001")
        assert await buy(programme, 1, CODE)
        assert await _tallies() == [1]


async def test_killed_at_work_each_code_is_used_as_often_as_receipts_say(db_url: str) -> None:
    customers = 36
    await stock(db_url, customers, total_max=customers, per_customer_max=1)
    done: list[str] = []
    for kills in range(3):
        tills = await Tills.start(db_url, "work", 0, customers)
        tills.go()
        while len(done) < (kills + 1) * 8:
            done.append(await tills.hears())
        await tills.kill()
    last = await Tills.start(db_url, "work", 0, customers)
    last.go()
    assert [await last.hears() for _ in range(customers)] == [str(n) for n in range(customers)]
    await last.end()
    async with opened(db_url):
        [[receipts]] = await query("SELECT COUNT(*) FROM receipt")
        [[redeemed]] = await query("SELECT COUNT(*) FROM promo_use WHERE state = 'redeemed'")
        assert receipts == redeemed == customers
        assert await _tallies() == [customers]
        assert not (await verify()).findings
