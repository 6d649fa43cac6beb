"""Updates of the Bot API made of what a visitor says, fed to the same dispatcher as Telegram's."""

from typing import Any, cast

from aiogram import Bot, Dispatcher
from aiogram.methods import TelegramMethod
from aiogram.types import Update

from bot.webchat.session import WebchatSession, api_chat, api_message, api_visitor
from bot.webchat.transcript import Row, Thread
from loyalty.ids import next_id


def text_update(thread: Thread, row: Row) -> dict[str, Any]:
    visitor = api_visitor(thread.id, thread.language)
    return {"update_id": next_id(), "message": api_message(thread.id, row, visitor)}


def start_update(thread: Thread, payload: str, at: int) -> dict[str, Any]:
    """The `/start` that Telegram's client sends by its button; nobody has typed it."""
    return {
        "update_id": next_id(),
        "message": {
            "message_id": 0,
            "date": at,
            "chat": api_chat(thread.id),
            "from": api_visitor(thread.id, thread.language),
            "text": f"/start {payload}".strip(),
        },
    }


def click_update(thread: Thread, row: Row, click_id: str, data: str) -> dict[str, Any]:
    return {
        "update_id": next_id(),
        "callback_query": {
            "id": f"{thread.id}-{click_id}",
            "from": api_visitor(thread.id, thread.language),
            "chat_instance": str(thread.id),
            "message": api_message(thread.id, row),
            "data": data,
        },
    }


async def feed(
    dispatcher: Dispatcher, bot: Bot, update: dict[str, Any], *, address: str = ""
) -> None:
    """Have an update handled; a method that the handler returns is its answer.

    `bot` is the one made by `make_webchat_bot`; `address` is where the visitor speaks from.
    """
    parsed = Update.model_validate(update, context={"bot": bot})
    answer = await dispatcher.feed_update(bot, parsed, address=address)
    if isinstance(answer, TelegramMethod):
        await cast(WebchatSession, bot.session).answer(bot, answer)
