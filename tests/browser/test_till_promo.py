"""Promo codes at the till in a real browser: offered, typed, scanned, refused, taken back."""

import pytest
from playwright.async_api import Browser, Page, expect

from loyalty.database import query
from loyalty.models import Receipt
from loyalty.promo_campaigns import Campaign
from loyalty.rules.promo import Kind, Terms
from tests.availability import chromium_absence, require
from tests.browser.test_till import Pharmacy, at_the_till, browser, pharmacy, scan

__all__ = ["browser", "pharmacy"]


@pytest.fixture(autouse=True)
def _chromium() -> None:
    require(chromium_absence())


async def campaign(pharmacy: Pharmacy, name: str, code: str | None, **terms: object) -> Campaign:
    offer = Terms(**({"kind": Kind.PERCENT, "permille": 100} | terms))  # type: ignore[arg-type]
    made = await pharmacy.programme.campaigns.create(name, name, offer, shared_code=code)
    assert isinstance(made, Campaign), made
    return made


async def sale(page: Page, pharmacy: Pharmacy, number: str, total: str) -> None:
    await scan(page, pharmacy.card_number)
    await expect(page.locator("#sale")).to_be_visible()
    await page.fill("#number", number)
    await page.fill("#sum", total)


async def uses() -> dict[str, int]:
    rows = await query("SELECT state, COUNT(*) AS n FROM promo_use GROUP BY state")
    return {row["state"]: row["n"] for row in rows}


async def test_a_code_on_a_receipt_and_its_cancel(browser: Browser, pharmacy: Pharmacy) -> None:
    """Her own code is offered, a typed one is refused with its reason, the receipt is cancelled."""
    welcome = await campaign(pharmacy, "Скидка за знакомство", None)
    await campaign(pharmacy, "Большая покупка", "BIG", min_total_minor=5000_00)
    await pharmacy.programme.promo.give(welcome.id, pharmacy.customer_id, "welcome")
    page = await at_the_till(browser, pharmacy)
    await sale(page, pharmacy, "P-1", "1000")
    await expect(page.locator("#to-pay")).to_contain_text("1 000")
    await page.locator(".promo-offer", has_text="−10 %").click()
    row = page.locator(".promo-row", has_text="Скидка за знакомство")
    await expect(row).to_contain_text("−100")
    await expect(page.locator("#discount")).to_contain_text("−100")
    await expect(page.locator("#to-pay")).to_contain_text("900")
    await expect(page.locator("#confirm")).to_have_text("К оплате 900,00 ₽, начислить 45 бонусов")
    await page.fill("#promo-code", "big")
    await page.press("#promo-code", "Enter")
    wrong = page.locator(".promo-row[data-state=bad]")
    await expect(wrong).to_contain_text("От 5 000,00 ₽.")
    await expect(page.locator("#sale")).to_be_visible()
    await wrong.get_by_role("button").click()
    await expect(wrong).to_have_count(0)
    assert await uses() == {"reserved": 1}
    await expect(page.locator("#confirm")).to_be_enabled()
    await page.click("#confirm")
    await expect(page.locator("#done-sums")).to_contain_text("Скидка")
    await expect(page.locator("#done-sums")).to_contain_text("900,00")
    receipt = await Receipt.get(number="P-1")
    assert (receipt.paid_minor, receipt.earned_points) == (900_00, 45)
    assert await uses() == {"redeemed": 1}

    await page.click("#next")
    await page.set_viewport_size({"width": 1280, "height": 900})
    await page.locator("#recent-rows .cancel").first.click()
    await page.locator("#recent-rows .cancel").first.click()
    await expect(page.locator("#recent-rows li").first).to_have_attribute("data-state", "cancelled")
    assert await uses() == {"freed": 1}
    await scan(page, pharmacy.card_number)
    await expect(page.locator(".promo-offer")).to_be_visible()
    assert pharmacy.complaints == []


async def test_a_code_is_scanned_into_its_field_and_let_go_with_the_sale(
    browser: Browser, pharmacy: Pharmacy
) -> None:
    letters = await campaign(pharmacy, "Письма", None, kind=Kind.GIFT, permille=0, gift_name="Крем")
    await pharmacy.programme.campaigns.generate(letters.id, 1, "letters")
    [code] = await pharmacy.programme.campaigns.codes("letters")
    page = await at_the_till(browser, pharmacy)
    await sale(page, pharmacy, "P-2", "500")
    await page.focus("#promo-code")
    await page.keyboard.type(code.lower())
    await page.keyboard.press("Enter")
    await expect(page.locator(".promo-row[data-state=good]")).to_contain_text("подарок: Крем")
    assert await uses() == {"reserved": 1}
    async with page.expect_response(lambda answer: answer.url.endswith("/release")):
        await page.click("#sale-close")
    assert await uses() == {"released": 1}

    await sale(page, pharmacy, "P-3", "500")
    await expect(page.locator(".promo-row")).to_have_count(0)
    await page.fill("#promo-code", code)
    await page.click("#promo-add")
    await expect(page.locator(".promo-row[data-state=good]")).to_be_visible()
    await expect(page.locator("#confirm")).to_be_enabled()
    await page.click("#confirm")
    await expect(page.locator("#done-sums")).to_contain_text("Выдать подарок")
    await expect(page.locator("#done-sums")).to_contain_text("Крем")
    assert pharmacy.complaints == []


async def test_without_the_network_no_code_is_taken(browser: Browser, pharmacy: Pharmacy) -> None:
    await campaign(pharmacy, "Весна", "SPRING")
    await pharmacy.programme.promo.enter(pharmacy.customer_id, "SPRING")
    page = await at_the_till(browser, pharmacy)
    await sale(page, pharmacy, "P-4", "500")
    await expect(page.locator(".promo-offer")).to_be_enabled()
    await page.context.set_offline(True)
    await expect(page.locator("#net")).to_have_attribute("data-state", "offline")
    await expect(page.locator("#promo-code")).to_be_disabled()
    await expect(page.locator(".promo-offer")).to_be_disabled()
    await page.context.set_offline(False)
    await expect(page.locator("#promo-code")).to_be_enabled()
