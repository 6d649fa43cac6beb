"""What a receipt earns and what points may pay of it, as tables; and that shares lose nothing."""

from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from loyalty.rules.earning import Goods
from loyalty.rules.programme import ProgrammeRules
from loyalty.rules.reasons import Reason
from loyalty.rules.rounding import money_half_up, points_down, shares

RULES = ProgrammeRules(earn_permille=50, spend_percent_max=30)


def goods(text: str) -> list[Goods]:
    """`100.00 59.90x 30.00r`: x earns nothing, r cannot be paid with points."""
    return [
        Goods(
            amount_minor=round(float(word.rstrip("xr")) * 100),
            earns="x" not in word,
            payable_with_points="r" not in word,
        )
        for word in text.split()
    ]


# lines                  | spend | limit | to pay  | earned by line
TABLE = """
100.00                   |   0   |  30   |  100.00 | 5
19.99                    |   0   |   5   |   19.99 | 0
20.00                    |   0   |   6   |   20.00 | 1
99.99                    |  29   |  29   |   70.99 | 3
100.00                   |  30   |  30   |   70.00 | 3
33.33 33.33 33.34        |   0   |  30   |  100.00 | 2 1 2
10.00 10.00              |   0   |   6   |   20.00 | 1 0
100.00 100.00x           |   0   |  60   |  200.00 | 5 0
100.00x                  |  30   |  30   |   70.00 | 0
100.00 100.00r           |  60   |  60   |  140.00 | 2 5
10.00 1000.00r           |  10   |  10   | 1000.00 | 0 50
1000.00r                 |   0   |   0   | 1000.00 | 50
0.50 0.50 0.50 0.50      |   0   |   0   |    2.00 | 0 0 0 0
0.99 99.01               |  30   |  30   |   70.00 | 0 3
0.00                     |   0   |   0   |    0.00 | 0
3.33                     |   0   |   0   |    3.33 | 0
3.34                     |   1   |   1   |    2.34 | 0
"""


@pytest.mark.parametrize("row", TABLE.strip().splitlines(), ids=lambda row: " ".join(row.split()))
def test_earning_and_spending(row: str) -> None:
    lines, spend, limit, to_pay, earned = (cell.strip() for cell in row.split("|"))
    priced = RULES.pricing.price(goods(lines), int(spend))
    assert RULES.pricing.limit(goods(lines)) == int(limit)
    assert f"{priced.to_pay_minor / 100:.2f}" == to_pay
    assert [line.earned for line in priced.lines] == [int(word) for word in earned.split()]


# percent | cash that stays | receipt | limit
LIMITS = """
 30  |  1.00 | 100.00     | 30
100  |  1.00 | 100.00     | 99
100  |  0.00 | 100.00     | 100
100  | 50.00 |  60.00     | 10
100  | 50.00 |  40.00     | 0
  0  |  0.00 | 100.00     | 0
100  |  0.00 | 1.99 1.99  | 2
"""


@pytest.mark.parametrize("row", LIMITS.strip().splitlines())
def test_spending_limit(row: str) -> None:
    percent, cash, lines, limit = (cell.strip() for cell in row.split("|"))
    rules = ProgrammeRules(spend_percent_max=int(percent), cash_min_minor=round(float(cash) * 100))
    assert rules.pricing.limit(goods(lines)) == int(limit)


def test_each_line_says_why() -> None:
    priced = RULES.pricing.price(goods("100.00 100.00x 50.00r"), 75)
    assert [line.reasons for line in priced.lines] == [
        (
            Reason("flat_rate", {"permille": 50, "paid_minor": 6200}),
            Reason("paid_with_points", {"points": 38}),
        ),
        (Reason("excluded_from_earning"), Reason("paid_with_points", {"points": 37})),
        (Reason("flat_rate", {"permille": 50, "paid_minor": 5000}), Reason("not_payable")),
    ]


def test_a_gift_line_has_nothing_to_earn_on() -> None:
    assert RULES.pricing.price(goods("0.00"), 0).lines[0].reasons == (Reason("nothing_paid"),)


@pytest.mark.parametrize(
    ("fraction", "points", "money"),
    [((5, 10), 0, 1), ((4, 10), 0, 0), ((15, 10), 1, 2), ((7, 7), 1, 1)],
)
def test_points_round_down_and_money_half_up(
    fraction: tuple[int, int], points: int, money: int
) -> None:
    assert points_down(*fraction) == points
    assert money_half_up(*fraction) == money


lines_strategy = st.lists(
    st.builds(Goods, st.integers(0, 10**12), st.booleans(), st.booleans()), min_size=1, max_size=200
)


@given(lines_strategy, st.integers(0, 1000), st.integers(0, 100), st.integers(0, 10_000), st.data())
def test_the_lines_of_a_receipt_add_up_to_the_receipt(
    lines: list[Goods], permille: int, percent: int, cash: int, data: st.DataObject
) -> None:
    rules = ProgrammeRules(earn_permille=permille, spend_percent_max=percent, cash_min_minor=cash)
    limit = rules.pricing.limit(lines)
    spend = data.draw(st.integers(0, limit))
    priced = rules.pricing.price(lines, spend)

    assert sum(line.spent for line in priced.lines) == spend
    assert sum(line.earned for line in priced.lines) == priced.earned
    assert priced.to_pay_minor + spend * 100 == priced.total_minor
    assert spend * 100 * 100 <= priced.total_minor * percent
    for line, result in zip(lines, priced.lines, strict=True):
        assert 0 <= result.spent * 100 <= line.amount_minor
        assert not result.spent or line.payable_with_points
        assert not result.earned or line.earns
        exact = Fraction((line.amount_minor - result.spent * 100) * permille, 100_000)
        assert abs(result.earned - exact) < 2 or not line.earns
    if all(line.earns for line in lines):
        assert priced.earned == priced.to_pay_minor * permille // 100_000


@given(st.integers(0, 10**12), st.lists(st.integers(0, 10**12), min_size=1, max_size=200))
def test_shares_are_exact_and_within_one_of_proportion(total: int, weights: list[int]) -> None:
    whole = sum(weights)
    parts = shares(total if whole else 0, weights)
    assert sum(parts) == (total if whole else 0)
    for part, weight in zip(parts, weights, strict=True):
        assert whole == 0 or 0 <= part - total * weight // whole <= 1
