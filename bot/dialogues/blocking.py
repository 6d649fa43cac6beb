"""She stops the bot, or starts it again: Telegram tells, and no answer is expected."""

from aiogram import Router
from aiogram.enums import ChatMemberStatus
from aiogram.types import ChatMemberUpdated

from bot.turns import Turn
from messaging.suppressions import Suppressed, lift, suppress


def router() -> Router:
    blocking = Router(name="blocking")
    blocking.my_chat_member.register(changed)
    return blocking


async def changed(event: ChatMemberUpdated, turn: Turn) -> None:
    """Write to a stopped chat no more, until she comes back."""
    kind, chat, now = turn.front.kind, str(event.chat.id), turn.desk.programme.clock.now()
    if event.new_chat_member.status == ChatMemberStatus.KICKED:
        await suppress([Suppressed(address_kind=kind, address=chat, reason="blocked")], at=now)
    elif event.new_chat_member.status == ChatMemberStatus.MEMBER:
        await lift(kind, chat, reason="blocked", at=now)
