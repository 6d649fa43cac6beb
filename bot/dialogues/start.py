"""`/start`: a greeting for who is known, the first question for who is not."""

from aiogram import Router
from aiogram.filters import CommandStart
from aiogram.methods import TelegramMethod
from aiogram.types import Message
from aiogram.utils.text_decorations import html_decoration

from bot import keyboards
from bot.arrivals import payload_of
from bot.dialogues import join
from bot.dialogues.arriving import arrive
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
    address: str = "",
) -> TelegramMethod[Message]:
    await turn.state.clear()
    payload = payload_of(message.text)
    if customer is None:
        if payload:
            await turn.state.update_data(start=payload)  # what the link brought waits for her
        return join.ask_language(message, turn)
    brought = await arrive(payload, customer, turn, address)
    if brought:
        return message.answer(brought, reply_markup=keyboards.main_menu())
    name = html_decoration.quote(customer.name)
    text = _("Good to see you again, {name}!") if name else _("Good to see you again!")
    return message.answer(
        text.format(name=name) + "\n" + _("What shall I show you?"),
        reply_markup=keyboards.main_menu(),
    )
