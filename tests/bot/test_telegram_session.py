"""The way to a Bot API server: JSON without files, a form with them, and models that stay."""

import gc
import weakref
from collections.abc import AsyncIterator
from io import BytesIO

import pytest
from aiogram import Bot
from aiogram.exceptions import TelegramForbiddenError, TelegramNetworkError
from aiogram.methods.base import Response
from aiogram.types import (
    BufferedInputFile,
    InlineKeyboardButton,
    InlineKeyboardMarkup,
    Message,
)
from PIL import Image

from bot.telegram import make_telegram_bot
from messaging.channels.http import NOT_WRITTEN
from tests.bot.bot_api import TOKEN, BotApi


@pytest.fixture
async def api() -> AsyncIterator[BotApi]:
    api = BotApi()
    await api.start()
    yield api
    await api.stop()


@pytest.fixture
async def bot(api: BotApi) -> AsyncIterator[Bot]:
    bot = make_telegram_bot(TOKEN, api.url)
    yield bot
    await bot.session.close()


async def test_a_call_without_files_goes_as_json(api: BotApi, bot: Bot) -> None:
    api.meet(7)
    keys = [[InlineKeyboardButton(text="Да", callback_data="yes")]]
    markup = InlineKeyboardMarkup(inline_keyboard=keys)
    sent = await bot.send_message(7, "<b>Здравствуйте</b>", reply_markup=markup)
    assert sent.chat.id == 7
    [(method, params)] = api.calls
    assert (method, params) == (
        "sendMessage",
        {
            "chat_id": 7,  # a number, as in no form
            "text": "<b>Здравствуйте</b>",
            "parse_mode": "HTML",
            "reply_markup": {"inline_keyboard": [[{"text": "Да", "callback_data": "yes"}]]},
        },
    )


async def test_a_call_with_files_goes_as_a_form(api: BotApi, bot: Bot) -> None:
    api.meet(7)
    png = BytesIO()
    Image.new("1", (8, 8)).save(png, "PNG")
    await bot.send_photo(7, BufferedInputFile(png.getvalue(), "card.png"), caption="Карта")
    [(method, params)] = api.calls
    assert (method, params["chat_id"], params["caption"]) == ("sendPhoto", "7", "Карта")


async def test_a_refusal_is_aiograms(api: BotApi, bot: Bot) -> None:
    api.meet(7).blocked = True
    with pytest.raises(TelegramForbiddenError, match="blocked by the user"):
        await bot.send_message(7, "?")


async def test_a_broken_line_tells_whether_the_request_was_written(api: BotApi, bot: Bot) -> None:
    await api.stop()
    with pytest.raises(TelegramNetworkError) as raised:
        await bot.get_me()
    assert isinstance(raised.value.__cause__, NOT_WRITTEN)
    await api.start()


async def test_a_server_that_ponders_is_a_network_error(api: BotApi, bot: Bot) -> None:
    with pytest.raises(TelegramNetworkError, match="timeout"):
        await bot.get_updates(timeout=30, request_timeout=0.1)  # type: ignore[arg-type]


async def test_the_model_of_an_answer_outlives_the_answers(api: BotApi, bot: Bot) -> None:
    """Pydantic remembers it weakly, and to build it anew would stop all chats for a second."""
    api.meet(7)
    await bot.send_message(7, "1")
    kept = weakref.ref(Response[Message])
    for _ in range(3):
        gc.collect()
    assert kept() is Response[Message]


async def test_a_session_is_closed_and_opened_again(api: BotApi, bot: Bot) -> None:
    await bot.get_me()
    await bot.session.close()
    assert (await bot.get_me()).is_bot
