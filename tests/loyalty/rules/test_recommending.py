"""Which products go with what she has bought: by cosine, summed over her products."""

import pytest

from loyalty.rules.recommending import Pair, rank, support_floor


@pytest.mark.parametrize(
    ("customers", "floor"),
    [(0, 5), (50_000, 5), (50_001, 6), (60_000, 6), (200_000, 20)],
)
def test_the_floor_of_support_grows_with_the_base(customers: int, floor: int) -> None:
    assert support_floor(customers) == floor


@pytest.mark.parametrize(
    ("together", "one", "other", "cosine"),
    [(10, 10, 10, 1.0), (5, 10, 10, 0.5), (6, 9, 16, 0.5), (10, 10, 1000, 0.1)],
)
def test_cosine(together: int, one: int, other: int, cosine: float) -> None:
    assert Pair("a", "b", together, one, other).cosine == pytest.approx(cosine)


def test_what_several_of_her_products_speak_for_comes_first() -> None:
    pairs = [
        Pair("a", "x", 6, 10, 10),
        Pair("a", "y", 4, 10, 10),
        Pair("b", "y", 5, 10, 10),
    ]
    first, second = rank(pairs, 5)
    assert (first.sku, first.because) == ("y", "b")
    assert first.score == pytest.approx(0.9)
    assert (second.sku, second.because) == ("x", "a")
    assert [each.sku for each in rank(pairs, 1)] == ["y"]


def test_equals_come_by_their_sku_whatever_the_order_of_the_rows() -> None:
    pairs = [Pair(one, other, 5, 10, 10) for one in "ab" for other in "xyz"]
    assert [each.sku for each in rank(reversed(pairs), 3)] == ["x", "y", "z"]
    assert {each.because for each in rank(reversed(pairs), 3)} == {"a"}


def test_nothing_of_nothing() -> None:
    assert rank([], 3) == []
