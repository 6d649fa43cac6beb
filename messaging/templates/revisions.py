"""Saved templates: each save is a row that stays, with who and when."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from loyalty.database import query
from loyalty.ids import next_id
from loyalty.instants import from_micros, to_micros


@dataclass(frozen=True, slots=True)
class Revision:
    name: str
    revision: int
    source: str
    author: str
    at: datetime


_COUNT = "SELECT COUNT(*) AS n, COALESCE(MAX(id), 0) AS last FROM template_revision"
_COLUMNS = "name, revision, source, author, at"
_LATEST = f"""
    SELECT {_COLUMNS} FROM template_revision t WHERE NOT EXISTS (
        SELECT 1 FROM template_revision later
        WHERE later.name = t.name AND later.revision > t.revision)
"""  # noqa: S608 - our own columns
_OF_NAME = f"""
    SELECT {_COLUMNS} FROM template_revision WHERE name = $1 ORDER BY revision DESC LIMIT $2
"""  # noqa: S608
_OF_NUMBER = f"""
    SELECT {_COLUMNS} FROM template_revision WHERE name = $1 AND revision = $2
"""  # noqa: S608
_BY_KEY = f"SELECT {_COLUMNS} FROM template_revision WHERE key = $1"  # noqa: S608
_ADD = """
    INSERT INTO template_revision (id, name, revision, source, author, key, at)
    VALUES ($1, $2, $3, $4, $5, $6, $7) ON CONFLICT DO NOTHING RETURNING id
"""


async def count_of_revisions() -> tuple[int, int]:
    """Changes with every save: rows are only added (their ids alone may come out of order)."""
    [row] = await query(_COUNT)
    return row["n"], row["last"]


async def latest_revisions() -> list[Revision]:
    """The one that holds, of each name."""
    return [_revision(row) for row in await query(_LATEST)]


async def revisions_of(name: str, *, limit: int = 100) -> list[Revision]:
    """The latest first."""
    return [_revision(row) for row in await query(_OF_NAME, None, name, limit)]


async def revision_of(name: str, number: int) -> Revision | None:
    rows = await query(_OF_NUMBER, None, name, number)
    return _revision(rows[0]) if rows else None


async def revision_by_key(key: str) -> Revision | None:
    rows = await query(_BY_KEY, None, key)
    return _revision(rows[0]) if rows else None


async def add_revision(revision: Revision, *, key: str) -> bool:
    """Whether it was written: not when another of this number or key was there before."""
    rows = await query(
        _ADD,
        None,
        next_id(),
        revision.name,
        revision.revision,
        revision.source,
        revision.author,
        key,
        to_micros(revision.at),
    )
    return bool(rows)


def _revision(row: Any) -> Revision:
    return Revision(
        row["name"], row["revision"], row["source"], row["author"], from_micros(row["at"])
    )
