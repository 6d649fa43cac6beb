"""Notifications in a real browser: the offer, the subscription, what is shown, where a click leads.

The browser's own push service is out of reach in a test, so its `PushManager` is played; what a
push service of ours has got is decrypted and delivered to the service worker by the browser itself.
"""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from typing import Any

import pytest
from aiohttp import web
from playwright.async_api import Browser, BrowserContext, CDPSession, Page, Worker, expect

from bot.webchat.server import WebchatOptions
from loyalty.clock import SystemClock
from messaging.channels.base import Outgoing, Report, Ring, Sent
from messaging.channels.email.tokens import Tokens
from messaging.channels.webpush.channel import WebPushChannel, WebPushOptions
from messaging.channels.webpush.endpoints import Services
from messaging.channels.webpush.vapid import Vapid, VapidKey
from messaging.models import ChatThread, PushSubscription
from messaging.push_reports import add_push_reports
from messaging.push_subscriptions import PushDesk
from messaging.templates import Body
from tests.availability import chromium_absence, require
from tests.backends import Backend
from tests.browser.chromium import chromium
from tests.browser.customer import Customer
from tests.browser.shop import Shop, open_shop, visitor
from tests.messaging.channels.webpush.push_service import BrowserKeys, PushService, running
from tests.messaging.conftest import until

PATIENCE_S = 30.0
KEY = VapidKey.new()
TOKENS = Tokens(b"a key of the tests, 32 bytes long")
PHONE_SIZE = {"width": 390, "height": 844}

# What a browser keeps of a subscription is kept here in the storage of its pages.
PUSH_MANAGER = """
(() => {
  const KEPT = "played.push";
  const given = %s;
  const made = () => {
    const kept = localStorage.getItem(KEPT);
    if (!kept) return null;
    const { number, key } = JSON.parse(kept);
    return {
      endpoint: given.endpoint + number,
      options: { applicationServerKey: Uint8Array.from(key).buffer },
      toJSON: () => ({ endpoint: given.endpoint + number, expirationTime: null, keys: given.keys }),
      unsubscribe: async () => { localStorage.removeItem(KEPT); return true; },
    };
  };
  PushManager.prototype.getSubscription = async () => made();
  PushManager.prototype.subscribe = async ({ userVisibleOnly, applicationServerKey }) => {
    if (!userVisibleOnly || applicationServerKey.length !== 65) throw new TypeError();
    if (given.broken) throw new DOMException("push service error", "AbortError");
    const number = Number(localStorage.getItem("played.number") ?? 0) + 1;
    localStorage.setItem("played.number", number);
    localStorage.setItem(KEPT, JSON.stringify({ number, key: [...applicationServerKey] }));
    return made();
  };
})();
"""


@pytest.fixture(autouse=True)
def _chromium() -> None:
    require(chromium_absence())


@dataclass
class Pharmacy:
    """The shop, its push service, the keys of the one browser, and what it has reported."""

    shop: Shop
    service: PushService
    channel: WebPushChannel
    keys: BrowserKeys
    reports: list[tuple[int | None, str]] = field(default_factory=list)

    async def pushes(self, body: Body, *, attempt_id: int, rings: bool = False) -> str:
        """Send a message to the one subscription there is; returns what the browser decrypts.

        `rings`: it stands in the chat already.
        """
        subscription = await PushSubscription.get(ended_at=None)
        sent = await self.channel.send(
            Outgoing(
                message_id=attempt_id,
                attempt_id=attempt_id,
                address_kind="webpush",
                address=str(subscription.id),
                body=body,
                ring=Ring(str(subscription.id), body) if rings else None,
            )
        )
        assert sent == Sent()
        return json.dumps(self.keys.read(self.service.got[-1].content))

    async def heard(self, *reports: tuple[int, str]) -> None:
        async def these() -> bool:
            return self.reports == list(reports)

        await until(these, PATIENCE_S)


@pytest.fixture
async def pharmacy(sqlite: Backend) -> AsyncIterator[Pharmacy]:
    clock, app = SystemClock(), web.Application()
    async with AsyncExitStack() as stack:
        service = PushService(subscribed_for=KEY.public)
        await stack.enter_async_context(running(service))
        services = Services(service.url)
        desk = PushDesk(key=KEY.public, services=services, clock=clock)
        channel = WebPushChannel(
            Vapid(KEY, "mailto:owner@kapsula.example", clock),
            WebPushOptions(title="Капсула", services=services),
            tokens=TOKENS,
            clock=clock,
        )
        stack.push_async_callback(channel.close)
        reports: list[tuple[int | None, str]] = []

        async def take(told: list[Report]) -> None:
            reports.extend((report.attempt_id, report.status.value) for report in told)

        add_push_reports(app, tokens=TOKENS, clock=clock, take_reports=take)  # type: ignore[arg-type]
        options = WebchatOptions(push=desk, sites=["*"])
        shop = await stack.enter_async_context(open_shop(sqlite.create(), options, app))
        yield Pharmacy(shop, service, channel, BrowserKeys(), reports)
        assert service.complaints == []
        assert shop.complaints == []


@pytest.fixture
async def browser() -> AsyncIterator[Browser]:
    async with chromium() as browser:
        yield browser


async def her_browser(
    browser: Browser, pharmacy: Pharmacy, *, allowed: bool = True, broken: bool = False
) -> BrowserContext:
    context = await browser.new_context(locale="ru-RU", viewport=PHONE_SIZE)
    given = {
        "endpoint": pharmacy.service.endpoint(),
        "keys": pharmacy.keys.given,
        "broken": broken,
    }
    await context.add_init_script(PUSH_MANAGER % json.dumps(given))
    await context.grant_permissions(["notifications" if allowed else "geolocation"])
    return context


async def she_joins(context: BrowserContext, pharmacy: Pharmacy, url: str = "") -> Customer:
    she = await visitor(context, pharmacy.shop, url)
    await she.joins()
    return she


async def open_endpoints() -> list[str]:
    rows = await PushSubscription.filter(ended_at=None)
    return [row.endpoint for row in rows]


@dataclass
class WorkerOfTheChat:
    """The service worker, and the way to push to it."""

    worker: Worker
    cdp: CDPSession
    origin: str
    registration: str

    async def deliver(self, data: str, *, shows: bool = True) -> None:
        """Push this; where it is to be shown, come back when the browser has done so."""
        before = await self._shows()
        pushed = {"origin": self.origin, "registrationId": self.registration, "data": data}
        await self.cdp.send("ServiceWorker.deliverPushMessage", pushed)

        async def done() -> bool:
            return not shows or await self._shows() > before

        await until(done, PATIENCE_S)

    async def _shows(self) -> int:
        """How many it has shown: to ask for a notification before it stands would end it."""
        return int(await self.worker.evaluate("self.shows"))

    async def shown(self) -> list[dict[str, Any]]:
        """The notifications that stand."""
        found: list[dict[str, Any]] = await self.worker.evaluate(
            """async () => (await self.registration.getNotifications()).map(
              ({ title, body, tag, icon, badge }) => ({ title, body, tag, icon, badge }))"""
        )
        return found

    async def closed(self) -> None:
        async def none() -> bool:
            return not await self.shown()

        await until(none, PATIENCE_S)

    async def click(self) -> str:
        """Click the only notification; returns what was opened (by nobody's gesture: played)."""
        return str(
            await self.worker.evaluate(
                """async () => {
                  const [notification] = await self.registration.getNotifications();
                  const opened = new Promise((done) => {
                    self.clients.openWindow = async (url) => done(String(url));
                    WindowClient.prototype.focus = async function () { done(`to ${this.url}`); };
                  });
                  self.dispatchEvent(new NotificationEvent("notificationclick", { notification }));
                  return opened;
                }"""
            )
        )


async def worker_of(page: Page, origin: str) -> WorkerOfTheChat:
    registered: asyncio.Future[str] = asyncio.get_running_loop().create_future()

    def hear(event: dict[str, Any]) -> None:
        for each in event["registrations"]:
            if each["scopeURL"] == f"{origin}/chat/" and not registered.done():
                registered.set_result(each["registrationId"])

    cdp = await page.context.new_cdp_session(page)
    cdp.on("ServiceWorker.workerRegistrationUpdated", hear)
    await cdp.send("ServiceWorker.enable")
    registration = await asyncio.wait_for(registered, PATIENCE_S)
    workers = page.context.service_workers
    worker = workers[0] if workers else await page.context.wait_for_event("serviceworker")
    await worker.evaluate(
        """() => {
          self.shows = 0;
          const show = ServiceWorkerRegistration.prototype.showNotification;
          ServiceWorkerRegistration.prototype.showNotification = async function (...asked) {
            await show.apply(this, asked);
            self.shows += 1;
          };
        }"""
    )
    return WorkerOfTheChat(worker, cdp, origin, registration)


# ---- the offer ----


async def test_the_offer_comes_with_use_and_turns_notifications_on(
    browser: Browser, pharmacy: Pharmacy
) -> None:
    context = await her_browser(browser, pharmacy)
    she = await visitor(context, pharmacy.shop)
    await she.opens_the_chat()
    offer, bell = she.chat.locator("#offer"), she.chat.locator("#bell")
    await she.sees("Добро пожаловать")
    await expect(offer).not_to_be_visible()
    await expect(bell).not_to_be_visible()
    await she.joins()
    await expect(offer).to_be_visible()
    await expect(bell).to_have_attribute("aria-pressed", "false")
    await she.chat.get_by_role("button", name="Включить").click()
    await expect(she.chat.locator("#toast")).to_have_text("Уведомления включены.")
    await expect(offer).not_to_be_visible()
    await expect(bell).to_have_attribute("aria-pressed", "true")
    assert await open_endpoints() == [f"{pharmacy.service.endpoint()}1"]
    await she.page.reload()
    await she.launcher.click()
    await expect(bell).to_have_attribute("aria-pressed", "true")
    await she.taps("Мои бонусы")
    await she.sees("У вас 100 бонусов")
    await expect(offer).not_to_be_visible()
    assert await PushSubscription.all().count() == 1


async def test_who_declines_is_not_asked_again_but_may_turn_it_on(
    browser: Browser, pharmacy: Pharmacy
) -> None:
    context = await her_browser(browser, pharmacy)
    she = await she_joins(context, pharmacy)
    offer, bell = she.chat.locator("#offer"), she.chat.locator("#bell")
    await she.chat.get_by_role("button", name="Не сейчас").click()
    await expect(offer).not_to_be_visible()
    await she.page.reload()
    await she.launcher.click()
    await she.taps("Мои бонусы")
    await she.sees("У вас 100 бонусов")
    await expect(bell).to_be_visible()
    await expect(offer).not_to_be_visible()
    await bell.click()
    await expect(bell).to_have_attribute("aria-pressed", "true")
    await bell.click()
    await expect(she.chat.locator("#toast")).to_have_text("Уведомления выключены.")
    await expect(bell).to_have_attribute("aria-pressed", "false")
    assert await open_endpoints() == []
    [row] = await PushSubscription.all()
    assert row.ended_why == "off"
    await she.page.reload()
    await she.launcher.click()
    await expect(bell).to_have_attribute("aria-pressed", "false")
    assert await open_endpoints() == []


async def test_who_goes_on_is_left_in_peace(browser: Browser, pharmacy: Pharmacy) -> None:
    context = await her_browser(browser, pharmacy)
    she = await she_joins(context, pharmacy)
    offer = she.chat.locator("#offer")
    for _ in range(3):
        await expect(offer).to_be_visible()
        await she.looks_at_her_card()
        await expect(offer).not_to_be_visible()
        await she.taps("Мои бонусы")
        await she.sees("У вас 100 бонусов")
        await expect(offer).not_to_be_visible()  # not again in this visit
        await she.page.reload()
        await she.launcher.click()
        await expect(she.chat.locator("#bell")).to_be_visible()
        await she.taps("Мои бонусы")
        await she.sees("У вас 100 бонусов")
    await expect(offer).not_to_be_visible()  # nor ever after the third time


async def test_a_browser_that_forbids_says_so(browser: Browser, pharmacy: Pharmacy) -> None:
    context = await her_browser(browser, pharmacy, allowed=False)
    she = await she_joins(context, pharmacy)
    await expect(she.chat.locator("#offer")).not_to_be_visible()
    await she.chat.locator("#bell").click()
    await expect(she.chat.locator("#toast")).to_contain_text("запрещены в настройках")
    assert await open_endpoints() == []


async def test_a_push_service_out_of_reach_says_so(browser: Browser, pharmacy: Pharmacy) -> None:
    context = await her_browser(browser, pharmacy, broken=True)
    she = await she_joins(context, pharmacy)
    await she.chat.get_by_role("button", name="Включить").click()
    await expect(she.chat.locator("#toast")).to_contain_text("Не получилось")
    await expect(she.chat.locator("#bell")).to_have_attribute("aria-pressed", "false")


async def test_a_shop_with_another_key_gets_another_subscription(
    browser: Browser, pharmacy: Pharmacy
) -> None:
    context = await her_browser(browser, pharmacy)
    she = await she_joins(context, pharmacy)
    await she.chat.get_by_role("button", name="Включить").click()
    await expect(she.chat.locator("#bell")).to_have_attribute("aria-pressed", "true")
    await she.page.evaluate("""() => localStorage.setItem("played.push", JSON.stringify(
      { number: 1, key: Array(65).fill(4) }))""")
    await she.page.reload()
    await she.launcher.click()
    await expect(she.chat.locator("#bell")).to_have_attribute("aria-pressed", "true")
    assert await open_endpoints() == [f"{pharmacy.service.endpoint()}2"]


async def test_where_it_cannot_work_nothing_is_offered(
    browser: Browser, pharmacy: Pharmacy
) -> None:
    context = await her_browser(browser, pharmacy)
    await context.add_init_script("delete window.PushManager")  # Safari on a phone, say
    she = await she_joins(context, pharmacy)
    await she.taps("Мои бонусы")
    await she.sees("У вас 100 бонусов")
    await expect(she.chat.locator("#bell")).not_to_be_visible()
    await expect(she.chat.locator("#offer")).not_to_be_visible()


# ---- on somebody else's site ----


async def test_abroad_the_chat_opens_as_a_page_of_its_own(
    browser: Browser, pharmacy: Pharmacy
) -> None:
    context = await her_browser(browser, pharmacy)
    abroad = f"http://localhost:{pharmacy.shop.server.port}/abroad"
    she = await she_joins(context, pharmacy, abroad)
    async with context.expect_page() as opening:
        await she.chat.get_by_role("button", name="Включить").click()
    page = await opening.value
    await expect(page.locator(".message.shop").last).to_contain_text("Вы с нами!")
    assert await ChatThread.all().count() == 1  # the same conversation
    await page.locator("#offer-yes").click()
    await expect(page.locator("#toast")).to_have_text("Уведомления включены.")
    assert await open_endpoints() == [f"{pharmacy.service.endpoint()}1"]
    await expect(she.chat.locator("#bell")).to_have_attribute("aria-pressed", "true")
    await expect(she.chat.locator("#offer")).not_to_be_visible()


async def test_the_secret_is_given_to_nobody_else(browser: Browser, pharmacy: Pharmacy) -> None:
    """Neither the site around the chat gets it, nor may one thrust its own upon the page."""
    context = await her_browser(browser, pharmacy)
    abroad = f"http://localhost:{pharmacy.shop.server.port}/abroad"
    she = await she_joins(context, pharmacy, abroad)
    heard = await she.page.evaluate("""async (chat) => {
      const heard = [];
      addEventListener("message", ({ data }) => {
        if (data?.kapsula?.startsWith("secret")) heard.push(data);
      });
      document.querySelector("kapsula-chat").shadowRoot.querySelector("iframe")
        .contentWindow.postMessage({ kapsula: "secret?" }, "*");
      const page = open(`${chat}/chat/frame?push=ask`);
      await new Promise((done) => setTimeout(done, 500));
      for (let i = 0; i < 20; i++) {
        page.postMessage({ kapsula: "secret", secret: "thrust-upon-the-page-by-a-stranger" }, "*");
        await new Promise((done) => setTimeout(done, 100));
      }
      return heard;
    }""", pharmacy.shop.server.url)  # fmt: skip
    assert heard == []
    page = context.pages[-1]
    await expect(page.locator(".message.shop").last).to_contain_text("Добро пожаловать")
    secret = await page.evaluate("localStorage.getItem('kapsula.chat.secret')")
    assert secret != "thrust-upon-the-page-by-a-stranger"
    assert await ChatThread.all().count() == 2


# ---- what is shown ----


async def subscribed(context: BrowserContext, pharmacy: Pharmacy) -> Page:
    """A page of the browser's with the chat on, by its own address."""
    she = await she_joins(context, pharmacy)
    await she.chat.get_by_role("button", name="Включить").click()
    await expect(she.chat.locator("#bell")).to_have_attribute("aria-pressed", "true")
    return she.page


async def test_what_was_sent_is_shown_and_a_click_opens_the_chat(
    browser: Browser, pharmacy: Pharmacy
) -> None:
    context = await her_browser(browser, pharmacy)
    page = await subscribed(context, pharmacy)
    origin = pharmacy.shop.server.url
    worker = await worker_of(page, origin)
    await page.goto("about:blank")  # the chat is closed
    pushed = await pharmacy.pushes(Body("Фармацевт <b>ответил</b> вам"), attempt_id=5)
    await worker.deliver(pushed)
    [shown] = await worker.shown()
    assert (shown["title"], shown["body"]) == ("Капсула", "Фармацевт ответил вам")
    for picture in (shown["icon"], shown["badge"]):
        answer = await context.request.get(picture)
        assert (answer.status, answer.headers["content-type"]) == (200, "image/png")
    await pharmacy.heard((5, "delivered"))
    await worker.deliver(pushed)  # the same once more takes the place of the first
    await pharmacy.heard((5, "delivered"), (5, "delivered"))
    assert len(await worker.shown()) == 1
    assert (await worker.click()).startswith(f"{origin}/chat/frame?language=ru")
    await worker.closed()
    await pharmacy.heard((5, "delivered"), (5, "delivered"), (5, "read"))


async def test_a_click_leads_where_the_message_leads(browser: Browser, pharmacy: Pharmacy) -> None:
    context = await her_browser(browser, pharmacy)
    page = await subscribed(context, pharmacy)
    worker = await worker_of(page, pharmacy.shop.server.url)
    await page.goto("about:blank")
    body = Body('Готово. <a href="https://k.example/r/abc">Смотреть</a>', subject="Заказ 17")
    await worker.deliver(await pharmacy.pushes(body, attempt_id=6))
    [shown] = await worker.shown()
    assert (shown["title"], shown["body"]) == ("Заказ 17", "Готово. Смотреть")
    assert await worker.click() == "https://k.example/r/abc"


async def test_who_looks_at_the_chat_sees_it_there_alone(
    browser: Browser, pharmacy: Pharmacy
) -> None:
    context = await her_browser(browser, pharmacy)
    page = await subscribed(context, pharmacy)
    worker = await worker_of(page, pharmacy.shop.server.url)
    chat = page.frame_locator("iframe")
    await chat.locator("#text").focus()
    pushed = await pharmacy.pushes(Body("Ответ фармацевта"), attempt_id=7)
    await worker.deliver(pushed, shows=False)
    await expect(chat.locator("#toast")).to_have_text("Ответ фармацевта")
    await pharmacy.heard((7, "read"))
    assert await worker.shown() == []


async def test_what_stands_in_the_chat_already_is_not_said_twice(
    browser: Browser, pharmacy: Pharmacy
) -> None:
    context = await her_browser(browser, pharmacy)
    page = await subscribed(context, pharmacy)
    worker = await worker_of(page, pharmacy.shop.server.url)
    chat = page.frame_locator("iframe")
    await chat.locator("#text").focus()
    await expect(chat.locator("#toast")).to_be_hidden()
    pushed = await pharmacy.pushes(Body("Ответ фармацевта"), attempt_id=9, rings=True)
    await worker.deliver(pushed, shows=False)
    await pharmacy.heard((9, "read"))
    await expect(chat.locator("#toast")).not_to_contain_text("Ответ")
    await page.goto("about:blank")
    await worker.deliver(pushed)
    [shown] = await worker.shown()
    assert shown["body"] == "Ответ фармацевта"


async def test_an_open_page_of_the_chat_is_come_back_to(
    browser: Browser, pharmacy: Pharmacy
) -> None:
    context = await her_browser(browser, pharmacy)
    page = await subscribed(context, pharmacy)
    origin = pharmacy.shop.server.url
    worker = await worker_of(page, origin)
    await page.goto("about:blank")
    await worker.deliver(await pharmacy.pushes(Body("Ответ"), attempt_id=8))
    await page.goto(f"{origin}/chat/frame")
    await expect(page.locator(".message.shop").last).to_contain_text("Вы с нами!")
    assert await worker.click() == f"to {origin}/chat/frame"


async def test_what_is_not_ours_is_harmless(browser: Browser, pharmacy: Pharmacy) -> None:
    context = await her_browser(browser, pharmacy)
    page = await subscribed(context, pharmacy)
    origin = pharmacy.shop.server.url
    worker = await worker_of(page, origin)
    await page.goto("about:blank")
    for data in ("", "nonsense", "[]", "null", '{"link": "javascript:alert(1)", "token": "../x"}'):
        await worker.deliver(data)
        [shown] = await worker.shown()
        assert shown["title"] == origin.removeprefix("http://")
        assert (await worker.click()).startswith(f"{origin}/chat/frame")
        await worker.closed()
    assert pharmacy.reports == []
