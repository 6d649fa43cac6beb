"""Instants as a table writes them: `Mon 09:00`, and spans such as `2d 3h`."""

from datetime import UTC, datetime, timedelta

MINUTE = 60_000_000
HOUR = 60 * MINUTE
DAY = 24 * HOUR
_UNITS = {"d": DAY, "h": HOUR, "m": MINUTE, "s": 1_000_000, "u": 1}
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def span(text: str) -> int:
    """`2d 3h -1u` in microseconds."""
    return sum(int(word[:-1]) * _UNITS[word[-1]] for word in text.split())


def utc(text: str) -> int:
    """`2026-03-29 00:59` or `…:59.999999` with seconds, in UTC."""
    instant = datetime.fromisoformat(text).replace(tzinfo=UTC)
    return (instant - _EPOCH) // timedelta(microseconds=1)


def as_utc(micros: int) -> datetime:
    return _EPOCH + timedelta(microseconds=micros)
