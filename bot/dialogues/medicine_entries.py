"""Medicines: adding one step by step, and figures that are typed.

The place in the conversation and the draft are kept with the dialogue; what is wrong with a figure
is said by `loyalty.rules.refill`.
"""

from collections.abc import Mapping
from typing import Any

from aiogram import F, Router
from aiogram.dispatcher.event.bases import SkipHandler
from aiogram.filters import StateFilter
from aiogram.methods import TelegramMethod
from aiogram.types import CallbackQuery, Message

from bot import medicine_pages as pages
from bot.amounts import amount_milli, dose_milli
from bot.callbacks import MedicineChoice, MedicineDose
from bot.dialogues.members import Member
from bot.menu import is_button, topic_of
from bot.refusal_texts import refusal_text
from bot.states import Medicines
from bot.turns import Turn
from bot.words import _
from loyalty.catalogue import catalogued, search
from loyalty.courses import CourseView
from loyalty.customers import CustomerView
from loyalty.refills import Refills
from loyalty.refusals import No, Refusal
from loyalty.rules.refill import MILLI, NAME_LENGTH_MAX, check_course

Answer = TelegramMethod[Any] | None


def router() -> Router:
    entries = Router(name="medicine_entries")
    entries.callback_query.register(dose_chosen, Member(), MedicineDose.filter(F.course == 0))
    entries.callback_query.register(step_chosen, Member(), MedicineChoice.filter())
    return entries


def typing() -> Router:
    """What she types while a name or a number is asked for: a name may look like any question."""
    typed = Router(name="medicines_typing")
    typed.message.register(written, StateFilter(Medicines), Member())
    return typed


def _refills(turn: Turn) -> Refills:
    return turn.desk.programme.refills


async def dose_chosen(
    query: CallbackQuery, callback_data: MedicineDose, turn: Turn, toast: list[str]
) -> Answer:
    """The dose of the one that is being added."""
    if turn.step != Medicines.dose.state or not isinstance(query.message, Message):
        toast.append(_("This button is no longer good."))
        return None
    return await _dose_told(query.message, callback_data.milli, turn)


async def step_chosen(
    query: CallbackQuery,
    callback_data: MedicineChoice,
    customer: CustomerView,
    turn: Turn,
    toast: list[str],
) -> Answer:
    """A button of a step; one of a step that has gone by is no longer good."""
    expected = {"found": Medicines.name, "pack": Medicines.pack, "stock": Medicines.stock}
    draft = await turn.state.get_data()
    step, value = callback_data.step, callback_data.value
    is_late = turn.step != expected[step].state
    if is_late or not isinstance(query.message, Message) or "name" not in draft:
        toast.append(_("This button is no longer good."))
        return None
    if step == "found":
        return await _found_told(query.message, value, draft, turn)
    if step == "pack":
        return await _pack_told(query.message, value, turn)
    return await _stock_told(query.message, value * MILLI, customer, draft, turn)


async def written(message: Message, customer: CustomerView, turn: Turn) -> Answer:
    """A name or a number; or a button of the menu, a command: then that is answered."""
    text = " ".join((message.text or "").split())
    if not text or is_button(text):
        await turn.state.clear()
        raise SkipHandler
    draft = await turn.state.get_data()
    if turn.step == Medicines.name.state:
        return await _name_told(message, text, turn)
    amount = dose_milli(text) if turn.step in _DOSES else amount_milli(text)
    if amount is None and topic_of(text):
        await turn.state.clear()
        raise SkipHandler
    if amount is None:
        return message.answer(_("Please write a number, for example 30 or 1.5."))
    if turn.step == Medicines.pack.state:
        return await _pack_told(message, amount // MILLI, turn)
    if turn.step == Medicines.dose.state:
        return await _dose_told(message, amount, turn)
    if turn.step == Medicines.stock.state:
        return await _stock_told(message, amount, customer, draft, turn)
    return await _new_figure(message, amount, customer, int(draft.get("course", 0)), turn)


_DOSES = (Medicines.dose.state, Medicines.new_dose.state)


async def _name_told(message: Message, text: str, turn: Turn) -> Answer:
    if len(text) > NAME_LENGTH_MAX:
        return message.answer(refusal_text(Refusal(No.INVALID_COURSE), turn.words))
    found = await search(text)
    await turn.state.set_data({"name": text, "found": [each.sku for each in found]})
    if not found:
        await turn.state.set_state(Medicines.pack)
        page, markup = pages.pack_page(text)
    else:
        page, markup = pages.found_page(found, text)
    return message.answer(page, reply_markup=markup)


async def _found_told(message: Message, place: int, draft: Mapping[str, Any], turn: Turn) -> Answer:
    found: list[str] = draft.get("found", [])
    product = await catalogued(found[place]) if 0 <= place < len(found) else None
    if product is None:
        await turn.state.set_state(Medicines.pack)
        text, markup = pages.pack_page(draft["name"])
    else:
        await turn.state.set_state(Medicines.dose)
        await turn.state.update_data(name=product.name, sku=product.sku, pack=product.pack_units)
        text, markup = pages.new_dose_page(product.name, turn.words)
    return message.edit_text(text, reply_markup=markup)


async def _pack_told(message: Message, units: int, turn: Turn) -> Answer:
    refusal = check_course(pack_units=units)
    if refusal is not None:
        return message.answer(refusal_text(refusal, turn.words))
    data = await turn.state.update_data(pack=units)
    await turn.state.set_state(Medicines.dose)
    text, markup = pages.new_dose_page(data["name"], turn.words)
    return message.answer(text, reply_markup=markup)


async def _dose_told(message: Message, milli: int, turn: Turn) -> Answer:
    refusal = check_course(daily_milli=milli)
    if refusal is not None:
        return message.answer(refusal_text(refusal, turn.words))
    data = await turn.state.update_data(dose=milli)
    await turn.state.set_state(Medicines.stock)
    text, markup = pages.stock_page(data["name"], data["pack"])
    return message.answer(text, reply_markup=markup)


async def _stock_told(
    message: Message,
    stock_milli: int,
    customer: CustomerView,
    draft: Mapping[str, Any],
    turn: Turn,
) -> Answer:
    added = await _refills(turn).add(
        customer.id,
        name=draft["name"],
        sku=draft.get("sku", ""),
        pack_units=draft["pack"],
        daily_milli=draft["dose"],
        stock_milli=stock_milli,
    )
    return await _typed_outcome(message, added, turn, _("✅ Added."))


async def _new_figure(
    message: Message, amount: int, customer: CustomerView, course_id: int, turn: Turn
) -> Answer:
    if turn.step == Medicines.new_dose.state:
        changed = await _refills(turn).change_dose(customer.id, course_id, amount)
    else:
        changed = await _refills(turn).tell_stock(customer.id, course_id, amount)
    return await _typed_outcome(message, changed, turn, _("✅ Noted."))


async def _typed_outcome(
    message: Message, outcome: CourseView | Refusal, turn: Turn, words: str
) -> Answer:
    if isinstance(outcome, Refusal):
        if outcome.code != No.INVALID_COURSE:  # another number will do
            await turn.state.clear()
        return message.answer(refusal_text(outcome, turn.words))
    await turn.state.clear()
    now = turn.desk.programme.clock.now()
    text, markup = pages.course_page(outcome, turn.words, now, words)
    return message.answer(text, reply_markup=markup)
