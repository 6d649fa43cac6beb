"""The card at the till: a picture that lives some minutes, a refresh button, the live page."""

import asyncio

from aiogram import Router
from aiogram.methods import EditMessageMedia, SendPhoto, TelegramMethod
from aiogram.types import BufferedInputFile, CallbackQuery, InputMediaPhoto, Message

from bot import keyboards
from bot.callbacks import CardRefresh
from bot.card_picture import card_picture, grouped
from bot.dialogues.members import Member
from bot.menu import Asks
from bot.refusal_texts import refusal_text
from bot.turns import Turn
from bot.words import _
from loyalty.cards import CardPicture
from loyalty.customers import CustomerView
from loyalty.refusals import Refusal


def router() -> Router:
    card = Router(name="card")
    card.message.register(show, Member(), Asks("card"))
    card.callback_query.register(refresh, Member(), CardRefresh.filter())
    return card


async def show(
    message: Message,
    customer: CustomerView,
    turn: Turn,
) -> SendPhoto | TelegramMethod[Message]:
    picture = await turn.desk.programme.cards.picture(customer.id)
    if isinstance(picture, Refusal):
        return message.answer(refusal_text(picture, turn.words))
    return message.answer_photo(
        await _file(picture),
        caption=_caption(picture, turn),
        reply_markup=keyboards.card(turn.desk.live_card_url(customer.id)),
    )


async def refresh(
    query: CallbackQuery,
    customer: CustomerView,
    turn: Turn,
    toast: list[str],
) -> EditMessageMedia | None:
    if not isinstance(query.message, Message):
        return None
    picture = await turn.desk.programme.cards.picture(customer.id)
    if isinstance(picture, Refusal):
        toast.append(refusal_text(picture, turn.words))
        return None
    toast.append(_("A new code is ready"))
    media = InputMediaPhoto(media=await _file(picture), caption=_caption(picture, turn))
    return query.message.edit_media(
        media, reply_markup=keyboards.card(turn.desk.live_card_url(customer.id))
    )


async def _file(picture: CardPicture) -> BufferedInputFile:
    """Drawn off the event loop: it takes some ten milliseconds."""
    content = await asyncio.to_thread(
        card_picture, picture.payload, picture.short_code, picture.card_number
    )
    return BufferedInputFile(content, "card.png")


def _caption(picture: CardPicture, turn: Turn) -> str:
    left_s = (picture.expires_at - turn.desk.programme.clock.now()).total_seconds()
    minutes = turn.words.several("{count} minute", "{count} minutes", max(1, round(left_s / 60)))
    lines = (
        _("Show this code at the till."),
        _("Or tell the cashier: {code}").format(code=f"<b>{grouped(picture.short_code, 3)}</b>"),
        _("Good for {minutes}, until {time}, for one purchase.").format(
            minutes=minutes, time=turn.words.time(picture.expires_at)
        ),
    )
    return "\n".join(lines)
