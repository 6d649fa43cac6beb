"""Telegram in memory: what stands on a telephone, and what a stopped bot is answered."""

from datetime import UTC, datetime

import pytest
from aiogram import Dispatcher
from aiogram.exceptions import TelegramBadRequest, TelegramForbiddenError
from aiogram.types import InlineKeyboardButton, InlineKeyboardMarkup

from bot.rehearsal import KEPT, Telephone, Telephones
from loyalty.clock import VirtualClock
from messaging.channels.base import Failed, Outgoing, Sent
from messaging.channels.messenger import MessengerChannel
from messaging.templates import Body

ANNA = 700_000_001
BUTTONS = InlineKeyboardMarkup(
    inline_keyboard=[[InlineKeyboardButton(text="5", callback_data="s:5")]]
)


@pytest.fixture
def telephones() -> Telephones:
    made = Telephones(VirtualClock(datetime(2027, 6, 1, tzinfo=UTC)))
    made.dispatcher = Dispatcher()
    return made


@pytest.fixture
def phone(telephones: Telephones) -> Telephone:
    return telephones.meet(ANNA, "Анна", "ru")


def _outgoing(text: str = "Здравствуйте!") -> Outgoing:
    return Outgoing(
        message_id=1, attempt_id=2, address_kind="telegram", address=str(ANNA), body=Body(text)
    )


async def test_a_mailing_is_told_from_a_reply(telephones: Telephones, phone: Telephone) -> None:
    await telephones.bot.send_message(ANNA, "ответ")
    sent = await MessengerChannel({"telegram": telephones.bot}).send(_outgoing())
    assert isinstance(sent, Sent)
    assert [mailed.message["text"] for mailed in telephones.mailed] == ["Здравствуйте!"]
    assert [str(mailed.number) for mailed in telephones.mailed] == [sent.provider_id]
    assert [message["text"] for message in phone.shown()] == ["Здравствуйте!", "ответ"]


async def test_a_stopped_bot_reaches_nobody_until_it_is_started(
    telephones: Telephones, phone: Telephone
) -> None:
    channel = MessengerChannel({"telegram": telephones.bot})
    await telephones.block(ANNA, stops=True)
    refused = await channel.send(_outgoing())
    assert isinstance(refused, Failed)
    assert (refused.reason, refused.permanent) == ("blocked", True)
    with pytest.raises(TelegramForbiddenError):
        await telephones.bot.send_message(ANNA, "ответ")
    await telephones.block(ANNA, stops=False)
    assert isinstance(await channel.send(_outgoing()), Sent)


async def test_an_edit_takes_the_place_of_what_stood_there(
    telephones: Telephones, phone: Telephone
) -> None:
    sent = await telephones.bot.send_message(ANNA, "сколько?", reply_markup=BUTTONS)
    await telephones.bot.edit_message_text("пять", chat_id=ANNA, message_id=sent.message_id)
    [message] = phone.shown()
    assert message["text"] == "пять"
    assert "reply_markup" not in message
    with pytest.raises(TelegramBadRequest):
        await telephones.bot.edit_message_text("?", chat_id=ANNA, message_id=sent.message_id + 9)


async def test_who_was_never_met_has_no_telephone(telephones: Telephones) -> None:
    with pytest.raises(TelegramBadRequest):
        await telephones.bot.send_message(ANNA, "есть кто?")


async def test_a_telephone_keeps_the_last_messages(
    telephones: Telephones, phone: Telephone
) -> None:
    for number in range(KEPT + 5):
        await telephones.bot.send_message(ANNA, f"{number}")
    assert len(phone.messages) == KEPT
    assert next(phone.shown())["text"] == str(KEPT + 4)
