"""The script of site events on a page of another origin: what arrives, over reloads and cut lines,
and how signing in to the chat on the page makes it hers."""

import json
from collections.abc import AsyncIterator
from typing import Any

import pytest
from aiohttp import web
from playwright.async_api import Browser, Page

from admin.web import add_admin
from bot.webchat.server import WebchatOptions
from loyalty.database import query
from loyalty.models import Site
from loyalty.programme import Programme
from loyalty.sites import NewKeys
from tests.admin.people import SECRET
from tests.availability import chromium_absence, require
from tests.backends import Backend
from tests.browser.chromium import chromium
from tests.browser.customer import Customer
from tests.browser.shop import Shop, open_shop
from tests.messaging.conftest import until

PAGE = """<!doctype html><html lang="ru"><meta charset="utf-8"><title>Товар</title><h1>Крем</h1>
<script>window.kapsula = window.kapsula || []; kapsula.push(["view", "S1"]);</script>
<script async src="{server}/site/kapsula.js" data-site="{key}"></script>
<script async src="{server}/chat/widget.js" data-language="ru"></script>"""


@pytest.fixture(autouse=True)
def _chromium() -> None:
    require(chromium_absence())


@pytest.fixture
async def shop(sqlite: Backend) -> AsyncIterator[Shop]:
    async def product(request: web.Request) -> web.Response:
        site = await Site.get()
        server = f"http://127.0.0.1:{request.url.port}"
        html = PAGE.format(server=server, key=site.public_key)
        return web.Response(text=html, content_type="text/html")

    def adorn(app: web.Application, programme: Programme) -> None:
        add_admin(app, programme, clock=programme.clock, secret=SECRET)
        app.router.add_get("/product", product)

    async with open_shop(sqlite.create(), WebchatOptions(sites=("*",)), adorn=adorn) as shop:
        yield shop


@pytest.fixture
async def browser() -> AsyncIterator[Browser]:
    async with chromium() as browser:
        yield browser


async def on_the_page(browser: Browser, shop: Shop, **context: Any) -> Page:
    """A page at localhost; the house is at 127.0.0.1, another origin."""
    origin = shop.server.url.replace("127.0.0.1", "localhost")
    assert isinstance(await shop.programme.sites.add("shop", [origin]), NewKeys)
    page = await (await browser.new_context(locale="ru-RU", **context)).new_page()
    page.on("pageerror", lambda error: shop.complaints.append(str(error)))
    await page.goto(f"{origin}/product")
    return page


async def events() -> list[tuple[str, Any]]:
    rows = await query("SELECT kind, fact FROM site_event ORDER BY at, id")
    return [(row["kind"], json.loads(row["fact"])) for row in rows]


async def arrived(count: int) -> None:
    async def so_many() -> bool:
        return len(await events()) >= count

    await until(so_many, 20)


async def test_everything_that_happens_on_the_page_arrives(browser: Browser, shop: Shop) -> None:
    page = await on_the_page(browser, shop)
    await arrived(1)
    await page.evaluate("""() => {
      kapsula.search("  крем  ", 12);
      kapsula.favourite("S1");
      kapsula.push(["cart", [{ sku: "S1", quantity: 2, price: 249.9 }], 499.8]);
      kapsula.order("A-1", [{ sku: "S1" }], 499.8);
      kapsula.nothing?.();
      kapsula.push(["nothing"], ["push", ["view", "X"]]);
    }""")
    await arrived(5)
    line = {"sku": "S1", "quantity_milli": 2000, "price_minor": 24990}
    told = dict(await events())
    assert told["view"] == {"sku": "S1"}
    assert told["search"] == {"query": "крем", "found": 12}
    assert told["favourite"] == {"sku": "S1", "on": True}
    assert told["cart"] == {"lines": [line], "total_minor": 49980}
    assert told["order"]["number"] == "A-1"
    assert len(await events()) == 5
    assert not shop.complaints


async def test_a_cut_line_loses_and_doubles_nothing(browser: Browser, shop: Shop) -> None:
    page = await on_the_page(browser, shop)
    await arrived(1)
    await shop.server.cut()
    await page.evaluate('kapsula.favourite("S2")')
    await page.wait_for_timeout(2500)
    await shop.server.connect()
    await page.reload()
    await arrived(3)
    assert [kind for kind, _ in await events()] == ["view", "favourite", "view"]
    visitors = await query("SELECT DISTINCT visitor FROM site_event")
    assert len(visitors) == 1, "the browser keeps its id"
    await page.evaluate("kapsula.forget()")
    await page.evaluate('kapsula.view("S3")')
    await arrived(4)
    assert len(await query("SELECT DISTINCT visitor FROM site_event")) == 2
    assert not shop.complaints


async def test_joining_in_the_chat_of_the_page_makes_it_hers(browser: Browser, shop: Shop) -> None:
    page = await on_the_page(browser, shop)
    await arrived(1)

    async def code_sent() -> str:
        return shop.codes[-1]

    await Customer(page, page.url, code_sent).joins()

    async def hers() -> bool:
        return bool(await query("SELECT 1 FROM event WHERE kind = 'site.view'"))

    await until(hers, 20)
    assert await query("SELECT 1 FROM site_event WHERE customer_id IS NULL") == []
    assert not shop.complaints


async def test_who_asked_not_to_be_followed_is_not(browser: Browser, shop: Shop) -> None:
    page = await on_the_page(browser, shop)
    await arrived(1)
    await page.add_init_script(
        "Object.defineProperty(navigator, 'globalPrivacyControl', { value: true })"
    )
    await page.evaluate("localStorage.clear()")
    await page.reload()
    await page.evaluate('kapsula.view("S9")')
    await page.wait_for_timeout(2500)
    assert len(await events()) == 1
    assert await page.evaluate("kapsula.visitor") == ""
    assert await page.evaluate("localStorage.getItem('kapsula.visitor')") is None
