"""Rows as one argument: a JSON array that both databases read as a table, for set-based SQL.

An array for each column would be less work for Postgres, but more than that for Python.
"""

import json
from collections.abc import Iterable
from typing import Any

import msgspec
from msgspec import Struct

from loyalty.database import query

_encode = msgspec.json.Encoder().encode


def encoded(value: Any) -> str:
    """The value as JSON."""
    try:
        return _encode(value).decode()
    except UnicodeEncodeError:  # it knows no halves of characters
        return json.dumps(msgspec.to_builtins(value))


class Rowset(Struct, frozen=True):
    """A statement over records, for Postgres and for SQLite (see `rowset`)."""

    postgres: str
    sqlite: str

    async def query(self, rows: Iterable[Any], *further: Any) -> list[Any]:
        """Run it over these records, mappings or Structs, `further` being its $2 and so on.

        Characters that Postgres cannot keep as text (NUL) are dropped.
        """
        given = encoded(list(rows)).replace("\\u0000", "")
        return await query(self.postgres, self.sqlite, given, *further)


def rowset(statement: str, sqlite: str | None = None, /, **columns: str) -> Rowset:
    """`statement`, its `{rows}` standing for the records in $1, as a table `r` of these columns.

    `columns` gives each one's Postgres type: `rowset("SELECT id FROM {rows}", id="bigint")`. As
    with `query`, SQLite may have a text of its own.
    """
    typed = ", ".join(f"{name} {kind}" for name, kind in columns.items())
    # `query` takes a dollar for a placeholder, so the path `$.name` is spelled with its number.
    picked = ", ".join(f"json_extract(value, char(36) || '.{name}') AS {name}" for name in columns)
    return Rowset(
        statement.replace("{rows}", f"json_to_recordset($1::json) AS r({typed})"),
        (sqlite or statement).replace("{rows}", f"(SELECT {picked} FROM json_each($1)) AS r"),  # noqa: S608
    )
