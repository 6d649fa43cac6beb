"""How often the checkout speaks to Postgres: what its docstrings promise, for a till of 50 ms."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import asyncpg
import pytest

from loyalty.checkout import Back
from loyalty.programme import Programme
from loyalty.rules.programme import ProgrammeRules
from loyalty.rules.promo import Kind, Terms
from tests.loyalty.people import joined
from tests.loyalty.tills import HERE, TillHand, give, open_shop, qr


@pytest.fixture
def rules() -> ProgrammeRules:
    return ProgrammeRules(welcome_points=0)


@pytest.fixture
def db_url(postgres: Any) -> Iterator[str]:
    """Postgres only: SQLite has no round trips."""
    url = postgres.create()
    yield url
    postgres.drop(url)


TEN = Terms(kind=Kind.PERCENT, permille=100, total_max=3, per_customer_max=1)


@contextmanager
def counted(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[str]]:
    """Every statement that goes out, begin and commit included."""
    sent: list[str] = []

    def spy(name: str) -> Any:
        ask = getattr(asyncpg.Connection, name)

        async def asked(self: Any, text: str, *args: Any, **more: Any) -> Any:
            sent.append(" ".join(text.split())[:60])
            return await ask(self, text, *args, **more)

        return asked

    with monkeypatch.context() as patch:
        for name in ("fetch", "fetchrow", "fetchval", "execute"):
            patch.setattr(asyncpg.Connection, name, spy(name))
        yield sent


async def test_round_trips(programme: Programme, monkeypatch: pytest.MonkeyPatch) -> None:
    await open_shop()
    anna, till = await joined(programme), TillHand(programme)
    await give(programme, anna.id, 100)
    code = await qr(programme, anna.id)
    asked: dict[str, int] = {}

    async def counting(name: str, deed: Any) -> Any:
        with counted(monkeypatch) as sent:
            answer = await deed
        asked[name] = len(sent)
        return answer

    await counting("lookup", programme.checkout.lookup(till_id=HERE, card=code))
    quote = await counting("quote", till.quote(code, "R1", "10.00", "90.00", spend=30))
    await counting("commit", till.commit(quote.quote_id, "R1"))
    await counting("cancel", till.cancel("R1"))
    back = await till.quote(await qr(programme, anna.id), "R4", "2x100.00", spend=30)
    await till.commit(back.quote_id, "R4")
    wish = programme.checkout.quote_return(till_id=HERE, receipt_number="R4")
    await counting("return quote", wish)
    await counting("return", till.take_back("R4", "B1", [Back(1, 1000)]))
    plain = await counting("plain quote", till.quote(anna.card_number, "R2", "100.00"))
    await counting("plain commit", till.commit(plain.quote_id, "R2"))
    await counting("sale", till.sell(anna.card_number, "R3", "100.00"))
    await programme.campaigns.create("spring", "Весна", TEN, shared_code="SPRING")
    promo = till.quote(anna.card_number, "R5", "100.00", promo=["SPRING"])
    reduced = await counting("promo quote", promo)
    await counting("promo commit", till.commit(reduced.quote_id, "R5"))

    held = await till.quote(await qr(programme, anna.id), "R6", "100.00", spend=10)
    release = programme.checkout.release(till_id=HERE, quote_id=held.quote_id)
    await counting("release", release)

    assert asked == {
        "lookup": 4,
        "quote": 4,
        "commit": 3,
        "cancel": 7,
        "return quote": 2,
        "return": 3,
        "plain quote": 3,
        "plain commit": 3,
        "sale": 3,
        "promo quote": 4,
        "promo commit": 3,
        "release": 7,
    }
