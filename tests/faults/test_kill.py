"""The server dies by kill -9 in the middle of its work, again and again. Nothing is lost, or twice.

Tills quote, commit and cancel over HTTP while it dies. What was acknowledged must be there; what
was not is asked again under the same keys, and the books must then show each receipt exactly once.
"""

import asyncio
import random
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

import aiohttp
import pytest

from admin.api_keys import NewApiKey, create_api_key
from app.database import database
from loyalty.cards import CardPicture
from loyalty.clock import SystemClock
from loyalty.database import query
from loyalty.ledger import Balance, verify
from loyalty.models import Product
from loyalty.programme import build_programme
from loyalty.rules.programme import ProgrammeRules
from tests.faults.server import Server
from tests.loyalty.people import joined
from tests.loyalty.tills import give, open_shop

SECRET = "a secret for the servers of tests, 32 bytes"
CUSTOMERS = 5
SALES = 120
KILLS = 3
TILLS = 6
AMOUNT, SPEND, GIFT = 200_00, 20, 5_000
PACK = 30
EARN = 9  # 5 % of the 180.00 paid with money


@dataclass
class Sale:
    """One sale of the story: its card, and what the server has acknowledged of it."""

    number: str
    customer_id: int
    card: str
    cancels: bool
    acknowledged: dict[str, dict[str, Any]] = field(default_factory=dict)

    @property
    def steps(self) -> tuple[str, ...]:
        return ("quote", "commit", "cancel") if self.cancels else ("quote", "commit")


@pytest.fixture
async def story(db_url: str) -> tuple[list[Sale], list[str]]:
    """Customers with points, and the cards that they will show."""
    clock = SystemClock()
    async with database(db_url, migrate=False):
        rules = ProgrammeRules(card_picture_s=3600)
        programme = build_programme(clock=clock, secret=SECRET.encode(), rules=rules)
        await open_shop()
        await Product.filter(sku="cream").update(units_per_pack=PACK, daily_milli=1000)
        made = [await create_api_key(clock=clock, till_id=1) for _ in range(TILLS)]
        sales = []
        for n in range(CUSTOMERS):
            customer = await joined(programme, front_value=str(n), phone=f"+7900123456{n}")
            await give(programme, customer.id, GIFT)
            for i in range(SALES // CUSTOMERS):
                picture = await programme.cards.picture(customer.id)
                assert isinstance(picture, CardPicture)
                sales.append(Sale(f"R-{n}-{i}", customer.id, picture.payload, i % 4 == 0))
        await programme.stop()
    return sales, [key.key for key in made if isinstance(key, NewApiKey)]


async def test_killed_in_the_middle_of_load_nothing_is_lost_and_nothing_doubled(
    db_url: str, story: tuple[list[Sale], list[str]]
) -> None:
    sales, keys = story
    server = Server(db_url, SECRET, KAPSULA_PROGRAMME__CARD_PICTURE_S="3600")
    chance = random.Random(7)
    shuffled = chance.sample(sales, len(sales))
    await server.start()
    try:
        for kill in range(KILLS):
            part = shuffled[kill * len(sales) // KILLS : (kill + 1) * len(sales) // KILLS]
            tills = asyncio.create_task(_work(server.base, keys, part))
            await asyncio.sleep(0.15 + chance.random() * 0.25)
            await server.kill()
            await tills
            await server.start()
        assert any(set(sale.steps) - sale.acknowledged.keys() for sale in sales), "killed too late"
        before = {sale.number: dict(sale.acknowledged) for sale in sales}
        for _ in range(2):  # once more than needed: repeating everything changes nothing
            await _work(server.base, keys, sales, again=True)
        for sale in sales:
            assert set(sale.acknowledged) == set(sale.steps)
            for step, answer in before[sale.number].items():
                assert sale.acknowledged[step] == answer, "a repeat answers as the first time"
    finally:
        await server.stop()
    await _check_the_books(db_url, sales)


async def _work(base: str, keys: list[str], sales: list[Sale], *, again: bool = False) -> None:
    """Several tills work through the sales; a till whose server dies gives the sale up."""
    waiting = list(sales)

    async def till(key: str) -> None:
        headers = {"Authorization": f"Bearer {key}"}
        async with aiohttp.ClientSession(headers=headers) as session:
            while waiting:
                sale = waiting.pop()
                try:
                    await _sell(session, base, sale, again=again)
                except (aiohttp.ClientError, ConnectionError):
                    if again:
                        raise

    await asyncio.gather(*(till(key) for key in keys))


async def _sell(session: aiohttp.ClientSession, base: str, sale: Sale, *, again: bool) -> None:
    line = {"sku": "cream", "name": "Крем", "price_minor": AMOUNT, "amount_minor": AMOUNT}
    for step in sale.steps:
        if step in sale.acknowledged and not again:
            continue
        path, body = {
            "quote": ("quotes", {"card": sale.card, "receipt_number": sale.number,
                                 "lines": [line], "spend": SPEND}),
            "commit": ("receipts", {"quote_id": sale.acknowledged.get("quote", {}).get("quote_id"),
                                    "receipt_number": sale.number}),
            "cancel": (f"receipts/{sale.number}/cancel", {}),
        }[step]  # fmt: skip
        key = {"Idempotency-Key": f"{step}-{sale.number}"}
        status, told = 429, {}
        while status == 429:  # a till that is told to wait waits
            async with session.post(f"{base}/api/v1/{path}", json=body, headers=key) as answer:
                status, told = answer.status, await answer.json()
                await asyncio.sleep(int(answer.headers.get("Retry-After", 0)))
        assert status == 200, (step, sale, told)
        sale.acknowledged[step] = told


async def _check_the_books(db_url: str, sales: list[Sale]) -> None:
    async with database(db_url, migrate=False):
        programme = build_programme(
            clock=SystemClock(), secret=SECRET.encode(), rules=ProgrammeRules()
        )
        report = await verify()
        assert not report.findings, report.findings[:5]
        [[receipts]] = await query("SELECT count(*) FROM receipt")
        assert receipts == len(sales)
        for customer_id in {sale.customer_id for sale in sales}:
            hers = [sale for sale in sales if sale.customer_id == customer_id]
            kept = [sale for sale in hers if not sale.cancels]
            expected = GIFT + 100 + (EARN - SPEND) * len(kept)  # 100: the gift for joining
            expected += await _gifts_of_journeys(customer_id)  # where a worker runs too
            balance = await programme.ledger.balance(customer_id)
            assert isinstance(balance, Balance)
            assert (balance.available, balance.held) == (expected, 0)
            [course] = await programme.refills.courses_of(customer_id)
            assert course.ends_at is not None
            packs_ms = timedelta(days=PACK * len(kept)) // timedelta(milliseconds=1)
            first_at, last_at = await _bought_between(customer_id)
            assert first_at + packs_ms <= course.ends_at.timestamp() * 1000 <= last_at + packs_ms
        [[events]] = await query("SELECT count(*) FROM event WHERE kind LIKE 'receipt.%'")
        assert events == len(sales) + sum(sale.cancels for sale in sales)
        await programme.stop()


async def _gifts_of_journeys(customer_id: int) -> int:
    [row] = await query(
        "SELECT COALESCE(SUM(points), 0) AS points FROM ledger_transaction "
        "WHERE account_id = $1 AND reason = 'gift'",
        None,
        customer_id,
    )
    return int(row["points"])


async def _bought_between(customer_id: int) -> tuple[int, int]:
    """The first and the last receipt of hers, in milliseconds; all within her first pack."""
    [row] = await query(
        "SELECT MIN(at) AS first_at, MAX(at) AS last_at FROM receipt WHERE customer_id = $1",
        None,
        customer_id,
    )
    return row["first_at"] // 1000 - 1, row["last_at"] // 1000 + 1
