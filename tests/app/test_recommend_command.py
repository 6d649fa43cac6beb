"""`kapsula recommend` as a marketer types it."""

import asyncio
import json
from datetime import UTC, datetime, timedelta

from app.database import database
from loyalty.models import Product, Receipt, ReceiptLine, Shop, Till
from tests.app.test_commands import refused, said, two_customers, url

__all__ = ["url"]


def test_what_most_people_buy_and_why(url: str) -> None:
    two_customers(url)

    async def sell() -> None:
        async with database(url):
            at = datetime.now(UTC) - timedelta(days=90)
            shop = await Shop.create(id=1, code="s", name="S")
            await Till.create(id=1, shop=shop, code="t", name="T")
            await Product.create(sku="cream", name="[Крем]", category="x", price_minor=250_50)
            await Receipt.create(
                id=1, customer_id=7001, till_id=1, number="1", state="committed", at=at,
                recorded_at=at, total_minor=1, paid_minor=1, spent_points=0, earned_points=0,
                key="1", fingerprint=b"", answer="{}",
            )  # fmt: skip
            await ReceiptLine.create(
                receipt_id=1, position=0, sku="cream", name="Крем", quantity_milli=1000,
                price_minor=1, amount_minor=1, spent_points=0, earned_points=0,
            )  # fmt: skip

    asyncio.run(sell())
    assert "Nothing yet" in said(url, "recommend", "7002")
    [row] = json.loads(said(url, "recommend", "+79001234562", "--recount", "--json"))
    assert (row["name"], row["price"], row["why"]) == ("[Крем]", "250.50", "widely bought")
    assert "[Крем]" in said(url, "recommend", "7002", "--count", "1")
    assert "nobody is known" in refused(url, "recommend", "9")
