"""From what a browser sends to what she is told: carts and favourites, through the whole house."""

from datetime import timedelta
from typing import Any

import pytest

from loyalty.models import Product
from loyalty.rules.site_events import SiteEvent
from loyalty.site_events import Batch, Taken
from loyalty.sites import KnownSite, NewKeys
from tests.messaging.journeys.stage import HOUR, Stage

PHONE = "+79001234567"
DAY = timedelta(days=1)


@pytest.fixture
async def site(stage: Stage) -> KnownSite:
    """Its server, which knows who is signed in."""
    keys = await stage.programme.sites.add("shop", ["https://shop.example"])
    assert isinstance(keys, NewKeys)
    found = await stage.programme.sites.by_key(keys.secret)
    assert isinstance(found, KnownSite)
    for sku, name in (("d3", "Витамин D3"), ("mg", "Магний B6"), ("om", "Омега-3")):
        await Product.create(sku=sku, name=name, category="x", price_minor=100_00)
    await Product.create(
        sku="rx", name="Амоксициллин", category="x", price_minor=1, prescription_only=True
    )
    return found


class Page:
    def __init__(self, stage: Stage, site: KnownSite) -> None:
        self._stage, self._site, self._count = stage, site, 0

    async def tells(self, kind: Any, **fact: Any) -> None:
        self._count += 1
        event = SiteEvent(f"event-{self._count:04}", kind, None, fact)
        batch = Batch(customer=PHONE, events=[event])
        taken = await self._stage.programme.site_events.take(self._site, batch)
        assert isinstance(taken, Taken)


def cart(*skus: str) -> dict[str, Any]:
    return {"lines": [{"sku": s, "quantity_milli": 1000, "price_minor": 1} for s in skus]}


async def test_a_cart_that_was_left_is_recalled_by_the_names_of_the_catalogue(
    stage: Stage, site: KnownSite
) -> None:
    await stage.join(PHONE)
    page = Page(stage, site)
    await page.tells("cart", **cart("d3", "rx", "unknown"))
    await stage.live(3 * HOUR)
    assert await stage.sent("abandoned_cart") == ["abandoned_cart"]
    text = "\n".join(stage.channel.texts)
    assert "Витамин D3" in text
    assert "Амоксициллин" not in text
    assert "unknown" not in text


async def test_what_was_ordered_is_not_recalled(stage: Stage, site: KnownSite) -> None:
    await stage.join(PHONE)
    page = Page(stage, site)
    await page.tells("cart", **cart("d3"))
    await stage.live(timedelta(minutes=30), step=timedelta(minutes=10))
    await page.tells("order", number="A-1", **cart("d3"))
    await stage.live(2 * DAY)
    assert await stage.sent("abandoned_cart") == []


async def test_a_favourite_taken_out_again_does_not_count(stage: Stage, site: KnownSite) -> None:
    await stage.join(PHONE)
    page = Page(stage, site)
    for sku in ("d3", "mg"):
        await page.tells("favourite", sku=sku, on=True)
    await page.tells("favourite", sku="mg", on=False)
    await page.tells("favourite", sku="om", on=True)
    await stage.live(2 * DAY)
    assert await stage.sent("favourites") == []
    await page.tells("favourite", sku="mg", on=True)
    await stage.live(2 * DAY)
    assert await stage.sent("favourites") == ["favourites"]


@pytest.mark.parametrize(
    ("query", "reminders"), [("амоксициллин 500", []), ("магний", ["abandoned_search"])]
)
async def test_a_search_for_a_prescription_medicine_is_not_brought_up(
    stage: Stage, site: KnownSite, query: str, reminders: list[str]
) -> None:
    await stage.join(PHONE)
    await Page(stage, site).tells("search", query=query, found=3)
    await stage.live(3 * DAY)
    assert await stage.sent("abandoned_search") == reminders
    assert "амоксициллин" not in "\n".join(stage.channel.texts).casefold()
