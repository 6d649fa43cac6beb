"""What a return gives back, in numbers: the rule alone, by tables and by invented sequences."""

from fractions import Fraction
from itertools import permutations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from loyalty.refusals import No, Refusal, refuse
from loyalty.rules.receipts import DAY
from loyalty.rules.returns import (
    Back,
    Portion,
    SoldLine,
    judge,
    paid_by_line,
    points_by_line,
    portion,
    too_old,
)

# quantity | amount paid spent earned | returns in order: quantity -> amount refund give take
TABLE = """
3     | 300.00 270.00 30 13 | 1: 100.00 90.00 10 5 | 1: 100.00 90.00 10 4 | 1: 100.00 90.00 10 4
3     | 100.00 100.00 0 5   | 2: 66.67 66.67 0 4   | 1: 33.33 33.33 0 1
2     | 90.00 0.00 90 0     | 1: 45.00 0.00 45 0   | 1: 45.00 0.00 45 0
2     | 10.00 9.00 1 1      | 1: 5.00 4.50 0 1     | 1: 5.00 4.50 1 0
100   | 20.00 20.00 0 1     | 99: 19.80 19.80 0 1  | 1: 0.20 0.20 0 0
1.5   | 30.00 21.00 9 1     | 0.5: 10.00 7.00 3 1  | 1: 20.00 14.00 6 0
1     | 0.01 0.01 0 0       | 0.5: 0.01 0.01 0 0   | 0.5: 0.00 0.00 0 0
1     | 50.00 50.00 0 2     | 1: 50.00 50.00 0 2
7     | 0.00 0.00 0 0       | 3: 0.00 0.00 0 0     | 4: 0.00 0.00 0 0
"""


def sold(quantity: int, amount: int, paid: int, spent: int, earned: int, back: int = 0) -> SoldLine:
    return SoldLine(
        quantity_milli=quantity,
        amount_minor=amount,
        paid_minor=paid,
        spent=spent,
        earned=earned,
        returned_milli=back,
    )


def back_by(line: SoldLine, quantity: int) -> SoldLine:
    return sold(
        line.quantity_milli, line.amount_minor, line.paid_minor, line.spent, line.earned,
        line.returned_milli + quantity,
    )  # fmt: skip


def minor(text: str) -> int:
    return round(Fraction(text) * 100)


@pytest.mark.parametrize("row", TABLE.strip().splitlines())
def test_what_comes_back(row: str) -> None:
    quantity, figures, *returns = (cell.strip() for cell in row.split("|"))
    amount, paid, spent, earned = figures.split()
    line = sold(int(Fraction(quantity) * 1000), minor(amount), minor(paid), int(spent), int(earned))
    for step in returns:
        count, _, expected = step.partition(":")
        milli = int(Fraction(count) * 1000)
        seen = portion(1, line, milli)
        goods, money, give, take = expected.split()
        assert seen == Portion(
            line=1,
            quantity_milli=milli,
            amount_minor=minor(goods),
            refund_minor=minor(money),
            give_back=int(give),
            take_back=int(take),
        ), step
        line = back_by(line, milli)
    assert line.left_milli == 0


LINES = st.builds(
    lambda quantity, amount, paid, spent, earned: sold(
        quantity, amount, min(paid, amount), spent, earned
    ),
    st.integers(1, 12_000),
    st.integers(0, 500_000),
    st.integers(0, 500_000),
    st.integers(0, 400),
    st.integers(0, 400),
)


@given(LINES, st.lists(st.integers(1, 12_000), max_size=8))
def test_any_returns_sum_to_the_whole_and_never_exceed_it(
    line: SoldLine, wishes: list[int]
) -> None:
    whole, left = line, line.quantity_milli
    money = given_back = taken_back = goods = 0
    for wish in [*wishes, line.quantity_milli]:
        quantity = min(wish, left)
        if not quantity:
            continue
        step = portion(1, line, quantity)
        line, left = back_by(line, quantity), left - quantity
        assert min(step.amount_minor, step.refund_minor, step.give_back, step.take_back) >= 0
        goods += step.amount_minor
        money += step.refund_minor
        given_back += step.give_back
        taken_back += step.take_back
        # Counted point by point: the k-th spent one is back once k / spent of the goods are, the
        # k-th earned one is hers while k / earned of them are still with her.
        came = line.returned_milli
        q = whole.quantity_milli
        assert given_back == sum(k * q <= whole.spent * came for k in range(1, whole.spent + 1))
        kept = sum(k * q <= whole.earned * left for k in range(1, whole.earned + 1))
        assert whole.earned - taken_back == kept
        assert abs(money - Fraction(whole.paid_minor * came, q)) <= Fraction(1, 2)
        assert money <= whole.paid_minor
    assert (goods, money) == (whole.amount_minor, whole.paid_minor)
    assert (given_back, taken_back) == (whole.spent, whole.earned)


@given(LINES, st.lists(st.integers(1, 4_000), min_size=2, max_size=4))
def test_the_order_does_not_matter_in_the_end(line: SoldLine, parts: list[int]) -> None:
    if sum(parts) > line.quantity_milli:
        return
    sums = set()
    for order in permutations(parts):
        rest, steps = line, []
        for quantity in order:
            steps.append(portion(1, rest, quantity))
            rest = back_by(rest, quantity)
        sums.add(
            tuple(
                sum(getattr(step, name) for step in steps)
                for name in ("amount_minor", "refund_minor", "give_back", "take_back")
            )
        )
    assert len(sums) == 1


# -- which lines, and how much of them --

TWO = [sold(2000, 200_00, 170_00, 30, 8), sold(1000, 50_00, 50_00, 0, 2, back=500)]
WISHES: dict[str, tuple[list[Back] | None, object]] = {
    "all that is left": (None, [(1, 2000), (2, 500)]),
    "the rest of a line": ([Back(2)], [(2, 500)]),
    "a part": ([Back(1, 1500)], [(1, 1500)]),
    "nothing": ([], refuse(No.INVALID_RECEIPT, field="lines", reason="count", count_max=200)),
    "a line that is not there": (
        [Back(1), Back(3)],
        refuse(No.UNKNOWN_LINE, field="lines[1].line", lines=2),
    ),
    "line nought": ([Back(0)], refuse(No.UNKNOWN_LINE, field="lines[0].line", lines=2)),
    "a line twice": (
        [Back(1, 1), Back(1, 1)],
        refuse(No.INVALID_RECEIPT, field="lines[1].line", reason="repeated"),
    ),
    "more than is left": (
        [Back(2, 501)],
        refuse(No.EXCEEDS_QUANTITY, field="lines[0].quantity_milli", left_milli=500),
    ),
    "less than anything": (
        [Back(2, 0)],
        refuse(No.INVALID_RECEIPT, field="lines[0].quantity_milli", reason="range"),
    ),
}


@pytest.mark.parametrize("name", WISHES)
def test_which_goods(name: str) -> None:
    wanted, expected = WISHES[name]
    seen = judge(TWO, wanted)
    if not isinstance(seen, Refusal):
        assert [(part.line, part.quantity_milli) for part in seen] == expected
        return
    assert seen == expected


def test_what_has_all_come_back_does_not_come_back_again() -> None:
    gone = [sold(1000, 5, 5, 0, 0, back=1000)]
    assert judge(gone, None) == refuse(No.ALREADY_RETURNED)
    assert judge(gone, [Back(1, 1)]) == refuse(No.ALREADY_RETURNED)
    half = [*gone, sold(1000, 5, 5, 0, 0)]
    assert judge(half, [Back(1)]) == refuse(
        No.EXCEEDS_QUANTITY, field="lines[0].quantity_milli", left_milli=0
    )


def test_too_old() -> None:
    assert too_old(0, 14 * DAY, 14) is None
    assert too_old(0, 14 * DAY + 1, 14) == refuse(No.RETURN_TOO_OLD, days_max=14)
    assert too_old(0, 9_000 * DAY, 0) is None


# -- what a receipt says only as a whole, on its lines --


def test_money_on_the_lines() -> None:
    assert paid_by_line([100_00, 50_00], [30, 0], 150_00, 120_00) == [70_00, 50_00]
    assert paid_by_line([100_00, 50_00], [0, 0], 150_00, 120_00) == [80_00, 40_00]
    assert paid_by_line([100_00, 50_00], [1, 0], 150_00, 20_00) == [13_33, 6_67]
    assert paid_by_line([0, 0], [0, 0], 0, 0) == [0, 0]


@given(
    st.lists(st.tuples(st.integers(0, 9_999), st.integers(0, 99)), min_size=1, max_size=9),
    st.integers(0, 99_999),
)
def test_money_on_the_lines_adds_up(lines: list[tuple[int, int]], wish: int) -> None:
    amounts, spent = [line[0] for line in lines], [line[1] for line in lines]
    total = sum(amounts)
    paid = min(wish, total)
    seen = paid_by_line(amounts, spent, total, paid)
    assert sum(seen) == paid
    assert all(0 <= money <= amount for money, amount in zip(seen, amounts, strict=True))


def test_points_on_the_lines() -> None:
    assert points_by_line(7, [3, 4], [1, 1]) == [3, 4]
    assert points_by_line(9, [3, 4], [1, 1]) == [4, 5]
    assert points_by_line(9, [0, 0], [200, 100]) == [6, 3]
    assert points_by_line(9, [0, 0], [0, 0]) == [5, 4]
