"""The journeys of the house, lived through on a virtual clock, on both databases."""

from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest

from loyalty.database import query
from loyalty.instants import to_micros
from loyalty.models import Product
from loyalty.rules.commands import Accrue
from loyalty.rules.programme import ProgrammeRules
from loyalty.rules.promo import Kind, Terms
from loyalty.rules.tiers import Tier, TierRules
from messaging.tasks import waiting
from tests.messaging.journeys.stage import Stage

DAY, HOUR = timedelta(days=1), timedelta(hours=1)
GOLD = Tier(code="gold", from_minor=100_000_00, earn_permille=75, name_ru="Золотой", name_en="Gold")


@pytest.fixture
def rules() -> ProgrammeRules:
    return ProgrammeRules(tiers=TierRules(levels=(GOLD,)))


async def test_welcome_goes_on_for_a_week_and_a_code_ends_it(stage: Stage) -> None:
    for other in ("activation", "cheaper_channel"):
        await stage.switch_off(other)
    await stage.join()
    await stage.live(HOUR, step=timedelta(minutes=1))
    assert await stage.sent("welcome") == ["welcome_thanks"]
    await stage.live(8 * DAY, step=4 * HOUR)
    assert await stage.sent("welcome") == [
        "welcome_thanks", "welcome_advice", "welcome_tour", "welcome_code"
    ]  # fmt: skip
    assert "скидка" in stage.channel.texts[-1].lower()
    await stage.live(20 * DAY, step=DAY)
    assert (await stage.sent("welcome"))[-1] == "promo_expiring"
    assert await stage.outcomes("welcome") == ["finished"]
    assert "noticed=no" in await stage.steps("welcome")


async def test_who_has_bought_gets_no_code_for_a_first_purchase(stage: Stage) -> None:
    anna = await stage.join()
    await stage.live(3 * DAY)
    await stage.buys(anna)
    await stage.live(5 * DAY)
    assert "welcome_code" not in await stage.sent("welcome")
    assert await stage.outcomes("welcome") == ["finished"]


@pytest.mark.parametrize(
    ("born_on", "on"),
    [
        (date(1990, 3, 12), date(2026, 3, 12)),
        (date(1992, 2, 29), date(2026, 2, 28)),
        (date(1992, 2, 29), date(2028, 2, 29)),
        (date(1980, 1, 3), date(2027, 1, 3)),
    ],
)
async def test_a_birthday_is_greeted_once_a_week_before(
    stage: Stage, born_on: date, on: date
) -> None:
    stage.clock.set(datetime.combine(on, datetime.min.time(), UTC) - timedelta(days=10))
    anna = await stage.customer(born_on=born_on)
    await stage.live(2 * DAY)
    assert await stage.sent("birthday") == []
    await stage.live(10 * DAY, step=3 * HOUR)
    assert await stage.sent("birthday") == ["birthday"]
    at = (await query("SELECT started_at FROM attempt"))[0]["started_at"]
    local = datetime.fromtimestamp(at / 1_000_000, UTC) + timedelta(hours=3)
    assert local.date() == on - timedelta(days=7)
    balance = await stage.programme.ledger.balance(anna)
    assert balance.available == 200  # type: ignore[union-attr]
    await stage.live(20 * DAY, step=5 * DAY)
    assert await stage.sent("birthday") == ["birthday"]


async def bought_times(stage: Stage, customer_id: int, times: int) -> None:
    """Receipts of the past that nobody is told of."""
    for n in range(times):
        await stage.buys(customer_id, stage.clock.now() - (times - n) * DAY, told=False)


@pytest.mark.parametrize(("before", "gift"), [(3, 0), (4, 100), (5, 0), (9, 200), (24, 500)])
async def test_a_round_number_of_purchases_is_congratulated(
    stage: Stage, before: int, gift: int
) -> None:
    anna = await stage.customer()
    await bought_times(stage, anna, before)
    await stage.buys(anna)
    await stage.settle()
    assert await stage.sent("nth_purchase") == (["nth_purchase"] if gift else [])
    assert await available(stage, anna) == gift
    await stage.buys(anna, told=False)
    await stage.live(DAY)
    assert await available(stage, anna) == gift


async def available(stage: Stage, customer_id: int) -> int:
    balance: Any = await stage.programme.ledger.balance(customer_id)
    return int(balance.available)


async def test_points_that_expire_are_told_14_and_3_days_before_unless_spent(stage: Stage) -> None:
    await stage.switch_off("activation")
    anna, bob, cent = [await stage.customer() for _ in range(3)]
    at = stage.clock.now()
    for who, points, days in ((anna, 180, 30), (anna, 20, 31), (bob, 500, 10), (cent, 5, 20)):
        await stage.programme.ledger.post(
            Accrue(
                key=f"{who}:{days}", account_id=who, points=points, at=to_micros(at),
                expires_at=to_micros(at + days * DAY),
            )
        )  # fmt: skip
    await stage.live(40 * DAY, step=DAY)
    rows = await query(
        "SELECT customer_id, created_at FROM message WHERE template = 'points_expiring' "
        "AND source LIKE 'journey:points%' ORDER BY created_at"
    )
    told = [
        (row["customer_id"], (row["created_at"] - to_micros(at)) // (24 * 3_600_000_000))
        for row in rows
    ]
    assert told == [(bob, 7), (anna, 16), (anna, 27)]
    text = next(t for t in stage.channel.texts if "200 бонусов" in t.replace("\xa0", " "))
    assert "от 700 ₽" in text.replace("\xa0", " "), "30 % of 700 are 210"


async def test_a_code_that_ends_is_told_once_unless_used(stage: Stage) -> None:
    anna, bob = await stage.customer(), await stage.customer()
    at = stage.clock.now()
    made: Any = await stage.programme.campaigns.create(
        "spring", "Весенняя скидка",
        Terms(kind=Kind.PERCENT, permille=100, ends_at=to_micros(at + 10 * DAY), holder_only=True),
    )  # fmt: skip
    codes = [await stage.programme.promo.give(made.id, who, f"k{who}") for who in (anna, bob)]
    await query("UPDATE promo_code SET taken = 1 WHERE code = $1", None, codes[1])
    await stage.live(7 * DAY, step=6 * HOUR)
    assert await stage.sent("promo_expiring") == []
    await stage.live(4 * DAY, step=6 * HOUR)
    assert await stage.sent("promo_expiring") == ["promo_expiring"]
    assert "Весенняя скидка" in stage.channel.texts[-1]


async def test_a_tier_is_told_up_down_and_near(stage: Stage) -> None:
    anna = await stage.customer()
    await stage.event("tier.near", anna, stage.clock.now(), tier="gold", missing_minor=5_000_00)
    await stage.live(DAY + HOUR)
    assert "5 000 ₽" in stage.channel.texts[-1].replace("\xa0", " ").replace("\u202f", " ")
    await stage.event("tier.changed", anna, stage.clock.now(), was="", tier="gold", why="reached")
    await stage.settle()
    assert "Ваш новый уровень — «Золотой»" in stage.channel.texts[-1]
    assert "7,5 %" in stage.channel.texts[-1]
    await stage.live(DAY)
    await stage.event("tier.changed", anna, stage.clock.now(), was="gold", tier="", why="turnover")
    await stage.settle()
    assert "Срок вашего уровня закончился" in stage.channel.texts[-1]


async def test_who_sleeps_is_called_back_and_at_last_left_alone(stage: Stage) -> None:
    anna, bob = await stage.customer(), await stage.customer()
    at = stage.clock.now()
    for who in (anna, bob):
        await stage.buys(who, at - 100 * DAY, told=False)
    await stage.live(59 * DAY, step=DAY)
    assert await stage.sent("reactivation") == []
    await stage.live(3 * DAY, step=6 * HOUR)
    assert await stage.sent("reactivation") == ["reactivation_hello"] * 2
    bob_buys = stage.clock.now()
    await stage.buys(bob, bob_buys)
    await stage.live(30 * DAY, step=DAY)
    assert await stage.sent("reactivation") == ["reactivation_hello"] * 2 + ["reactivation_offer"]
    await stage.live(190 * DAY, step=5 * DAY)
    assert sorted(await stage.outcomes("reactivation")) == ["", "finished", "goal"]
    rows = await query("SELECT address, topic, reason FROM suppression")
    assert [(row["topic"], row["reason"]) for row in rows] == [("marketing", "asleep")]
    await stage.buys(anna)
    await stage.settle()
    assert await query("SELECT 1 FROM suppression WHERE lifted_at IS NULL") == [], "she is back"


async def test_who_reads_is_not_suppressed(stage: Stage) -> None:
    anna = await stage.customer()
    await stage.buys(anna, stage.clock.now() - 159 * DAY, told=False)
    await stage.live(3 * DAY, step=6 * HOUR)
    await stage.read_all()
    await stage.live(215 * DAY, step=5 * DAY)
    assert "is_silent=no" in await stage.steps("reactivation")
    assert await query("SELECT 1 FROM suppression") == []


async def test_a_cart_is_reminded_of_after_an_hour_and_a_day_until_it_is_ordered(
    stage: Stage,
) -> None:
    await Product.create(
        sku="rx", name="Антибиотик", category="rx", prescription_only=True, price_minor=100,
        barcode="1",
    )  # fmt: skip
    anna, bob = await stage.customer(), await stage.customer()
    items = [{"sku": "rx", "name": "Антибиотик"}, {"sku": "d3", "name": "Витамин D3"}]
    for who in (anna, bob):
        await stage.event("site.cart", who, stage.clock.now(), items=items)
    await stage.live(timedelta(minutes=50), step=timedelta(minutes=10))
    await stage.event("site.cart", anna, stage.clock.now(), items=items)
    await stage.live(timedelta(minutes=20), step=timedelta(minutes=10))
    assert await stage.sent("abandoned_cart") == ["abandoned_cart"], "Anna is still shopping"
    assert "Витамин D3" in stage.channel.texts[-1]
    assert "Антибиотик" not in stage.channel.texts[-1], "prescription drugs are not advertised"
    await stage.event("site.order", anna, stage.clock.now())
    await stage.live(2 * DAY)
    assert await stage.sent("abandoned_cart") == ["abandoned_cart"] * 2, "Bob's second one"
    assert sorted(await stage.outcomes("abandoned_cart")) == ["finished", "left:heard_site.order"]


async def test_an_emptied_cart_is_not_reminded_of(stage: Stage) -> None:
    anna = await stage.customer()
    await stage.event("site.cart", anna, stage.clock.now(), items=[{"sku": "a", "name": "А"}])
    await stage.live(timedelta(minutes=10))
    await stage.event("site.cart", anna, stage.clock.now(), items=[])
    await stage.live(3 * HOUR)
    assert await stage.outcomes("abandoned_cart") == ["untrue"]


@pytest.mark.parametrize(
    ("kind", "count", "journey", "sent"),
    [
        ("site.view", 1, "abandoned_browse", ["abandoned_browse"]),
        ("site.search", 1, "abandoned_search", ["abandoned_search"]),
        ("site.favourite", 2, "favourites", []),
        ("site.favourite", 3, "favourites", ["favourites"]),
    ],
)
async def test_what_she_looked_at_is_reminded_of_the_next_day(
    stage: Stage, kind: str, count: int, journey: str, sent: list[str]
) -> None:
    anna = await stage.customer()
    for n in range(count):
        items = [{"sku": f"s{n}", "name": f"Товар {n}"}]
        await stage.event(kind, anna, stage.clock.now(), items=items, query="магний")
        await stage.settle()
    await stage.live(2 * DAY)
    assert await stage.sent(journey) == sent


async def test_who_is_reached_by_sms_alone_is_invited_and_thanked(stage: Stage) -> None:
    anna = await stage.customer(fronts=("phone",))
    await stage.customer(fronts=("phone", "telegram"))
    await stage.live(4 * DAY)
    assert await stage.sent("cheaper_channel") == ["cheaper_channel"]
    assert "https://k.example/chat/frame" in stage.sms.texts[-1]
    [row] = await query("SELECT value FROM identity WHERE customer_id = $1", None, anna)
    await query("UPDATE identity SET value = '+79001112233' WHERE value = $1", None, row["value"])
    await stage.join("+79001112233")
    await stage.settle()
    assert await stage.sent("cheaper_channel") == ["cheaper_channel", "gift_given"]
    assert await available(stage, anna) == 100


async def test_win_back_by_hand_is_a_task(stage: Stage) -> None:
    anna = await stage.customer(fronts=("phone",))
    assert await stage.journeys.enrol("win_back", [anna], key="may") == 1
    await stage.settle()
    [task] = await waiting()
    assert (task.kind, task.customer_id) == ("win_back", anna)
    stage.clock.advance(HOUR)
    await stage.buys(anna)
    await stage.settle()
    assert await stage.outcomes("win_back") == ["goal"]


@pytest.mark.parametrize(
    ("reads", "answers", "sent"),
    [
        (False, False, ["interests_ask", "interests_ask", "gift"]),
        (True, False, ["interests_ask", "gift"]),
        (True, True, ["interests_ask", "gift"]),
    ],
)
async def test_who_has_not_bought_is_asked_and_given_what_burns(
    stage: Stage, reads: bool, answers: bool, sent: list[str]
) -> None:
    anna = await stage.customer(joined_at=stage.clock.now() - 13 * DAY)
    await stage.live(DAY + 2 * HOUR)
    if reads:
        await stage.read_all()
    if answers:
        await stage.event("survey.answered", anna, stage.clock.now(), survey="interests")
    await stage.live(20 * DAY, step=DAY)
    assert await stage.sent("activation") == sent
    assert len(await query("SELECT 1 FROM survey_sheet")) == 1
