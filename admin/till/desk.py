"""What the till page reads beside the till's operations: products and the latest receipts."""

from datetime import datetime
from typing import Any

from pydantic import BaseModel

from admin.api.models import Instant
from loyalty.database import query
from loyalty.instants import from_micros

PRODUCTS_MAX = 20
RECENT_MAX = 20
_QUERY_LENGTH_MAX = 64


class ProductOut(BaseModel):
    sku: str
    name: str
    category: str
    price_minor: int
    barcode: str


class RecentOut(BaseModel):
    receipt_number: str
    name: str
    state: str
    at: Instant
    total_minor: int
    spent: int
    earned: int


async def find_products(text: str) -> list[ProductOut]:
    """Products by barcode, sku, or the beginning of a word in the name; at most PRODUCTS_MAX."""
    text = text.strip()[:_QUERY_LENGTH_MAX]
    if not text or "\0" in text or not text.isprintable():
        return []
    rows = await query(_EXACT, None, text, PRODUCTS_MAX)
    if not rows and len(text) > 1:
        rows = await query(_BY_NAME, None, *_like(text), PRODUCTS_MAX)
    return [ProductOut(**dict(row)) for row in rows]


def _like(text: str) -> tuple[str, str, str]:
    """Patterns for the spellings that names begin with: SQLite folds no Russian letters."""
    escaped = text.replace("\\", "\\\\").replace("%", "\\%").replace("_", "\\_")
    spellings = (escaped.lower(), escaped[:1].upper() + escaped[1:].lower(), escaped)
    first, second, third = (f"%{spelling}%" for spelling in spellings)
    return first, second, third


async def recent_receipts(till_id: int) -> list[RecentOut]:
    """The till's latest receipts, newest first."""
    rows = await query(_RECENT, None, till_id, RECENT_MAX)
    return [_recent(row) for row in rows]


def _recent(row: Any) -> RecentOut:
    at: datetime = from_micros(row["at"])
    return RecentOut(
        receipt_number=row["number"],
        name=row["name"],
        state=row["state"],
        at=at,
        total_minor=row["total_minor"],
        spent=row["spent_points"],
        earned=row["earned_points"],
    )


_COLUMNS = "SELECT sku, name, category, price_minor, barcode FROM product"
_EXACT = f"{_COLUMNS} WHERE barcode = $1 OR sku = $1 ORDER BY name LIMIT $2"
_BY_NAME = f"""{_COLUMNS}
WHERE name LIKE $1 ESCAPE '\\' OR name LIKE $2 ESCAPE '\\' OR name LIKE $3 ESCAPE '\\'
ORDER BY name LIMIT $4
"""
_RECENT = """
SELECT receipt.number, customer.name, receipt.state, receipt.at, receipt.total_minor,
       receipt.spent_points, receipt.earned_points
FROM receipt JOIN customer ON customer.id = receipt.customer_id
WHERE receipt.till_id = $1
ORDER BY receipt.recorded_at DESC LIMIT $2
"""
