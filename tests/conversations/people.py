"""Short ways to a customer who has joined, for conversations about something else."""

from collections.abc import Mapping
from typing import Any

from loyalty.customers import CustomerView
from loyalty.database import query
from messaging.channels.base import Outgoing, Sent
from messaging.channels.messenger import MessengerChannel
from messaging.templates import Reader, render
from tests.conversations.stage import Chat

PHONE = "+79001234567"
MENU_RU = [
    *("💳 Моя карта", "💎 Мои бонусы"),
    *("🎟️ Промокоды", "🎁 Для друзей"),
    *("💊 Лекарства", "⚙️ Настройки"),
]
MENU_EN = [
    *("💳 My card", "💎 My points"),
    *("🎟️ Promo codes", "🎁 For friends"),
    *("💊 Medicines", "⚙️ Settings"),
]


async def join(chat: Chat, phone: str = PHONE) -> CustomerView:
    await chat.send("/start")
    await chat.click("Русский")
    await chat.click("Даю согласие")
    await chat.click("Да, присылайте")
    await chat.share_contact(phone)
    customer = await chat.stage.programme.customers.by_identity("phone", phone)
    assert customer is not None
    return customer


async def receives(chat: Chat, template: str, context: Mapping[str, Any]) -> None:
    """A message of this template comes to her chat, by the channel that sends them all."""
    stage = chat.stage
    [[address]] = await query(
        "SELECT value FROM identity WHERE kind = $1 AND ended_at IS NULL", None, chat.front
    )
    channel = MessengerChannel({"telegram": stage.telegram, "webchat": stage.webchat})
    outgoing = Outgoing(
        message_id=1,
        attempt_id=1,
        address_kind=chat.front,
        address=address,
        body=render(template, context, Reader("ru")),
    )
    await chat.watch(_sent(channel, outgoing))


async def _sent(channel: MessengerChannel, outgoing: Outgoing) -> None:
    assert isinstance(await channel.send(outgoing), Sent)
