"""Who speaks, on which front, in which language: found once per update, for every handler."""

from collections.abc import Awaitable, Callable
from typing import Any

import structlog
from aiogram import BaseMiddleware
from aiogram.enums import ChatType
from aiogram.exceptions import TelegramBadRequest
from aiogram.fsm.context import FSMContext
from aiogram.types import CallbackQuery, Chat, TelegramObject, Update, User

from bot.desk import Desk
from bot.dialogues.points import PAGE, page_asked
from bot.fronts import TELEGRAM, Front, front_of
from bot.turns import Turn
from bot.words import Words, speaking
from loyalty.customers import CustomerView, Glance
from messaging.i18n import LANGUAGES, supported

Handler = Callable[[TelegramObject, dict[str, Any]], Awaitable[Any]]
log = structlog.get_logger(__name__)


class WhoSpeaks(BaseMiddleware):
    """Adds `turn`, `customer` (None for a stranger) and `glance`; sets the language of `_`.

    Most updates ask for the points: those are read along with the customer, in one round trip.
    Updates from groups and channels go no further: a card is nobody else's business.
    """

    def __init__(self, desk: Desk) -> None:
        self._desk = desk

    async def __call__(self, handler: Handler, event: TelegramObject, data: dict[str, Any]) -> Any:
        user: User | None = data.get("event_from_user")
        chat: Chat | None = data.get("event_chat")
        if user is None or (chat is not None and chat.type != ChatType.PRIVATE):
            return None
        assert isinstance(event, Update)
        front = front_of(data["bot"])
        self._hear(front, user, event)
        customer, glance = await self._read(front, user, page_asked(event))
        rules = self._desk.programme.rules
        if customer is None:
            language, timezone = await _language_of_stranger(user, data), rules.timezone
        else:
            language, timezone = customer.language, customer.timezone
        words = Words(language, timezone, rules.currency)
        step, speaker = data.get("raw_state"), str(user.id)
        turn = Turn(front, words, self._desk, data["state"], step, speaker)
        data |= {"turn": turn, "customer": customer, "glance": glance}
        with speaking(language):
            return await handler(event, data)

    def _hear(self, front: Front, user: User, event: Update) -> None:
        """Whoever writes or presses has read; the web chat tells by itself what is seen."""
        if self._desk.attention is None or front.kind != TELEGRAM.kind:
            return
        now = self._desk.programme.clock.now()
        if event.message is not None:  # it may have waited for us at Telegram
            self._desk.attention.spoke(front.kind, str(user.id), min(event.message.date, now))
        elif event.callback_query is not None:
            self._desk.attention.spoke(front.kind, str(user.id), now)

    async def _read(
        self, front: Front, user: User, before: int | None
    ) -> tuple[CustomerView | None, Glance | None]:
        customers, value = self._desk.programme.customers, str(user.id)
        if before is None:
            return await customers.by_identity(front.kind, value), None
        glance = await customers.at_a_glance(
            front.kind, value, operations=PAGE + 1, before_seq=before
        )  # one more than a page shows: whether there are earlier ones
        return (glance.customer, glance) if glance else (None, None)


async def _language_of_stranger(user: User, data: dict[str, Any]) -> str:
    """What she chose while joining, else what her client speaks."""
    state: FSMContext | None = data.get("state")
    if state is not None and data.get("raw_state"):
        chosen = (await state.get_data()).get("language")
        if chosen in LANGUAGES:
            return str(chosen)
    return supported(user.language_code)


class AnswersClicks(BaseMiddleware):
    """Every click is answered, so that no button keeps spinning; a handler may set `toast`."""

    async def __call__(self, handler: Handler, event: TelegramObject, data: dict[str, Any]) -> Any:
        if not isinstance(event, CallbackQuery):  # pragma: no cover - registered for clicks only
            return await handler(event, data)
        toast: list[str] = []
        try:
            return await handler(event, data | {"toast": toast})
        finally:
            try:
                await event.answer(toast[-1] if toast else None)
            except TelegramBadRequest as error:  # the click is too old to be answered
                log.info("click_not_answered", error=error.message)
