"""Recommendations out of receipts: what is planted is found, what must not be suggested is not."""

import random
from collections.abc import Iterable, Mapping
from datetime import datetime, timedelta
from typing import Any

import pytest

from loyalty.clock import VirtualClock
from loyalty.database import query
from loyalty.ids import next_id
from loyalty.models import Customer, Product, Receipt, ReceiptLine, RefillCourse, Shop, Till
from loyalty.programme import Programme
from loyalty.recommendations import Recommended
from loyalty.rules.earning_rules import EarningRules, Selection
from loyalty.rules.programme import ProgrammeRules
from loyalty.sql.recommendations import PARTNERS, PRODUCTS_OF_ONE

WORLDS, GOODS_OF_WORLD = 5, 6
SELLERS = ("best-0", "best-1")


@pytest.fixture
def rules() -> ProgrammeRules:
    milk = Selection(categories=frozenset({"milk"}), skus=frozenset({"w1-5"}))
    return ProgrammeRules(earning=EarningRules(not_earning=milk))


@pytest.fixture(autouse=True)
async def shop(programme: Programme) -> None:
    place = await Shop.create(id=1, code="s1", name="Аптека")
    await Till.create(id=1, shop=place, code="t1", name="Касса")


async def goods(skus: Iterable[str], **fields: Any) -> None:
    values = {"category": "x", "price_minor": 100_00} | fields
    await Product.bulk_create([Product(sku=sku, name=sku.upper(), **values) for sku in skus])


async def bought(
    carts: Mapping[int, Iterable[str]], at: datetime, *, state: str = "committed", back: int = 0
) -> None:
    """One receipt for each customer; of each line `back` thousandths have come back."""
    receipts, lines = [], []
    for customer_id, skus in carts.items():
        number = next_id()
        receipts.append(
            Receipt(
                id=number, customer_id=customer_id, till_id=1, number=str(number), state=state,
                at=at, recorded_at=at, total_minor=1, paid_minor=1, spent_points=0,
                earned_points=0, key=str(number), fingerprint=b"", answer="{}",
            )
        )  # fmt: skip
        lines += [
            ReceiptLine(
                receipt_id=number, position=n, sku=sku, name=sku, category="x",
                quantity_milli=1000, price_minor=1, amount_minor=1, spent_points=0,
                earned_points=0, returned_milli=back,
            )
            for n, sku in enumerate(skus)
        ]  # fmt: skip
    await Receipt.bulk_create(receipts)
    await ReceiptLine.bulk_create(lines)


async def crowd(count: int) -> list[int]:
    people = [
        Customer(name="Н", joined_at=datetime.fromisoformat("2025-01-01T00:00Z"))
        for _ in range(count)
    ]
    await Customer.bulk_create(people)
    return [person.id for person in people]


def skus(found: Iterable[Recommended]) -> list[str]:
    return [each.sku for each in found]


async def test_what_is_planted_is_found_and_widely_sold_goods_do_not_drown_it(
    programme: Programme, clock: VirtualClock
) -> None:
    """Each customer buys four of the six goods of her world, and what everybody buys. The rest of
    her world is what she is to be told of; what she bought half a year ago is no mistake."""
    chance = random.Random(7)
    await goods(f"w{w}-{n}" for w in range(WORLDS) for n in range(GOODS_OF_WORLD))
    await goods([*SELLERS, *(f"noise-{n}" for n in range(20))])
    people = await crowd(250)
    carts, missing = {}, {}
    for i, customer_id in enumerate(people):
        world = [f"w{i % WORLDS}-{n}" for n in range(GOODS_OF_WORLD)]
        chosen = chance.sample(world, 4)
        missing[customer_id] = set(world) - set(chosen) - {"w1-5"}
        noise = [f"noise-{chance.randrange(20)}"]
        carts[customer_id] = {*chosen, *chance.sample(SELLERS, chance.randint(0, 2)), *noise}
    await bought(carts, clock.now() - timedelta(days=200))
    popular = await programme.recommendations.recommend(people[0], 2)
    assert popular == [], "nothing was counted yet"
    await programme.recommendations.count_pairs()
    hits = possible = strange = 0
    for customer_id in people[:60]:
        found = set(skus(await programme.recommendations.recommend(customer_id, 2)))
        hits += len(found & missing[customer_id])
        possible += min(2, len(missing[customer_id]))
        strange += len(found - missing[customer_id] - set(carts[customer_id]))
    assert hits / possible > 0.9
    assert strange == 0
    [[both]] = await query("SELECT MIN(buyers) FROM product_reach WHERE sku LIKE 'best%'")
    [[one]] = await query("SELECT MAX(buyers) FROM product_reach WHERE sku LIKE 'w%'")
    assert both > 2 * one, "by popularity alone the best sellers would have been suggested"


async def pairs() -> list[tuple[str, str, int]]:
    rows = await query("SELECT sku, other_sku, together FROM product_pair ORDER BY sku, other_sku")
    return [tuple(row) for row in rows]


async def test_a_pair_needs_five_people_and_more_than_chance(
    programme: Programme, clock: VirtualClock
) -> None:
    await goods("abcde")
    people = await crowd(20)
    carts: dict[int, set[str]] = {who: {"e"} for who in people}
    for who in people[:5]:
        carts[who] |= {"a", "b"}
    for who in people[5:9]:
        carts[who] |= {"c", "d"}
    await bought(carts, clock.now() - timedelta(days=30))
    await bought({people[0]: "ab"}, clock.now() - timedelta(days=20))  # twice is one buyer
    await programme.recommendations.count_pairs()
    assert await pairs() == [("a", "b", 5), ("b", "a", 5)], "e goes with all, by chance alone"
    await programme.recommendations.count_pairs()
    assert await pairs() == [("a", "b", 5), ("b", "a", 5)]


async def test_what_must_not_be_suggested_is_not(programme: Programme, clock: VirtualClock) -> None:
    await goods(
        ["base", "rx", "formula", "tobacco", "fresh", "back", "course", "gone", "good", "excluded"]
    )
    await Product.filter(sku="rx").update(prescription_only=True)
    await Product.filter(sku="formula").update(category="milk")
    await Product.filter(sku="tobacco").update(earns=False)
    *others, anna, olga = await crowd(32)
    all_of_it = await Product.all().values_list("sku", flat=True)
    await goods(["other"])
    await bought(dict.fromkeys(others[:10], all_of_it), clock.now() - timedelta(days=90))
    await bought({who: ["other"] for who in others[10:]}, clock.now() - timedelta(days=90))
    await bought({anna: ["base"]}, clock.now() - timedelta(days=170))
    await bought({anna: ["fresh"]}, clock.now() - timedelta(days=59))
    await bought({anna: ["back"]}, clock.now() - timedelta(days=170), back=1000)
    await bought({olga: ["rx"]}, clock.now() - timedelta(days=170))
    await RefillCourse.create(
        customer_id=anna, item="course", sku="course", name="Курс", pack_units=30, daily_milli=1000,
        created_at=clock.now(),
    )  # fmt: skip
    await programme.recommendations.count_pairs()
    await Product.filter(sku="gone").delete()
    found = await programme.recommendations.recommend(anna, 9, excluding=["excluded"])
    assert skus(found) == ["good", "base", "other"], "base itself was long ago"
    assert found[0].because in ("BASE", "FRESH")
    assert [each.why for each in found] == ["together", "together", "popular"]
    hers = await programme.recommendations.recommend(olga, 3)
    assert {each.why for each in hers} == {"popular"}, "her medicine is no reason for anything"
    await Product.filter(sku="good").update(prescription_only=True)
    assert skus(await programme.recommendations.recommend(anna, 9, excluding=["excluded"])) == [
        "base",
        "other",
    ], "it has come to need a prescription since"


async def test_what_was_not_kept_counts_for_nothing(
    programme: Programme, clock: VirtualClock
) -> None:
    await goods("abx")
    people = await crowd(30)
    month_ago = clock.now() - timedelta(days=30)
    await bought(dict.fromkeys(people, "x"), month_ago)
    await bought(dict.fromkeys(people[:8], "ab"), month_ago, back=1000)
    await bought(dict.fromkeys(people[8:16], "ab"), month_ago, state="cancelled")
    await bought(dict.fromkeys(people[16:24], "ab"), clock.now() - timedelta(days=366))
    await programme.recommendations.count_pairs()
    assert await pairs() == []
    [[reach]] = await query("SELECT COUNT(*) FROM product_reach")
    assert reach == 1


async def test_a_wholesale_buyer_does_not_pair_everything_with_all(
    programme: Programme, clock: VirtualClock
) -> None:
    everything = [f"g{n:03}" for n in range(PRODUCTS_OF_ONE + 20)]
    await goods(everything)
    people = await crowd(20)
    await bought(dict.fromkeys(people[:6], everything), clock.now() - timedelta(days=9))
    await goods(["none"])
    await bought({who: ["none"] for who in people[6:]}, clock.now() - timedelta(days=9))
    await programme.recommendations.count_pairs()
    found = await pairs()
    assert len(found) == PRODUCTS_OF_ONE * (PRODUCTS_OF_ONE - 1)
    most = max(sum(pair[0] == sku for pair in found) for sku in everything)
    assert most <= PARTNERS


async def test_it_is_counted_daily_while_small_then_weekly_at_night(
    programme: Programme, clock: VirtualClock
) -> None:
    due = programme.recommendations.refresh_due
    clock.set(datetime.fromisoformat("2026-01-01T15:00+00:00"))
    assert (await due(), await due()) == (True, False)
    clock.set(datetime.fromisoformat("2026-01-01T23:59+00:00"))
    assert not await due()
    clock.set(datetime.fromisoformat("2026-01-02T00:00+00:00"))
    assert (await due(), await due()) == (True, False)
    await query("UPDATE pair_count SET customers = 1000")
    clock.set(datetime.fromisoformat("2026-01-08T23:59+00:00"))
    assert not await due()
    clock.set(datetime.fromisoformat("2026-01-09T00:00+00:00"))
    assert (await due(), await due()) == (True, False)
