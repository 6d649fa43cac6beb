"""The demo's telephone and mailbox in a browser: what was sent is there, and nothing in it runs."""

from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from aiohttp import web
from playwright.async_api import Page, Route, expect

from app.assembly import House, open_house
from app.demo.pages import add_demo_pages
from app.settings import Settings, setting_rows
from loyalty.clock import SystemClock
from messaging.channels.base import Outgoing
from messaging.templates import Body
from tests.availability import chromium_absence, require
from tests.browser.chromium import chromium
from tests.browser.server import Server
from tests.conftest import SECRET

EVIL = """<!doctype html><html><head><title>x</title></head><body>
<h1>Hello</h1><p id="told">nothing has run</p>
<script>document.getElementById("told").textContent = "it has run"; top.hit = 1;</script>
<img src="x" onerror="document.getElementById('told').textContent = 'it has run'">
<form action="/demo/samples" method="post"><button id="post">post</button></form>
<a id="out" href="https://shop.example/">out</a></body></html>"""


@dataclass
class Demo:
    house: House
    server: Server


@pytest.fixture
async def demo(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Demo]:
    require(chromium_absence())
    for row in setting_rows():
        monkeypatch.delenv(row.name, raising=False)
    settings = Settings(
        _env_file=None,  # type: ignore[call-arg]
        database_url=f"sqlite://{tmp_path / 'k.sqlite3'}",
        sms={"gateway": "folder", "folder": str(tmp_path / "sms")},
        email={"folder": str(tmp_path / "mail"), "sender": "news@shop.example"},
    )
    async with open_house(settings, secret=SECRET, clock=SystemClock()) as house:
        app = house.web_application()
        add_demo_pages(house, app)
        runner = web.AppRunner(app)
        await runner.setup()
        server = Server(runner)
        await server.connect()
        try:
            yield Demo(house, server)
        finally:
            await runner.cleanup()


async def send_sample(page: Page, demo: Demo, name: str) -> None:
    await page.select_option("#template", name)
    await page.get_by_role("button", name="Отправить").click()
    await page.wait_for_load_state()
    await demo.house.dispatcher.drain()


async def test_what_is_sent_lies_in_the_mailbox(demo: Demo) -> None:
    async with chromium() as browser:
        page = await browser.new_page(viewport={"width": 1280, "height": 900})
        await page.goto(f"{demo.server.url}/demo/mailbox")
        await expect(page.locator("#empty")).to_be_visible()
        await send_sample(page, demo, "offer")
        await expect(page.locator("#template")).to_have_value("offer")
        row = page.locator("#mails a")
        await expect(row).to_contain_text("Неделя витаминов")  # without a reload
        await row.click()
        letter = page.frame_locator("article iframe")
        await expect(letter.locator("h1")).to_have_text("Неделя витаминов")
        await expect(letter.get_by_role("link", name="Посмотреть")).to_have_attribute(
            "href", "https://shop.example/vitamins"
        )
        await page.get_by_role("link", name="Текст").click()
        await expect(page.locator("pre")).to_contain_text("- Витамин D3")
        await page.get_by_role("link", name="Заголовки").click()
        await expect(page.locator(".head-fields")).to_contain_text("Message-ID")
        await expect(page.locator(".head-fields")).to_contain_text("anna@kapsula.example")


async def test_on_a_phone_the_list_and_the_mail_take_turns(demo: Demo) -> None:
    async with chromium() as browser:
        page = await browser.new_page(viewport={"width": 390, "height": 844})
        await page.goto(f"{demo.server.url}/demo/mailbox")
        await send_sample(page, demo, "gift")
        await page.locator("#mails a").click()
        await expect(page.locator(".box")).not_to_be_visible()
        await page.get_by_role("link", name="Все письма").click()
        await expect(page.locator("#mails a")).to_be_visible()
        width = await page.evaluate("document.documentElement.scrollWidth")
        assert width <= 390


async def test_what_comes_while_a_full_mailbox_opens_is_shown(demo: Demo) -> None:
    assert demo.house.mail is not None
    channel = demo.house.mail.channel

    async def send(number: int) -> None:
        body = Body("<p>x</p>", subject=f"Mail {number}", text="x")
        await channel.send(
            Outgoing(
                message_id=1, attempt_id=number, address_kind="email", address="a@b.example",
                body=body,
            )
        )  # fmt: skip

    async def send_before_it_looks(route: Route) -> None:
        await send(51)
        await route.continue_()

    for number in range(1, 51):
        await send(number)
    async with chromium() as browser:
        page = await browser.new_page()
        await page.route("**/mailbox.json", send_before_it_looks, times=1)
        await page.goto(f"{demo.server.url}/demo/mailbox")
        await expect(page.locator("#mails strong").first).to_have_text("Mail 51")


async def test_nothing_in_a_mail_runs(demo: Demo) -> None:
    assert demo.house.mail is not None
    evil = Outgoing(
        message_id=1, attempt_id=1, address_kind="email", address="a@b.example",
        body=Body(EVIL, subject="<script>top.hit = 1</script>", text="<b>words</b>"),
    )  # fmt: skip
    await demo.house.mail.channel.send(evil)
    async with chromium() as browser:
        page = await browser.new_page()
        await page.goto(f"{demo.server.url}/demo/mailbox/1")
        letter = page.frame_locator("article iframe")
        await expect(letter.locator("h1")).to_have_text("Hello")
        await expect(letter.locator("#told")).to_have_text("nothing has run")
        assert await page.evaluate("window.hit") is None
        assert await letter.locator("base").get_attribute("target") == "_blank"
        await expect(page.locator("article h2")).to_have_text("<script>top.hit = 1</script>")
        await page.goto(f"{demo.server.url}/demo/mailbox/1/letter")  # by itself it may no more
        await expect(page.locator("#told")).to_have_text("nothing has run")
        await page.goto(f"{demo.server.url}/demo/mailbox/1?view=text")
        await expect(page.locator("pre")).to_have_text("<b>words</b>")


async def test_the_telephone_shows_what_an_sms_costs_and_its_code(demo: Demo) -> None:
    async with chromium() as browser:
        page = await browser.new_page(viewport={"width": 390, "height": 844})
        await page.goto(f"{demo.server.url}/demo/phone")
        await send_sample(page, demo, "offer")
        await expect(page.locator("#messages li").first).to_contain_text("Частей SMS: 2")
        await expect(page.locator("#messages strong")).to_have_count(0)  # a year is no code
        await send_sample(page, demo, "sms_code")
        await expect(page.locator("#messages strong")).to_have_text("4821")
        await expect(page.get_by_role("button", name="Скопировать код")).to_be_visible()
