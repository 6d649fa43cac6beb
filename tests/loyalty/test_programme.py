"""What is done now and then, whoever does it."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from loyalty.clock import VirtualClock
from loyalty.database import query
from loyalty.instants import to_micros
from loyalty.keys import derive_key
from loyalty.ledger import Balance
from loyalty.programme import Programme
from loyalty.rules.programme import ProgrammeRules
from tests.loyalty.people import ANNA, joined
from tests.loyalty.tills import TillHand, give, open_shop, qr


@pytest.fixture
def rules() -> ProgrammeRules:
    return ProgrammeRules(welcome_points=0)


async def test_tidying_changes_no_balance(programme: Programme, clock: VirtualClock) -> None:
    await open_shop()
    anna = await joined(programme)
    await give(programme, anna.id, 50, expires_at=to_micros(clock.now() + timedelta(days=2)))
    await give(programme, anna.id, 10)
    await TillHand(programme).quote(await qr(programme, anna.id), "R", "100.00", spend=20)
    await programme.codes.issue("join", "phone", ANNA)
    clock.advance(timedelta(days=10))

    before = await programme.ledger.balance(anna.id)
    await programme.tidy()
    await programme.tidy()
    after = await programme.ledger.balance(anna.id)

    assert isinstance(before, Balance)
    assert isinstance(after, Balance)
    assert before.available == after.available == after.posted == 10
    for table in ("short_code", "card_claim", "one_time_code"):
        assert not await query(f"SELECT 1 FROM {table}"), table


async def test_old_quotes_are_forgotten_and_young_ones_kept(
    programme: Programme, clock: VirtualClock
) -> None:
    await open_shop()
    anna, till = await joined(programme), TillHand(programme)
    clock.set(datetime.now(UTC))  # row numbers are made by the real clock
    quote = await till.quote(anna.card_number, "R", "100.00", key="a")
    clock.advance(timedelta(days=29))
    await programme.tidy()
    assert await till.quote(anna.card_number, "R", "100.00", key="a") == replace(
        quote, replayed=True
    )
    clock.advance(timedelta(days=2))
    await programme.tidy()
    assert not await query("SELECT 1 FROM quote")


def test_keys_of_different_purposes_differ() -> None:
    secret = b"x" * 32
    assert derive_key(secret, "card picture") != derive_key(secret, "live card")
    with pytest.raises(ValueError, match="32"):
        derive_key(b"short", "card picture")
