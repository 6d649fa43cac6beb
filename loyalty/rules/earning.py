"""What a receipt earns and how much of it points may pay: a flat rate and one limit, line by line.

Pure. Points are earned on the money that is paid, never on the part that points pay. All rounding
is that of `loyalty.rules.rounding`.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from loyalty.rules.programme import ProgrammeRules
from loyalty.rules.rounding import points_down, shares


@dataclass(frozen=True, slots=True)
class Goods:
    """What the rules need to know of a line: its price and what its product allows."""

    amount_minor: int
    earns: bool = True
    payable_with_points: bool = True


@dataclass(frozen=True, slots=True)
class Reason:
    """Why a line earned or spent what it did: a code and numbers, put into words at the edge."""

    code: str  # flat_rate | excluded_from_earning | nothing_paid | paid_with_points | not_payable
    data: Mapping[str, int] = field(default_factory=dict)


def explanation(reasons: Sequence[Reason]) -> str:
    """Reasons in one short line, as they are kept: `flat_rate permille=50 paid_minor=6200; …`."""
    return "; ".join(
        " ".join([reason.code, *(f"{name}={number}" for name, number in reason.data.items())])
        for reason in reasons
    )


def reasons_of(text: str) -> tuple[Reason, ...]:
    """The reasons out of their `explanation`, for whoever puts them into words."""
    parts = (part.split() for part in text.split("; ") if part)
    return tuple(
        Reason(code, {name: int(number) for name, number in (datum.split("=") for datum in data)})
        for code, *data in parts
    )


@dataclass(frozen=True, slots=True)
class LineResult:
    earned: int
    spent: int
    reasons: tuple[Reason, ...]


@dataclass(frozen=True, slots=True)
class Priced:
    """A receipt under the rules. `to_pay_minor` is the money left to pay after `spent` points."""

    total_minor: int
    to_pay_minor: int
    spent: int
    earned: int
    lines: tuple[LineResult, ...]


def spending_limit(goods: Sequence[Goods], rules: ProgrammeRules) -> int:
    """The most points that this receipt takes, whatever the customer has.

    At most `spend_percent_max` of the total; only for goods that points may pay, in whole points a
    line; and `cash_min_minor` of the total stays to be paid in money.
    """
    total = sum(line.amount_minor for line in goods)
    by_percent = total * rules.spend_percent_max // 100
    by_cash = max(total - rules.cash_min_minor, 0)
    by_lines = sum(_line_caps(goods, rules))
    return min(points_down(min(by_percent, by_cash), rules.points_minor), by_lines)


def price(goods: Sequence[Goods], spend: int, rules: ProgrammeRules) -> Priced:
    """Apply `spend` points (at most `spending_limit`) and work out what the rest earns."""
    payable = [line.amount_minor if line.payable_with_points else 0 for line in goods]
    spent = shares(spend, payable, _line_caps(goods, rules))
    paid = [
        line.amount_minor - points * rules.points_minor
        for line, points in zip(goods, spent, strict=True)
    ]
    bases = [money if line.earns else 0 for line, money in zip(goods, paid, strict=True)]
    earned_total = points_down(sum(bases) * rules.earn_permille, rules.points_minor * 1000)
    earned = shares(earned_total, bases)
    return Priced(
        total_minor=sum(line.amount_minor for line in goods),
        to_pay_minor=sum(paid),
        spent=spend,
        earned=earned_total,
        lines=tuple(
            LineResult(points, used, _reasons(line, money, used, rules))
            for line, money, used, points in zip(goods, paid, spent, earned, strict=True)
        ),
    )


def _line_caps(goods: Sequence[Goods], rules: ProgrammeRules) -> list[int]:
    return [
        points_down(line.amount_minor, rules.points_minor) if line.payable_with_points else 0
        for line in goods
    ]


def _reasons(line: Goods, paid_minor: int, spent: int, rules: ProgrammeRules) -> tuple[Reason, ...]:
    if not line.earns:
        earning = Reason("excluded_from_earning")
    elif paid_minor == 0:
        earning = Reason("nothing_paid")
    else:
        earning = Reason("flat_rate", {"permille": rules.earn_permille, "paid_minor": paid_minor})
    if spent:
        return earning, Reason("paid_with_points", {"points": spent})
    return (earning,) if line.payable_with_points else (earning, Reason("not_payable"))
