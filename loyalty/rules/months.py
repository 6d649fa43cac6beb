"""Days and months by the programme's clock. A month is a number: twelve times the year, and on.

Pure but for the tables of time zones. Instants in microseconds.
"""

from datetime import date, datetime, timedelta
from functools import lru_cache
from zoneinfo import ZoneInfo

from loyalty.instants import from_micros, to_micros

zone = lru_cache(maxsize=1024)(ZoneInfo)


def local(at: int, timezone: str) -> datetime:
    """What a clock on the wall shows there."""
    return from_micros(at).astimezone(zone(timezone))


def month_of(at: int, timezone: str) -> int:
    here = local(at, timezone)
    return here.year * 12 + here.month - 1


@lru_cache(maxsize=1024)
def month_starts_at(month: int, timezone: str) -> int:
    """The first instant of a month."""
    return _midnight(date(month // 12, month % 12 + 1, 1), timezone)


def day_of(at: int, timezone: str) -> tuple[int, int]:
    """The first instant of a day, and the first after it."""
    return _bounds(local(at, timezone).date(), timezone)


@lru_cache(maxsize=1024)
def _bounds(on: date, timezone: str) -> tuple[int, int]:
    return _midnight(on, timezone), _midnight(on + timedelta(days=1), timezone)


def _midnight(on: date, timezone: str) -> int:
    return to_micros(datetime(on.year, on.month, on.day, tzinfo=zone(timezone)))
