"""What the till page reads beside the till's operations: products, the latest receipts and returns,
and the places where else a receipt may have been made."""

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
    returns: int


class RecentReturnOut(BaseModel):
    """Goods taken back at this till, whoever sold them."""

    return_number: str
    receipt_number: str
    name: str
    at: Instant
    refund_minor: int
    given_back: int
    taken_back: int


class PlaceOut(BaseModel):
    code: str
    name: str


class PlacesOut(BaseModel):
    """The other tills of the shop, and the other shops of the chain."""

    tills: list[PlaceOut]
    shops: list[PlaceOut]


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
        returns=row["returns"],
    )


async def recent_returns(till_id: int) -> list[RecentReturnOut]:
    """The latest returns at the till, newest first."""
    rows = await query(_RECENT_RETURNS, None, till_id, RECENT_MAX)
    return [RecentReturnOut(**(dict(row) | {"at": from_micros(row["at"])})) for row in rows]


async def places(till_id: int) -> PlacesOut:
    """Where else a receipt may have been made."""
    tills, shops = await query(_TILLS, None, till_id), await query(_SHOPS, None, till_id)
    return PlacesOut(
        tills=[PlaceOut(**dict(row)) for row in tills],
        shops=[PlaceOut(**dict(row)) for row in shops],
    )


_COLUMNS = "SELECT sku, name, category, price_minor, barcode FROM product"
_EXACT = f"{_COLUMNS} WHERE barcode = $1 OR sku = $1 ORDER BY name LIMIT $2"
_BY_NAME = f"""{_COLUMNS}
WHERE name LIKE $1 ESCAPE '\\' OR name LIKE $2 ESCAPE '\\' OR name LIKE $3 ESCAPE '\\'
ORDER BY name LIMIT $4
"""
_RECENT = """
SELECT receipt.number, customer.name, receipt.state, receipt.at, receipt.total_minor,
       receipt.spent_points, receipt.earned_points, receipt.returns
FROM receipt JOIN customer ON customer.id = receipt.customer_id
WHERE receipt.till_id = $1
ORDER BY receipt.recorded_at DESC LIMIT $2
"""
_RECENT_RETURNS = """
SELECT b.number AS return_number, r.number AS receipt_number, c.name, b.at, b.refund_minor,
       b.given_back, b.taken_back
FROM receipt_return AS b JOIN receipt AS r ON r.id = b.receipt_id
JOIN customer AS c ON c.id = b.customer_id
WHERE b.till_id = $1
ORDER BY b.recorded_at DESC LIMIT $2
"""
_TILLS = """
SELECT t.code, t.name FROM till AS t JOIN till AS own ON own.shop_id = t.shop_id
WHERE own.id = $1 AND t.id <> $1 ORDER BY t.name, t.code
"""
_SHOPS = """
SELECT h.code, h.name FROM shop AS h
WHERE h.id <> (SELECT t.shop_id FROM till AS t WHERE t.id = $1) ORDER BY h.name, h.code
"""
