"""`/start`: a greeting for who is known, the first question for who is not."""

from aiogram import Router
from aiogram.filters import CommandStart
from aiogram.methods import TelegramMethod
from aiogram.types import Message
from aiogram.utils.text_decorations import html_decoration

from bot import keyboards
from bot.dialogues import join
from bot.turns import Turn
from bot.words import _
from loyalty.customers import CustomerView


def router() -> Router:
    start = Router(name="start")
    start.message.register(greet, CommandStart())
    return start


async def greet(
    message: Message,
    customer: CustomerView | None,
    turn: Turn,
) -> TelegramMethod[Message]:
    await turn.state.clear()
    if customer is None:
        return join.ask_language(message, turn)
    name = html_decoration.quote(customer.name)
    text = _("Good to see you again, {name}!") if name else _("Good to see you again!")
    return message.answer(
        text.format(name=name) + "\n" + _("What shall I show you?"),
        reply_markup=keyboards.main_menu(),
    )
