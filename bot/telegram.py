"""Telegram: its updates by long polling or by webhook, and what the bot tells about itself."""

import asyncio
import hmac
import json
from collections.abc import Iterable
from typing import Any

import structlog
from aiogram import Bot, Dispatcher
from aiogram.client.default import DefaultBotProperties
from aiogram.client.telegram import TelegramAPIServer
from aiogram.enums import ParseMode
from aiogram.exceptions import TelegramAPIError
from aiogram.methods import TelegramMethod
from aiogram.types import BotCommand, BotCommandScopeAllPrivateChats, Update
from aiogram.utils.token import TokenValidationError
from aiohttp import web
from pydantic import ValidationError
from pydantic_core import to_json

from bot.calls import call_of
from bot.menu import TOPICS
from bot.replies import RepliesFirst
from bot.telegram_session import TelegramSession
from messaging.i18n import DEFAULT_LANGUAGE, LANGUAGES, gettext

SECRET_HEADER = "X-Telegram-Bot-Api-Secret-Token"  # noqa: S105 - a header's name
BODY_BYTES_MAX = 1_000_000
FINISH_S = 10.0
"""How long a stopping process waits for the updates that it has already taken."""

log = structlog.get_logger(__name__)


class TokenError(Exception):
    """No bot has a token of this form."""


def make_telegram_bot(token: str, api_url: str = "https://api.telegram.org") -> Bot:
    """The bot of this token on a Bot API server. Texts are HTML. Raises TokenError."""
    server = TelegramAPIServer.from_base(api_url)
    try:
        return Bot(
            token,
            session=TelegramSession(api=server),
            default=DefaultBotProperties(parse_mode=ParseMode.HTML),
        )
    except TokenValidationError:
        raise TokenError from None


async def introduce(bot: Bot) -> None:
    """Tell Telegram the commands, in each language; the default is for all other languages."""
    scope = BotCommandScopeAllPrivateChats()
    for language in LANGUAGES:
        await bot.set_my_commands(_commands(language), scope=scope, language_code=language)
    await bot.set_my_commands(_commands(DEFAULT_LANGUAGE), scope=scope)


def _commands(language: str) -> list[BotCommand]:
    return [
        BotCommand(command=topic.name, description=gettext(language, topic.hint))
        for topic in TOPICS.values()
    ]


async def poll(dispatcher: Dispatcher, bot: Bot, stop: asyncio.Event) -> None:
    """Ask for updates until `stop`; then finish the ones that were taken and return."""
    await bot.delete_webhook()
    polling = asyncio.create_task(
        dispatcher.start_polling(bot, handle_signals=False, close_bot_session=False)
    )
    stopping = asyncio.create_task(stop.wait())
    await asyncio.wait({polling, stopping}, return_when=asyncio.FIRST_COMPLETED)
    stopping.cancel()
    if not polling.done():
        await dispatcher.stop_polling()
    await _finish(dispatcher._handle_update_tasks)
    await polling


async def _finish(tasks: Iterable[asyncio.Task[Any]]) -> None:
    """Updates that were taken are confirmed to Telegram already: nobody would send them again."""
    if under_way := set(tasks):
        await asyncio.wait(under_way, timeout=FINISH_S)


async def set_webhook(dispatcher: Dispatcher, bot: Bot, url: str, secret: str) -> None:
    """Have Telegram post updates to `url` with the secret in a header."""
    await bot.set_webhook(
        url, secret_token=secret, allowed_updates=dispatcher.resolve_used_update_types()
    )


def add_webhook(
    app: web.Application,
    dispatcher: Dispatcher,
    bot: Bot,
    *,
    secret: str,
    path: str = "/telegram/webhook",
    replies: RepliesFirst | None = None,
) -> None:
    """Take updates by POST at `path`. Without a secret anybody could speak for anybody.

    `replies` counts those that are the answer to the POST itself, which no session sees.
    """
    if not secret:
        raise ValueError("a webhook needs a secret")
    webhook = _Webhook(dispatcher, bot, secret, replies)
    app.router.add_post(path, webhook.handle)
    app.on_shutdown.append(webhook.finish)


class _Webhook:
    def __init__(
        self, dispatcher: Dispatcher, bot: Bot, secret: str, replies: RepliesFirst | None
    ) -> None:
        self._dispatcher = dispatcher
        self._bot = bot
        self._secret = secret.encode()
        self._replies = replies
        self._under_way: set[asyncio.Task[Any]] = set()

    async def handle(self, request: web.Request) -> web.Response:
        """401 without a secret, 403 with a wrong one, 413 and 400 for what is no update."""
        given = request.headers.get(SECRET_HEADER)
        if given is None:
            return web.Response(status=401)
        if not hmac.compare_digest(given.encode("utf-8", "replace"), self._secret):
            return web.Response(status=403)
        body = await _body(request)
        if body is None:
            return web.Response(status=413)
        try:
            update = Update.model_validate(json.loads(body), context={"bot": self._bot})
        except (ValueError, RecursionError, ValidationError) as error:
            log.warning("webhook_not_an_update", error=type(error).__name__)
            return web.Response(status=400)
        task = asyncio.create_task(self._process(update))
        self._under_way.add(task)
        task.add_done_callback(self._under_way.discard)
        return await asyncio.shield(task)  # Telegram may hang up; the update is ours by now

    async def _process(self, update: Update) -> web.Response:
        """A method without files is the answer itself, which saves a call; others are called."""
        try:
            answer = await self._dispatcher.feed_update(self._bot, update)
            if isinstance(answer, TelegramMethod):
                call, files = call_of(self._bot, answer)
                if not files:
                    if self._replies is not None:
                        await self._replies.count(answer)
                    body = to_json({"method": answer.__api_method__} | call)
                    return web.Response(body=body, content_type="application/json")
                await self._bot(answer)
        except TelegramAPIError as error:
            log.warning("telegram_refused", method=type(error.method).__name__, error=str(error))
        except Exception:
            log.exception("webhook_update_failed", update_id=update.update_id)
        return web.Response()

    async def finish(self, _app: web.Application) -> None:
        await _finish(self._under_way)


async def _body(request: web.Request) -> bytes | None:
    """The body, or None when it is longer than any update."""
    chunks: list[bytes] = []
    length = 0
    async for chunk in request.content.iter_chunked(65536):
        length += len(chunk)
        if length > BODY_BYTES_MAX:
            return None
        chunks.append(chunk)
    return b"".join(chunks)
