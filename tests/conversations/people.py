"""Short ways to a customer who has joined, for conversations about something else."""

import asyncio
from collections.abc import Mapping
from typing import Any

from aiogram.types import InlineKeyboardButton, InlineKeyboardMarkup

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


async def _address(chat: Chat) -> str:
    [[address]] = await query(
        "SELECT value FROM identity WHERE kind = $1 AND ended_at IS NULL", None, chat.front
    )
    return str(address)


async def presses(chat: Chat, data: str) -> None:
    """A button that carries this stands in her chat, wherever it comes from, and she presses it."""
    bot = {"telegram": chat.stage.telegram, "webchat": chat.stage.webchat}[chat.front]
    button = InlineKeyboardButton(text="👉", callback_data=data)
    markup = InlineKeyboardMarkup(inline_keyboard=[[button]])
    await bot.send_message(int(await _address(chat)), "?", reply_markup=markup)
    await chat.watch(asyncio.sleep(0))
    await chat.click("👉")


async def receives(chat: Chat, template: str, context: Mapping[str, Any]) -> None:
    """A message of this template comes to her chat, by the channel that sends them all."""
    stage, address = chat.stage, await _address(chat)
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
