"""The web chat as a Bot: what it can do, and what it refuses in the words of the Bot API."""

from collections.abc import AsyncIterator
from io import BytesIO

import pytest
from aiogram import Bot
from aiogram.exceptions import TelegramBadRequest, TelegramForbiddenError
from aiogram.methods import SendDice, SendMessage
from aiogram.types import (
    BufferedInputFile,
    ForceReply,
    InlineKeyboardButton,
    InlineKeyboardMarkup,
    InputMediaPhoto,
    KeyboardButton,
    ReplyKeyboardMarkup,
    ReplyKeyboardRemove,
    WebAppInfo,
)
from PIL import Image

from bot.webchat.fanout import LocalFanout
from bot.webchat.session import WebchatSession, make_webchat_bot
from bot.webchat.transcript import Transcript
from loyalty.clock import VirtualClock


@pytest.fixture
async def bot(db: str, clock: VirtualClock) -> AsyncIterator[Bot]:
    bot = make_webchat_bot(Transcript(clock), LocalFanout())
    yield bot
    await bot.session.close()


@pytest.fixture
async def thread(bot: Bot) -> int:
    made, _ = await bot.session.transcript.open_thread("ru")  # type: ignore[attr-defined]
    return int(made.id)


def png(side: int = 8) -> BufferedInputFile:
    out = BytesIO()
    Image.new("RGB", (side, side), "white").save(out, "PNG")
    return BufferedInputFile(out.getvalue(), "x.png")


def one_button(**button: object) -> InlineKeyboardMarkup:
    made = InlineKeyboardButton.model_validate({"text": "x", **button})
    return InlineKeyboardMarkup(inline_keyboard=[[made]])


async def test_a_message_is_edited_and_deleted(bot: Bot, thread: int) -> None:
    sent = await bot.send_message(thread, "<b>a</b>", reply_markup=one_button(callback_data="1"))
    assert sent.html_text == "<b>a</b>"
    edited = await bot.edit_message_text("b", chat_id=thread, message_id=sent.message_id)
    assert not isinstance(edited, bool)
    assert (edited.text, edited.reply_markup) == ("b", None)
    with pytest.raises(TelegramBadRequest, match="not modified"):
        await bot.edit_message_text("b", chat_id=thread, message_id=sent.message_id)
    assert await bot.delete_message(thread, sent.message_id)
    with pytest.raises(TelegramBadRequest, match="not found"):
        await bot.delete_message(thread, sent.message_id)


async def test_a_picture_is_sent_changed_and_downloaded(bot: Bot, thread: int) -> None:
    sent = await bot.send_photo(thread, png(8), caption="one")
    assert sent.photo
    assert (sent.photo[0].width, sent.caption) == (8, "one")
    media = InputMediaPhoto(media=png(16), caption="two")
    changed = await bot.edit_message_media(media, chat_id=thread, message_id=sent.message_id)
    assert not isinstance(changed, bool)
    assert changed.photo
    assert (changed.photo[0].width, changed.caption) == (16, "two")
    content = await bot.download(changed.photo[0].file_id)
    assert content
    assert content.read() == png(16).data
    again = await bot.send_photo(thread, changed.photo[0].file_id)
    assert again.photo == changed.photo


async def test_numbers_of_messages_outlive_a_restart(
    bot: Bot, thread: int, clock: VirtualClock
) -> None:
    first = await bot.send_message(thread, "a")
    after = make_webchat_bot(Transcript(clock), LocalFanout())
    second = await after.send_message(thread, "b")
    assert second.message_id == first.message_id + 1


async def test_what_it_refuses(bot: Bot, thread: int) -> None:
    refused = [
        bot.send_message(thread, " "),
        bot.send_message(thread, "<x>"),
        bot.send_message(thread, "a", parse_mode="MarkdownV2"),
        bot.send_message(thread, "x" * 4097),
        bot.send_message("@channel", "x"),
        bot.send_photo(thread, png(), caption="x" * 1025),
        bot.send_photo(thread, "https://x.ru/a.png"),
        bot.send_photo(thread, BufferedInputFile(b"<svg/>", "x.svg")),
        bot.send_photo(thread, png(5000)),
        bot.send_message(thread, "x", reply_markup=one_button(url="javascript:alert(1)")),
        bot.send_message(thread, "x", reply_markup=one_button(callback_data="я" * 33)),
        bot.send_message(
            thread, "x", reply_markup=one_button(web_app=WebAppInfo(url="https://x.ru"))
        ),
        bot.send_message(
            thread,
            "x",
            reply_markup=ReplyKeyboardMarkup(
                keyboard=[[KeyboardButton(text="x", request_contact=True)]]
            ),
        ),
        bot.send_dice(thread),
        bot.get_chat_member_count(thread),
        bot.edit_message_text("x", chat_id=thread, message_id=99),
        bot.answer_callback_query("nonsense"),
    ]
    for call in refused:
        with pytest.raises(TelegramBadRequest):
            await call
    with pytest.raises(TelegramForbiddenError):
        await bot.send_message(12345, "there is no such thread")


async def test_the_reply_keyboard_stands_until_it_is_taken_away(bot: Bot, thread: int) -> None:
    async def keyboard() -> str:
        row = await bot.session.transcript.thread(thread)  # type: ignore[attr-defined]
        return str(row.keyboard)

    rows = [[KeyboardButton(text="a")]]
    await bot.send_message(thread, "x", reply_markup=ReplyKeyboardMarkup(keyboard=rows))
    await bot.send_message(thread, "y")
    assert await keyboard() == '{"rows":[["a"]]}'
    await bot.send_message(thread, "z", reply_markup=ForceReply(input_field_placeholder="+7"))
    assert await keyboard() == '{"rows":[],"hint":"+7"}'
    await bot.send_message(thread, "z", reply_markup=ReplyKeyboardRemove())
    assert await keyboard() == ""


async def test_an_answer_that_cannot_be_sent_is_logged(
    bot: Bot, thread: int, capsys: pytest.CaptureFixture[str]
) -> None:
    session = bot.session
    assert isinstance(session, WebchatSession)
    await session.answer(bot, SendMessage(chat_id=thread, text="<b>hello</b>"))
    await session.answer(bot, SendDice(chat_id=thread))
    await session.answer(bot, SendMessage(chat_id=thread + 1, text="hello"))
    [row], _ = await session.transcript.latest(thread, limit=9)
    assert row.body["text"] == "hello"
    assert capsys.readouterr().out.count("webchat_refused") == 2
