"""Leaving: this chat forgets her; the card, the points and her other chats stay as they are."""

from typing import Any

from aiogram import Router
from aiogram.methods import SendMessage, TelegramMethod
from aiogram.types import CallbackQuery, Message, ReplyKeyboardRemove

from bot import keyboards
from bot.callbacks import LeaveAnswer
from bot.dialogues.members import Member
from bot.menu import Asks
from bot.turns import Turn
from bot.words import _


def router() -> Router:
    leave = Router(name="leave")
    leave.message.register(ask, Member(), Asks("leave"))
    leave.callback_query.register(answered, Member(), LeaveAnswer.filter())
    return leave


async def ask(message: Message) -> SendMessage:
    return message.answer(
        _(
            "Shall this chat forget you? Your card and points stay yours: "
            "join again with the same number, and they are here again."
        ),
        reply_markup=keyboards.leave(),
    )


async def answered(
    query: CallbackQuery,
    callback_data: LeaveAnswer,
    turn: Turn,
) -> TelegramMethod[Any] | None:
    if not isinstance(query.message, Message):
        return None
    if not callback_data.sure:
        return query.message.edit_text(_("Good, everything stays as it is."))
    await turn.desk.programme.customers.leave_front(turn.front.kind, str(query.from_user.id))
    await turn.state.clear()
    await query.message.edit_reply_markup(reply_markup=None)
    return query.message.answer(
        _("Done: this chat no longer knows you. Send /start to come back."),
        reply_markup=ReplyKeyboardRemove(),
    )
