"""Promo codes: those she has with the time left, and entering one, also by a link."""

from aiogram import F, Router
from aiogram.filters import StateFilter
from aiogram.methods import SendMessage
from aiogram.types import CallbackQuery, Message

from bot import keyboards
from bot.callbacks import EnterCode
from bot.dialogues.members import Member
from bot.dialogues.promo_words import described
from bot.menu import Asks
from bot.refusal_texts import refusal_text
from bot.states import Codes
from bot.turns import Turn
from bot.words import _
from loyalty.customers import CustomerView
from loyalty.refusals import Refusal
from loyalty.rules.promo_codes import is_own_code


def router() -> Router:
    codes = Router(name="codes")
    codes.message.register(show, Member(), Asks("codes"))
    codes.callback_query.register(ask, Member(), EnterCode.filter(F.what == "promo"))
    return codes


def entries() -> Router:
    """What she types as a code; comes after all topics, so that a menu button is no code."""
    typed = Router(name="codes typed")
    typed.message.register(entered, Member(), StateFilter(Codes.entry), F.text)
    typed.message.register(entered, Member(), F.text.func(is_own_code))
    return typed


async def show(message: Message, customer: CustomerView, turn: Turn) -> SendMessage:
    promo, now = turn.desk.programme.promo, turn.desk.programme.clock.now()
    codes = await promo.codes_of(customer.id)
    if not codes:
        return message.answer(
            _("You have no promo codes now. If somebody has given you one, enter it here."),
            reply_markup=keyboards.enter_code(),
        )
    head = _("Your promo codes. The cashier sees them with your card.")
    shown = [described(code, turn.words, now) for code in codes]
    return message.answer("\n\n".join([head, *shown]), reply_markup=keyboards.enter_code())


async def ask(query: CallbackQuery, turn: Turn) -> SendMessage | None:
    if not isinstance(query.message, Message):
        return None
    await turn.state.set_state(Codes.entry)
    return query.message.answer(_("Write the promo code."))


async def entered(
    message: Message, customer: CustomerView, turn: Turn, address: str = ""
) -> SendMessage:
    await turn.state.clear()
    text = await take(message.text or "", customer, turn, address)
    return message.answer(text, reply_markup=keyboards.enter_code())


async def take(text: str, customer: CustomerView, turn: Turn, address: str) -> str:
    """Put a code among hers; what came of it, in words."""
    programme = turn.desk.programme
    device = f"{turn.front.kind}:{turn.speaker}"
    code = await programme.promo.enter(customer.id, text, device=device, address=address)
    if isinstance(code, Refusal):
        return refusal_text(code, turn.words)
    head = _("The promo code is yours! Say at the till that you would like to use it.")
    return f"{head}\n\n{described(code, turn.words, programme.clock.now())}"
