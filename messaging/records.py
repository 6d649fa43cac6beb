"""Rows as one argument: a JSON array that both databases read as a table, for set-based SQL."""

import json
from collections.abc import Iterable, Mapping
from typing import Any

import msgspec

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


def rowset(statement: str, **columns: str) -> tuple[str, str]:
    """`statement` for Postgres and for SQLite, its `{rows}` standing for the records in $1.

    `columns` gives each field's Postgres type: `rowset("SELECT id FROM {rows}", id="bigint")`.
    """
    typed = ", ".join(f"{name} {kind}" for name, kind in columns.items())
    # `query` takes a dollar for a placeholder, so the path `$.name` is spelled with its number.
    picked = ", ".join(f"json_extract(value, char(36) || '.{name}') AS {name}" for name in columns)
    postgres = f"json_to_recordset($1::json) AS r({typed})"
    sqlite = f"(SELECT {picked} FROM json_each($1)) AS r"  # noqa: S608 - names from our own code
    return statement.replace("{rows}", postgres), statement.replace("{rows}", sqlite)


def listed(statement: str) -> tuple[str, str]:
    """`statement` for both, its `{list}` standing for the whole numbers of the JSON array in $1."""
    return (
        statement.replace("{list}", "(SELECT v::bigint FROM json_array_elements_text($1::json) v)"),
        statement.replace("{list}", "(SELECT value FROM json_each($1))"),
    )
