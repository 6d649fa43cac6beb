"""Replies go ahead of mailings: they wait for no limit, and what they take the mailings lack."""

from collections.abc import Sequence
from typing import Any

from aiogram import Bot
from aiogram.client.session.middlewares.base import (
    BaseRequestMiddleware,
    NextRequestMiddlewareType,
)
from aiogram.methods import TelegramMethod
from aiogram.methods.base import Response, TelegramType

from messaging.channels.base import Limit
from messaging.channels.messenger import MAILING
from messaging.pacing import Pacer, claims_of


class RepliesFirst(BaseRequestMiddleware):
    """Counts what a bot says by itself against the limits of its provider."""

    def __init__(self, pacer: Pacer, limits: Sequence[Limit], address_kind: str) -> None:
        self._pacer = pacer
        self._limits = limits
        self._kind = address_kind

    async def __call__(
        self,
        make_request: NextRequestMiddlewareType[TelegramType],
        bot: Bot,
        method: TelegramMethod[TelegramType],
    ) -> Response[TelegramType]:
        if not MAILING.get():
            await self.count(method)
        return await make_request(bot, method)

    async def count(self, method: TelegramMethod[Any]) -> None:
        """What has a chat to go to; questions to the server itself are free."""
        chat_id = getattr(method, "chat_id", None)
        if chat_id is not None:
            await self._pacer.debit(claims_of(self._limits, self._kind, str(chat_id), 1))
