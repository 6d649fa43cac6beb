"""Every messenger through aiogram: Telegram and our own web chat are two `Bot`s with one API."""

import asyncio
from collections.abc import Awaitable, Callable, Collection, Mapping, Sequence
from contextvars import ContextVar

import structlog
from aiogram import Bot
from aiogram.enums import ParseMode
from aiogram.exceptions import (
    RestartingTelegram,
    TelegramAPIError,
    TelegramBadRequest,
    TelegramForbiddenError,
    TelegramNetworkError,
    TelegramRetryAfter,
    TelegramServerError,
    TelegramUnauthorizedError,
)
from aiogram.types import InlineKeyboardButton, InlineKeyboardMarkup

from messaging.channels.base import (
    Failed,
    Limit,
    Outgoing,
    SendResult,
    Sent,
    Status,
    Unknown,
    Words,
)
from messaging.channels.http import NOT_WRITTEN
from messaging.templates import Body
from messaging.templates.buttons import Button

MAILING: ContextVar[bool] = ContextVar("mailing", default=False)
"""Set while this channel sends: what a bot sends otherwise is a reply, which nobody has paced."""
RING_S_MAX = 5.0
"""The message is in the chat by then; it does not wait longer for its notification."""

log = structlog.get_logger(__name__)


class MessengerChannel:
    """Sends to `telegram` and `webchat` addresses, whichever bots it is given."""

    name = "messenger"
    keeps_body = False
    reports: Sequence[Status] = (Status.READ,)  # told by `messaging.attention`
    limits: Sequence[Limit] = (
        # Telegram's bots FAQ: 30 messages a second over all chats, one a second in each.
        Limit(name="telegram", amount=30, address_kind="telegram"),
        Limit(name="telegram:chat", amount=1, address_kind="telegram", each_address=True),
    )

    def __init__(
        self,
        bots: Mapping[str, Bot],
        ring: Callable[[Outgoing], Awaitable[SendResult]] | None = None,
    ) -> None:
        """`ring` sends the notification that a message has beside it."""
        self._bots = bots
        self._ring = ring

    @property
    def address_kinds(self) -> Collection[str]:
        return self._bots.keys()

    def units(self, body: Body) -> int:
        return 1

    def price(self, words: Words, address: str) -> int:
        return 0

    async def send(self, outgoing: Outgoing) -> SendResult:
        mailing = MAILING.set(True)
        try:
            sent = await self._bots[outgoing.address_kind].send_message(
                chat_id=int(outgoing.address),
                text=outgoing.body.html,
                parse_mode=ParseMode.HTML,
                disable_web_page_preview=True,
                reply_markup=_keyboard(outgoing.body),
            )
        except TelegramAPIError as error:
            return verdict(error)
        finally:
            MAILING.reset(mailing)
        await self._ring_beside(outgoing)
        return Sent(str(sent.message_id))

    async def _ring_beside(self, outgoing: Outgoing) -> None:
        """The message stands in the chat: whatever becomes of its notification, it is sent."""
        if outgoing.ring is None or self._ring is None:
            return
        try:
            async with asyncio.timeout(RING_S_MAX):
                result = await self._ring(outgoing)
        except TimeoutError:
            result = Unknown("no_answer_in_time")
        except Exception:
            log.exception("ring_broke", message_id=outgoing.message_id)
            return
        if not isinstance(result, Sent):
            log.info("did_not_ring", message_id=outgoing.message_id, reason=result.reason)


def _keyboard(body: Body) -> InlineKeyboardMarkup | None:
    rows = [[_button(button) for button in row] for row in body.buttons]
    return InlineKeyboardMarkup(inline_keyboard=rows) if rows else None


def _button(button: Button) -> InlineKeyboardButton:
    if button.is_link:
        return InlineKeyboardButton(text=button.words, url=button.leads)
    return InlineKeyboardButton(text=button.words, callback_data=button.leads)


def verdict(error: TelegramAPIError) -> SendResult:
    """What an error of the Bot API says about the message."""
    text = error.message
    match error:
        case TelegramRetryAfter():
            return Failed("rate_limited", False, retry_after_s=float(error.retry_after))
        case TelegramForbiddenError():
            return Failed("blocked", True, detail=text)
        case TelegramUnauthorizedError():  # our token, not her address
            return Failed("token_refused", False, detail=text, provider_down=True)
        case TelegramBadRequest():
            gone = "chat not found" in text.lower()
            return Failed("chat_not_found" if gone else "refused_by_provider", True, detail=text)
        case RestartingTelegram() | TelegramServerError():
            return Failed("provider_down", False, detail=text, provider_down=True)
        case TelegramNetworkError():
            if isinstance(error.__cause__, NOT_WRITTEN):
                return Failed("no_connection", False, detail=text, provider_down=True)
            return Unknown("no_answer")
        case _:
            return Failed("refused_by_provider", True, detail=text)
