"""Puts the conversations together: one dispatcher for both fronts.

    memory = dialogue_memory(clock, settings.redis_url)
    dispatcher = build_dispatcher(programme, memory=memory, send_code=…, public_url=…)
    fronts = Fronts(dispatcher, webchat=make_webchat_bot(transcript, fanout), telegram=…)

The fronts (`bot.telegram`, `bot.webchat.server`) feed updates to the dispatcher; the messenger
channel sends through `fronts.bots`.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import structlog
from aiogram import Bot, Dispatcher, Router
from aiogram.types import ErrorEvent, Message

from bot.desk import Desk, SendCode
from bot.dialogues import (
    blocking,
    card,
    codes,
    friends,
    join,
    language,
    leave,
    medicine_entries,
    medicines,
    points,
    settings,
    start,
    survey,
)
from bot.dialogues import help as help_
from bot.fronts import TELEGRAM, WEBCHAT
from bot.middlewares import AnswersClicks, WhoSpeaks
from bot.storage import DialogueMemory
from loyalty.programme import Programme
from messaging.attention import Attention
from messaging.i18n import gettext, supported
from messaging.optin import OptIns

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Fronts:
    """The dispatcher and the bots that speak through it. Without a Telegram token: no Telegram."""

    dispatcher: Dispatcher
    webchat: Bot
    telegram: Bot | None = None

    @property
    def bots(self) -> Mapping[str, Bot]:
        """By kind of identity; the identity's value is the chat id."""
        named = {WEBCHAT.kind: self.webchat}
        return named | ({TELEGRAM.kind: self.telegram} if self.telegram else {})

    async def close(self) -> None:
        """Close what talks to the outside; dialogues that are under way are finished by then."""
        await self.dispatcher.fsm.close()
        for bot in self.bots.values():
            await bot.session.close()


def build_dispatcher(
    programme: Programme,
    *,
    memory: DialogueMemory,
    send_code: SendCode,
    public_url: str = "",
    policy_url: str | None = None,
    opt_ins: OptIns | None = None,
    attention: Attention | None = None,
) -> Dispatcher:
    """The conversations on this programme.

    `send_code` gets (phone, code, language) and puts the code on its way. `public_url` is how the
    outside reaches this server: the live card's link is made of it, and left out when it is empty.
    `policy_url` is the full text of the consent to process personal data, when there is one.
    Without `opt_ins` nobody is asked for an e-mail address, without `attention` nothing is read.
    """
    desk = Desk(
        programme,
        send_code,
        public_url.rstrip("/"),
        policy_url,
        opt_ins=opt_ins,
        attention=attention,
    )
    dispatcher = Dispatcher(
        storage=memory.storage,
        events_isolation=memory.isolation,
        name="kapsula",
    )
    dispatcher.update.outer_middleware(WhoSpeaks(desk))
    dispatcher.callback_query.outer_middleware(AnswersClicks())
    dispatcher.include_router(_typing())
    most_asked_first = (
        *(points, card, codes, start, join, friends),
        *(survey, medicines, medicine_entries, settings, language, help_),
        *(leave, blocking),
    )
    for module in most_asked_first:
        dispatcher.include_router(module.router())
    for module in (friends, codes):
        dispatcher.include_router(module.entries())
    dispatcher.include_router(help_.last_resort())
    dispatcher.include_router(join.strangers())
    dispatcher.errors.register(_apologise)
    return dispatcher


def _typing() -> Router:
    """What is written while something is asked for: it may look like any question."""
    typing = Router(name="typing")
    typing.message.filter(_under_way)  # one question to most messages, instead of one a dialogue
    for module in (settings, survey, medicine_entries):
        typing.include_router(module.typing())
    return typing


async def _under_way(_message: Message, raw_state: str | None = None) -> bool:
    return raw_state is not None


async def _apologise(event: ErrorEvent) -> bool:
    """A bug or broken machinery: the log gets the trace, the customer one sentence."""
    log.error("dialogue_failed", update_id=event.update.update_id, exc_info=event.exception)
    happened = event.update.message or event.update.callback_query
    if happened is None or happened.from_user is None:
        return True
    text = gettext(
        supported(happened.from_user.language_code),
        "Something went wrong on our side. Please try again in a minute.",
    )
    try:
        if isinstance(happened, Message):
            await happened.answer(text)
        else:
            await happened.answer(text, show_alert=True)
    except Exception as error:
        log.warning("apology_failed", error=str(error))
    return True
