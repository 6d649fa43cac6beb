"""The language of the conversation, for a customer and for somebody who is just joining."""

from dataclasses import replace
from typing import Any

from aiogram import Bot, Router
from aiogram.methods import SendMessage, TelegramMethod
from aiogram.types import CallbackQuery, Message

from bot import keyboards
from bot.callbacks import LanguageChoice
from bot.dialogues import join
from bot.menu import Asks
from bot.turns import Turn
from bot.webchat.session import WebchatSession
from bot.words import _, speaking
from loyalty.customers import CustomerView


def router() -> Router:
    language = Router(name="language")
    language.message.register(offer, Asks("language"))
    language.callback_query.register(chosen, LanguageChoice.filter())
    return language


async def offer(message: Message) -> SendMessage:
    return message.answer(
        "Выберите язык · Choose your language", reply_markup=keyboards.languages()
    )


async def chosen(
    query: CallbackQuery,
    callback_data: LanguageChoice,
    turn: Turn,
    customer: CustomerView | None,
    *,
    bot: Bot,
) -> TelegramMethod[Any] | None:
    if not isinstance(query.message, Message):
        return None
    language = callback_data.language
    await query.message.edit_reply_markup(reply_markup=None)
    if isinstance(bot.session, WebchatSession):
        await bot.session.transcript.set_language(query.message.chat.id, language)
    with speaking(language):
        if customer is not None:
            await turn.desk.programme.customers.set_language(customer.id, language)
            return query.message.answer(
                _("From now on I speak English."), reply_markup=keyboards.main_menu()
            )
        await turn.state.update_data(language=language)
        turn = replace(turn, words=replace(turn.words, language=language))
        if turn.step is None:
            return await join.ask_consent(query.message, turn)
        return await join.ask_again(query.message, turn)
