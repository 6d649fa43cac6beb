"""Settings: what comes to her, where, how often, at which hours; her language and e-mail.

One message that changes in place. What she chooses is kept by `messaging.preferences`, the same
verbs as on the page behind the links of mails.
"""

from typing import Any

from aiogram import F, Router
from aiogram.dispatcher.event.bases import SkipHandler
from aiogram.filters import StateFilter
from aiogram.methods import EditMessageText, SendMessage, TelegramMethod
from aiogram.types import CallbackQuery, Message
from aiogram.utils.text_decorations import html_decoration

from bot import keyboards, settings_pages
from bot.callbacks import (
    AdvertisingChoice,
    ChannelChoice,
    MedicineNames,
    OftenChoice,
    QuietChoice,
    SettingsPage,
    SurveyChoice,
)
from bot.dialogues.members import Member
from bot.menu import Asks, topic_of
from bot.refusal_texts import refusal_text
from bot.states import Settings
from bot.turns import Turn
from bot.words import _
from loyalty.customers import CustomerView
from loyalty.refusals import No, Refusal
from messaging import preferences
from messaging.optin import Asked
from messaging.preferences import Preferences, Said

WORDING = "settings-2026-11"
"""Version of what the pages say: consents name what was read."""

LETTER_SOON_S = 60
"""A wait that is longer than this is that of the day."""


def router() -> Router:
    settings = Router(name="settings")
    settings.message.register(show, Member(), Asks("settings"))
    settings.callback_query.register(turn_to, Member(), SettingsPage.filter())
    settings.callback_query.register(choose_advertising, Member(), AdvertisingChoice.filter())
    settings.callback_query.register(choose_channel, Member(), ChannelChoice.filter())
    settings.callback_query.register(choose_surveys, Member(), SurveyChoice.filter())
    settings.callback_query.register(
        choose_names, Member(), MedicineNames.filter(F.page == "topics")
    )
    settings.callback_query.register(choose_often, Member(), OftenChoice.filter())
    settings.callback_query.register(choose_quiet, Member(), QuietChoice.filter())
    return settings


def typing() -> Router:
    """What she writes while an e-mail address is expected: before all others."""
    rest = Router(name="settings_typing")
    rest.message.register(email_typed, StateFilter(Settings.email), Member())
    return rest


async def show(message: Message, customer: CustomerView, turn: Turn) -> SendMessage:
    hers = await _hers(customer)
    text, markup = settings_pages.page("main", hers, turn)
    return message.answer(text, reply_markup=markup)


async def turn_to(
    query: CallbackQuery, callback_data: SettingsPage, customer: CustomerView, turn: Turn
) -> TelegramMethod[Any] | None:
    if not isinstance(query.message, Message):
        return None
    if callback_data.page == "type_email":
        return await _ask_email(query.message, turn)
    return await _edit(query.message, callback_data.page, customer, turn)


# choices


async def choose_advertising(
    query: CallbackQuery,
    callback_data: AdvertisingChoice,
    customer: CustomerView,
    turn: Turn,
    toast: list[str],
) -> EditMessageText | None:
    if callback_data.wanted:
        news = await preferences.resume_advertising(customer.id, _said(turn))
        toast.append(_("Offers and discounts come again."))
    else:
        news = await preferences.stop_advertising(customer.id, _said(turn))
        toast.append(_("No more advertising, from this moment on."))
    return await _changed(query, "main", customer, turn, news=news)


async def choose_channel(
    query: CallbackQuery, callback_data: ChannelChoice, customer: CustomerView, turn: Turn
) -> EditMessageText | None:
    news = await preferences.set_channel(
        customer.id, callback_data.channel, callback_data.wanted, _said(turn)
    )
    return await _changed(query, "channels", customer, turn, news=news)


async def choose_surveys(
    query: CallbackQuery, callback_data: SurveyChoice, customer: CustomerView, turn: Turn
) -> EditMessageText | None:
    news = (await _hers(customer)).surveys != callback_data.wanted
    await preferences.set_surveys(customer.id, callback_data.wanted, _said(turn).at)
    return await _changed(query, "topics", customer, turn, news=news)


async def choose_names(
    query: CallbackQuery, callback_data: MedicineNames, customer: CustomerView, turn: Turn
) -> EditMessageText | None:
    news = (await _hers(customer)).medicine_names != callback_data.shown
    await preferences.set_medicine_names(customer.id, callback_data.shown, _said(turn).at)
    return await _changed(query, "topics", customer, turn, news=news)


async def choose_often(
    query: CallbackQuery, callback_data: OftenChoice, customer: CustomerView, turn: Turn
) -> EditMessageText | None:
    most = callback_data.most or None
    if most is not None and most not in preferences.WEEKLY_MAX:
        return None
    news = (await _hers(customer)).weekly_max != most
    await preferences.set_weekly_max(customer.id, most, _said(turn).at)
    return await _changed(query, "often", customer, turn, news=news)


async def choose_quiet(
    query: CallbackQuery, callback_data: QuietChoice, customer: CustomerView, turn: Turn
) -> EditMessageText | None:
    quiet = None if callback_data.begin < 0 else (callback_data.begin, callback_data.end)
    if quiet is not None and not all(0 <= minute < preferences.DAY_MINUTES for minute in quiet):
        return None
    news = (await _hers(customer)).quiet != quiet
    await preferences.set_quiet(customer.id, quiet, _said(turn).at)
    return await _changed(query, "quiet", customer, turn, news=news)


# the e-mail address


async def _ask_email(message: Message, turn: Turn) -> SendMessage:
    await turn.state.set_state(Settings.email)
    return message.answer(
        _("Write your e-mail address. We will send a letter there, with a button to confirm it."),
        reply_markup=keyboards.type_email(),
    )


async def email_typed(
    message: Message, customer: CustomerView, turn: Turn
) -> TelegramMethod[Message]:
    """An address, or she has something else in mind by now: then that is answered."""
    text = (message.text or "").strip()
    if text in keyboards.cancel_labels():
        await turn.state.clear()
        return message.answer(
            _("Good, everything stays as it is."), reply_markup=keyboards.main_menu()
        )
    if turn.desk.opt_ins is None or ("@" not in text and (text[:1] == "/" or topic_of(text))):
        await turn.state.clear()
        raise SkipHandler
    asked = await turn.desk.opt_ins.ask(customer.id, text, turn.words.language)
    if isinstance(asked, Refusal) and asked.code == No.INVALID_EMAIL:
        return message.answer(refusal_text(asked, turn.words), reply_markup=keyboards.type_email())
    await turn.state.clear()
    return message.answer(_asked_words(asked, turn), reply_markup=keyboards.main_menu())


def _asked_words(asked: Asked | Refusal, turn: Turn) -> str:
    if isinstance(asked, Refusal):
        wait_s = int(asked.data.get("wait_s", 0))
        if wait_s > LETTER_SOON_S:
            return _("We have sent enough letters there for today. Please ask again tomorrow.")
        return _(
            "A letter has just gone there: please look among the spam, too. "
            "Another one can be sent in a minute."
        )
    address = f"<b>{html_decoration.quote(asked.address)}</b>"
    if asked.confirmed:
        return _("{address} is yours and confirmed already.").format(address=address)
    return _(
        "A letter is on its way to {address}. Open it and press the button: that confirms the "
        "address."
    ).format(address=address)


# the rest


async def _hers(customer: CustomerView) -> Preferences:
    found = await preferences.preferences_of(customer.id)
    assert found is not None, "the middleware has just found her"
    return found


def _said(turn: Turn) -> Said:
    return Said(turn.front.kind, turn.desk.programme.clock.now(), WORDING)


async def _changed(
    query: CallbackQuery, page: str, customer: CustomerView, turn: Turn, *, news: bool
) -> EditMessageText | None:
    """The page anew; one that has not changed is left alone, as Telegram wants it."""
    if not news or not isinstance(query.message, Message):
        return None
    return await _edit(query.message, page, customer, turn)


async def _edit(message: Message, page: str, customer: CustomerView, turn: Turn) -> EditMessageText:
    text, markup = settings_pages.page(page, await _hers(customer), turn)
    return message.edit_text(text, reply_markup=markup)
