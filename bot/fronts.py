"""The two fronts of one conversation, and the little in which they differ."""

from dataclasses import dataclass

from aiogram import Bot

from bot.webchat.session import WebchatSession


@dataclass(frozen=True, slots=True)
class Front:
    """Where a conversation is held. `kind` is also the kind of identity and the source of consents.

    `vouches_for_phone`: a contact shared by its own button is proof of the number. Elsewhere a code
    has to be sent.
    """

    kind: str
    vouches_for_phone: bool


TELEGRAM = Front("telegram", vouches_for_phone=True)
WEBCHAT = Front("webchat", vouches_for_phone=False)


def front_of(bot: Bot) -> Front:
    return WEBCHAT if isinstance(bot.session, WebchatSession) else TELEGRAM
