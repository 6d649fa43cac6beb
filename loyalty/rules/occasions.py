"""Where, when and for whom a receipt is priced, and which of the conditions that meets. Pure."""

from dataclasses import dataclass
from datetime import date, datetime, timedelta

from loyalty.rules.earning_rules import When


@dataclass(frozen=True, slots=True, kw_only=True)
class Occasion:
    """The receipt around its lines.

    `local` is the time of the sale by the shop's clock. `tier` is the one she holds before it,
    `is_first` whether she has no other receipt, `day_points` and `month_points` what other receipts
    of the same day and month have earned her by the rules, promo codes left out.
    """

    shop: str = ""
    local: datetime | None = None
    born_on: date | None = None
    is_first: bool = False
    tier: str = ""
    day_points: int = 0
    month_points: int = 0


ANY = Occasion()
"""Nothing is known but the goods: no condition holds."""


def holds(when: When, occasion: Occasion) -> bool:
    """Whether every condition that is set is met."""
    if when.shops and occasion.shop not in when.shops:
        return False
    if when.tiers and occasion.tier not in when.tiers:
        return False
    if when.first_purchase and not occasion.is_first:
        return False
    if not (when.weekdays or when.hours or when.since or when.until or when.birthday):
        return True
    return occasion.local is not None and _holds_then(when, occasion.local, occasion.born_on)


def _holds_then(when: When, local: datetime, born_on: date | None) -> bool:
    on = local.date()
    if when.weekdays and local.isoweekday() not in when.weekdays:
        return False
    if (when.since and on < when.since) or (when.until and on > when.until):
        return False
    if when.hours and not _within_hours(local.hour * 60 + local.minute, *when.hours):
        return False
    return not when.birthday or (born_on is not None and near_birthday(born_on, on, *when.birthday))


def _within_hours(minute: int, start: int, end: int) -> bool:
    if start < end:
        return start <= minute < end
    return minute >= start or minute < end


def near_birthday(born_on: date, on: date, days_before: int, days_after: int) -> bool:
    """Whether `on` lies in the days around a birthday, over the turn of the year too."""
    return any(
        -days_before <= (on - birthday(born_on, year)).days <= days_after
        for year in (on.year - 1, on.year, on.year + 1)
        if date.min.year <= year <= date.max.year
    )


def birthday(born_on: date, year: int) -> date:
    """The birthday in a year; who was born on 29 February has it on the 28th of other years."""
    try:
        return born_on.replace(year=year)
    except ValueError:
        return date(year, 3, 1) - timedelta(days=1)
