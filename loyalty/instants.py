"""Instants as the database keeps them: whole microseconds since 1970 in UTC, and NEVER.

One form for both databases, so that the same comparison means the same in SQLite and in Postgres.
"""

from datetime import UTC, datetime, timedelta

NEVER = (1 << 63) - 1
"""Later than any instant: what a lot without expiry holds, so that it sorts last by itself."""

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)


def to_micros(instant: datetime | None) -> int:
    """Microseconds since 1970; None means never. A naive datetime is a bug and raises TypeError."""
    return NEVER if instant is None else span_micros(instant - _EPOCH)


def span_micros(span: timedelta) -> int:
    """Whole microseconds of a length of time."""
    return span // _MICROSECOND


def from_micros(micros: int) -> datetime:
    """The aware UTC instant of `micros`, which must not be NEVER."""
    return _EPOCH + timedelta(microseconds=micros)


def from_micros_or_never(micros: int) -> datetime | None:
    return None if micros == NEVER else from_micros(micros)
