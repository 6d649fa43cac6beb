"""The whole story on the real demo: a customer joins in the chat, shows her card, pays with points.

Two browsers, as in life: hers is a phone, the cashier's has a camera which sees her screen. The
server is `kapsula demo` in a process of its own.
"""

import asyncio
import io
import re
import shutil
import signal
import socket
import sys
from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import pytest
import zxingcpp
from PIL import Image
from playwright.async_api import Browser, Page, expect

from app.database import database
from app.demo.seed import seed
from loyalty.clock import VirtualClock
from loyalty.programme import build_programme
from loyalty.promo_campaigns import Campaign
from loyalty.rules.programme import ProgrammeRules
from loyalty.rules.promo import Kind, Terms
from tests.admin.people import SECRET
from tests.availability import chromium_absence, require
from tests.browser.chromium import chromium, film
from tests.browser.customer import COMES_BACK_MS, Customer

ROOT = Path(__file__).parents[2]


@pytest.fixture(autouse=True)
def _chromium() -> None:
    require(chromium_absence())


@pytest.fixture(scope="module")
def pharmacy(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A small chain, made once."""
    path = tmp_path_factory.mktemp("story") / "kapsula.sqlite3"

    async def make() -> None:
        async with database(f"sqlite://{path}"):
            clock = VirtualClock(datetime.now(UTC))
            await seed(clock, ProgrammeRules(), _silent, customers=40)
            programme = build_programme(clock=clock, secret=SECRET, rules=ProgrammeRules())
            autumn = Terms(kind=Kind.PERCENT, permille=100, per_customer_max=1)
            made = await programme.campaigns.create("a", "Осень", autumn, shared_code="ОСЕНЬ10")
            assert isinstance(made, Campaign)
            await programme.stop()

    asyncio.run(make())
    return path


def _silent(*_: object) -> None:
    """No progress bar."""


@dataclass
class Demo:
    """The demo's process, which can be stopped and started at the same address."""

    folder: Path
    port: int
    process: asyncio.subprocess.Process | None = None

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    async def start(self) -> None:
        self.process = await asyncio.create_subprocess_exec(
            sys.executable, "-m", "app.cli", "demo", "--dir", str(self.folder),
            "--port", str(self.port), cwd=ROOT, stdout=asyncio.subprocess.PIPE,
        )  # fmt: skip
        assert self.process.stdout is not None
        async with asyncio.timeout(120):
            while b"Ctrl-C" not in await self.process.stdout.readline():
                assert self.process.returncode is None

    async def stop(self) -> None:
        if self.process is not None and self.process.returncode is None:
            self.process.send_signal(signal.SIGINT)
            await asyncio.wait_for(self.process.communicate(), 30)
            assert self.process.returncode == 0


@pytest.fixture
async def demo(pharmacy: Path, tmp_path: Path) -> AsyncIterator[Demo]:
    folder = tmp_path / "demo"
    folder.mkdir()
    shutil.copy(pharmacy, folder / "kapsula.sqlite3")
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    running = Demo(folder, port)
    await running.start()
    yield running
    await running.stop()


async def her(browser: Browser, demo: Demo) -> Customer:
    context = await browser.new_context(
        locale="ru-RU", viewport={"width": 390, "height": 844}, device_scale_factor=2
    )

    async def code_on_her_telephone() -> str:
        """What the SMS says, on the demo's page of telephones."""
        telephone = await context.new_page()
        await telephone.goto(f"{demo.url}/demo/phone")
        code = await telephone.locator("#messages strong").first.inner_text()
        await telephone.close()
        return code

    return Customer(await context.new_page(), f"{demo.url}/shop", code_on_her_telephone)


async def her_screen_with_the_card(customer: Customer) -> Image.Image:
    await customer.looks_at_her_card()
    return Image.open(io.BytesIO(await customer.page.screenshot()))


async def at_the_till(browser: Browser, demo: Demo) -> Page:
    context = await browser.new_context(locale="ru-RU", viewport={"width": 1024, "height": 768})
    page = await context.new_page()
    await page.goto(f"{demo.url}/till")
    await page.fill("#login", "cashier")
    await page.fill("#password", "kapsula-demo")
    await page.click("button[type=submit]")
    await page.locator("#tills button").first.click()
    await expect(page.locator("#till-name")).to_have_text(re.compile(r"Касса \d"))
    await expect(page.locator("#menu")).not_to_be_visible()
    return page


async def enter_sale(page: Page, number: str, total: str) -> None:
    await page.fill("#number", number)
    await page.fill("#sum", total)
    await expect(page.locator("#confirm")).to_be_enabled()


async def test_from_the_chat_to_the_till_and_back(demo: Demo, tmp_path: Path) -> None:
    async with chromium() as phone:
        customer = await her(phone, demo)
        await customer.joins()
        screen = await her_screen_with_the_card(customer)

        # An independent decoder reads the code off her screen, at a phone's size.
        [code] = zxingcpp.read_barcodes(screen)
        assert len(code.text) == 33
        assert code.text.isdigit()

        async with chromium(camera=film(screen, tmp_path / "screen.y4m")) as counter:
            till = await at_the_till(counter, demo)
            await till.click("#camera-open")
            await expect(till.locator("#customer-balance")).to_have_text("100")
            await enter_sale(till, "R-1", "1000")
            await till.click("[name=mode][value=spend]")
            await expect(till.locator("#to-pay")).to_contain_text("900")
            await till.click("#confirm")
            await expect(till.locator("#done-title")).to_contain_text("Списано 100")
            await customer.is_told("Чек № R-1", "Списано: 100 бонусов", "Начислено: 45 бонусов")

            await till.click("#next")
            cancel = till.locator("#recent-rows [data-number=R-1] button.cancel")
            await cancel.click()
            await cancel.click()
            await customer.is_told("Чек № R-1 отменён", "Баланс: 100 бонусов")

            # The same code a second time: it belongs to a receipt already.
            await till.fill("#card", code.text)
            await till.click("#card-find")
            await expect(till.locator("#card-error")).to_contain_text("использован")

        await customer.page.reload()
        await customer.page.locator(".launcher").click()
        await customer.is_told("Чек № R-1 отменён")


async def test_a_promo_code_points_and_a_part_of_the_goods_comes_back(demo: Demo) -> None:
    """Two of a kind bought with her promo code and points, one returned at the till, then the
    rest: she sees each step in the chat."""
    async with chromium() as phone, chromium() as counter:
        customer = await her(phone, demo)
        await customer.joins()
        await customer.taps("Промокоды")
        await customer.taps("Ввести промокод")
        await customer.writes("осень-10")
        await customer.sees("Промокод ваш!", "скидка 10 %", "Осень")
        [code] = zxingcpp.read_barcodes(await her_screen_with_the_card(customer))
        till = await at_the_till(counter, demo)
        await till.fill("#card", code.text)
        await till.click("#card-find")
        await till.fill("#number", "R-9")
        await till.click("#goods summary")
        await till.fill("#goods-search", "вит")
        await till.locator("#goods-found li").first.click()
        await till.locator("#goods-lines button").last.click()
        await expect(till.locator("#goods-lines output")).to_have_text("2")
        await till.locator(".promo-offer", has_text="−10 %").click()
        await expect(till.locator(".promo-row[data-state=good]")).to_contain_text("Осень")
        await till.click("[name=mode][value=spend]")
        await till.fill("#spend-exact", "60")
        await expect(till.locator("#confirm")).to_contain_text("Списать 60 бонусов")
        await till.click("#confirm")
        await customer.is_told("Чек № R-9", "Скидка по промокоду", "Списано: 60 бонусов")
        await customer.writes("мои промокоды")
        await customer.sees("Сейчас у вас нет промокодов")

        await till.click("#next")
        await till.click("#recent-rows [data-number=R-9] .take-back")
        await till.click("#return-lines [data-line='1'] button:last-child")
        await expect(till.locator("#return-sums")).to_contain_text("+30 бонусов")
        await till.click("#return-confirm")
        await expect(till.locator("#done-title")).to_contain_text("Возвращено")
        await customer.is_told("Возврат по чеку № R-9", "Возвращено: 30 бонусов", "Снято: ")

        await till.click("#next")
        await till.click("#recent-rows [data-number=R-9] .take-back")
        await expect(till.locator("#return-confirm")).to_be_enabled()  # the only one left
        await till.click("#return-confirm")
        await customer.is_told("Чек № R-9: всё возвращено", "Баланс: 100 бонусов")
        await customer.writes("мои промокоды")
        await customer.sees("скидка 10 %", "Осень")  # nothing is left of the receipt: it is free
        await customer.taps("Мои бонусы")
        await customer.sees("возврат товара, бонусы вернулись")


async def test_with_the_network_cut_at_the_till(demo: Demo, tmp_path: Path) -> None:
    async with chromium() as phone:
        customer = await her(phone, demo)
        await customer.joins()
        screen = await her_screen_with_the_card(customer)
        [code] = zxingcpp.read_barcodes(screen)

        async with chromium() as counter:
            till = await at_the_till(counter, demo)
            await till.context.set_offline(True)
            await till.fill("#card", code.text)
            await till.click("#card-find")
            await expect(till.locator("[name=mode][value=spend]")).to_be_disabled()
            await enter_sale(till, "R-7", "1000")
            await till.click("#confirm")
            await expect(till.locator("#done-title")).to_have_text("Сохранено на устройстве")
            await till.click("#next")
            await expect(customer.chat.get_by_text("R-7")).to_have_count(0)  # not told yet

            await till.context.set_offline(False)
            await expect(till.locator("#waiting-rows li[data-state=done]")).to_have_count(1)
            await customer.is_told("Чек № R-7", "Начислено: 50 бонусов", "Баланс: 150 бонусов")


async def test_the_server_is_restarted_in_the_middle_of_the_conversation(demo: Demo) -> None:
    async with chromium() as phone:
        customer = await her(phone, demo)
        await customer.opens_the_chat()
        await customer.taps("Русский")
        await customer.taps("Даю согласие")
        await customer.sees("акции")
        await demo.stop()
        await expect(customer.chat.locator("#banner")).to_be_visible()
        await demo.start()
        await expect(customer.chat.locator("#banner")).not_to_be_visible(timeout=COMES_BACK_MS)
        await customer.taps("Да, присылайте")
        await customer.sees("Последний шаг")
