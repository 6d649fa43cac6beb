"""`kapsula refills` as an operator types it."""

import asyncio
import json
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from app.database import database
from loyalty.database import query
from loyalty.instants import to_micros
from loyalty.models import Product
from tests.app.test_commands import refused, said, two_customers, url
from tests.loyalty.tills import open_shop

__all__ = ["url"]


async def _sold(url: str) -> None:
    """A receipt of ten days ago, of a chain that has never told doses."""
    async with database(url):
        await open_shop()
        for sku in ("a30", "a90"):
            await Product.create(
                sku=sku, name=sku, category="x", price_minor=1, units_per_pack=int(sku[1:])
            )
        at = to_micros(datetime.now(UTC) - timedelta(days=10))
        await query(
            "INSERT INTO receipt (id, customer_id, till_id, number, state, at, recorded_at, "
            "total_minor, paid_minor, spent_points, earned_points, key, fingerprint, answer) "
            f"VALUES (1, 7001, 1, '1', 'committed', {at}, {at}, 1, 1, 0, 0, 'k', x'', '{{}}')"
        )
        for n, sku in enumerate(("a30", "a90", "cream"), 1):
            await query(
                "INSERT INTO receipt_line (id, receipt_id, position, sku, name, quantity_milli, "
                "price_minor, amount_minor, spent_points, earned_points, category, explanation) "
                f"VALUES ({n}, 1, {n}, '{sku}', '', 1000, 1, 1, 0, 0, '', '')"
            )


def test_doses_are_told_and_the_past_is_taken_in(url: str, tmp_path: Path) -> None:
    two_customers(url)
    asyncio.run(_sold(url))
    said(url, "refills", "take-in")
    assert json.loads(said(url, "refills", "list", "7001", "--json")) == []
    file = tmp_path / "doses.csv"
    file.write_text('sku,units_a_day,medicine\na30,"0,5",Амлодипин\na90,0.5,Амлодипин\n')
    assert "Set: 2." in said(url, "refills", "doses", str(file))
    for _ in range(2):
        said(url, "refills", "take-in")
        [row] = json.loads(said(url, "refills", "list", "7001", "--json"))
        assert (row["medicine"], row["a_day"], row["left"] > 110) == ("Амлодипин", "0.5", True)


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("cream,x,", "line 2: units_a_day is no number"),
        ("cream,500,", "from 0.01 to 100"),
        ("cream,NaN,", "units_a_day is no number"),
        (",1,", "line 2"),
        ("nothing,1,", "no such products: nothing"),
    ],
)
def test_wrong_doses_change_nothing(url: str, tmp_path: Path, line: str, words: str) -> None:
    file = tmp_path / "doses.csv"
    file.write_text(f"sku,units_a_day,medicine\n{line}\n")
    assert words in refused(url, "refills", "doses", str(file))
