"""Turnover and tiers as they are kept: with each receipt, cancel and return, by the calendar, and
under a crowd of tills. Caps and the first purchase are judged upon the same facts."""

import asyncio
import json
import random
from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from loyalty.checkout import Back, Lookup, ReturnAnswer
from loyalty.clock import VirtualClock
from loyalty.customers import CustomerView
from loyalty.database import query
from loyalty.instants import to_micros
from loyalty.ledger.verify import verify
from loyalty.programme import Programme, build_programme
from loyalty.rules.earning_rules import EarningCaps, EarningRules, Multiplier, When
from loyalty.rules.months import month_of
from loyalty.rules.programme import ProgrammeRules
from loyalty.rules.tiers import Tier, TierRules
from tests.loyalty.people import joined
from tests.loyalty.tills import HERE, THERE, TillHand, open_shop, qr

SILVER = Tier(code="silver", from_minor=1_000_00, earn_permille=100, name_ru="Серебряный")
GOLD = Tier(code="gold", from_minor=5_000_00, earn_permille=200, name_ru="Золотой")
TIERS = TierRules(levels=(SILVER, GOLD), grace_days=30, near_percent=10)


@pytest.fixture
def rules() -> ProgrammeRules:
    return ProgrammeRules(welcome_points=0, offline_days_max=60, tiers=TIERS)


@pytest.fixture
async def anna(programme: Programme) -> AsyncIterator[CustomerView]:
    """A customer; whatever the test does, her turnover is that of her receipts."""
    await open_shop()
    anna = await joined(programme)
    yield anna
    assert (await verify()).findings == []
    assert await kept(anna.id) == await counted(anna.id)


@pytest.fixture
def till(programme: Programme) -> TillHand:
    return TillHand(programme)


async def kept(customer_id: int) -> dict[int, tuple[int, int]]:
    rows = await query(
        "SELECT month, turnover_minor, receipts FROM customer_month WHERE customer_id = $1",
        None,
        customer_id,
    )
    return {row["month"]: (row["turnover_minor"], row["receipts"]) for row in rows if row[2]}


async def counted(customer_id: int) -> dict[int, tuple[int, int]]:
    """The same out of the receipts and what came back of them, by an account of its own."""
    sums: dict[int, tuple[int, int]] = {}
    for row in await query(
        "SELECT at, paid_minor FROM receipt WHERE customer_id = $1 AND state <> 'cancelled'",
        None,
        customer_id,
    ):
        month = month_of(row["at"], "Europe/Moscow")
        minor, receipts = sums.get(month, (0, 0))
        sums[month] = minor + row["paid_minor"], receipts + 1
    for row in await query(
        "SELECT r.at, b.refund_minor FROM receipt_return AS b JOIN receipt AS r "
        "ON r.id = b.receipt_id WHERE b.customer_id = $1",
        None,
        customer_id,
    ):
        month = month_of(row["at"], "Europe/Moscow")
        minor, receipts = sums[month]
        sums[month] = minor - row["refund_minor"], receipts
    return sums


async def till_code(till_id: int) -> str:
    [row] = await query("SELECT code FROM till WHERE id = $1", None, till_id)
    return str(row["code"])


async def held(customer_id: int) -> tuple[str, int, int]:
    [row] = await query(
        "SELECT tier, turnover_minor, receipts FROM customer_turnover WHERE customer_id = $1",
        None,
        customer_id,
    )
    return row["tier"], row["turnover_minor"] // 100, row["receipts"]


async def told() -> list[tuple[str, dict[str, Any]]]:
    rows = await query("SELECT kind, payload FROM event WHERE kind LIKE 'tier%' ORDER BY id")
    return [(row["kind"], json.loads(row["payload"])) for row in rows]


# -- with each receipt --


async def test_a_tier_is_reached_by_turnover_and_counts_from_the_next_receipt(
    programme: Programme, anna: CustomerView, till: TillHand
) -> None:
    sold = await till.sell(anna.card_number, "R1", "1000.00")
    assert sold.earned == 50
    assert await held(anna.id) == ("silver", 1000, 1)
    sold = await till.sell(anna.card_number, "R2", "100.00")
    assert sold.earned == 10
    assert sold.lines[0].explanation == "flat_rate permille=100 paid_minor=10000 tier=silver"
    assert await told() == [
        ("tier.changed", {"was": "", "tier": "silver", "why": "reached", "turnover_minor": 100000})
    ]


async def test_points_buy_no_tier(programme: Programme, anna: CustomerView, till: TillHand) -> None:
    await till.sell(anna.card_number, "R1", "900.00")
    quote = await till.quote(await qr(programme, anna.id), "R2", "100.00", spend=30)
    await till.commit(quote.quote_id, "R2")
    assert await held(anna.id) == ("", 970, 2)
    [(kind, near)] = await told()
    assert (kind, near["tier"], near["missing_minor"]) == ("tier.near", "silver", 100_00)


async def test_a_cancelled_receipt_takes_its_tier_with_it(
    programme: Programme, anna: CustomerView, till: TillHand
) -> None:
    await till.sell(anna.card_number, "R1", "1000.00")
    await till.sell(anna.card_number, "R2", "4000.00")
    assert await held(anna.id) == ("gold", 5000, 2)
    await till.cancel("R2")
    assert await held(anna.id) == ("silver", 1000, 1)
    await till.cancel("R1")
    assert await held(anna.id) == ("", 0, 0)
    assert [(event["was"], event["tier"], event["why"]) for _, event in await told()] == [
        ("", "silver", "reached"),
        ("silver", "gold", "reached"),
        ("gold", "silver", "undone"),
        ("silver", "", "undone"),
    ]


async def test_a_partial_return_lowers_the_turnover_and_may_take_a_tier_back(
    programme: Programme, clock: VirtualClock, anna: CustomerView, till: TillHand
) -> None:
    sold_at = clock.now() - timedelta(days=40)
    await till.sell(anna.card_number, "R1", "1000.00", at=sold_at)
    await till.sell(anna.card_number, "R2", "3000.00 cream", "1100.00 soap")
    before = await kept(anna.id)
    back = await till.take_back("R2", "B1", [Back(2, 500)])
    assert isinstance(back, ReturnAnswer)
    assert back.moves.refund_minor == 550_00
    assert await held(anna.id) == ("silver", 4550, 2)
    again = await till.take_back("R2", "B2", [Back(2)])
    assert isinstance(again, ReturnAnswer)
    assert await held(anna.id) == ("silver", 4000, 2)
    assert await kept(anna.id) == {
        month: (minor - (1_100_00 if minor == 4_100_00 else 0), receipts)
        for month, (minor, receipts) in before.items()
    }
    await till.take_back("R1", "B3")  # of an older month, and the tier it gave: R2 gives that too
    assert await held(anna.id) == ("silver", 3000, 2)
    await till.take_back("R2", "B4")  # nothing is left, and yet she has bought twice
    assert await held(anna.id) == ("", 0, 2)
    changes = [event for kind, event in await told() if kind == "tier.changed"]
    assert [(event["was"], event["tier"], event["why"]) for event in changes] == [
        ("", "silver", "reached"),
        ("silver", "gold", "reached"),
        ("gold", "silver", "undone"),
        ("silver", "", "undone"),
    ]


async def test_what_points_paid_is_no_turnover_that_a_return_could_take(
    programme: Programme, anna: CustomerView, till: TillHand
) -> None:
    await till.sell(anna.card_number, "R1", "900.00")
    quote = await till.quote(await qr(programme, anna.id), "R2", "100.00", spend=30)
    await till.commit(quote.quote_id, "R2")
    await till.take_back("R2", "B1")
    assert await held(anna.id) == ("", 900, 2)


async def test_a_receipt_counts_in_the_month_of_the_programmes_clock(
    programme: Programme, clock: VirtualClock, anna: CustomerView, till: TillHand
) -> None:
    clock.set(datetime(2026, 1, 31, 21, 30, tzinfo=UTC))  # in Moscow it is February
    await till.sell(anna.card_number, "R1", "100.00")
    earlier = clock.now() - timedelta(hours=1)
    await till.sell(anna.card_number, "R2", "10.00", at=earlier)
    january = 2026 * 12
    assert await kept(anna.id) == {january: (10_00, 1), january + 1: (100_00, 1)}


async def test_the_till_and_the_lookup_are_told_the_tier(
    programme: Programme, anna: CustomerView, till: TillHand
) -> None:
    await till.sell(anna.card_number, "R1", "1500.00")
    lookup = await programme.checkout.lookup(till_id=HERE, card=anna.card_number)
    assert isinstance(lookup, Lookup)
    assert lookup.standing is not None
    assert (lookup.standing.tier, lookup.standing.next) == (SILVER, GOLD)
    assert lookup.standing.missing_minor == 3_500_00
    quote = await till.quote(anna.card_number, "R2", "100.00")
    assert (quote.tier, quote.turnover_minor) == ("silver", 1_500_00)
    again = await programme.customers.get(anna.id)
    assert again is not None
    assert (again.tier, again.turnover_minor) == ("silver", 1_500_00)


# -- time goes by --


async def test_the_window_moves_by_months_and_grace_comes_before_the_fall(
    programme: Programme, clock: VirtualClock, anna: CustomerView, till: TillHand
) -> None:
    clock.set(datetime(2026, 1, 15, 12, tzinfo=UTC))
    await till.sell(anna.card_number, "R1", "5000.00")
    await programme.tidy()
    clock.set(datetime(2026, 12, 31, 20, tzinfo=UTC))
    await programme.tidy()
    assert await held(anna.id) == ("gold", 5000, 1)
    clock.set(datetime(2026, 12, 31, 22, tzinfo=UTC))  # January in Moscow: the window has moved
    await programme.tidy()
    assert await held(anna.id) == ("gold", 0, 1)
    clock.advance(timedelta(days=29))
    await programme.tidy()
    assert await held(anna.id) == ("gold", 0, 1)
    clock.advance(timedelta(days=1))
    await programme.tidy()
    await programme.tidy()
    assert await held(anna.id) == ("silver", 0, 1)
    clock.advance(timedelta(days=200))  # a worker was down: one step for all that time
    await programme.tidy()
    assert await held(anna.id) == ("", 0, 1)
    assert [event["tier"] for _, event in await told()] == ["gold", "silver", ""]
    [due] = await query("SELECT due_at FROM customer_turnover")
    assert due["due_at"] == (1 << 63) - 1  # nobody looks at her again before she buys


async def test_two_workers_assess_each_customer_once(
    programme: Programme, clock: VirtualClock, anna: CustomerView, till: TillHand
) -> None:
    for n in range(12):
        member = await joined(programme, phone=f"+790011122{n:02}", front_value=f"{n}")
        await till.sell(member.card_number, f"R{n}", "1000.00")
    clock.advance(timedelta(days=400))
    other = build_programme(clock=clock, secret=b"x" * 32, rules=programme.rules)
    done = await asyncio.gather(
        programme.tiers.assess_due(batch=2), other.tiers.assess_due(batch=3)
    )
    assert sum(done) == 12
    await other.stop()


async def test_other_tiers_are_taken_up_by_the_next_chore(
    programme: Programme, anna: CustomerView, till: TillHand
) -> None:
    from loyalty.programme_document import ProgrammeDocument  # noqa: PLC0415

    await programme.book.open()
    await till.sell(anna.card_number, "R1", "1500.00")
    bronze = Tier(code="bronze", from_minor=1_400_00)
    rules = replace(programme.rules, tiers=replace(TIERS, levels=(SILVER, bronze, GOLD)))
    await programme.book.save(ProgrammeDocument.of(rules), by="М", comment="бронза")
    assert await held(anna.id) == ("silver", 1500, 1)
    await programme.tidy()
    assert await held(anna.id) == ("bronze", 1500, 1)


# -- from before turnover was kept --


async def test_a_customer_of_old_is_summed_up_when_she_comes(
    programme: Programme, clock: VirtualClock, anna: CustomerView, till: TillHand
) -> None:
    await till.sell(anna.card_number, "R1", "900.00")
    await till.sell(anna.card_number, "R2", "300.00", at=clock.now() - timedelta(days=40))
    await till.sell(anna.card_number, "R3", "5000.00")
    await till.cancel("R3")
    before = await kept(anna.id)
    await query("DELETE FROM customer_turnover")
    await query("DELETE FROM customer_month")
    await query("DELETE FROM event WHERE kind LIKE 'tier%'")

    quote = await till.quote(anna.card_number, "R4", "100.00")
    assert quote.earn == 10  # silver, by what she had bought
    assert await kept(anna.id) == before
    assert await told() == []  # what she has had for long is no news
    assert (await till.commit(quote.quote_id, "R4")).earned == 10
    assert await held(anna.id) == ("silver", 1300, 3)


async def test_everybody_of_old_can_be_summed_up_at_once(
    programme: Programme, anna: CustomerView, till: TillHand
) -> None:
    await till.sell(anna.card_number, "R1", "1000.00")
    before = await kept(anna.id), await held(anna.id)
    await query("DELETE FROM customer_turnover")
    await query("DELETE FROM customer_month")
    assert await programme.tiers.sum_up_all(batch=1) == 1
    assert (await kept(anna.id), await held(anna.id)) == before
    assert await programme.tiers.sum_up_all() == 0


async def test_a_return_sums_up_a_customer_of_old_without_what_came_back_before(
    programme: Programme, anna: CustomerView, till: TillHand
) -> None:
    await till.sell(anna.card_number, "R1", "800.00", "200.00 soap")
    await till.sell(anna.card_number, "R2", "10.00")
    await till.take_back("R1", "B1", [Back(2)])
    before = await kept(anna.id), await held(anna.id)
    await query("DELETE FROM customer_turnover")
    await query("DELETE FROM customer_month")
    assert await programme.tiers.sum_up_all() == 1
    assert (await kept(anna.id), await held(anna.id)) == before
    await query("DELETE FROM customer_turnover")
    await query("DELETE FROM customer_month")
    await till.take_back("R1", "B2")
    assert (await held(anna.id))[1:] == (10, 2)


async def test_a_cancel_sums_up_a_customer_of_old(
    programme: Programme, anna: CustomerView, till: TillHand
) -> None:
    await till.sell(anna.card_number, "R1", "1000.00")
    await till.sell(anna.card_number, "R2", "10.00")
    await query("DELETE FROM customer_turnover")
    await query("DELETE FROM customer_month")
    await till.cancel("R1")
    assert (await held(anna.id))[1:] == (10, 1)


# -- caps and the first purchase, whoever comes at once --


class TestCaps:
    @pytest.fixture
    def rules(self) -> ProgrammeRules:
        first = Multiplier(code="hello", times_percent=1000, when=When(first_purchase=True))
        caps = EarningCaps(receipt=60, day=100, month=130)
        return ProgrammeRules(
            welcome_points=0,
            offline_days_max=60,
            earning=EarningRules(multipliers=(first,), caps=caps),
        )

    async def test_many_tills_give_no_more_than_a_day_allows(
        self, programme: Programme, anna: CustomerView
    ) -> None:
        hands = [TillHand(programme, HERE, i * 100) for i in range(12)]
        answers = await asyncio.gather(
            *(hand.sell(anna.card_number, f"R{i}", "300.00") for i, hand in enumerate(hands))
        )
        earned = sorted(answer.earned for answer in answers)
        assert sum(earned) == 100
        assert earned[-1] == 60  # the first purchase, ten times fifteen, capped
        assert earned[-2] == 15

    async def test_two_processes_give_no_more_either(
        self, programme: Programme, clock: VirtualClock, anna: CustomerView
    ) -> None:
        other = build_programme(clock=clock, secret=b"x" * 32, rules=programme.rules)
        hands = [
            TillHand(who, where, n)
            for n in range(0, 400, 100)
            for who, where in ((programme, HERE), (other, THERE))
        ]
        answers = await asyncio.gather(
            *(hand.sell(anna.card_number, f"R{i}", "300.00") for i, hand in enumerate(hands))
        )
        assert sum(answer.earned for answer in answers) == 100
        await other.stop()

    async def test_cancels_that_meet_are_one_after_the_other(
        self, anna: CustomerView, till: TillHand
    ) -> None:
        """However many wait for their turn, none of them is sent away."""
        numbers = [f"R{n}" for n in range(40)]
        for number in numbers:
            await till.sell(anna.card_number, number, "100.00")
        answers = await asyncio.gather(*(till.cancel(number) for number in numbers))
        assert [answer.state for answer in answers] == ["cancelled"] * len(numbers)

    async def test_returns_and_sales_that_meet_lose_none_of_the_turnover(
        self, programme: Programme, clock: VirtualClock, anna: CustomerView, till: TillHand
    ) -> None:
        other = build_programme(clock=clock, secret=b"x" * 32, rules=programme.rules)
        await till.sell(anna.card_number, "R", *("100.00 soap",) * 4)
        hands = [
            TillHand(who, where, n * 100)
            for n, (who, where) in enumerate(((programme, HERE), (other, THERE)) * 3, 1)
        ]
        sold_at = {HERE: {}, THERE: {"till": (await till_code(HERE))}}
        await asyncio.gather(
            *(hand.sell(anna.card_number, f"S{i}", "300.00") for i, hand in enumerate(hands)),
            *(
                hand.take_back("R", f"B{line}", [Back(line)], **sold_at[hand.till_id])
                for line, hand in enumerate(hands[:4], 1)
            ),
        )
        assert (await held(anna.id))[1:] == (1800, 7)
        await other.stop()

    async def test_of_two_first_purchases_that_were_quoted_one_is_first(
        self, programme: Programme, anna: CustomerView
    ) -> None:
        here, there = TillHand(programme, HERE), TillHand(programme, THERE)
        quotes = [await each.quote(anna.card_number, "R", "100.00") for each in (here, there)]
        assert [quote.earn for quote in quotes] == [50, 50]
        first, second = [
            await each.commit(quote.quote_id, "R")
            for each, quote in zip((here, there), quotes, strict=True)
        ]
        assert (first.earned, second.earned) == (50, 5)
        assert second.lines[0].explanation == "flat_rate permille=50 paid_minor=10000"

    async def test_of_points_that_were_multiplied_and_capped_each_line_gives_its_own_back(
        self, programme: Programme, anna: CustomerView, till: TillHand
    ) -> None:
        sold = await till.sell(anna.card_number, "R1", "200.00 cream", "100.00 soap")
        assert [line.earned for line in sold.lines] == [40, 20]  # 150, capped
        backs = [await till.take_back("R1", f"B{n}", [line]) for n, line in enumerate(
            (Back(1, 500), Back(2), Back(1)))]  # fmt: skip
        taken = [back.moves.taken_back for back in backs if isinstance(back, ReturnAnswer)]
        assert taken == [20, 20, 20]
        assert (await till.sell(anna.card_number, "R2", "300.00")).earned == 15
        # not her first, and what was taken back makes no room
        assert (await till.sell(anna.card_number, "R3", "900.00")).earned == 25

    async def test_a_month_and_a_day_are_those_of_the_sale(
        self, programme: Programme, clock: VirtualClock, anna: CustomerView, till: TillHand
    ) -> None:
        clock.set(datetime(2026, 2, 10, 12, tzinfo=UTC))
        days = [0, 0, 1, 2, 35]
        earned = [
            (
                await till.sell(
                    anna.card_number, f"R{n}", "1000.00", at=clock.now() - timedelta(days=ago)
                )
            ).earned
            for n, ago in enumerate(days)
        ]
        assert earned == [60, 40, 30, 0, 50]  # 130 in February; January has its own
        await till.cancel("R0")
        sold = await till.sell(anna.card_number, "R9", "1000.00")
        assert sold.earned == 50  # what was cancelled makes room: 70 of the month are used
        assert sold.lines[0].explanation.startswith("flat_rate")


async def test_a_year_of_receipts_and_cancels_in_any_order(
    programme: Programme, clock: VirtualClock, anna: CustomerView, till: TillHand
) -> None:
    chance = random.Random(7)
    open_numbers: list[str] = []
    for n in range(60):
        clock.advance(timedelta(days=chance.randrange(12)))
        if open_numbers and chance.random() < 0.3:
            await till.cancel(open_numbers.pop(chance.randrange(len(open_numbers))))
            continue
        at = clock.now() - timedelta(days=chance.randrange(20))
        amount = f"{chance.randrange(1, 900)}.{chance.randrange(100):02}"
        await till.sell(anna.card_number, f"R{n}", amount, at=at)
        open_numbers.append(f"R{n}")
        if chance.random() < 0.2:
            await programme.tidy()
    month = month_of(to_micros(clock.now()), "Europe/Moscow")
    inside = sum(minor for each, (minor, _) in (await counted(anna.id)).items()
                 if month - 12 < each <= month)  # fmt: skip
    await till.sell(anna.card_number, "last", "0.01")
    [row] = await query("SELECT turnover_minor, receipts FROM customer_turnover")
    assert (row["turnover_minor"], row["receipts"]) == (inside + 1, len(open_numbers) + 1)
