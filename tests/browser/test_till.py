"""The till page in a real browser: scanner, camera, typed digits, a shop whose network fails."""

import asyncio
import time
from collections.abc import AsyncIterator, Iterable
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from pathlib import Path

import pytest
import qrcode
from aiohttp import web
from playwright.async_api import Browser, Locator, Page, Route, expect

from admin.web import add_admin
from app.database import database
from loyalty.clock import SystemClock
from loyalty.models import Receipt
from loyalty.programme import Programme, build_programme
from loyalty.rules.earning_rules import Combine, EarningRules, Multiplier, Selection
from loyalty.rules.programme import ProgrammeRules
from loyalty.rules.tiers import Tier, TierRules
from tests.admin.people import PASSWORD, SECRET, open_chain
from tests.availability import chromium_absence, require
from tests.browser.chromium import chromium, film
from tests.browser.server import Server
from tests.loyalty.people import ANNA, joined


@pytest.fixture(autouse=True)
def _chromium() -> None:
    require(chromium_absence())


@dataclass
class Pharmacy:
    """Its programme and its server, and what the browser complained about."""

    programme: Programme
    server: Server
    customer_id: int
    card_number: str
    complaints: list[str] = field(default_factory=list)

    async def code(self) -> str:
        picture = await self.programme.cards.picture(self.customer_id)
        return picture.payload  # type: ignore[union-attr]

    async def short_code(self) -> str:
        picture = await self.programme.cards.picture(self.customer_id)
        return picture.short_code  # type: ignore[union-attr]


@pytest.fixture
def rules() -> ProgrammeRules:
    return ProgrammeRules()


@pytest.fixture
async def pharmacy(tmp_path: Path, rules: ProgrammeRules) -> AsyncIterator[Pharmacy]:
    clock = SystemClock()
    async with AsyncExitStack() as stack:
        await stack.enter_async_context(database(f"sqlite://{tmp_path / 'till.sqlite3'}"))
        programme = build_programme(clock=clock, secret=SECRET, rules=rules)
        stack.push_async_callback(programme.stop)
        await open_chain(clock)
        customer = await joined(programme)
        app = web.Application()
        add_admin(app, programme, clock=clock, secret=SECRET)
        runner = web.AppRunner(app, shutdown_timeout=1)
        await runner.setup()
        stack.push_async_callback(runner.cleanup)
        server = Server(runner)
        await server.connect()
        yield Pharmacy(programme, server, customer.id, customer.card_number)


@pytest.fixture
async def browser() -> AsyncIterator[Browser]:
    async with chromium() as browser:
        yield browser


async def at_the_till(browser: Browser, pharmacy: Pharmacy) -> Page:
    """Boris, signed in, at the only till of his shop."""
    context = await browser.new_context(locale="ru-RU", viewport={"width": 390, "height": 844})
    page = await context.new_page()
    page.on("pageerror", lambda error: pharmacy.complaints.append(str(error)))
    page.on(
        "console",
        lambda said: (
            pharmacy.complaints.append(said.text)
            if said.type == "error" and "Failed to load resource" not in said.text
            else None
        ),
    )
    await page.goto(f"{pharmacy.server.url}/till")
    await page.fill("#login", "boris")
    await page.fill("#password", PASSWORD)
    await page.click("button[type=submit]")
    await expect(page.locator("#till-name")).to_have_text("Касса 1")
    await expect(page.locator("#scan")).to_be_visible()
    return page


async def press(page: Page, keys: Iterable[tuple[float, str]]) -> None:
    """Digits and Enter, each so many seconds after the key before.

    Every key carries its time, as the system stamps it in life: this machine may be slower than
    what it plays. They are sent in order and all at once.
    """
    pauses, names = zip(*keys, strict=True)
    now_s = time.time() - sum(pauses)
    browser = await page.context.new_cdp_session(page)
    presses = []
    for pause_s, name in zip(pauses, names, strict=True):
        now_s += pause_s
        key = {"timestamp": now_s, "key": name}
        key |= (
            {"code": "Enter", "windowsVirtualKeyCode": 13}
            if name == "Enter"
            else {"code": f"Digit{name}", "windowsVirtualKeyCode": ord(name)}
        )
        presses.append({"type": "keyDown", "text": "\r" if name == "Enter" else name} | key)
        presses.append({"type": "keyUp"} | key)
    await asyncio.gather(*(browser.send("Input.dispatchKeyEvent", each) for each in presses))
    await browser.detach()


SCANNER_S = 0.008


def scanned(digits: str) -> list[tuple[float, str]]:
    """The keys of a USB scanner."""
    return [(SCANNER_S, key) for key in (*digits, "Enter")]


async def scan(page: Page, digits: str) -> None:
    await press(page, scanned(digits))


async def scan_in_russian(page: Page, digits: str) -> None:
    """A scanner on a layout that prints other signs on the digit keys: only the keys are right."""
    await page.evaluate(
        """(digits) => {
          const press = (key, code) => document.activeElement.dispatchEvent(new KeyboardEvent(
            "keydown", { key, code, bubbles: true, cancelable: true }));
          for (const digit of digits) press("ёъхэжюбь№!"[Number(digit)], `Digit${digit}`);
          press("Enter", "Enter");
        }""",
        digits,
    )


async def sell(page: Page, number: str, total: str) -> None:
    await page.fill("#number", number)
    await page.fill("#sum", total)
    await expect(page.locator("#confirm")).to_be_enabled()
    await page.click("#confirm")
    await expect(page.locator("#done")).to_be_visible()


async def test_a_scanned_code_spends_and_a_cancel_gives_back(
    browser: Browser, pharmacy: Pharmacy
) -> None:
    page = await at_the_till(browser, pharmacy)
    await scan(page, await pharmacy.code())
    await expect(page.locator("#customer-name")).to_have_text("Анна")
    await expect(page.locator("#customer-balance")).to_have_text("100")
    await page.fill("#number", "R1")
    await page.fill("#sum", "1000")
    await page.click("[name=mode][value=spend]")
    await expect(page.locator("#to-pay")).to_contain_text("900")
    await expect(page.locator("#confirm")).to_contain_text("Списать 100 бонусов")
    await page.click("#confirm")
    await expect(page.locator("#done-title")).to_have_text("Списано 100 бонусов")
    await expect(page.locator("#done-sums")).to_contain_text("45 бонусов")
    await page.click("#next")
    cancel = page.locator("#recent-rows button.cancel")
    await cancel.click()
    await expect(cancel).to_have_text("Точно?")
    await cancel.click()
    await expect(page.locator("#recent-rows li")).to_have_attribute("data-state", "cancelled")
    balance = await pharmacy.programme.ledger.balance(pharmacy.customer_id)
    assert balance.available == 100  # type: ignore[union-attr]
    assert not pharmacy.complaints


@pytest.mark.parametrize("focus", ["#card", "#camera-open", "#menu-open", "body"])
async def test_the_scanner_is_heard_wherever_the_focus_is(
    browser: Browser, pharmacy: Pharmacy, focus: str
) -> None:
    page = await at_the_till(browser, pharmacy)
    await page.locator(focus).focus()
    await scan(page, await pharmacy.code())
    await expect(page.locator("#customer-name")).to_have_text("Анна")
    assert await page.input_value("#card") == ""
    await expect(page.locator("#camera")).not_to_be_visible()


async def test_a_scan_in_the_middle_of_a_sale_leaves_the_fields_alone(
    browser: Browser, pharmacy: Pharmacy
) -> None:
    page = await at_the_till(browser, pharmacy)
    await scan(page, pharmacy.card_number)
    await expect(page.locator("#customer-remark")).to_contain_text("только начисляются")
    await page.fill("#number", "R1")
    await page.fill("#sum", "1000")
    await page.locator("#sum").focus()
    await scan(page, await pharmacy.code())  # asked to show the code from the chat
    await expect(page.locator("#customer-remark")).not_to_be_visible()
    assert await page.input_value("#sum") == "1000"
    await expect(page.locator("#spend-note")).to_contain_text("100")
    await scan(page, "4600000000017")  # goods, not a card
    await expect(page.locator("#goods-lines")).to_contain_text("Нурофен")
    assert await page.input_value("#sum") == "289"


async def test_the_scanner_is_heard_with_the_russian_layout(
    browser: Browser, pharmacy: Pharmacy
) -> None:
    page = await at_the_till(browser, pharmacy)
    await scan_in_russian(page, await pharmacy.code())
    await expect(page.locator("#customer-name")).to_have_text("Анна")


@pytest.mark.parametrize("hiccup_at", [1, 17, 25, 33])
async def test_a_scan_with_a_hiccup_is_one_scan(
    browser: Browser, pharmacy: Pharmacy, hiccup_at: int
) -> None:
    page = await at_the_till(browser, pharmacy)
    keys = scanned(await pharmacy.code())
    keys[hiccup_at] = (0.4, keys[hiccup_at][1])
    await press(page, keys)
    await expect(page.locator("#customer-name")).to_have_text("Анна")
    assert await page.input_value("#card") == ""


async def test_digits_typed_just_before_a_scan_stay_where_they_are(
    browser: Browser, pharmacy: Pharmacy
) -> None:
    page = await at_the_till(browser, pharmacy)
    await scan(page, pharmacy.card_number)
    await expect(page.locator("#number")).to_be_focused()
    await page.locator("#sum").focus()
    (_, first), *rest = scanned(await pharmacy.code())
    await press(page, [*((0.2, digit) for digit in "120"), (0.3, first), *rest])
    await expect(page.locator("#customer-remark")).not_to_be_visible()
    assert await page.input_value("#sum") == "120"


async def test_typed_digits(browser: Browser, pharmacy: Pharmacy) -> None:
    page = await at_the_till(browser, pharmacy)
    for text, seen in (
        ("8 (999) 000-00-00", "Нет покупателя"),
        ("000000", "Нет покупателя"),
        (ANNA, ""),
        (await pharmacy.short_code(), ""),
        (pharmacy.card_number, ""),
    ):
        await page.fill("#card", text)
        await page.click("#card-find")
        if seen:
            await expect(page.locator("#card-error")).to_contain_text(seen)
            assert await page.input_value("#card") == text  # to be corrected
            continue
        await expect(page.locator("#sale")).to_be_visible()
        await expect(page.locator("#customer-name")).to_have_text("Анна")
        await page.keyboard.press("Escape")
        await expect(page.locator("#scan")).to_be_visible()


async def test_what_is_wrong_is_said_beside_the_field(browser: Browser, pharmacy: Pharmacy) -> None:
    page = await at_the_till(browser, pharmacy)
    await scan(page, pharmacy.card_number)
    await sell(page, "R1", "1000")
    await page.click("#next")
    await scan(page, pharmacy.card_number)
    await page.fill("#number", "R1")
    await page.fill("#sum", "12x")
    await expect(page.locator("#sum-error")).to_contain_text("1250,50")
    await expect(page.locator("#sum")).to_have_attribute("aria-invalid", "true")
    await page.fill("#sum", "500")
    await expect(page.locator("#number-error")).to_contain_text("уже был чек")
    await expect(page.locator("#confirm")).to_be_disabled()
    await page.fill("#number", "R2")
    await expect(page.locator("#confirm")).to_be_enabled()


async def test_a_scan_faster_than_the_page_waits_for_it(
    browser: Browser, pharmacy: Pharmacy
) -> None:
    page = await at_the_till(browser, pharmacy)
    asked, answer = asyncio.Event(), asyncio.Event()

    async def late(route: Route) -> None:
        asked.set()
        await answer.wait()
        await route.continue_()

    await page.route("**/till/api/session", late)
    await page.reload()
    await asked.wait()
    await scan(page, await pharmacy.code())
    answer.set()
    await expect(page.locator("#customer-name")).to_have_text("Анна")


async def with_a_sale_to_cancel(browser: Browser, pharmacy: Pharmacy) -> tuple[Page, Locator]:
    """At the till, R1 among the latest receipts; and the button that cancels it."""
    page = await at_the_till(browser, pharmacy)
    await scan(page, pharmacy.card_number)
    await sell(page, "R1", "1000")
    await page.click("#next")
    return page, page.locator("#recent-rows [data-number=R1] button.cancel")


async def test_the_question_before_a_cancel_survives_a_new_list(
    browser: Browser, pharmacy: Pharmacy
) -> None:
    page, cancel = await with_a_sale_to_cancel(browser, pharmacy)
    before = await cancel.element_handle()
    await cancel.click()
    async with page.expect_response("**/till/api/recent"):
        await page.evaluate("dispatchEvent(new Event('online'))")
    await page.wait_for_function("(button) => !button.isConnected", arg=before)
    await expect(cancel).to_have_text("Точно?")
    await expect(cancel).to_have_text("Отменить")  # and is forgotten after a while


async def test_the_question_before_a_cancel_ends_though_its_time_runs_out_while_it_is_drawn(
    browser: Browser, pharmacy: Pharmacy
) -> None:
    page, cancel = await with_a_sale_to_cancel(browser, pharmacy)
    await expect(cancel).to_have_text("Отменить")
    await page.evaluate(  # of the question's five seconds each look at the clock takes 1.7
        "(real => { let looks = 0; performance.now = () => real() + 1700 * looks++; })"
        "(performance.now.bind(performance))"
    )
    await cancel.click()
    await expect(cancel).to_have_text("Отменить")
    await expect(cancel).to_have_class("cancel")


@pytest.mark.parametrize("width", [320, 390, 860])
async def test_nothing_is_wider_than_the_screen(
    browser: Browser, pharmacy: Pharmacy, width: int
) -> None:
    page = await at_the_till(browser, pharmacy)
    await page.set_viewport_size({"width": width, "height": 700})

    async def is_contained() -> None:
        assert await page.evaluate("document.documentElement.scrollWidth - innerWidth") == 0

    await is_contained()
    await scan(page, pharmacy.card_number)
    await expect(page.locator("#number")).to_be_focused()
    await scan(page, "4600000000017")
    await expect(page.locator("#goods-lines")).to_contain_text("Нурофен")
    await page.fill("#number", "2026-11-24.0000123456")
    await expect(page.locator("#confirm")).to_be_enabled()
    await is_contained()
    await page.click("#confirm")
    await expect(page.locator("#done-title")).to_be_visible()
    await is_contained()
    await page.click("#next")
    await expect(page.locator("#recent-rows li")).to_have_count(1)
    await is_contained()


async def test_fast_fingers_are_no_scanner(browser: Browser, pharmacy: Pharmacy) -> None:
    page = await at_the_till(browser, pharmacy)
    await scan(page, pharmacy.card_number)
    await expect(page.locator("#number")).to_be_focused()
    keys = [(0.08, digit) for digit in "4600000000017"] + [(0.08, "Enter")]
    await asyncio.sleep(2 * sum(pause for pause, _ in keys))  # they are stamped as of before now
    await press(page, keys)
    assert await page.input_value("#number") == "4600000000017"
    await expect(page.locator("#goods-lines li")).to_have_count(0)


async def test_a_sale_by_keyboard_alone(browser: Browser, pharmacy: Pharmacy) -> None:
    page = await at_the_till(browser, pharmacy)
    await page.keyboard.type(ANNA, delay=120)
    await page.keyboard.press("Enter")
    await expect(page.locator("#number")).to_be_focused()
    await page.keyboard.type("R1", delay=20)
    await page.keyboard.press("Tab")
    await page.keyboard.type("200", delay=20)
    await expect(page.locator("#confirm")).to_be_enabled()
    await page.keyboard.press("Enter")
    await expect(page.locator("#done-title")).to_have_text("+10 бонусов")
    await page.keyboard.press("Escape")
    await expect(page.locator("#card")).to_be_focused()


# ---- the camera ----


async def test_the_camera_reads_the_code(pharmacy: Pharmacy, tmp_path: Path) -> None:
    code = qrcode.make(await pharmacy.code(), box_size=7, border=4).get_image()
    async with chromium(camera=film(code, tmp_path / "code.y4m")) as browser:
        page = await at_the_till(browser, pharmacy)
        await page.click("#camera-open")
        await expect(page.locator("#customer-name")).to_have_text("Анна")
        await expect(page.locator("#camera")).not_to_be_visible()
    assert not pharmacy.complaints


# ---- the network ----


async def test_what_was_done_offline_survives_a_reload_and_is_sent_once(
    browser: Browser, pharmacy: Pharmacy
) -> None:
    page = await at_the_till(browser, pharmacy)
    await page.evaluate("navigator.serviceWorker.ready.then(() => true)")
    await scan(page, pharmacy.card_number)
    await sell(page, "R0", "100")
    await page.click("#next")

    await pharmacy.server.cut()
    await scan(page, await pharmacy.code())
    await expect(page.locator("#net")).to_have_text("Нет сети")
    await expect(page.locator("#customer-remark")).to_contain_text("Списать бонусы сейчас нельзя")
    await expect(page.locator("[name=mode][value=spend]")).to_be_disabled()
    await sell(page, "R1", "1000")
    await expect(page.locator("#done-title")).to_have_text("Сохранено на устройстве")
    await page.click("#next")

    await page.reload()  # from what the browser keeps: nothing answers
    await expect(page.locator("#till-name")).to_have_text("Касса 1")
    await expect(page.locator("#waiting-rows li")).to_have_attribute("data-state", "waiting")
    cancel = page.locator("#recent-rows [data-number=R0] button.cancel")
    await cancel.click()
    await cancel.click()
    await expect(page.locator("#waiting-rows li")).to_have_count(2)
    assert await Receipt.all().count() == 1

    await pharmacy.server.connect()
    await expect(page.locator("#waiting-rows li[data-state=done]")).to_have_count(2)
    await expect(page.locator("#net")).to_have_text("В сети")
    receipts = {receipt.number: receipt for receipt in await Receipt.all()}
    assert sorted(receipts) == ["R0", "R1"]
    assert (receipts["R0"].state, receipts["R1"].earned_points) == ("cancelled", 50)
    assert receipts["R1"].at < receipts["R1"].recorded_at
    await page.reload()
    await expect(page.locator("#recent-rows li")).to_have_count(2)
    assert await Receipt.all().count() == 2
    assert not pharmacy.complaints


async def test_an_answer_that_was_lost_is_not_a_second_receipt(
    browser: Browser, pharmacy: Pharmacy
) -> None:
    page = await at_the_till(browser, pharmacy)
    await scan(page, pharmacy.card_number)
    await page.fill("#number", "R1")
    await page.fill("#sum", "1000")
    await expect(page.locator("#confirm")).to_be_enabled()

    async def lose_the_answer(route: Route) -> None:
        await route.fetch()
        await route.abort()

    await page.route("**/till/api/receipts", lose_the_answer)
    await page.click("#confirm")
    await expect(page.locator("#waiting-rows li")).to_have_count(1)
    await page.unroute("**/till/api/receipts")
    await expect(page.locator("#waiting-rows li")).to_have_attribute("data-state", "done")
    receipt = await Receipt.get()
    assert receipt.earned_points == 50


async def test_a_customer_is_looked_up_once_the_network_is_back(
    browser: Browser, pharmacy: Pharmacy
) -> None:
    page = await at_the_till(browser, pharmacy)
    await page.context.set_offline(True)
    await scan(page, await pharmacy.code())
    await page.fill("#number", "R1")
    await page.fill("#sum", "1000")
    await expect(page.locator("#confirm")).to_contain_text("Сохранить на потом")
    await page.context.set_offline(False)
    await expect(page.locator("#customer-name")).to_have_text("Анна")
    await expect(page.locator("#spend-note")).to_contain_text("100")
    assert await page.input_value("#number") == "R1"


async def test_a_short_code_needs_the_network(browser: Browser, pharmacy: Pharmacy) -> None:
    page = await at_the_till(browser, pharmacy)
    short_code = await pharmacy.short_code()
    await page.context.set_offline(True)
    await page.fill("#card", short_code)
    await page.click("#card-find")
    await expect(page.locator("#card-error")).to_contain_text("Без сети короткий код")
    await page.context.set_offline(False)
    await expect(page.locator("#net")).to_have_text("В сети")


async def test_a_session_that_ended_keeps_the_queue(browser: Browser, pharmacy: Pharmacy) -> None:
    page = await at_the_till(browser, pharmacy)
    await page.context.set_offline(True)
    await scan(page, pharmacy.card_number)
    await sell(page, "R1", "1000")
    await page.context.clear_cookies(name="kapsula_staff")
    await page.context.set_offline(False)
    await expect(page.locator("#notice-action")).to_be_visible()
    assert await Receipt.all().count() == 0
    await page.click("#notice-action")
    await page.fill("#login", "boris")
    await page.fill("#password", PASSWORD)
    await page.click("button[type=submit]")
    await expect(page.locator("#waiting-rows li")).to_have_attribute("data-state", "done")
    assert await Receipt.all().count() == 1


class TestRules:
    """Under rules with tiers and a multiplier."""

    @pytest.fixture
    def rules(self) -> ProgrammeRules:
        health = Multiplier(
            code="health",
            times_percent=200,
            goods=Selection(categories=frozenset({"Здоровье"})),
            name_ru="Вдвойне за здоровье",
        )
        silver = Tier(code="silver", from_minor=1_000_00, name_ru="Серебряный")
        return ProgrammeRules(
            earning=EarningRules(multipliers=(health,)), tiers=TierRules(levels=(silver,))
        )

    async def test_the_cashier_sees_the_tier_and_can_say_why(
        self, pharmacy: Pharmacy, browser: Browser
    ) -> None:
        page = await at_the_till(browser, pharmacy)
        await page.fill("#card", ANNA)
        await page.click("#card-find")
        await expect(page.locator("#customer-tier")).to_contain_text("до уровня «Серебряный» — ещё")
        await page.fill("#number", "R-1")
        await page.click("#goods summary")
        await page.fill("#goods-search", "Витамин")
        await page.click("#goods-found li")
        await expect(page.locator("#will-earn")).to_have_text("+41 бонус")
        await page.click("#why summary")
        row = page.locator("#why-rows li")
        await expect(row).to_contain_text("Витамин D3")
        await expect(row.locator("small")).to_have_text(
            "5 % от 412,00 ₽ · ×2: Вдвойне за здоровье", use_inner_text=True
        )
        await expect(row.locator("b")).to_have_text("+41")
        assert pharmacy.complaints == []


class TestWithManyRules:
    """Four multipliers fit one line."""

    @pytest.fixture
    def rules(self) -> ProgrammeRules:
        doubled = tuple(
            Multiplier(code=f"m{n}", times_percent=200, name_ru=f"Акция {n}") for n in range(4)
        )
        return ProgrammeRules(earning=EarningRules(multipliers=doubled, combine=Combine.ADD))

    async def test_a_few_rules_are_named_and_the_rest_counted(
        self, pharmacy: Pharmacy, browser: Browser
    ) -> None:
        page = await at_the_till(browser, pharmacy)
        await page.fill("#card", ANNA)
        await page.click("#card-find")
        await page.fill("#number", "R-1")
        await page.fill("#sum", "100")
        await expect(page.locator("#will-earn")).to_have_text("+25 бонусов")
        await page.click("#why summary")
        await expect(page.locator("#why-rows small")).to_have_text(
            "5 % от 100,00 ₽ · ×2: Акция 0 · ×2: Акция 1 · и ещё 2 правила", use_inner_text=True
        )
        assert pharmacy.complaints == []
