"""Telegram's two ways in: long polling, and a webhook that only Telegram can use."""

import asyncio
import json
from io import BytesIO

import pytest
from aiohttp import web

from bot.assembly import build_dispatcher
from bot.replies import RepliesFirst
from bot.storage import dialogue_memory
from bot.telegram import SECRET_HEADER, add_webhook, introduce, make_telegram_bot, poll
from loyalty.programme import Programme
from messaging.channels.base import Outgoing, Sent
from messaging.channels.messenger import MessengerChannel
from messaging.pacing import HEADROOM, LocalPacer, claims_of
from messaging.templates import Body
from tests.bot.bot_api import TOKEN, BotApi
from tests.conversations.stage import SECRET_TOKEN, Stage


async def _send_no_code(phone: str, code: str, language: str) -> None:
    raise AssertionError("Telegram needs no codes")


@pytest.fixture
async def api():
    api = BotApi()
    await api.start()
    yield api
    await api.stop()
    assert api.refused == []


async def test_polling_answers_and_stops_without_losing_what_it_has_taken(
    api: BotApi, programme: Programme
) -> None:
    bot = make_telegram_bot(TOKEN, api.url)
    memory = dialogue_memory(programme.clock)
    dispatcher = build_dispatcher(programme, memory=memory, send_code=_send_no_code)
    stop = asyncio.Event()
    polling = asyncio.create_task(poll(dispatcher, bot, stop))
    chat = api.meet(77)
    await api.say(77, "/start")
    for _ in range(100):
        if chat.changed:
            break
        await asyncio.sleep(0.05)
    await api.say(77, "/help")
    for _ in range(100):
        if any(method == "getUpdates" for method, _ in api.calls[-1:]) and not api._pending:
            break
        await asyncio.sleep(0.02)
    stop.set()
    await asyncio.wait_for(polling, 15)
    texts = [message["text"] for message in chat.messages.values() if message["from"]["is_bot"]]
    assert texts[0].startswith("Добро пожаловать")
    assert "/card" in texts[1]
    await bot.session.close()


async def test_the_commands_are_told_in_every_language(api: BotApi) -> None:
    bot = make_telegram_bot(TOKEN, api.url)
    await introduce(bot)
    assert api.commands.keys() == {"ru", "en", ""}
    told = {language: [c["command"] for c in each] for language, each in api.commands.items()}
    commands = [
        *("card", "points", "codes", "friends", "medicines"),
        *("settings", "language", "help", "leave"),
    ]
    assert told["ru"] == told["en"] == commands
    assert api.commands["ru"][0]["description"] == "Показать карту на кассе"
    assert api.commands[""] == api.commands["ru"]
    await bot.session.close()


class TestWebhook:
    """Every request here is wrong; the bot must not even look at it."""

    @pytest.fixture
    async def stage(self, programme: Programme):
        stage = await Stage(programme, dialogue_memory(programme.clock)).start()
        yield stage
        await stage.close()

    async def _post(
        self, stage: Stage, body: bytes | BytesIO, secret: str | None = SECRET_TOKEN
    ) -> int:
        headers = {"Content-Type": "application/json"}
        if secret is not None:
            headers[SECRET_HEADER] = secret
        url = stage.server.make_url("/telegram/webhook")
        async with stage.http.post(url, data=body, headers=headers) as answer:
            return answer.status

    def _update(self) -> bytes:
        user = {"id": 5, "is_bot": False, "first_name": "x"}
        chat = {"id": 5, "type": "private"}
        message = {"message_id": 1, "date": 1, "chat": chat, "from": user, "text": "/help"}
        return json.dumps({"update_id": 1, "message": message}).encode()

    async def test_without_the_secret(self, stage: Stage) -> None:
        before = len(stage.api.calls)
        assert await self._post(stage, self._update(), None) == 401
        for wrong in ("", "a", SECRET_TOKEN + "x", "секрет".encode().decode("latin-1")):
            assert await self._post(stage, self._update(), wrong) == 403
        assert len(stage.api.calls) == before

    @pytest.mark.parametrize(
        "body",
        [
            b"",
            b"{",
            b"[]",
            b"null",
            b"[" * 100_000,
            b'{"update_id":"x"}',
            b"\xff\xfe",
            b'{"update_id":1,"message":{}}',
        ],
    )
    async def test_what_is_no_update(self, stage: Stage, body: bytes) -> None:
        assert await self._post(stage, body) == 400

    async def test_what_is_too_long(self, stage: Stage) -> None:
        assert await self._post(stage, BytesIO(b"x" * 2_000_000)) == 413

    async def test_an_update_of_a_kind_that_nobody_handles(self, stage: Stage) -> None:
        body = {"update_id": 1, "poll": {"id": "1", "question": "?", "options": [],
                "total_voter_count": 0, "is_closed": False, "is_anonymous": True,
                "type": "regular", "allows_multiple_answers": False}}  # fmt: skip
        assert await self._post(stage, json.dumps(body).encode()) in (200, 400)


async def test_a_webhook_without_a_secret_is_not_served(programme: Programme) -> None:
    bot = make_telegram_bot(TOKEN)
    memory = dialogue_memory(programme.clock)
    dispatcher = build_dispatcher(programme, memory=memory, send_code=_send_no_code)
    with pytest.raises(ValueError, match="needs a secret"):
        add_webhook(web.Application(), dispatcher, bot, secret="")


async def test_replies_are_counted_against_telegrams_limits_and_mailings_are_not_twice(
    api: BotApi,
) -> None:
    bot = make_telegram_bot(TOKEN, api.url)
    api.meet(7)
    pacer, limits = LocalPacer(lambda: 0.0), MessengerChannel.limits
    bot.session.middleware(RepliesFirst(pacer, limits, "telegram"))
    ask = claims_of(limits[:1], "telegram", "8", 1)
    mailing = Outgoing(
        message_id=1, attempt_id=1, address_kind="telegram", address="7", body=Body("a mailing")
    )
    try:
        assert isinstance(await MessengerChannel({"telegram": bot}).send(mailing), Sent)
        assert await pacer.take(ask, -1.0) == 0, "the dispatcher has counted it"
        for _ in range(3):
            await bot.send_message(7, "a reply")
        await bot.get_me()
        assert await pacer.take(ask, -1.0) == pytest.approx(3 / (30 * HEADROOM))
    finally:
        await bot.session.close()
