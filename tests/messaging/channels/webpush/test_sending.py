"""Web push against a push service that checks, decrypts, refuses, stalls and hangs up."""

import asyncio
from collections.abc import Iterator

import pytest

from loyalty.clock import VirtualClock
from messaging.channels.base import Channel, Failed, SendResult, Sent, Status, Unknown
from messaging.channels.webpush.channel import WebPushChannel
from messaging.channels.webpush.endpoints import Services
from messaging.channels.webpush.vapid import VapidKey
from messaging.push_subscriptions import PushDesk, subscriptions_of
from messaging.templates import Body
from tests.backends import Backend
from tests.messaging.channels.webpush.conftest import (
    KEY,
    SUBJECT,
    THREAD,
    TOKENS,
    MakeChannel,
    ends,
    push,
)
from tests.messaging.channels.webpush.push_service import (
    DROP,
    HANG,
    BrowserKeys,
    PushService,
    Scripted,
)


@pytest.fixture
def db_url(sqlite: Backend) -> Iterator[str]:
    """One kind of database will do: what is asked of it is `test_subscriptions`' affair."""
    url = sqlite.create()
    yield url
    sqlite.drop(url)


def gone(detail: str = "127.0.0.1: HTTP 410 gone") -> Failed:
    return Failed("address_unknown", True, detail=detail)


def down(detail: str) -> Failed:
    return Failed("provider_down", False, detail=detail, provider_down=True)


async def test_the_browser_gets_what_was_written(
    channel: WebPushChannel,
    service: PushService,
    browser: BrowserKeys,
    address: str,
    clock: VirtualClock,
) -> None:
    told: Channel = channel
    body = Body(
        'Ваш заказ <b>готов</b> &amp; ждёт. <a href="https://k.example/r/x?a=1&amp;b">Где</a>'
    )
    assert await told.send(push(address, body, ttl_s=600)) == Sent()
    [taken] = service.got
    assert browser.read(taken.content) == {
        "title": "Капсула",
        "text": "Ваш заказ готов & ждёт. Где",
        "link": "https://k.example/r/x?a=1&b",
        "tag": "m1234",
        "token": TOKENS.make(7),
    }
    assert (taken.path, taken.headers["TTL"]) == ("/push/anna", "600")
    assert (taken.headers["Urgency"], taken.headers["Topic"]) == ("high", "m1234")
    assert taken.claims == {
        "aud": service.url,
        "exp": int(clock.now().timestamp()) + 12 * 3600,
        "sub": SUBJECT,
    }
    assert (channel.price(lambda: body, address), channel.units(body)) == (0, 1)
    assert set(channel.reports) == {Status.DELIVERED, Status.READ}


@pytest.mark.parametrize(
    ("fields", "header", "value"),
    [
        ({"topic": "service"}, "Urgency", "high"),
        ({"topic": "survey"}, "Urgency", "normal"),
        ({"topic": "marketing"}, "Urgency", "low"),
        ({}, "TTL", "86400"),
        ({"ttl_s": 0}, "TTL", "0"),
        ({"ttl_s": 10**9}, "TTL", "2419200"),
        ({"message_id": (1 << 63) - 1}, "Topic", "m7fffffffffffffff"),
    ],
)
async def test_headers_follow_the_message(
    channel: WebPushChannel, service: PushService, address: str, fields: dict[str, object],
    header: str, value: str,
) -> None:  # fmt: skip
    assert await channel.send(push(address, **fields)) == Sent()
    assert service.got[0].headers[header] == value


@pytest.mark.parametrize(
    ("body", "title", "text"),
    [
        (Body("x", subject="Аптека № 5"), "Аптека № 5", "x"),
        (Body("<b>1</b>\n\n  2 \n3"), "Капсула", "1\n2\n3"),
        (Body("💊" * 900), "Капсула", "💊" * 399 + "…"),
        (Body("x", subject="т" * 100), "т" * 79 + "…", "x"),
        (Body("ко\0д \ud83d12"), "Капсула", "код 12"),
        (Body('"}\n{"title": "x'), "Капсула", '"}\n{"title": "x'),
    ],
)
async def test_words_are_only_words(
    channel: WebPushChannel, service: PushService, browser: BrowserKeys, address: str, body: Body,
    title: str, text: str,
) -> None:  # fmt: skip
    assert await channel.send(push(address, body)) == Sent()
    shown = browser.read(service.got[0].content)
    assert (shown["title"], shown["text"]) == (title, text)


@pytest.mark.parametrize(
    "href", ["javascript:alert(1)", "data:text/html,x", "tg://x", "https://к.рф/", "//x", ""]
)
async def test_a_link_that_a_browser_should_not_open_is_none(
    channel: WebPushChannel, service: PushService, browser: BrowserKeys, address: str, href: str
) -> None:
    assert await channel.send(push(address, Body(f'<a href="{href}">x</a>'))) == Sent()
    assert browser.read(service.got[0].content)["link"] == ""


@pytest.mark.parametrize("body", [Body(""), Body(" \n"), Body("<b></b>")])
async def test_nothing_to_say_is_not_said(
    channel: WebPushChannel, service: PushService, address: str, body: Body
) -> None:
    assert await channel.send(push(address, body)) == Failed("no_text", True)
    assert service.got == []


@pytest.mark.parametrize(
    ("scripted", "result"),
    [
        ((200, ""), Sent()),
        ((202, ""), Sent()),
        ((201, "x" * 100_000), Sent()),
        ((410, "gone"), gone()),
        ((404, ""), gone("127.0.0.1: HTTP 404")),
        ((413, ""), Failed("too_long", True, detail="127.0.0.1: HTTP 413")),
        ((429, ""), Failed("rate_limited", False, 5.0, "127.0.0.1: HTTP 429")),
        (
            (429, "", {"Retry-After": "17"}),
            Failed("rate_limited", False, 17.0, "127.0.0.1: HTTP 429"),
        ),
        (
            (429, "", {"Retry-After": "9" * 18}),
            Failed("rate_limited", False, 600.0, "127.0.0.1: HTTP 429"),
        ),
        ((400, "bad"), Failed("refused_by_provider", True, detail="127.0.0.1: HTTP 400 bad")),
        (
            (401, ""),
            Failed("key_refused", False, detail="127.0.0.1: HTTP 401", provider_down=True),
        ),
        (
            (403, "two\nlines\0"),
            Failed(
                "key_refused", False, detail="127.0.0.1: HTTP 403 two lines", provider_down=True
            ),
        ),
        ((500, ""), down("127.0.0.1: HTTP 500")),
        (
            (503, "", {"Retry-After": "30"}),
            Failed("provider_down", False, 30.0, "127.0.0.1: HTTP 503", provider_down=True),
        ),
        ((504, ""), Unknown("no_answer")),
        ((302, "", {"Location": "http://127.0.0.1:1/"}), down("127.0.0.1: HTTP 302")),
        ((307, "", {"Location": "/push/anna"}), down("127.0.0.1: HTTP 307")),
        (HANG, Unknown("no_answer_in_time")),
        (DROP, Unknown("no_answer")),
    ],
)
async def test_what_an_answer_means(
    channel: WebPushChannel,
    service: PushService,
    address: str,
    scripted: Scripted,
    result: SendResult,
) -> None:
    service.script.append(scripted)
    assert await channel.send(push(address)) == result
    assert len(service.got) == 1
    ended = isinstance(result, Failed) and result.reason == "address_unknown"
    assert await ends() == [("gone", "") if ended else ("", service.endpoint())]


async def test_nobody_listens(
    make_channel: MakeChannel, customer: int, browser: BrowserKeys, clock: VirtualClock
) -> None:
    nowhere = "http://127.0.0.1:1"
    desk = PushDesk(key=KEY.public, services=Services(nowhere), clock=clock)
    await desk.subscribe(THREAD, endpoint=f"{nowhere}/x", **browser.given)
    [front] = (await subscriptions_of([customer]))[customer]
    result = await make_channel(services=nowhere).send(push(front.value))
    assert isinstance(result, Failed)
    assert (result.reason, result.permanent, result.provider_down) == ("no_connection", False, True)


@pytest.mark.parametrize("address", ["", "x", "-1", "1", "9" * 19, "9" * 30, "１２"])
async def test_an_address_that_is_none(
    db: str, channel: WebPushChannel, service: PushService, address: str
) -> None:
    result = await channel.send(push(address))
    assert result == gone("the subscription has ended")
    assert service.got == []


async def test_who_has_turned_it_off_is_not_notified(
    channel: WebPushChannel, service: PushService, desk: PushDesk, address: str
) -> None:
    await desk.unsubscribe(THREAD)
    assert await channel.send(push(address)) == gone("the subscription has ended")
    assert (service.got, await ends()) == ([], [("off", "")])


async def test_a_subscription_for_another_key_is_not_tried(
    make_channel: MakeChannel, service: PushService, address: str
) -> None:
    channel = make_channel(key=VapidKey.new())
    assert await channel.send(push(address)) == gone("subscribed for another key of ours")
    assert (service.got, await ends()) == ([], [("gone", "")])


async def test_a_push_service_that_is_no_longer_allowed_is_not_tried(
    make_channel: MakeChannel, service: PushService, address: str
) -> None:
    channel = make_channel(services="push.kapsula.example")
    assert await channel.send(push(address)) == gone("no push service that is known here")
    assert service.got == []


async def test_a_message_for_one_browser_is_read_by_no_other(
    channel: WebPushChannel, service: PushService, address: str
) -> None:
    await channel.send(push(address))
    with pytest.raises(Exception, match="Decryption"):
        BrowserKeys().read(service.got[0].content)


async def test_many_at_once_share_their_lines(
    channel: WebPushChannel, service: PushService, browser: BrowserKeys, address: str
) -> None:
    results = await asyncio.gather(
        *(channel.send(push(address, f"№ {n}", message_id=n, attempt_id=n)) for n in range(60))
    )
    assert results == [Sent()] * 60
    shown = sorted(browser.read(taken.content)["text"] for taken in service.got)
    assert shown == sorted(f"№ {n}" for n in range(60))
    assert len({taken.headers["Authorization"] for taken in service.got}) == 1
    before = len(service.connections)
    for n in range(5):
        assert await channel.send(push(address, message_id=n)) == Sent()
    assert len(service.connections) == before


def test_a_limit_is_declared_where_there_is_one(make_channel: MakeChannel) -> None:
    assert make_channel().limits == ()
    [limit] = make_channel(per_second=50).limits
    assert (limit.name, limit.amount, limit.per_s) == ("webpush", 50, 1.0)
