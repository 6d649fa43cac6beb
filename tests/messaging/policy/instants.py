"""Instants and spans as a table writes them."""

from datetime import UTC, datetime, timedelta

MINUTE = 60_000_000
HOUR = 60 * MINUTE
DAY = 24 * HOUR
_UNITS = {"d": DAY, "h": HOUR, "m": MINUTE, "s": 1_000_000, "u": 1}
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def span(text: str) -> int:
    """`2d 3h -1u` in microseconds."""
    return sum(int(word[:-1]) * _UNITS[word[-1]] for word in text.split())


def instant(text: str) -> int:
    """`2026-03-29T01:30+0100` in microseconds."""
    return (datetime.fromisoformat(text) - _EPOCH) // timedelta(microseconds=1)


def utc(text: str) -> int:
    """`2026-03-29 00:30` in UTC."""
    return instant(f"{text}+00:00")


def as_utc(micros: int) -> datetime:
    return _EPOCH + timedelta(microseconds=micros)
