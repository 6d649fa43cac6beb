"""Returns at the till page in a real browser: chosen, scanned, refused offline, done once."""

from dataclasses import dataclass

import pytest
from playwright.async_api import Browser, Page, Route, expect

from loyalty.checkout import Line, QuoteAnswer, ReceiptAnswer
from loyalty.models import Receipt, ReceiptReturn, Till
from tests.browser import test_till as till_page
from tests.browser.test_till import Pharmacy, at_the_till, scan

pharmacy = till_page.pharmacy
browser = till_page.browser
_chromium = till_page._chromium

NUROFEN, IBUPROFEN, VITAMIN = "4600000000017", "4600000000024", "4600000000031"
GOODS = [
    Line("N20", "Нурофен таблетки 200 мг №20", 3000, 10_000, 30_000, "Здоровье"),
    Line("D3", "Витамин D3 капли 10 мл", 1000, 20_000, 20_000, "Здоровье"),
]


async def sold(pharmacy: Pharmacy, number: str, *, till: str = "l1", spend: int = 100) -> None:
    """500.00, of which 100 points pay; 20 points earned."""
    checkout, till_id = pharmacy.programme.checkout, (await Till.get(code=till)).id
    quote = await checkout.quote(
        till_id=till_id,
        key=f"quote {number}",
        card=await pharmacy.code(),
        receipt_number=number,
        lines=GOODS,
        spend=spend,
    )
    assert isinstance(quote, QuoteAnswer), quote
    receipt = await checkout.commit(
        till_id=till_id, key=f"commit {number}", quote_id=quote.quote_id, receipt_number=number
    )
    assert isinstance(receipt, ReceiptAnswer), receipt


@dataclass
class Counter:
    """The cashier's hands on the return's screen."""

    page: Page

    async def opens(self, number: str) -> None:
        await self.page.click(f"#recent-rows [data-number={number}] .take-back")
        await expect(self.page.locator("#return-title")).to_contain_text(number)

    async def adds(self, line: int) -> None:
        await self.page.click(f"#return-lines [data-line='{line}'] button:last-child")

    async def sees(self, *texts: str) -> None:
        for text in texts:
            await expect(self.page.locator("#return-sums")).to_contain_text(text)

    async def chosen(self, line: int, count: str) -> None:
        output = self.page.locator(f"#return-lines [data-line='{line}'] output")
        await expect(output).to_have_text(count)

    async def confirms(self) -> None:
        await expect(self.page.locator("#return-confirm")).to_be_enabled()
        await self.page.click("#return-confirm")

    async def is_told(self, title: str) -> None:
        await expect(self.page.locator("#done-title")).to_contain_text(title)


async def balance(pharmacy: Pharmacy) -> int:
    found = await pharmacy.programme.ledger.balance(pharmacy.customer_id)
    return found.available  # type: ignore[union-attr]


async def test_a_part_comes_back_and_then_the_rest(browser: Browser, pharmacy: Pharmacy) -> None:
    await sold(pharmacy, "R1")
    page = await at_the_till(browser, pharmacy)
    counter = Counter(page)
    await counter.opens("R1")
    await expect(page.locator("#return-confirm")).to_be_disabled()
    await expect(page.locator("#return-number")).to_have_value("R1-В1")
    await counter.adds(1)
    await counter.adds(1)
    await counter.sees("160,00", "+40 бонусов", "−8 бонусов", "52 бонуса")
    assert await balance(pharmacy) == 20  # nothing has been written yet
    await expect(page.locator("#return-confirm")).to_contain_text("Вернуть 160,00")
    await counter.confirms()
    await counter.is_told("Возвращено 160,00")
    assert await balance(pharmacy) == 52

    await page.click("#next")
    row = page.locator("#recent-rows [data-number=R1]")
    await expect(row).to_contain_text("возвращён частично")
    await expect(row.locator(".cancel")).to_have_count(0)
    await expect(page.locator("#recent-rows [data-return='R1-В1']")).to_contain_text("160,00")

    await counter.opens("R1")
    await expect(page.locator("#return-lines [data-line='1']")).to_contain_text("осталось 1 из 3")
    await page.click("#return-all")
    await counter.sees("240,00", "+60 бонусов", "−12 бонусов", "100 бонусов")
    await counter.confirms()
    await counter.is_told("Возвращено 240,00")
    await page.click("#next")
    await expect(row).to_have_attribute("data-state", "returned")
    assert (await Receipt.get(number="R1")).state == "returned"
    assert await balance(pharmacy) == 100
    assert not pharmacy.complaints


async def test_scanned_goods_are_chosen(browser: Browser, pharmacy: Pharmacy) -> None:
    await sold(pharmacy, "R1")
    page = await at_the_till(browser, pharmacy)
    counter = Counter(page)
    await counter.opens("R1")
    await scan(page, NUROFEN)
    await counter.chosen(1, "1")
    await scan(page, VITAMIN)
    await counter.chosen(2, "1")
    await scan(page, VITAMIN)
    await expect(page.locator("#return-error")).to_have_text("Этот товар уже отмечен полностью.")
    await scan(page, IBUPROFEN)
    await expect(page.locator("#return-error")).to_have_text("Этого товара нет в чеке.")
    await scan(page, NUROFEN)
    await counter.chosen(1, "2")
    await counter.sees("320,00")
    await expect(page.locator("#return-number")).to_have_value("R1-В1")
    await scan(page, pharmacy.card_number)  # the next customer
    await expect(page.locator("#sale")).to_be_visible()
    await expect(page.locator("#return")).to_be_hidden()
    assert not pharmacy.complaints


async def test_a_return_by_keyboard_alone(browser: Browser, pharmacy: Pharmacy) -> None:
    await sold(pharmacy, "R1")
    page = await at_the_till(browser, pharmacy)
    counter = Counter(page)
    await page.focus("#recent-rows .take-back")
    await page.keyboard.press("Enter")
    await expect(page.locator("#return-title")).to_be_focused()
    await page.keyboard.press("Tab")  # leave
    await page.keyboard.press("Tab")  # the first line's +, for there is nothing to take off
    await page.keyboard.press("Enter")
    await counter.chosen(1, "1")
    await page.keyboard.press("Space")  # the focus has stayed on it
    await counter.chosen(1, "2")
    await page.focus("#return-number")
    await page.keyboard.press("Control+A")
    await page.keyboard.type("K-7")
    await counter.sees("160,00")
    await page.keyboard.press("Enter")
    await counter.is_told("Возвращено 160,00")
    await page.keyboard.press("Escape")
    await expect(page.locator("#scan")).to_be_visible()
    assert (await ReceiptReturn.get()).number == "K-7"


async def test_offline_a_return_is_refused_with_the_reason(
    browser: Browser, pharmacy: Pharmacy
) -> None:
    await sold(pharmacy, "R1")
    await sold(pharmacy, "R2", spend=0)
    page = await at_the_till(browser, pharmacy)
    counter = Counter(page)
    await counter.opens("R1")
    await counter.adds(1)
    await counter.sees("80,00")
    await pharmacy.server.cut()
    await counter.confirms()
    await expect(page.locator("#return-error")).to_contain_text("Нажмите ещё раз")
    await expect(page.locator("#return-offline")).to_be_visible()
    await expect(page.locator("#return-confirm")).to_be_disabled()
    await page.click("#return-close")
    row = page.locator("#recent-rows [data-number=R2]")
    await row.locator(".take-back").click()
    await expect(row).to_contain_text("Для возврата нужна сеть")
    assert await ReceiptReturn.all().count() == 0

    await pharmacy.server.connect()
    await expect(page.locator("#net")).to_have_text("В сети")
    await counter.opens("R1")
    await counter.adds(1)
    await counter.confirms()
    await counter.is_told("Возвращено 80,00")


async def test_an_answer_that_was_lost_is_not_a_second_return(
    browser: Browser, pharmacy: Pharmacy
) -> None:
    await sold(pharmacy, "R1")
    page = await at_the_till(browser, pharmacy)
    counter = Counter(page)
    await counter.opens("R1")
    await counter.adds(1)

    async def lose_the_answer(route: Route) -> None:
        await route.fetch()
        await route.abort()

    await page.route("**/till/api/receipts/R1/returns", lose_the_answer)
    await counter.confirms()
    await expect(page.locator("#return-error")).to_contain_text("дважды он не пройдёт")
    await page.unroute("**/till/api/receipts/R1/returns")
    await counter.confirms()
    await counter.is_told("Возвращено 80,00")
    assert await ReceiptReturn.all().count() == 1


async def test_goods_that_another_shop_sold(browser: Browser, pharmacy: Pharmacy) -> None:
    await sold(pharmacy, "G-5", till="g1")
    page = await at_the_till(browser, pharmacy)
    counter = Counter(page)
    await page.click("#find-return summary")
    await page.fill("#find-return-number", "G-5")
    await page.click("#find-return-submit")
    await expect(page.locator("#find-return-error")).not_to_be_empty()
    await page.select_option("#find-return-place", label="Аптека на Садовой")
    await page.click("#find-return-submit")
    await expect(page.locator("#return-about")).to_contain_text("Аптека на Садовой, Касса 1")
    await page.click("#return-all")
    await counter.confirms()
    await counter.is_told("Возвращено 400,00")
    await page.click("#next")
    await expect(page.locator("#recent-rows [data-return]")).to_contain_text("чек G-5")
    came_back = await ReceiptReturn.get().prefetch_related("till")
    assert came_back.till.code == "l1"


@pytest.mark.parametrize("width", [320, 390, 768, 1280])
async def test_nothing_is_wider_than_the_screen(
    browser: Browser, pharmacy: Pharmacy, width: int
) -> None:
    await sold(pharmacy, "R1")
    page = await at_the_till(browser, pharmacy)
    await page.set_viewport_size({"width": width, "height": 800})
    await page.click("#find-return summary")
    for show in ("document.querySelector('#recent-rows .take-back').click()", "0"):
        assert await page.evaluate("document.documentElement.scrollWidth") <= width
        await page.evaluate(show)
        await expect(page.locator("#return-lines li")).to_have_count(2)
