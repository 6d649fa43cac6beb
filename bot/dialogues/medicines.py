"""Medicines: what she takes and how long it lasts; answers to a reminder.

One message that changes in place. What is right or wrong is said by `loyalty.refills`: buttons
carry the cycle that they saw, so a second tap changes nothing. Adding one, and figures that are
typed, are `medicine_entries`.
"""

from dataclasses import dataclass
from typing import Any

from aiogram import F, Router
from aiogram.methods import TelegramMethod
from aiogram.types import CallbackQuery, Message

from bot import medicine_pages as pages
from bot.callbacks import (
    Medicine,
    MedicineDose,
    MedicineLater,
    MedicineList,
    MedicineNames,
)
from bot.dialogues.members import Member
from bot.menu import Asks
from bot.pages import Page, turned
from bot.refusal_texts import refusal_text
from bot.states import Medicines
from bot.turns import Turn
from bot.words import _
from loyalty.courses import CourseView
from loyalty.customers import CustomerView
from loyalty.refills import Refills
from loyalty.refusals import No, Refusal
from messaging import preferences

Answer = TelegramMethod[Any] | None


@dataclass(frozen=True, slots=True)
class _Tap:
    """A button of one course that was pressed."""

    query: CallbackQuery
    customer: CustomerView
    course_id: int
    turn: Turn
    toast: list[str]


def router() -> Router:
    medicines = Router(name="medicines")
    medicines.message.register(show, Member(), Asks("medicines"))
    clicks = medicines.callback_query
    clicks.register(turn_to, Member(), MedicineList.filter())
    clicks.register(answer, Member(), Medicine.filter())
    clicks.register(later, Member(), MedicineLater.filter())
    clicks.register(dose_chosen, Member(), MedicineDose.filter(F.course != 0))
    clicks.register(names_chosen, Member(), MedicineNames.filter(F.page == "medicines"))
    return medicines


def _refills(turn: Turn) -> Refills:
    return turn.desk.programme.refills


# -- the list and one of it


async def show(message: Message, customer: CustomerView, turn: Turn) -> Answer:
    text, markup = await _list(customer, turn)
    return message.answer(text, reply_markup=markup)


async def _list(customer: CustomerView, turn: Turn, start: int = 0) -> Page:
    courses = await _refills(turn).courses_of(customer.id)
    hers = await preferences.preferences_of(customer.id)
    now = turn.desk.programme.clock.now()
    shown = hers is not None and hers.medicine_names
    return pages.list_page(courses, turn.words, now, names_shown=shown, start=start)


async def turn_to(
    query: CallbackQuery, callback_data: MedicineList, customer: CustomerView, turn: Turn
) -> Answer:
    if not isinstance(query.message, Message):
        return None
    if callback_data.page == "add":
        await turn.state.set_state(Medicines.name)
        await turn.state.set_data({})
        return query.message.answer(pages.name_page())
    await turn.state.clear()
    return turned(query, await _list(customer, turn, callback_data.start))


async def answer(
    query: CallbackQuery,
    callback_data: Medicine,
    customer: CustomerView,
    turn: Turn,
    toast: list[str],
) -> Answer:
    """A button of the reminder, or of the page of one medicine."""
    refills, said = _refills(turn), callback_data
    tap = _Tap(query, customer, said.course, turn, toast)
    match said.what:
        case "bought":
            return await _bought(tap, said.cycle)
        case "stop":
            stopped = await refills.stop(customer.id, said.course)
            return await _outcome(tap, stopped, _("🔕 No more reminders of this one."))
        case "resume":
            return await _outcome(tap, await refills.resume(customer.id, said.course))
    course = await refills.course(customer.id, said.course)
    if isinstance(course, Refusal):
        toast.append(refusal_text(course, turn.words))
        return None
    return await _page_of(query, said.what, course, turn)


async def _bought(tap: _Tap, cycle: int) -> Answer:
    noted = await _refills(tap.turn).bought(tap.customer.id, tap.course_id, cycle)
    if isinstance(noted, Refusal):
        return await _outcome(tap, noted)
    known = _("✅ We know already: your receipt has told us.")
    words = known if noted.known else _("✅ Counted: one pack more.")
    return _shown(tap.query, noted.course, tap.turn, words)


async def _page_of(query: CallbackQuery, what: str, course: CourseView, turn: Turn) -> Answer:
    if what == "later":
        return turned(query, pages.later_page(course, turn.words))
    if what == "dose":
        return turned(query, pages.dose_page(course, turn.words))
    if what == "show" or not isinstance(query.message, Message):
        await turn.state.clear()
        return _shown(query, course, turn)
    state = Medicines.new_dose if what == "type_dose" else Medicines.new_stock
    await turn.state.set_state(state)
    await turn.state.set_data({"course": course.id})
    if what == "type_dose":
        return query.message.answer(_("Write how much you take a day, for example 1.5 or ½."))
    return query.message.answer(_("Write how many you have now."))


async def later(
    query: CallbackQuery,
    callback_data: MedicineLater,
    customer: CustomerView,
    turn: Turn,
    toast: list[str],
) -> Answer:
    said = callback_data
    snoozed = await _refills(turn).snooze(customer.id, said.course, said.cycle, said.days)
    return await _outcome(
        _Tap(query, customer, said.course, turn, toast), snoozed, _("⏰ Put off.")
    )


async def dose_chosen(
    query: CallbackQuery,
    callback_data: MedicineDose,
    customer: CustomerView,
    turn: Turn,
    toast: list[str],
) -> Answer:
    said = callback_data
    changed = await _refills(turn).change_dose(customer.id, said.course, said.milli)
    return await _outcome(_Tap(query, customer, said.course, turn, toast), changed, _("✅ Noted."))


async def _outcome(tap: _Tap, outcome: CourseView | Refusal, words: str = "") -> Answer:
    """How things stand now; of a button that is out of date, why."""
    if isinstance(outcome, Refusal):
        tap.toast.append(refusal_text(outcome, tap.turn.words))
        words, code = "", outcome.code
        outcome = await _refills(tap.turn).course(tap.customer.id, tap.course_id)
        if code != No.COURSE_CHANGED or isinstance(outcome, Refusal):
            return None
    return _shown(tap.query, outcome, tap.turn, words)


def _shown(query: CallbackQuery, course: CourseView, turn: Turn, words: str = "") -> Answer:
    now = turn.desk.programme.clock.now()
    return turned(query, pages.course_page(course, turn.words, now, words))


async def names_chosen(
    query: CallbackQuery, callback_data: MedicineNames, customer: CustomerView, turn: Turn
) -> Answer:
    now = turn.desk.programme.clock.now()
    await preferences.set_medicine_names(customer.id, callback_data.shown, now)
    return turned(query, await _list(customer, turn))
