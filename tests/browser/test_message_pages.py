"""The pages behind the links in a real browser, with no script: phone, desktop, dark, light."""

import os
import re
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Literal

import pytest
from aiohttp import web
from playwright.async_api import Browser, Page, expect

from app.database import database
from loyalty import consents
from loyalty.clock import SystemClock, VirtualClock
from loyalty.database import transaction
from loyalty.programme import build_programme
from loyalty.rules.programme import ProgrammeRules
from loyalty.rules.surveys import NPS
from loyalty.surveys import Surveys
from messaging.attention import Attention
from messaging.optin import OptIns
from messaging.preferences import preferences_of
from messaging.templates import Body
from messaging.wakeups import Wakeups
from messaging.web import add_messaging_pages
from tests.availability import chromium_absence, require
from tests.browser.chromium import chromium
from tests.browser.server import Server
from tests.conftest import SECRET
from tests.messaging.conftest import customer_with
from tests.messaging.letters import ADDRESSES, LINKS, send

PHONE, DESKTOP = (390, 844), (1280, 900)
PICTURES = os.environ.get("KAPSULA_TEST_PICTURES")
"""A folder to keep what the pages look like, for people."""


@pytest.fixture(autouse=True)
def _chromium() -> None:
    require(chromium_absence())


@pytest.fixture
async def browser() -> AsyncIterator[Browser]:
    async with chromium() as browser:
        yield browser


@pytest.fixture
async def server(tmp_path: Path) -> AsyncIterator[Server]:
    clock = SystemClock()
    async with AsyncExitStack() as stack:
        await stack.enter_async_context(database(f"sqlite://{tmp_path / 'pages.sqlite3'}"))
        programme = build_programme(clock=clock, secret=SECRET, rules=ProgrammeRules())
        stack.push_async_callback(programme.stop)
        opt_ins = OptIns(clock, programme.customers, LINKS, Wakeups(), programme_name="Капсула")
        app = web.Application()
        add_messaging_pages(app, programme, LINKS, opt_ins=opt_ins, attention=Attention(clock))
        runner = web.AppRunner(app, shutdown_timeout=1)
        await runner.setup()
        stack.push_async_callback(runner.cleanup)
        server = Server(runner)
        await server.connect()
        yield server


async def anna(topic: str = "marketing") -> tuple[int, str, str]:
    """A customer who agreed; the paths by which she leaves and chooses."""
    clock = VirtualClock(SystemClock().now())
    customer = await customer_with(
        ("telegram", "5001"), ("email", ADDRESSES["email"]), ("phone", ADDRESSES["sms"])
    )
    await consents.record(
        customer, clock.now(), purpose="marketing", channel="", granted=True, source="telegram",
        wording="join",
    )  # fmt: skip
    attempt_id, _ = await send(clock, Body("x"), customer_id=customer, topic=topic)
    leave, choose = LINKS.unsubscribe(attempt_id), LINKS.preferences(customer)
    return customer, *(url.removeprefix(LINKS.public_url) for url in (leave, choose))


async def asked() -> tuple[int, str]:
    """Somebody with a survey to answer: the sheet, and the path of its page."""
    customer = await customer_with(("email", "olga@example.com"))
    async with transaction():
        sheet = await Surveys(SystemClock()).hand_out(NPS, customer, key="k")
    return sheet, LINKS.survey(sheet).removeprefix(LINKS.public_url)


async def reader(
    browser: Browser,
    size: tuple[int, int] = PHONE,
    colours: Literal["light", "dark"] = "light",
) -> Page:
    context = await browser.new_context(
        viewport={"width": size[0], "height": size[1]},
        color_scheme=colours,
        java_script_enabled=False,
        locale="ru-RU",
    )
    return await context.new_page()


async def photographed(page: Page, name: str) -> None:
    if PICTURES:
        await page.screenshot(path=Path(PICTURES) / f"{name}.png", full_page=True)


async def test_she_leaves_and_comes_back(browser: Browser, server: Server) -> None:
    customer, leave, _ = await anna()
    page = await reader(browser)
    await page.goto(server.url + leave)
    await expect(page.get_by_role("heading")).to_have_text("Отписаться?")
    await page.get_by_role("button", name="Отписаться").click()
    await expect(page.get_by_role("heading")).to_have_text("Вы отписаны")
    found = await preferences_of(customer)
    assert found is not None
    assert [c.name for c in found.channels if not c.gets] == ["email"]
    await page.get_by_role("button", name="Вернуть как было").click()
    await expect(page.get_by_role("status")).to_contain_text("рассылка снова включена")
    await page.get_by_role("link", name="Выбрать").click()
    await expect(page.get_by_role("heading")).to_have_text("Что вам присылать")


async def test_she_chooses_with_the_keyboard_alone(browser: Browser, server: Server) -> None:
    customer, _, choose = await anna()
    page = await reader(browser, DESKTOP)
    await page.goto(server.url + choose)
    for name in ("Вопросы о качестве обслуживания", re.compile("^SMS"), "Названия лекарств"):
        await page.get_by_role("checkbox", name=name).focus()
        await page.keyboard.press("Space")
    await page.get_by_role("radio", name="Не чаще 1 раза в неделю").focus()
    await page.keyboard.press("Space")
    await page.get_by_role("radio", name="Свои часы").focus()
    await page.keyboard.press("Space")
    await page.get_by_label("с", exact=True).fill("22:30")
    await page.get_by_label("до", exact=True).fill("07:15")
    await page.get_by_role("button", name="Сохранить").focus()
    await page.keyboard.press("Enter")
    await expect(page.get_by_role("status")).to_have_text("Сохранено.")
    found = await preferences_of(customer)
    assert found is not None
    assert (found.surveys, found.weekly_max, found.quiet) == (False, 1, (22 * 60 + 30, 7 * 60 + 15))
    assert found.medicine_names
    assert [c.name for c in found.channels if c.gets] == ["messenger", "email"]
    await page.get_by_role("button", name="Отключить всю рекламу").click()
    await expect(page.get_by_role("checkbox", name="Акции и скидки")).not_to_be_checked()
    await expect(page.get_by_role("button", name="Отключить всю рекламу")).to_have_count(0)


async def test_a_survey_is_answered_with_the_thumb(browser: Browser, server: Server) -> None:
    sheet, path = await asked()
    page = await reader(browser)
    await page.goto(f"{server.url}{path}?score=9")
    await photographed(page, "survey-asked")
    await page.get_by_role("button", name="Отправить оценку: 9").click()
    await page.get_by_role("button", name="2", exact=True).click()
    await expect(page.get_by_text("Ваша оценка: 2 из 10")).to_be_visible()
    await page.get_by_role("checkbox", name="Цены").check()
    await page.get_by_label("Что произошло").fill("Дорого")
    await photographed(page, "survey-why")
    await page.get_by_role("button", name="Отправить").click()
    await expect(page.get_by_role("status")).to_contain_text("разберёмся")
    found = await Surveys(SystemClock()).sheet(sheet)
    assert found is not None
    assert found.answers == {"score": ["2"], "why": ["price"], "words": ["Дорого"]}
    wide = await page.evaluate("document.documentElement.scrollWidth")
    assert wide <= PHONE[0]


@pytest.mark.parametrize("size", [PHONE, (320, 640), DESKTOP], ids=["phone", "small", "desktop"])
@pytest.mark.parametrize("colours", ["light", "dark"])
async def test_every_page_fits(
    browser: Browser, server: Server, size: tuple[int, int], colours: Literal["light", "dark"]
) -> None:
    """Nothing is wider than the screen, and no control is too small for a thumb."""
    _, leave, choose = await anna()
    _, survey = await asked()
    pages = (("leave", leave), ("choose", choose), ("gone", "/u/gone"), ("survey", survey))
    for name, path in pages:
        page = await reader(browser, size, colours)
        await page.goto(server.url + path)
        await expect(page.get_by_role("heading").first).to_be_visible()
        await photographed(page, f"{name}-{size[0]}-{colours}")
        wide = await page.evaluate("document.documentElement.scrollWidth")
        assert wide <= size[0], name
        for control in await page.locator("button, .choice").all():
            box = await control.bounding_box()
            assert box is not None
            assert box["height"] >= 44, name
        await page.context.close()
