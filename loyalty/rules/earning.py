"""What a receipt earns and how much of it points may pay, line by line, each with its reasons.

Pure. Points are earned on the money that is paid, never on the part that points pay. A line earns
its tier's rate times its multipliers; the receipt's sum is rounded once, down, and shared out to
the lines. All rounding is that of `loyalty.rules.rounding`.
"""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Protocol

from loyalty.rules.earning_rules import Combine, EarningCaps, EarningRules, Multiplier, Selection
from loyalty.rules.occasions import ANY, Occasion, holds
from loyalty.rules.reasons import MORE_MULTIPLIERS, Reason
from loyalty.rules.rounding import points_down, shares
from loyalty.rules.tiers import TierRules

ONCE = 10_000
"""A multiplier of one: multipliers are counted in ten-thousandths, rounded down."""
NAMED_MAX = 2
"""Multipliers that a line's explanation names; the rest it counts."""


@dataclass(frozen=True, slots=True)
class Goods:
    """What the rules need to know of a line: its price, what it is, what its product allows."""

    amount_minor: int
    earns: bool = True
    payable_with_points: bool = True
    sku: str = ""
    category: str = ""
    prescription: bool = False


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


class Terms(Protocol):
    """What pricing asks of the programme's rules; see `rules.programme.ProgrammeRules`."""

    @property
    def earn_permille(self) -> int: ...
    @property
    def points_minor(self) -> int: ...
    @property
    def spend_percent_max(self) -> int: ...
    @property
    def cash_min_minor(self) -> int: ...
    @property
    def earning(self) -> EarningRules: ...
    @property
    def tiers(self) -> TierRules: ...


class Pricing:
    """The rules made ready: once for a set of rules, then for any number of receipts."""

    def __init__(self, rules: Terms) -> None:
        self._rules = rules
        earning = rules.earning
        self._rates = {tier.code: tier.earn_permille for tier in rules.tiers.levels}
        self._multipliers = earning.multipliers
        self._by_goods = _Index(earning.multipliers)

    # -- spending -------------------------------------------------------------------------------

    def limit(self, goods: Sequence[Goods]) -> int:
        """The most points that this receipt takes, whatever the customer has.

        At most `spend_percent_max` of the total; only for goods that points may pay, in whole
        points a line; and `cash_min_minor` of the total stays to be paid in money.
        """
        total = sum(line.amount_minor for line in goods)
        by_percent = total * self._rules.spend_percent_max // 100
        by_cash = max(total - self._rules.cash_min_minor, 0)
        by_lines = sum(self._line_caps(goods))
        return min(points_down(min(by_percent, by_cash), self._rules.points_minor), by_lines)

    def _line_caps(self, goods: Sequence[Goods]) -> list[int]:
        points_minor = self._rules.points_minor
        return [
            points_down(line.amount_minor, points_minor) if self._is_payable(line) else 0
            for line in goods
        ]

    def _is_payable(self, line: Goods) -> bool:
        return line.payable_with_points and not _among(line, self._rules.earning.not_payable)

    # -- earning --------------------------------------------------------------------------------

    def price(self, goods: Sequence[Goods], spend: int, occasion: Occasion = ANY) -> Priced:
        """Apply `spend` points (at most `limit`) and work out what the rest earns."""
        rules, earning = self._rules, self._rules.earning
        caps = self._line_caps(goods)
        payable = [line.amount_minor if cap else 0 for line, cap in zip(goods, caps, strict=True)]
        spent = shares(spend, payable, caps)
        paid = [
            line.amount_minor - points * rules.points_minor
            for line, points in zip(goods, spent, strict=True)
        ]
        total = sum(line.amount_minor for line in goods)
        permille = self._permille(occasion.tier)
        found = self._found(goods, occasion)
        enough = total >= earning.receipt_min_minor
        weights = [
            money * permille * times if enough and self._earns(line) else 0
            for line, money, (times, _) in zip(goods, paid, found, strict=True)
        ]
        exact = points_down(sum(weights), rules.points_minor * 1000 * ONCE)
        earned_total, capped = _capped(exact, earning.caps, occasion)
        earned = shares(earned_total, weights)
        rate = Reason("below_minimum", {"min_minor": earning.receipt_min_minor})
        lines = []
        for n, line in enumerate(goods):
            if enough:
                rate = self._rate(permille, paid[n], occasion.tier)
            why = self._reasons(line, paid[n], rate, found[n][1] if enough else ())
            if capped is not None and weights[n]:
                why.append(capped)
            if spent[n]:
                why.append(Reason("paid_with_points", {"points": spent[n]}))
            elif not self._is_payable(line):
                why.append(Reason("not_payable"))
            lines.append(LineResult(earned[n], spent[n], tuple(why)))
        return Priced(total, sum(paid), spend, earned_total, tuple(lines))

    def _permille(self, tier: str) -> int:
        """The tier's rate. One that the rules no longer know earns as without a tier."""
        own = self._rates.get(tier)
        return self._rules.earn_permille if own is None else own

    def _rate(self, permille: int, paid_minor: int, tier: str) -> Reason:
        data: dict[str, int | str] = {"permille": permille, "paid_minor": paid_minor}
        if self._rates.get(tier) is not None:
            data["tier"] = tier
        return Reason("flat_rate", data)

    def _earns(self, line: Goods) -> bool:
        return line.earns and not _among(line, self._rules.earning.not_earning)

    def _reasons(
        self, line: Goods, paid_minor: int, rate: Reason, applied: Sequence[Multiplier]
    ) -> list[Reason]:
        if not self._earns(line):
            return [Reason("excluded_from_earning")]
        if paid_minor == 0:
            return [Reason("nothing_paid")]
        why = [rate]
        for multiplier in applied[:NAMED_MAX]:
            data: dict[str, int | str] = {
                "code": multiplier.code,
                "percent": multiplier.times_percent,
            }
            why.append(Reason("multiplier", data))
        if len(applied) > NAMED_MAX:
            why.append(Reason(MORE_MULTIPLIERS, {"count": len(applied) - NAMED_MAX}))
        return why

    def _found(
        self, goods: Sequence[Goods], occasion: Occasion
    ) -> list[tuple[int, tuple[Multiplier, ...]]]:
        """Of each line: how many ten-thousandths it earns, and by which multipliers."""
        held = [holds(multiplier.when, occasion) for multiplier in self._multipliers]
        if not any(held):
            return [(ONCE, ())] * len(goods)
        known: dict[tuple[str, str, bool], tuple[int, tuple[Multiplier, ...]]] = {}
        found = []
        for line in goods:
            kind = (line.sku, line.category, line.prescription)
            if kind not in known:
                fitting = [self._multipliers[n] for n in self._by_goods.of(line) if held[n]]
                known[kind] = combined(fitting, self._rules.earning.combine)
            found.append(known[kind])
        return found


class _Index:
    """Which multipliers a line may have, by its product and its category."""

    def __init__(self, multipliers: Sequence[Multiplier]) -> None:
        self._always: list[int] = []
        self._by_category: dict[str, list[int]] = defaultdict(list)
        self._by_sku: dict[str, list[int]] = defaultdict(list)
        self._by_prescription: list[int] = []
        for n, multiplier in enumerate(multipliers):
            goods = multiplier.goods
            if not goods:
                self._always.append(n)
            for category in goods.categories:
                self._by_category[category].append(n)
            for sku in goods.skus:
                self._by_sku[sku].append(n)
            if goods.prescription:
                self._by_prescription.append(n)

    def of(self, line: Goods) -> Iterable[int]:
        """Places in the list of multipliers, in its order."""
        found = {
            *self._always,
            *self._by_category.get(line.category, ()),
            *self._by_sku.get(line.sku, ()),
            *(self._by_prescription if line.prescription else ()),
        }
        return sorted(found)


def combined(fitting: Sequence[Multiplier], combine: Combine) -> tuple[int, tuple[Multiplier, ...]]:
    """Ten-thousandths that several multipliers make together, and which of them count."""
    if not fitting:
        return ONCE, ()
    match combine:
        case Combine.BEST:
            best = max(fitting, key=lambda multiplier: multiplier.times_percent)
            return best.times_percent * ONCE // 100, (best,)
        case Combine.ADD:
            extra = sum(multiplier.times_percent - 100 for multiplier in fitting)
            return max(0, 100 + extra) * ONCE // 100, tuple(fitting)
        case Combine.MULTIPLY:
            times = ONCE
            for multiplier in fitting:
                times = times * multiplier.times_percent // 100
            return times, tuple(fitting)


def _capped(points: int, caps: EarningCaps, occasion: Occasion) -> tuple[int, Reason | None]:
    """The points that the caps leave, and the cap that bit hardest."""
    reason = None
    for code, cap, used in (
        ("capped_receipt", caps.receipt, 0),
        ("capped_day", caps.day, occasion.day_points),
        ("capped_month", caps.month, occasion.month_points),
    ):
        if cap is not None and points > max(cap - used, 0):
            points, reason = max(cap - used, 0), Reason(code, {"points": cap})
    return points, reason


def _among(line: Goods, selection: Selection) -> bool:
    return (
        line.category in selection.categories
        or line.sku in selection.skus
        or (selection.prescription and line.prescription)
    )
