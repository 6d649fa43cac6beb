"""The rules of promo codes as tables: what fits, what is refused and why, what several give."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from loyalty.refusals import No, Refusal
from loyalty.rules.promo import (
    Basket,
    Kind,
    Known,
    PromoLine,
    Terms,
    bonuses,
    check_terms,
    discounts,
    judge,
    refusal_of,
)

ANNA, BORIS = 7001, 7002
TEN = Terms(kind=Kind.PERCENT, permille=100)
LINES = (PromoLine(1000_00, category="care"), PromoLine(500_00, category="vitamins", sku="v1"))
BASKET = Basket(customer_id=ANNA, shop="s1", at=50, is_first=True, lines=LINES)


def code(name: str = "SPRING", terms: Terms = TEN, **changes: Any) -> Known:
    known = Known(code=name, campaign_id=hash(name), title=name, terms=terms)
    return replace(known, **changes)


def terms(**changes: Any) -> Terms:
    return replace(TEN, **changes)


# what is known of the code | what is odd about the receipt | refused as
FITS: list[tuple[Known, dict[str, Any], No | None]] = [
    (code(), {}, None),
    (code(is_revoked=True), {}, No.PROMO_REVOKED),
    (code(terms=terms(starts_at=51)), {}, No.PROMO_NOT_YET),
    (code(terms=terms(starts_at=50)), {}, None),
    (code(terms=terms(ends_at=51)), {}, None),
    (code(terms=terms(ends_at=50)), {}, No.PROMO_EXPIRED),
    (code(is_personal=True), {}, None),
    (code(is_personal=True, taken=1), {}, No.PROMO_USED),
    (code(taken=9), {}, None),  # a shared one is counted by its campaign
    (code(terms=terms(total_max=3), total_taken=2), {}, None),
    (code(terms=terms(total_max=3), total_taken=3), {}, No.PROMO_USED_UP),
    (code(terms=terms(per_customer_max=1), customer_taken=1), {}, No.PROMO_USED_BY_CUSTOMER),
    (code(terms=terms(per_customer_max=2), customer_taken=1), {}, None),
    (code(terms=terms(holder_only=True)), {}, No.PROMO_NOT_HOLDER),
    (code(terms=terms(holder_only=True), holder_id=BORIS), {}, No.PROMO_NOT_HOLDER),
    (code(terms=terms(holder_only=True), holder_id=ANNA), {}, None),
    (code(holder_id=BORIS), {}, None),  # she may have given it away
    (code(terms=terms(segment_only=True)), {}, No.PROMO_NOT_IN_SEGMENT),
    (code(terms=terms(segment_only=True), is_in_segment=True), {}, None),
    (code(terms=terms(first_purchase=True)), {}, None),
    (code(terms=terms(first_purchase=True)), {"is_first": False}, No.PROMO_NOT_FIRST_PURCHASE),
    (code(terms=terms(first_purchase=True), customer_taken=1), {}, No.PROMO_USED_BY_CUSTOMER),
    (code(terms=terms(shops=("s1", "s2"))), {}, None),
    (code(terms=terms(shops=("s2",))), {}, No.PROMO_OTHER_SHOP),
    (code(terms=terms(categories=("vitamins",))), {}, None),
    (code(terms=terms(categories=("baby",))), {}, No.PROMO_OTHER_GOODS),
    (code(terms=terms(min_total_minor=1500_00)), {}, None),
    (code(terms=terms(min_total_minor=1500_01)), {}, No.PROMO_BELOW_MINIMUM),
]  # fmt: skip


@pytest.mark.parametrize(("known", "receipt", "refused"), FITS)
def test_whether_a_code_fits(known: Known, receipt: dict[str, Any], refused: No | None) -> None:
    verdict = refusal_of(known, replace(BASKET, **receipt))
    assert (None if verdict is None else verdict.code) == refused


STACKS = terms(stackable=True)
# given, in this order | what applies, and what is in the way of the others
TOGETHER: list[tuple[list[Known], list[str]]] = [
    ([code("A"), code("B")], ["A", "A in the way"]),
    ([code("A", STACKS), code("B", STACKS)], ["A", "B"]),
    ([code("A", STACKS), code("B"), code("C", STACKS)], ["A", "A in the way", "C"]),
    ([code("A"), code("B", STACKS)], ["A", "A in the way"]),
    ([code("A", STACKS), code("B", STACKS, campaign_id=hash("A"))], ["A", "A in the way"]),
    ([code("A", is_revoked=True), code("B")], ["promo_revoked", "B"]),
]


@pytest.mark.parametrize(("given_", "told"), TOGETHER)
def test_which_of_several_apply(given_: list[Known], told: list[str]) -> None:
    def tell(verdict: Known | Refusal) -> str:
        if isinstance(verdict, Known):
            return verdict.code
        other = verdict.data.get("other")
        return f"{other} in the way" if other else verdict.code

    verdicts = judge([(known.code, known) for known in given_], BASKET)
    assert [tell(verdict) for _, verdict in verdicts] == told


def off(*offers: Terms, lines: Sequence[PromoLine] = LINES) -> list[list[int]]:
    return discounts(lines, [code(str(n), each) for n, each in enumerate(offers)])


def sum_off(minor: int, **changes: Any) -> Terms:
    return Terms(kind=Kind.SUM, amount_minor=minor, **changes)


GIFT = Terms(kind=Kind.GIFT, gift_sku="v1", gift_name="Vitamin C")
# offers | what each takes off each of the lines 1000.00 (care) and 500.00 (vitamins)
MONEY: list[tuple[list[Terms], list[list[int]]]] = [
    ([TEN], [[100_00, 50_00]]),
    ([terms(permille=333)], [[333_00, 166_50]]),
    ([terms(categories=("vitamins",))], [[0, 50_00]]),
    ([terms(discount_max_minor=30_00)], [[20_00, 10_00]]),
    ([terms(permille=1000)], [[1000_00, 500_00]]),
    ([sum_off(300_00)], [[200_00, 100_00]]),
    ([sum_off(100_01)], [[66_67, 33_34]]),
    ([sum_off(9_999_00)], [[1000_00, 500_00]]),
    ([sum_off(9_999_00, categories=("care",))], [[1000_00, 0]]),
    ([TEN, TEN], [[100_00, 50_00], [90_00, 45_00]]),
    ([sum_off(300_00), TEN], [[200_00, 100_00], [100_00, 50_00]]),  # percents come first
    ([sum_off(1000_00), sum_off(1000_00)], [[666_67, 333_33], [333_33, 166_67]]),
    ([GIFT], [[0, 500_00]]),
    ([Terms(kind=Kind.GIFT, gift_name="A bag")], [[0, 0]]),
    ([Terms(kind=Kind.POINTS, points=100)], [[0, 0]]),
]


@pytest.mark.parametrize(("offers", "expected"), MONEY)
def test_what_comes_off(offers: list[Terms], expected: list[list[int]]) -> None:
    assert off(*offers) == expected


def test_one_unit_of_the_gift_is_free() -> None:
    three = (PromoLine(300_00, 3000, sku="v1"), PromoLine(50_00, 1000, sku="x"))
    assert off(GIFT, lines=three) == [[100_00, 0]]


DOUBLE = Terms(kind=Kind.MULTIPLIER, permille=2000)
# offers | what each adds to lines that have earned 50 and 25
POINTS: list[tuple[list[Terms], list[list[int]]]] = [
    ([DOUBLE], [[50, 25]]),
    ([DOUBLE, replace(DOUBLE, permille=3000)], [[50, 25], [100, 50]]),  # gains add up
    ([replace(DOUBLE, permille=1500)], [[25, 12]]),  # 37.5 is rounded down, once
    ([replace(DOUBLE, categories=("vitamins",))], [[0, 25]]),
    ([Terms(kind=Kind.POINTS, points=100)], [[67, 33]]),
    ([Terms(kind=Kind.POINTS, points=100, categories=("care",))], [[100, 0]]),
    ([TEN], [[0, 0]]),
]


@pytest.mark.parametrize(("offers", "expected"), POINTS)
def test_what_is_added_to_the_points(offers: list[Terms], expected: list[list[int]]) -> None:
    known = [code(str(n), each) for n, each in enumerate(offers)]
    assert bonuses(LINES, [50, 25], known) == expected


amounts = st.lists(st.integers(0, 10_000_00), min_size=1, max_size=8)
offers = st.one_of(
    st.builds(lambda p, m: terms(permille=p, discount_max_minor=m), st.integers(1, 1000),
              st.none() | st.integers(1, 500_00)),
    st.builds(sum_off, st.integers(1, 20_000_00)),
    st.builds(lambda n: Terms(kind=Kind.POINTS, points=n), st.integers(1, 5_000)),
    st.builds(lambda p: replace(DOUBLE, permille=p), st.integers(1001, 10_000)),
)  # fmt: skip


@given(amounts, st.lists(offers, min_size=1, max_size=5))
def test_nobody_is_paid_for_shopping(prices: list[int], given_: list[Terms]) -> None:
    lines = [PromoLine(price) for price in prices]
    cuts = off(*given_, lines=lines)
    for price, *parts in zip(prices, *cuts, strict=True):
        assert all(part >= 0 for part in parts)
        assert sum(parts) <= price
    known = [code(str(n), each) for n, each in enumerate(given_)]
    for each, added in zip(given_, bonuses(lines, [5] * len(lines), known), strict=True):
        assert all(points >= 0 for points in added)
        if each.kind == Kind.POINTS:
            assert sum(added) == each.points


# terms that cannot be | the field that is wrong
WRONG: list[tuple[Terms, str]] = [
    (terms(permille=0), "permille"),
    (terms(permille=1001), "permille"),
    (terms(amount_minor=5), "amount_minor"),
    (Terms(kind=Kind.SUM), "amount_minor"),
    (Terms(kind=Kind.POINTS), "points"),
    (Terms(kind=Kind.MULTIPLIER, permille=1000), "permille"),
    (Terms(kind=Kind.GIFT), "gift_name"),
    (terms(gift_name="Bag"), "gift_name"),
    (terms(starts_at=10, ends_at=10), "ends_at"),
    (terms(total_max=0), "total_max"),
    (terms(per_customer_max=0), "per_customer_max"),
    (terms(min_total_minor=-1), "min_total_minor"),
    (terms(discount_max_minor=0), "discount_max_minor"),
]


@pytest.mark.parametrize(("wrong", "field"), WRONG)
def test_terms_that_cannot_be(wrong: Terms, field: str) -> None:
    refusal = check_terms(wrong)
    assert refusal is not None
    assert (refusal.code, refusal.data) == (No.INVALID_PROMO, {"field": field})


@pytest.mark.parametrize("fine", [TEN, sum_off(1), GIFT, DOUBLE])
def test_terms_that_can_be(fine: Terms) -> None:
    assert check_terms(fine) is None
