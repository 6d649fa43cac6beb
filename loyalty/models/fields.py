"""Column kinds of our own."""

from datetime import datetime
from typing import Any

from tortoise import fields

from loyalty.instants import from_micros, to_micros


class InstantField(fields.Field[datetime], datetime):
    """An aware UTC datetime, kept as BIGINT microseconds since 1970 (see `loyalty.instants`)."""

    SQL_TYPE = "BIGINT"
    allows_generated = False

    class _db_sqlite:  # noqa: N801 - the name Tortoise looks for
        SQL_TYPE = "INTEGER"

    def to_db_value(self, value: Any, instance: Any) -> int | None:
        return to_micros(value) if isinstance(value, datetime) else value

    def to_python_value(self, value: Any) -> datetime | None:
        return from_micros(value) if isinstance(value, int) else value
