"""The past under other rules: under its own rules it is itself, and no page changes the sums."""

import random
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta

import pytest

from loyalty.clock import VirtualClock
from loyalty.customers import CustomerView
from loyalty.database import query
from loyalty.instants import to_micros
from loyalty.programme import Programme
from loyalty.replay import Replayed, count_receipts, replay
from loyalty.rules.earning_rules import (
    EarningCaps,
    EarningRules,
    Multiplier,
    Selection,
    When,
)
from loyalty.rules.programme import ProgrammeRules
from loyalty.rules.promo import Kind, Terms
from loyalty.rules.tiers import Tier, TierRules
from tests.loyalty.people import joined
from tests.loyalty.tills import TillHand, open_shop, qr

RULES = ProgrammeRules(
    welcome_points=0,
    earning=EarningRules(
        multipliers=(
            Multiplier(code="hello", times_percent=300, when=When(first_purchase=True)),
            Multiplier(code="weekend", times_percent=150, when=When(weekdays=frozenset({6, 7}))),
            Multiplier(code="birthday", times_percent=200, when=When(birthday=(5, 5))),
            Multiplier(
                code="evening",
                times_percent=250,
                goods=Selection(skus=frozenset({"recipe"})),
                when=When(hours=(17 * 60, 24 * 60), shops=frozenset({"s1"})),
            ),
        ),
        caps=EarningCaps(receipt=40, day=60, month=200),
        receipt_min_minor=20_00,
    ),
    tiers=TierRules(
        levels=(
            Tier(code="base", from_minor=0),
            Tier(code="silver", from_minor=2_000_00, earn_permille=80),
            Tier(code="gold", from_minor=6_000_00, earn_permille=120),
        ),
        grace_days=0,
    ),
)


@pytest.fixture
def rules() -> ProgrammeRules:
    return RULES


@pytest.fixture
async def past(programme: Programme, clock: VirtualClock) -> list[CustomerView]:
    """Three months of three customers, with points spent here and there."""
    await open_shop()
    clock.set(datetime(2026, 1, 10, 9, tzinfo=UTC))
    people = [
        await joined(programme, phone=f"+7900111223{n}", front_value=str(n)) for n in range(3)
    ]
    await query("UPDATE customer SET born_on = $1 WHERE id = $2", None,
                _date("1990-02-14"), people[0].id)  # fmt: skip
    gift = Terms(kind=Kind.POINTS, points=7)
    await programme.campaigns.create("gift", "Gift", gift, shared_code="GIFT")
    chance, till = random.Random(5), TillHand(programme)
    for n in range(60):
        clock.advance(timedelta(hours=chance.randrange(60)))
        person = chance.choice(people)
        goods = [
            f"{chance.randrange(5, 700)}.{chance.randrange(100):02} {sku}"
            for sku in chance.sample(["cream", "tobacco", "recipe", "x"], 2)
        ]
        if chance.random() < 0.3:
            card, codes = await qr(programme, person.id), ["GIFT"] if n % 2 else []
            quote = await till.quote(card, f"R{n}", *goods, spend="max", promo=codes)
            await till.commit(quote.quote_id, f"R{n}")
        else:
            await till.sell(person.card_number, f"R{n}", *goods)
    return people


def _date(text: str) -> object:
    from loyalty.database import dialect  # noqa: PLC0415

    return date.fromisoformat(text) if dialect() == "postgres" else text


def instants(since: str, until: str) -> tuple[int, int]:
    """Of days in Moscow; the second one is included."""
    start, end = (datetime.fromisoformat(f"{day}T00:00+03:00") for day in (since, until))
    return to_micros(start), to_micros(end + timedelta(days=1))


async def earned_between(start: int, end: int) -> tuple[int, int, int]:
    [row] = await query(
        "SELECT COUNT(*) AS n, COALESCE(SUM(earned_points), 0) AS earned, "
        "COUNT(DISTINCT customer_id) AS people FROM receipt "
        "WHERE state <> 'cancelled' AND at >= $1 AND at < $2",
        None,
        start,
        end,
    )
    return row["n"], int(row["earned"]), row["people"]


@pytest.mark.parametrize("days", [("2026-01-01", "2026-12-31"), ("2026-02-09", "2026-03-05")])
async def test_under_its_own_rules_the_past_is_itself(
    programme: Programme, past: list[CustomerView], days: tuple[str, str]
) -> None:
    start, end = instants(*days)
    told = await replay(RULES, start, end)
    receipts, earned, people = await earned_between(start, end)
    total = told.total
    assert (total.receipts, total.customers) == (receipts, people)
    assert await count_receipts(start, end) == receipts
    assert (total.points_before, total.spent_before) == (earned, total.spent_after)
    assert (total.points_after, total.better, total.worse) == (earned, 0, 0)
    assert told.cost_minor == 0


async def test_what_was_cancelled_is_no_past(
    programme: Programme, past: list[CustomerView]
) -> None:
    start, end = instants("2026-01-01", "2026-12-31")
    await TillHand(programme, count=1_000).cancel("R7")
    told = await replay(RULES, start, end)
    assert told.total.receipts == await count_receipts(start, end) == 59


async def test_pages_of_any_size_tell_the_same(
    programme: Programme, past: list[CustomerView]
) -> None:
    start, end = instants("2026-01-01", "2026-12-31")
    counts: list[int] = []
    whole = await replay(RULES, start, end, progress=counts.append)
    for page in (1, 2, 7):
        assert (await replay(RULES, start, end, page=page)).as_dict() == whole.as_dict()
    assert sum(counts) == whole.total.receipts


async def test_better_rules_make_everybody_better_off_and_cost_money(
    programme: Programme, past: list[CustomerView]
) -> None:
    start, end = instants("2026-01-01", "2026-12-31")
    generous = ProgrammeRules(earn_permille=500, tiers=RULES.tiers)
    generous = replace(generous, tiers=replace(RULES.tiers, levels=RULES.tiers.levels[:1]))
    more = await replay(generous, start, end)
    nothing = await replay(replace(generous, earn_permille=0), start, end)
    assert (more.total.better, more.total.worse) == (3, 0)
    assert more.cost_minor > 0
    assert (nothing.total.better, nothing.total.worse) == (0, 3)
    [row] = await query("SELECT SUM(points) AS given FROM promo_use WHERE state = 'redeemed'")
    assert nothing.total.points_after == row["given"] > 0  # promo codes give what they gave
    assert nothing.cost_minor == (row["given"] - nothing.total.points_before) * 100
    assert [group.tier for group in more.groups] == ["base"]


async def test_groups_are_those_of_the_tiers(
    programme: Programme, past: list[CustomerView]
) -> None:
    start, end = instants("2026-01-01", "2026-12-31")
    told = await replay(RULES, start, end)
    rows = await query("SELECT customer_id, SUM(turnover_minor) AS n FROM customer_month "
                       "GROUP BY customer_id")  # fmt: skip
    places = sorted(RULES.tiers.reached(int(row["n"])) for row in rows)
    wanted = [RULES.tiers.levels[place].code for place in places]
    assert [group.tier for group in told.groups for _ in range(group.customers)] == wanted


async def test_nothing_is_written_and_no_days_are_no_trouble(
    programme: Programme, past: list[CustomerView]
) -> None:
    told = await replay(RULES, *instants("2025-01-01", "2025-01-31"))
    assert isinstance(told, Replayed)
    assert (told.groups, told.total.receipts, told.cost_minor) == ([], 0, 0)
