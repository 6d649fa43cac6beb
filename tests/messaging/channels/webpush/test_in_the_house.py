"""Web push as a process of production has it: from the settings to the browser and back."""

import asyncio
import json
import time
from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from aiohttp import ClientSession, ClientWebSocketResponse, web

from app.assembly import House, open_house
from app.demo.run import demo_settings
from app.errors import SettingsError
from app.secret import demo_push_key
from app.settings import Settings, load_settings, setting_rows
from app.webpush import push_room
from loyalty.clock import SystemClock
from loyalty.database import query
from messaging.channels.webpush.vapid import VapidKey
from messaging.models import ChatThread
from messaging.outbox import Draft, enqueue
from messaging.push_subscriptions import subscriptions_of
from tests.conftest import SECRET
from tests.messaging.channels.webpush.conftest import ends
from tests.messaging.channels.webpush.push_service import BrowserKeys, PushService, running
from tests.messaging.conftest import attempts, customer_with, states

KEY = VapidKey.new()
SUBJECT = "mailto:owner@kapsula.example"


@pytest.fixture(autouse=True)
def _nothing_set(monkeypatch: pytest.MonkeyPatch) -> None:
    for row in setting_rows():
        monkeypatch.delenv(row.name, raising=False)


@pytest.fixture
async def service() -> AsyncIterator[PushService]:
    async with running(PushService(subscribed_for=KEY.public)) as made:
        yield made
        assert made.complaints == []


def settings(db_url: str = "sqlite://x", **push: Any) -> Settings:
    values = {"key": KEY.spelled, "subject": SUBJECT}
    return Settings(
        _env_file=None,  # type: ignore[call-arg]
        database_url=db_url,
        webpush=values | push,
    )


def opened(with_settings: Settings) -> AbstractAsyncContextManager[House]:
    return open_house(with_settings, secret=SECRET, clock=SystemClock())


@asynccontextmanager
async def listening(house: House) -> AsyncIterator[str]:
    runner = web.AppRunner(house.web_application(), access_log=None, shutdown_timeout=0.1)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    yield f"http://127.0.0.1:{site._server.sockets[0].getsockname()[1]}"  # type: ignore[union-attr]
    await runner.cleanup()


async def until_told(socket: ClientWebSocketResponse, kind: str) -> dict[str, Any]:
    """The next frame of this kind."""
    async with asyncio.timeout(20):
        while True:
            frame: dict[str, Any] = json.loads((await socket.receive()).data)
            if frame["kind"] == kind:
                return frame


@asynccontextmanager
async def chat_of_a_member(ours: str) -> AsyncIterator[tuple[ClientWebSocketResponse, int]]:
    """A customer with the chat open, and her number."""
    headers = {"Origin": ours}
    async with ClientSession(headers=headers) as http:
        async with http.ws_connect(f"{ours}/chat/ws") as socket:
            await socket.send_json({"kind": "hello"})
            secret = (await until_told(socket, "welcome"))["secret"]
            await until_told(socket, "message")
        customer = await customer_with(("webchat", str((await ChatThread.get()).id)))
        async with http.ws_connect(f"{ours}/chat/ws") as socket:
            await socket.send_json({"kind": "hello", "secret": secret})
            yield socket, customer


async def write_to(address: str, house: House, key: str = "welcome:1") -> None:
    draft = Draft(
        dedupe_key=key,
        topic="service",
        template="welcome",
        context={"programme": "Капсула", "points": 100},
        address_kind="webpush",
        address=address,
        language="ru",
    )
    await enqueue([draft], at=house.clock.now())
    await house.dispatcher.drain()


async def status() -> str:
    [row] = await query("SELECT status FROM attempt")
    return str(row["status"])


async def test_from_the_chat_to_the_lock_screen_and_back(db_url: str, service: PushService) -> None:
    browser = BrowserKeys()
    async with opened(settings(db_url, services=service.url)) as house, listening(house) as ours:
        async with chat_of_a_member(ours) as (socket, customer):
            assert (await until_told(socket, "push"))["key"] == KEY.public
            given = {"endpoint": service.endpoint(), **browser.given}
            await socket.send_json({"kind": "push_on"} | given)
            assert (await until_told(socket, "push"))["on"] is True
        [front] = (await subscriptions_of([customer]))[customer]

        await write_to(front.value, house)
        shown = browser.read(service.got[0].content)
        assert shown["title"] == "Добро пожаловать!"
        assert "100 бонусов" in shown["text"]
        assert service.got[0].claims["exp"] > time.time()
        assert list((await states()).values()) == [("sent", "")]

        async with ClientSession() as http:

            async def tell(what: str, token: str = shown["token"]) -> int:
                async with http.post(f"{ours}/chat/push/{token}/{what}") as answer:
                    return answer.status

            assert (await tell("shown"), await status()) == (204, "delivered")
            assert (await tell("read"), await status()) == (204, "read")
            assert (await tell("shown"), await status()) == (204, "read")
            assert await tell("read", "a" * 29) == 403
            assert await tell("clicked") == 404
            async with http.get(f"{ours}/chat/push/{shown['token']}/read") as answer:
                assert answer.status == 405


async def notify(socket: ClientWebSocketResponse, service: PushService, keys: BrowserKeys) -> None:
    """She turns notifications on."""
    await socket.send_json({"kind": "push_on", "endpoint": service.endpoint(), **keys.given})
    while "on" not in await until_told(socket, "push"):
        pass


async def write_to_her(house: House, customer: int, key: str) -> None:
    draft = Draft(
        dedupe_key=key,
        topic="service",
        template="welcome",
        context={"programme": "Капсула", "points": 100},
        customer_id=customer,
        urgent=True,
    )
    await enqueue([draft], at=house.clock.now())
    await house.dispatcher.drain()


async def test_the_chat_that_nobody_looks_at_rings(db_url: str, service: PushService) -> None:
    browser = BrowserKeys()
    async with opened(settings(db_url, services=service.url)) as house, listening(house) as ours:
        async with chat_of_a_member(ours) as (socket, customer):
            await notify(socket, service, browser)
            await write_to_her(house, customer, "welcome:1")
            assert (await until_told(socket, "message"))["message"]["from"] == "shop"
        assert service.got == []  # she has just been there
        await query("UPDATE chat_thread SET seen_at = seen_at - 61000000")
        await write_to_her(house, customer, "welcome:2")
        [rung] = service.got
        shown = browser.read(rung.content)
        assert (shown["title"], shown["link"], shown["in_chat"]) == ("Добро пожаловать!", "", "yes")
        assert "100 бонусов" in shown["text"]
        assert [kind for kind, *_ in await attempts()] == ["webchat", "webchat"]
        async with (
            ClientSession() as http,
            http.post(f"{ours}/chat/push/{shown['token']}/read") as told,
        ):
            assert told.status == 204
        rows = await query("SELECT status FROM attempt ORDER BY id")
        assert [row["status"] for row in rows][1] == "read"

        service.script.append((410, "push subscription has unsubscribed or expired."))
        await write_to_her(house, customer, "welcome:3")
        assert (await states())["welcome:3"] == ("sent", "")
        assert await ends() == [("gone", "")]
        await write_to_her(house, customer, "welcome:4")
        assert (await states())["welcome:4"] == ("sent", "")
        assert len(service.got) == 2


async def test_a_browser_that_is_gone_is_written_to_no_more(
    db_url: str, service: PushService
) -> None:
    async with opened(settings(db_url, services=service.url)) as house, listening(house) as ours:
        async with chat_of_a_member(ours) as (socket, customer):
            given = {"endpoint": service.endpoint(), **BrowserKeys().given}
            await socket.send_json({"kind": "push_on"} | given)
            while "on" not in await until_told(socket, "push"):
                pass
        [front] = (await subscriptions_of([customer]))[customer]
        service.script.append((410, "push subscription has unsubscribed or expired."))
        await write_to(front.value, house)
        [(_, _, state, error)] = await attempts()
        assert (state, error.split(" (")[0]) == ("failed", "permanent: address_unknown")
        assert await ends() == [("gone", "")]
        assert await subscriptions_of([customer]) == {}
        await write_to(front.value, house, key="welcome:2")
        assert (await states())["welcome:2"] == ("skipped", "suppressed:address_unknown")
        assert len(service.got) == 1


async def test_turning_it_off_takes_effect_at_once(db_url: str, service: PushService) -> None:
    async with opened(settings(db_url, services=service.url)) as house, listening(house) as ours:
        async with chat_of_a_member(ours) as (socket, customer):
            given = {"endpoint": service.endpoint(), **BrowserKeys().given}
            await socket.send_json({"kind": "push_on"} | given)
            while "on" not in await until_told(socket, "push"):
                pass
            [front] = (await subscriptions_of([customer]))[customer]
            await socket.send_json({"kind": "push_off"})
            assert (await until_told(socket, "push"))["on"] is False
        await write_to(front.value, house)
        assert (service.got, await subscriptions_of([customer])) == ([], {})


async def test_without_a_key_nobody_is_asked(db_url: str) -> None:
    with_settings = Settings(_env_file=None, database_url=db_url)  # type: ignore[call-arg]
    async with opened(with_settings) as house, listening(house) as ours:
        assert house.push is None
        async with chat_of_a_member(ours) as (socket, _):
            given = {"endpoint": "https://fcm.googleapis.com/x", **BrowserKeys().given}
            await socket.send_json({"kind": "push_on"} | given)
            assert (await until_told(socket, "refused"))["code"] == "push_off"


def test_a_key_from_a_file(tmp_path: Path) -> None:
    path = tmp_path / "webpush.key"
    path.write_text(KEY.spelled + "\n")
    room = push_room(settings(key=str(path)), SystemClock(), secret=SECRET)
    assert room is not None
    assert room.desk.key == KEY.public


@pytest.mark.parametrize(
    ("push", "says"),
    [
        ({"subject": ""}, "SUBJECT: is needed, since there is a key"),
        ({"key": "nonsense"}, "KEY: is not a private key, nor a file that can be read"),
        ({"key": "x" * 5_000}, "KEY: is not a private key, nor"),
        ({"key": "."}, "KEY: is not a private key, nor"),
        ({"key": __file__}, "KEY: is not a private key, nor"),
        ({"key": "wrong.key"}, "KEY: what the file has is not a private key"),
    ],
)
def test_what_is_missing_or_wrong_is_one_line(
    push: dict[str, str], says: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("wrong.key").write_text("secret nonsense")
    with pytest.raises(SettingsError) as caught:
        push_room(settings(**push), SystemClock(), secret=SECRET)
    assert f"KAPSULA_WEBPUSH__{says}" in str(caught.value)
    assert "\n" not in str(caught.value)
    assert "nonsense" not in str(caught.value)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("SUBJECT", "owner@kapsula.example"),
        ("SUBJECT", "mailto:owner@localhost"),
        ("SUBJECT", "mailto:<owner@kapsula.example>"),
        ("SERVICES", "fcm.googleapis.com *"),
        ("PER_SECOND", "-1"),
        ("KEYS", "x"),
    ],
)
def test_a_wrong_value_stops_the_start(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, name: str, value: str
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv(f"KAPSULA_WEBPUSH__{name}", value)
    with pytest.raises(SettingsError, match=f"KAPSULA_WEBPUSH__{name}"):
        load_settings()


def test_none_is_none() -> None:
    assert push_room(settings(key=None), SystemClock(), secret=SECRET) is None


def test_the_demo_keeps_a_key_of_its_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    path = tmp_path / "kapsula.sqlite3"
    rooms = [push_room(demo_settings(path, 1), SystemClock(), secret=SECRET) for _ in range(2)]
    assert [room.desk.key for room in rooms if room] == [
        VapidKey.read(demo_push_key(tmp_path)).public
    ] * 2
    assert (tmp_path / "webpush.key").stat().st_mode & 0o077 == 0
    monkeypatch.setenv("KAPSULA_WEBPUSH__KEY", KEY.spelled)
    monkeypatch.setenv("KAPSULA_WEBPUSH__SUBJECT", SUBJECT)
    own = push_room(demo_settings(path, 1), SystemClock(), secret=SECRET)
    assert own is not None
    assert own.desk.key == KEY.public
