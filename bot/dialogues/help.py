"""What the bot can do, for everybody; and whatever nothing else understood."""

from aiogram import Router
from aiogram.methods import SendMessage
from aiogram.types import CallbackQuery, Message
from aiogram.utils.text_decorations import html_decoration

from bot import keyboards
from bot.dialogues.members import Member
from bot.menu import Asks
from bot.turns import Turn
from bot.words import _


def router() -> Router:
    answers = Router(name="help")
    answers.message.register(show, Asks("help"))
    return answers


def last_resort() -> Router:
    """Comes after all others."""
    rest = Router(name="last_resort")
    rest.message.register(not_understood, Member())
    rest.callback_query.register(button_gone)
    return rest


async def show(message: Message, turn: Turn) -> SendMessage:
    name = html_decoration.quote(turn.desk.programme.rules.name)
    lines = (
        _("This is the chat of «{programme}». Here is what I can do:").format(programme=name),
        _("/card — your card with its QR code: show it at the till"),
        _("/points — your points, when they expire, and why each was given"),
        _("/codes — your promo codes and how long they are good"),
        _("/medicines — what you take, how long it lasts, reminders before it runs out"),
        _("/friends — invite a friend: a gift for both of you"),
        _("/settings — what comes to you, where, how often; your language and e-mail"),
        _("/language — Russian or English"),
        _("/leave — forget you in this chat; the card and the points stay yours"),
        "",
        _("You can also just write what you need, in your own words."),
    )
    return message.answer("\n".join(lines))


async def not_understood(message: Message) -> SendMessage:
    return message.answer(
        _(
            "I did not quite get that. I know about your card, points and medicines: use the "
            "buttons below, or /help."
        ),
        reply_markup=keyboards.main_menu(),
    )


async def button_gone(query: CallbackQuery, toast: list[str]) -> None:
    toast.append(_("This button is no longer good."))
