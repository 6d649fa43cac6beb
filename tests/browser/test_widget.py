"""The chat on somebody's site in a real browser: tabs, keyboard, markup, a lost network, sizes."""

from collections.abc import AsyncIterator

import pytest
from playwright.async_api import Browser, BrowserContext, Locator, Page, Route, expect

from messaging.models import ChatMessage, ChatThread
from tests.availability import chromium_absence, require
from tests.backends import Backend
from tests.browser.chromium import PATIENCE_MS, chromium
from tests.browser.customer import COMES_BACK_MS, Customer
from tests.browser.shop import Shop, open_shop, visitor
from tests.messaging.conftest import until

PHONE_SIZE = (390, 844)


@pytest.fixture(autouse=True)
def _chromium() -> None:
    require(chromium_absence())


@pytest.fixture
async def shop(sqlite: Backend) -> AsyncIterator[Shop]:
    async with open_shop(sqlite.create()) as shop:
        yield shop


@pytest.fixture
async def browser() -> AsyncIterator[Browser]:
    async with chromium() as browser:
        yield browser


async def sized(browser: Browser, width: int, height: int) -> BrowserContext:
    return await browser.new_context(locale="ru-RU", viewport={"width": width, "height": height})


@pytest.fixture
async def she(browser: Browser, shop: Shop) -> Customer:
    return await visitor(await sized(browser, *PHONE_SIZE), shop)


async def conversation(customer: Customer) -> list[str]:
    return await customer.chat.locator(".message .bubble").all_inner_texts()


# ---- one conversation, whatever it is looked at through ----


async def test_two_tabs_show_the_same_conversation(browser: Browser, shop: Shop) -> None:
    context = await sized(browser, 1280, 800)
    one, other = await visitor(context, shop), await visitor(context, shop)
    await one.joins()
    await other.opens_the_chat()
    await other.sees("Вы с нами!")
    await other.taps("Мои бонусы")
    await other.sees("У вас 100 бонусов")
    await one.sees("У вас 100 бонусов")
    await one.writes("спасибо")
    await one.sees("Не совсем понял")
    await other.sees("Не совсем понял")
    assert await conversation(one) == await conversation(other)
    assert await ChatThread.all().count() == 1
    assert not shop.complaints


async def test_a_reload_keeps_the_conversation(she: Customer) -> None:
    await she.joins()
    before = await conversation(she)
    await she.page.reload()
    await she.launcher.click()
    await she.sees("Вы с нами!")
    assert await conversation(she) == before
    await expect(she.chat.locator("#answers button")).to_have_count(6)


async def test_what_was_said_while_the_chat_was_closed_is_counted(
    she: Customer, shop: Shop
) -> None:
    await she.opens_the_chat()
    await she.sees("Добро пожаловать")
    await she.chat.locator("#close").click()
    await shop.says("Чек № 1")
    await shop.says("Чек № 2")
    await expect(she.page.locator(".badge")).to_have_text("2")
    await she.launcher.click()
    await she.sees("Чек № 2")
    await she.chat.locator("#close").click()
    await expect(she.page.locator(".badge")).not_to_be_visible()


async def newest() -> int:
    return (await ChatThread.get()).last_message_id


async def test_only_what_stands_before_her_eyes_is_seen(she: Customer, shop: Shop) -> None:
    await she.opens_the_chat()
    await she.sees("Добро пожаловать")

    async def all_seen() -> bool:
        return shop.heard.upto == await newest()

    await until(all_seen, seconds=PATIENCE_MS / 1000)
    await she.chat.locator("#close").click()
    await shop.says("Чек № 1")
    await expect(she.page.locator(".badge")).to_have_text("1")
    unseen = await newest()
    assert shop.heard.upto < unseen
    await she.launcher.click()
    await she.sees("Чек № 1")
    await until(all_seen, seconds=PATIENCE_MS / 1000)


# ---- the keyboard ----


async def back_to(customer: Customer, label: str) -> Locator:
    """Shift+Tab until a button with this label has the focus."""
    button = customer.chat.get_by_role("button", name=label).last
    await button.wait_for()
    for _ in range(20):
        await customer.page.keyboard.press("Shift+Tab")
        if await button.evaluate("(button) => button === document.activeElement"):
            return button
    raise AssertionError(f"Shift+Tab does not lead to {label!r}")


async def test_all_of_it_by_keyboard(browser: Browser, shop: Shop) -> None:
    she = await visitor(await sized(browser, 1280, 800), shop)
    keyboard = she.page.keyboard
    await she.page.goto(shop.server.url)
    await she.launcher.wait_for()
    await keyboard.press("Tab")  # the site's own link
    await keyboard.press("Tab")
    await expect(she.launcher).to_be_focused()
    await keyboard.press("Enter")
    await expect(she.field).to_be_focused()
    for answer in ("Русский", "Даю согласие", "Да, присылайте"):
        await back_to(she, answer)
        await keyboard.press("Enter")
        await expect(she.field).to_be_focused()
    await she.sees("Последний шаг")
    await keyboard.type("8 900 123-45-67")
    await keyboard.press("Enter")
    await she.sees("Отправили код")
    await keyboard.type(shop.codes[-1])
    await keyboard.press("Enter")
    await she.sees("Вы с нами!")
    await back_to(she, "Мои бонусы")
    await keyboard.press("Enter")
    await she.sees("У вас 100 бонусов")
    await expect(she.field).to_be_focused()
    await keyboard.type("первая")
    await keyboard.press("Shift+Enter")
    await keyboard.type("вторая")
    await keyboard.press("Enter")
    await expect(she.chat.locator(".message.me").last).to_contain_text("первая\nвторая")
    await keyboard.press("Escape")
    await expect(she.launcher).to_be_focused()
    await expect(she.page.locator("iframe")).not_to_be_visible()
    await keyboard.press("Enter")
    await expect(she.field).to_be_focused()


# ---- text is never markup ----


async def test_markup_is_shown_as_text(she: Customer, shop: Shop) -> None:
    await she.opens_the_chat()
    await she.sees("Добро пожаловать")
    evil = '<img src=x onerror="alert(1)"><b>жирно</b><script>alert(2)</script>'
    await she.writes(evil)
    await expect(she.chat.locator(".message.me").last).to_contain_text(evil)
    await expect(she.chat.locator(".message.shop")).to_have_count(2)  # the bot has answered her
    await shop.says(
        '&lt;i&gt;так&lt;/i&gt; <b>&lt;img src=x&gt;</b> <a href="tel:+7900">позвонить</a>'
    )
    newest = she.chat.locator(".message.shop").last
    await expect(newest).to_contain_text("<i>так</i> <img src=x> позвонить")
    await expect(newest.locator("strong")).to_have_text("<img src=x>")
    await she.page.reload()
    await she.launcher.click()
    await expect(newest).to_contain_text("<i>так</i>")
    await expect(she.chat.locator("#log :is(img, script, b, i)")).to_have_count(0)
    assert not shop.complaints


# ---- the network ----


async def test_what_is_written_without_a_network_is_sent_once(she: Customer, shop: Shop) -> None:
    await she.opens_the_chat()
    await she.sees("Добро пожаловать")
    await shop.server.cut()
    await expect(she.chat.locator("#banner")).to_contain_text("Нет связи")
    await she.writes("вы здесь?")
    mine = she.chat.locator(".message.me")
    await expect(mine.get_by_label("Ждёт связи")).to_be_visible()
    await she.taps("Русский")
    await expect(she.chat.locator("#toast")).to_contain_text("нет связи")
    await shop.server.connect()
    await expect(mine.get_by_label("Отправлено")).to_be_visible(timeout=COMES_BACK_MS)
    await expect(she.chat.locator("#banner")).not_to_be_visible()
    await expect(mine).to_have_count(1)
    assert await ChatMessage.filter(outgoing=False).count() == 1
    await she.page.reload()
    await she.launcher.click()
    await expect(mine).to_have_count(1)
    assert await ChatMessage.filter(outgoing=False).count() == 1


# ---- the newest message stays in sight ----


async def test_a_fresh_card_comes_into_sight(she: Customer) -> None:
    await she.joins()
    photo = await she.looks_at_her_card()
    await expect(photo).to_be_in_viewport(ratio=1)
    await she.taps("Мои бонусы")
    await expect(photo).not_to_be_in_viewport(ratio=1)
    photo = await she.looks_at_her_card()
    await expect(photo).to_be_in_viewport(ratio=1)


async def test_a_picture_that_comes_late_is_in_sight(she: Customer) -> None:
    await she.joins()

    async def late(route: Route) -> None:
        await she.page.wait_for_timeout(1500)
        await route.continue_()

    await she.page.route("**/chat/files/*", late)
    photo = await she.looks_at_her_card()
    await expect(photo).to_be_in_viewport(ratio=1)


LONG = "Строка сообщения, которое не поместится.\n" * 12


async def test_messages_on_each_others_heels_are_followed(she: Customer, shop: Shop) -> None:
    """The second comes while the page still glides to the first."""
    await she.opens_the_chat()
    await she.sees("Добро пожаловать")
    newest = she.chat.locator(".message.shop .meta").last
    for number in range(3):
        for part in range(4):
            await shop.says(f"{LONG}{number}.{part}")
        await she.sees(f"{number}.3")
        await expect(newest).to_be_in_viewport(ratio=1)
    await expect(she.chat.locator("#newest")).not_to_be_visible()


async def test_who_reads_above_is_not_pulled_down(she: Customer, shop: Shop) -> None:
    await she.opens_the_chat()
    await she.sees("Добро пожаловать")
    for number in range(3):
        await shop.says(f"{LONG}{number}")
    newest = she.chat.locator(".message.shop .meta").last
    await she.sees("2")
    await expect(newest).to_be_in_viewport(ratio=1)
    await she.chat.locator("#scroll").hover()
    await she.page.mouse.wheel(0, -700)
    first = she.chat.locator(".message.shop", has_text="Добро пожаловать")
    await she.page.mouse.wheel(0, -3000)
    await expect(first).to_be_in_viewport()
    await shop.says("Ещё одно")
    await expect(she.chat.locator("#newest")).to_be_visible()
    await expect(first).to_be_in_viewport()
    await she.chat.locator("#newest").click()
    await expect(newest).to_be_in_viewport(ratio=1)
    await expect(she.chat.locator("#newest")).not_to_be_visible()


# ---- sizes ----


async def overflow(page: Page) -> list[int]:
    """By how many pixels the site and the chat are wider than what shows them."""
    wider = "() => document.documentElement.scrollWidth - innerWidth"
    return [await frame.evaluate(wider) for frame in page.frames]


@pytest.mark.parametrize(("width", "height"), [(320, 568), PHONE_SIZE])
async def test_on_a_phone_it_fills_the_screen(
    browser: Browser, shop: Shop, width: int, height: int
) -> None:
    she = await visitor(await sized(browser, width, height), shop)
    await she.joins()
    await she.looks_at_her_card()
    panel = she.page.locator(".panel")
    assert await panel.bounding_box() == {"x": 0, "y": 0, "width": width, "height": height}
    assert await overflow(she.page) == [0, 0]
    for part in ("#send", "#close", "#answers button >> nth=-1"):
        await expect(she.chat.locator(part)).to_be_in_viewport(ratio=1)
    await she.chat.locator("#close").click()
    await expect(panel).not_to_be_visible()
    await expect(she.launcher).to_be_in_viewport(ratio=1)


async def test_on_a_desktop_it_stands_in_the_corner(browser: Browser, shop: Shop) -> None:
    she = await visitor(await sized(browser, 1280, 800), shop)
    await she.joins()
    await she.looks_at_her_card()
    box = await she.page.locator(".panel").bounding_box()
    assert box == {"x": 1280 - 400 - 20, "y": 800 - 700 - 20, "width": 400, "height": 700}
    assert await overflow(she.page) == [0, 0]
    await she.page.mouse.move(200, 400)
    await she.page.mouse.wheel(0, 300)  # the site beside it lives on
    await she.page.wait_for_function("scrollY > 0")
