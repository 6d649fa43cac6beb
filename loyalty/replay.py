"""The receipts of some days under other rules: what would have been earned, and by whom.

Customers are replayed one after the other, a page of them at a time, so that memory stays flat
however many receipts there are. What is paid with points stays as it was (or the most that the
other rules allow); the turnover before those days counts for the tiers, which are given by turnover
alone, without grace. Promo codes give what they gave. A receipt of those days counts as it was
sold, whatever has come back of it since; the turnover before them is what is left of it. Nothing is
written.
"""

from collections.abc import AsyncIterator, Callable, Iterable, Sequence
from dataclasses import asdict, dataclass, field
from datetime import date
from itertools import groupby
from operator import itemgetter
from typing import Any

from loyalty.database import query
from loyalty.rules.earning import Goods
from loyalty.rules.months import day_of, local, month_of, month_starts_at
from loyalty.rules.occasions import Occasion
from loyalty.rules.programme import ProgrammeRules
from loyalty.rules.promo import promised_points
from loyalty.rules.tiers import window

PAGE = 1_000
"""Receipts of a page, at least: it ends with the last receipt of a customer."""

# $1 the last customer seen, $2 and $3 the instants, $4 how many receipts. EXPLAIN: receipt's index
# on (customer_id, at), from the place where the last page ended.
_PAGE_ENDS = """
SELECT MAX(p.customer_id) AS last FROM (
  SELECT customer_id FROM receipt WHERE customer_id > $1 AND at >= $2 AND at < $3
  ORDER BY customer_id LIMIT $4) AS p
"""
# $1 and $2 the customers after one and up to another, $3 and $4 the instants. A receipt's lines, as
# many rows; those without lines are left out: there is nothing to price.
_RECEIPTS = """
SELECT r.customer_id, r.id, r.at, r.paid_minor, r.spent_points, r.earned_points,
  s.code AS shop, s.timezone, c.born_on, l.sku, l.category, l.amount_minor, l.explanation,
  p.earns, p.payable_with_points, p.prescription_only, p.category AS product_category
FROM receipt AS r
JOIN receipt_line AS l ON l.receipt_id = r.id
JOIN till AS t ON t.id = r.till_id
JOIN shop AS s ON s.id = t.shop_id
JOIN customer AS c ON c.id = r.customer_id
LEFT JOIN product AS p ON p.sku = l.sku
WHERE r.customer_id > $1 AND r.customer_id <= $2 AND r.at >= $3 AND r.at < $4
  AND r.state <> 'cancelled'
ORDER BY r.customer_id, r.at, r.id, l.position
"""
_FIRST = """
SELECT customer_id, MIN(at) AS first_at FROM receipt
WHERE customer_id > $1 AND customer_id <= $2 AND state <> 'cancelled' GROUP BY customer_id
"""
_MONTHS = """
SELECT customer_id, month, turnover_minor FROM customer_month
WHERE customer_id > $1 AND customer_id <= $2 AND month >= $3 AND month < $4
"""
_COUNT = "SELECT COUNT(*) AS n FROM receipt WHERE at >= $1 AND at < $2 AND state <> 'cancelled'"


@dataclass(slots=True)
class Group:
    """What the rules do to the customers of a tier; "" is no tier. The tier is the one that a
    customer has at the end of the days, under the other rules."""

    tier: str
    customers: int = 0
    receipts: int = 0
    points_before: int = 0
    points_after: int = 0
    spent_before: int = 0
    spent_after: int = 0
    better: int = 0
    worse: int = 0

    def add(self, other: "Group") -> None:
        for name in _FIGURES:
            setattr(self, name, getattr(self, name) + getattr(other, name))


_FIGURES = tuple(name for name in Group.__dataclass_fields__ if name != "tier")


@dataclass(slots=True)
class Replayed:
    """`groups` from the lowest tier. `cost_minor` is what the points more (or fewer) are worth."""

    groups: list[Group]
    points_minor: int
    total: Group = field(default_factory=lambda: Group(""))

    @property
    def cost_minor(self) -> int:
        return (self.total.points_after - self.total.points_before) * self.points_minor

    def as_dict(self) -> dict[str, Any]:
        """For programs."""
        figures = asdict(self.total)
        del figures["tier"]
        return {
            **figures,
            "cost_minor": self.cost_minor,
            "by_tier": [asdict(group) for group in self.groups],
        }


async def replay(
    rules: ProgrammeRules,
    start: int,
    end: int,
    *,
    page: int = PAGE,
    progress: Callable[[int], None] | None = None,
) -> Replayed:
    """Price every receipt of these instants, in microseconds, anew. `progress` gets counts."""
    groups = {code: Group(code) for code in ("", *(tier.code for tier in rules.tiers.levels))}
    # Of the first month everything is read, so that caps and turnover begin where they began.
    reads_from = month_starts_at(month_of(start, rules.timezone), rules.timezone)
    async for past in _customers(rules, reads_from, end, page):
        group = past.replay(rules, start)
        if group.receipts:
            groups[group.tier].add(group)
        if progress is not None and group.receipts:
            progress(group.receipts)
    told = Replayed([each for each in groups.values() if each.customers], rules.points_minor)
    for group in told.groups:
        told.total.add(group)
    return told


async def count_receipts(start: int, end: int) -> int:
    [row] = await query(_COUNT, None, start, end)
    return int(row["n"])


@dataclass(frozen=True, slots=True)
class _Past:
    """A customer: her rows of _RECEIPTS, her turnover by month before them."""

    rows: Sequence[Any]
    first_at: int
    months: dict[int, int]

    def replay(self, rules: ProgrammeRules, start: int) -> Group:
        """Her figures; receipts from before `start` only prepare the scene."""
        told, months = Group(""), dict(self.months)
        days: dict[int, int] = {}
        earned_in: dict[int, int] = {}
        by_turnover = bool(rules.tiers.levels)
        for _, lines in groupby(self.rows, key=itemgetter("id")):
            first, *others = lines
            at, month = first["at"], month_of(first["at"], rules.timezone)
            day = day_of(at, rules.timezone)[0]
            occasion = Occasion(
                shop=first["shop"],
                local=local(at, first["timezone"]),
                born_on=_date(first["born_on"]),
                is_first=at == self.first_at,
                tier=_tier(rules, months, month) if by_turnover else "",
                day_points=days.get(day, 0),
                month_points=earned_in.get(month, 0),
            )
            goods = [_goods(line) for line in (first, *others)]
            spend = min(first["spent_points"], rules.pricing.limit(goods))
            earned = rules.pricing.price(goods, spend, occasion).earned
            days[day] = days.get(day, 0) + earned
            earned_in[month] = earned_in.get(month, 0) + earned
            earned += sum(promised_points(line["explanation"]) for line in (first, *others))
            months[month] = months.get(month, 0) + first["paid_minor"]
            if at >= start:
                told.receipts += 1
                told.points_before += first["earned_points"]
                told.points_after += earned
                told.spent_before += first["spent_points"]
                told.spent_after += spend
                told.tier = _tier(rules, months, month) if by_turnover else ""
        told.customers = int(told.receipts > 0)
        told.better = int(told.points_after > told.points_before)
        told.worse = int(told.points_after < told.points_before)
        return told


def _tier(rules: ProgrammeRules, months: dict[int, int], month: int) -> str:
    first, last = window(month)
    turnover = sum(minor for each, minor in months.items() if first <= each <= last)
    place = rules.tiers.reached(turnover)
    return rules.tiers.levels[place].code if place >= 0 else ""


async def _customers(
    rules: ProgrammeRules, start: int, end: int, page: int
) -> AsyncIterator[_Past]:
    seen, month = 0, month_of(start, rules.timezone)
    while True:
        [row] = await query(_PAGE_ENDS, None, seen, start, end, page)
        last = row["last"]
        if last is None:
            return
        rows = await query(_RECEIPTS, None, seen, last, start, end)
        firsts = {
            row["customer_id"]: row["first_at"] for row in await query(_FIRST, None, seen, last)
        }
        before = await query(_MONTHS, None, seen, last, window(month)[0], month)
        months = _by_customer(before)
        for customer_id, hers in groupby(rows, key=itemgetter("customer_id")):
            yield _Past(list(hers), firsts[customer_id], months.get(customer_id, {}))
        seen = last


def _by_customer(rows: Iterable[Any]) -> dict[int, dict[int, int]]:
    months: dict[int, dict[int, int]] = {}
    for row in rows:
        months.setdefault(row["customer_id"], {})[row["month"]] = row["turnover_minor"]
    return months


def _goods(line: Any) -> Goods:
    """As the till's own pricing takes a line: the catalogue knows better, where it knows it."""
    if line["earns"] is None:
        return Goods(line["amount_minor"], sku=line["sku"], category=line["category"])
    return Goods(
        line["amount_minor"],
        bool(line["earns"]),
        bool(line["payable_with_points"]),
        line["sku"],
        line["product_category"] or line["category"],
        bool(line["prescription_only"]),
    )


def _date(value: Any) -> date | None:
    return date.fromisoformat(value) if isinstance(value, str) else value
