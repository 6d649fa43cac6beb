"""Rows as one argument: a JSON array that both databases read as a table, for set-based SQL."""

import json
from collections.abc import Iterable, Mapping
from typing import Any

import msgspec

from loyalty.sql.lists import found, listed

__all__ = ["as_list", "as_rows", "encoded", "found", "listed", "rowset"]

_encode = msgspec.json.Encoder().encode


def as_rows(rows: Iterable[Mapping[str, Any] | msgspec.Struct]) -> str:
    """The argument itself. Characters that Postgres cannot keep as text (NUL) are dropped."""
    return encoded(list(rows)).replace("\\u0000", "")


def as_list(values: Iterable[int | str]) -> str:
    return encoded(list(values))


def encoded(value: Any) -> str:
    """The value as JSON."""
    try:
        return _encode(value).decode()
    except UnicodeEncodeError:  # it knows no halves of characters
        return json.dumps(msgspec.to_builtins(value))


def rowset(
    statement: str, *, list_at: str = "$1", list_of: str = "bigint", **columns: str
) -> tuple[str, str]:
    """`statement` for Postgres and for SQLite, its `{rows}` standing for the records in $1.

    `columns` gives each field's Postgres type: `rowset("SELECT id FROM {rows}", id="bigint")`.
    `IN {list}` means the JSON array in `list_at`, of elements of that type (see `listed`).
    """
    typed = ", ".join(f"{name} {kind}" for name, kind in columns.items())
    # `query` takes a dollar for a placeholder, so the path `$.name` is spelled with its number.
    picked = ", ".join(f"json_extract(value, char(36) || '.{name}') AS {name}" for name in columns)
    postgres = f"json_to_recordset($1::json) AS r({typed})"
    sqlite = f"(SELECT {picked} FROM json_each($1)) AS r"  # noqa: S608 - names from our own code
    both = listed(statement, list_of, place=list_at)
    return both[0].replace("{rows}", postgres), both[1].replace("{rows}", sqlite)
