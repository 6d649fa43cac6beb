"""What only a browser can do to the chat: tabs, reloads, lost answers, forged and broken frames."""

import asyncio
import contextlib
import json
import secrets
from typing import Any

import aiohttp
import pytest

from bot.webchat.limits import WebchatLimits
from bot.webchat.session import reached
from loyalty.programme import Programme
from messaging.models import ChatMessage, ChatThread
from tests.conversations.people import MENU_RU, join
from tests.conversations.stage import Stage, WebChat


async def another_tab(stage: Stage, first: WebChat) -> WebChat:
    tab = WebChat(stage)
    tab.secret = first.secret
    return await tab.open()


def texts(chat: WebChat) -> list[str]:
    return ["".join(run["text"] for run in m["runs"]) for _, m in sorted(chat.messages.items())]


async def test_the_chat_greets_by_itself_when_it_is_opened(web: WebChat) -> None:
    web.sees("Добро пожаловать", buttons=["Русский", "English"])
    assert texts(web)[0].startswith("Добро пожаловать")  # nobody has typed a /start


async def test_a_reload_replays_the_conversation(stage: Stage, web: WebChat) -> None:
    await join(web)
    await web.send("мои бонусы")
    before = texts(web)
    await web.leave()
    await web.open()
    assert texts(web) == before
    assert web.keyboard["rows"] == [MENU_RU[:2], MENU_RU[2:4], MENU_RU[4:]]
    assert await ChatThread.all().count() == 1


async def test_a_long_conversation_comes_page_by_page(web: WebChat) -> None:
    await join(web)
    for number in range(30):
        await web.send(f"погода {number}")
    await web.leave()
    await web.open()
    assert len(web.messages) == 40
    frames: list[dict[str, Any]] = []
    take = web._take
    web._take = lambda frame: (frames.append(frame), take(frame))[1]  # type: ignore[method-assign]
    await web.frame({"kind": "earlier", "before": min(web.messages)})
    earlier = next(frame for frame in frames if frame["kind"] == "earlier")
    assert len(earlier["messages"]) == len(await ChatMessage.all()) - 40
    assert earlier["more"] is False


async def test_two_tabs_agree(stage: Stage, web: WebChat) -> None:
    await join(web)
    tab = await another_tab(stage, web)
    await tab.send("мои бонусы")
    await web.settle()
    web.sees("💎 У вас 100 бонусов")
    assert texts(web) == texts(tab)
    await tab.click("1")
    await web.settle()
    assert texts(web) == texts(tab)
    assert "Подарок за вступление" in texts(web)[-1]
    await tab.close()


async def test_a_text_sent_again_after_a_lost_answer_is_not_doubled(web: WebChat) -> None:
    await join(web)
    name = secrets.token_hex(8)
    await web.send("мои бонусы", client_id=name)
    shown = len(web.messages)
    await web.send("мои бонусы", client_id=name)
    assert len(web.messages) == shown
    assert texts(web).count("мои бонусы") == 1


async def test_the_same_text_from_two_tabs_at_once_is_one(stage: Stage, web: WebChat) -> None:
    await join(web)
    tab = await another_tab(stage, web)
    name = secrets.token_hex(8)
    await asyncio.gather(web.send("погода", name), tab.send("погода", name))
    await web.settle()
    assert texts(web).count("погода") == 1
    await tab.close()


async def test_only_buttons_that_stand_can_be_pressed(
    stage: Stage, web: WebChat, programme: Programme
) -> None:
    await join(web)
    await web.send("/leave")
    asked = max(web.messages)
    for message, data in [
        (asked, "leave:2"),  # other data on a real message
        (asked - 1, "leave:1"),  # real data on another message
        (asked + 100, "leave:1"),
        (1, "consent:2026-11:1"),
    ]:
        await web.click_data(message, data)
        assert [refusal["code"] for refusal in web.refusals] == ["button_gone"]
    other = await WebChat(stage).open()
    await other.click_data(asked, "leave:1")  # a button of somebody else's thread
    assert [refusal["code"] for refusal in other.refusals] == ["button_gone"]
    customer = await programme.customers.by_identity("phone", "+79001234567")
    assert customer
    assert await programme.customers.fronts(customer.id)
    await other.close()


def push_on(**fields: str) -> str:
    """A browser's subscription to notifications, well formed but for these fields."""
    given = {"endpoint": "https://push.example/x", "p256dh": "B" * 87, "auth": "a" * 22}
    return json.dumps({"kind": "push_on"} | given | fields)


@pytest.mark.parametrize(
    ("frame", "code"),
    [
        ("", "bad_json"),
        ("{", "bad_json"),
        ("[]", "bad_json"),
        ('"text"', "bad_json"),
        ("null", "bad_json"),
        ("[" * 5000, "bad_json"),
        ('{"kind":"text","kind":"text"}', "bad_json"),
        ('{"kind":"earlier","before":NaN}', "bad_json"),
        ('{"kind":"earlier","before":1e400}', "bad_message"),
        ('{"kind":"earlier","before":9223372036854775808}', "bad_message"),
        ('{"kind":"earlier","before":true}', "bad_message"),
        ('{"kind":"earlier","before":"1"}', "bad_message"),
        ('{"kind":"nothing"}', "unknown_kind"),
        ('{"kind":["text"]}', "unknown_kind"),
        ('{"kind":"hello","secret":null}', "unexpected_hello"),
        ('{"kind":"text","id":"aaaaaaaa"}', "bad_text"),
        ('{"kind":"text","id":"aaaaaaaa","text":7}', "bad_text"),
        ('{"kind":"text","id":"aaaaaaaa","text":"  \\u0000 "}', "empty_text"),
        ('{"kind":"text","id":"short","text":"x"}', "bad_id"),
        ('{"kind":"text","id":{"$ne":1},"text":"x"}', "bad_id"),
        ('{"kind":"click","id":"aaaaaaaa","message":1,"data":""}', "bad_data"),
        ('{"kind":"click","id":"aaaaaaaa","message":-1,"data":"x"}', "bad_message"),
        (json.dumps({"kind": "click", "id": "a" * 8, "message": 1, "data": "я" * 40}), "bad_data"),
        (json.dumps({"kind": "text", "id": "a" * 8, "text": "x" * 4097}), "too_long"),
        ('{"kind":"push_on"}', "bad_subscription"),
        ('{"kind":"push_on","endpoint":7,"p256dh":[],"auth":{}}', "bad_subscription"),
        (push_on(endpoint="javascript:alert(1)"), "bad_subscription"),
        (push_on(endpoint="https://push.example/x y"), "bad_subscription"),
        (push_on(endpoint="https://push.example/" + "x" * 2000), "bad_subscription"),
        (push_on(p256dh="<svg>"), "bad_subscription"),
        (push_on(auth=""), "bad_subscription"),
        (push_on(), "push_off"),  # this shop has no key for it
        ('{"kind":"push_off"}', "push_off"),
    ],
)
async def test_a_broken_frame_is_refused_by_name_and_leaves_no_row(
    web: WebChat, frame: str, code: str
) -> None:
    rows = await ChatMessage.all().count()
    await web.frame(frame)
    assert [refusal["code"] for refusal in web.refusals] == [code]
    assert await ChatMessage.all().count() == rows


async def test_halves_of_characters_and_zeros_are_cleaned(web: WebChat) -> None:
    await web.frame('{"kind":"text","id":"aaaaaaaa","text":"a\\ud800b\\u0000c\\u202ed"}')
    mine = [message for message in web.messages.values() if message["from"] == "me"]
    assert [run["text"] for run in mine[-1]["runs"]] == ["a\ufffdbc\u202ed"]


async def test_a_frame_of_ten_megabytes_ends_the_socket_only(stage: Stage, web: WebChat) -> None:
    await join(web)
    with contextlib.suppress(ConnectionError, aiohttp.ClientError):  # cut off while it sends
        await web.socket.send_str("x" * 10_000_000)
    with contextlib.suppress(ConnectionError, aiohttp.ClientError):
        await asyncio.wait_for(web._reader, 20)
    assert web.socket.closed
    await web.open()
    await web.send("мои бонусы")
    web.sees("💎 У вас 100 бонусов")


async def test_a_frame_too_long_is_closed_by_its_name(web: WebChat) -> None:
    await web.socket.send_str("x" * 9000)
    await asyncio.wait_for(web._reader, 20)
    assert web.socket.close_code == aiohttp.WSCloseCode.MESSAGE_TOO_BIG


async def test_a_binary_frame_ends_the_socket(web: WebChat) -> None:
    await web.socket.send_bytes(b"\x00\xff")
    await asyncio.wait_for(web._reader, 20)
    assert web.socket.close_code == aiohttp.WSCloseCode.UNSUPPORTED_DATA


async def test_markup_in_a_text_stays_text(web: WebChat) -> None:
    await join(web)
    await web.send('<img src=x onerror="alert(1)"> & <b>bold</b> javascript:alert(1)')
    mine = [message for message in web.messages.values() if message["from"] == "me"][-1]
    assert mine["runs"] == [
        {"text": '<img src=x onerror="alert(1)"> & <b>bold</b> javascript:alert(1)'}
    ]


async def test_a_socket_from_another_site_is_refused(stage: Stage, web: WebChat) -> None:
    for origin in ("https://evil.example", "null", ""):
        with pytest.raises(aiohttp.WSServerHandshakeError) as caught:
            await stage.http.ws_connect(
                str(stage.server.make_url("/chat/ws")), headers={"Origin": origin}
            )
        assert caught.value.status == 403


async def test_a_socket_that_does_not_greet_is_closed(stage: Stage) -> None:
    own = str(stage.server.make_url("")).rstrip("/")
    for first in (
        "{}",
        '{"kind":"text","id":"aaaaaaaa","text":"x"}',
        '{"kind":"hello","secret":1}',
    ):
        socket = await stage.http.ws_connect(str(stage.server.make_url("/chat/ws")), origin=own)
        await socket.send_str(first)
        message = await asyncio.wait_for(socket.receive(), 20)
        assert message.type == aiohttp.WSMsgType.CLOSE
        assert socket.close_code == aiohttp.WSCloseCode.POLICY_VIOLATION
    assert await ChatThread.all().count() == 0


async def test_an_unknown_secret_begins_a_new_conversation(stage: Stage) -> None:
    chat = WebChat(stage)
    chat.secret = "x" * 43
    await chat.open()
    chat.sees("Добро пожаловать")
    assert chat.secret != "x" * 43
    await chat.close()


async def test_offline_is_told_and_the_message_waits(stage: Stage, web: WebChat) -> None:
    thread = await ChatThread.get()
    there = await stage.webchat.send_message(str(thread.id), "Вы здесь?")
    assert reached(there)
    await web.leave()
    gone = await stage.webchat.send_message(str(thread.id), "Чек № <b>1</b>")
    assert not reached(gone)
    await web.open()
    web.sees("Чек № 1")


class TestTooFast:
    @pytest.fixture
    async def stage(self, programme: Programme, stage: Stage) -> Stage:
        stage.limits = WebchatLimits(frames=5, frames_s=60, new_threads=2, new_threads_s=60)
        await stage.restart()
        return stage

    async def test_a_visitor_in_a_hurry_is_told_to_wait(self, web: WebChat) -> None:
        for _ in range(4):  # one was the fence of opening
            text = {"kind": "text", "id": secrets.token_hex(8), "text": "x"}
            await web.socket.send_str(json.dumps(text))
        for _ in range(20):
            await asyncio.sleep(0.05)
        await web.socket.send_str('{"kind":"text","id":"aaaaaaaa","text":"x"}')
        for _ in range(40):
            if web.refusals:
                break
            await asyncio.sleep(0.05)
        [refusal] = web.refusals
        assert refusal["code"] == "slow_down"
        assert refusal["id"] == "aaaaaaaa"
        assert 0 < refusal["wait_s"] <= 61

    async def test_an_address_gets_so_many_new_threads(self, stage: Stage, web: WebChat) -> None:
        second = await WebChat(stage).open()
        third = WebChat(stage)
        with pytest.raises((TimeoutError, ConnectionError, aiohttp.ClientError)):
            await asyncio.wait_for(third.open(), 2)
        assert third.refusals[0]["code"] == "slow_down"
        assert await ChatThread.all().count() == 2
        await second.close()
