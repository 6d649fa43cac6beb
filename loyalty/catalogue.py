"""The catalogue as a customer looks for her medicine in it."""

from dataclasses import dataclass
from typing import Any

from loyalty.database import query

FOUND_MAX = 6
LETTERS_MIN, LETTERS_MAX = 3, 64

# $1 … $4 the same text as it may be written, for SQLite knows no capital letters but Latin ones.
# EXPLAIN: all products, for a person who is typing.
_COLUMNS = "sku, name, medicine, units_per_pack, daily_milli, prescription_only"
_SEARCH = f"""
SELECT {_COLUMNS} FROM product WHERE units_per_pack > 0
  AND ({{has}}(name, $1) > 0 OR {{has}}(name, $2) > 0 OR {{has}}(name, $3) > 0
    OR {{has}}(name, $4) > 0)
ORDER BY CASE WHEN daily_milli > 0 THEN 0 ELSE 1 END, name LIMIT $5
"""  # noqa: S608 - glued from constants, as below
_SEARCH_TEXTS = (_SEARCH.format(has="strpos"), _SEARCH.format(has="instr"))
_PRODUCT = f"SELECT {_COLUMNS} FROM product WHERE sku = $1"  # noqa: S608


@dataclass(frozen=True, slots=True)
class Catalogued:
    """A product that can be taken over time. `item` is what its course is known by."""

    sku: str
    name: str
    pack_units: int
    daily_milli: int
    prescription_only: bool
    item: str


async def search(text: str, limit: int = FOUND_MAX) -> list[Catalogued]:
    """Products that have `text` in their name, those that are taken over time first."""
    text = " ".join(text.split())[:LETTERS_MAX]
    if len(text) < LETTERS_MIN:
        return []
    spellings = (text, text.lower(), text.capitalize(), text.upper())
    rows = await query(*_SEARCH_TEXTS, *spellings, limit)
    return [_catalogued(row) for row in rows]


async def catalogued(sku: str) -> Catalogued | None:
    rows = await query(_PRODUCT, None, sku)
    return _catalogued(rows[0]) if rows else None


def _catalogued(row: Any) -> Catalogued:
    medicine = row["medicine"]
    return Catalogued(
        sku=row["sku"],
        name=medicine or row["name"],
        pack_units=row["units_per_pack"],
        daily_milli=row["daily_milli"],
        prescription_only=bool(row["prescription_only"]),
        item=f"medicine:{medicine}" if medicine else f"sku:{row['sku']}",
    )
