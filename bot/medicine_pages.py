"""The pages of a customer's medicines: their words and buttons."""

from collections.abc import Sequence
from datetime import datetime, timedelta

from aiogram.types import InlineKeyboardButton
from aiogram.utils.text_decorations import html_decoration

from bot.amounts import ONCE_A_WEEK_MILLI
from bot.callbacks import (
    Medicine,
    MedicineChoice,
    MedicineDose,
    MedicineLater,
    MedicineList,
    MedicineNames,
)
from bot.keyboards import Rows, button, inline
from bot.pages import Page
from bot.words import Words, _
from loyalty.catalogue import Catalogued
from loyalty.courses import CourseView
from loyalty.rules.refill import LEAD_DAYS, MILLI

DOSES_MILLI = (500, 1000, 1500, 2000, 3000, 4000, ONCE_A_WEEK_MILLI)
LATER_DAYS = (1, 3, 7, 14)
PACKS = (10, 20, 28, 30, 50, 60, 90, 100)
LISTED_MAX = 12
"""On one page."""
LONG_DAYS = 90
"""Beyond this a number of days says no more than the date."""


def _page(lines: Sequence[str], rows: Rows) -> Page:
    return "\n".join(lines), inline(*rows)


# -- the list


def list_page(
    courses: Sequence[CourseView],
    words: Words,
    now: datetime,
    *,
    names_shown: bool,
    start: int = 0,
) -> Page:
    """A dozen of them, counted from `start` on."""
    add = [button(_("➕ Add a medicine"), MedicineList(page="add"))]
    if not courses:
        text = _(
            "Here are the medicines that you take over time, and how long each will last. What you "
            "buy with your card comes by itself; add the others, and we remind you in good time."
        )
        return _page([text], [add])
    start = start if 0 <= start < len(courses) else 0
    shown = list(enumerate(courses, 1))[start : start + LISTED_MAX]
    lines = [f"<b>{_('💊 Your medicines')}</b>"]
    for number, course in shown:
        lines += ["", f"{number}. <b>{_name(course)}</b>", _left(course, words, now)]
    lines += ["", _("Press a number to change something.")]
    numbers = [button(str(number), _about(course, "show")) for number, course in shown]
    rows = [numbers[n : n + 6] for n in range(0, len(numbers), 6)]
    return _page(lines, [*rows, _turning(start, len(courses)), add, [_names(names_shown)]])


def _turning(start: int, count: int) -> list[InlineKeyboardButton]:
    """The way to those before and after."""
    ways = []
    if start:
        before = max(0, start - LISTED_MAX)
        ways.append(button(_("« Back"), MedicineList(page="list", start=before)))
    if start + LISTED_MAX < count:
        ways.append(button(_("Next »"), MedicineList(page="list", start=start + LISTED_MAX)))
    return ways


def _names(shown: bool) -> InlineKeyboardButton:
    if shown:
        return button(_("🙈 Hide names in SMS and notifications"), MedicineNames(shown=False))
    return button(_("👁 Show names in SMS and notifications"), MedicineNames(shown=True))


def _name(course: CourseView) -> str:
    return html_decoration.quote(course.name)


def _left(course: CourseView, words: Words, now: datetime) -> str:
    if not course.is_active:
        return _("🔕 no reminders")
    if course.ends_at is None:
        return _("nothing left that we know of")
    days = (course.ends_at - now).days
    if course.ends_at <= now:
        return _("⚠️ should have run out on {day}").format(day=words.day(course.ends_at))
    if days > LONG_DAYS:
        return _("lasts until {day}").format(day=words.day(course.ends_at))
    lasts = words.several("{count} day left", "{count} days left", max(1, days))
    return _("{lasts}, until {day}").format(lasts=lasts, day=words.day(course.ends_at))


# -- one of them


def course_page(course: CourseView, words: Words, now: datetime, said: str = "") -> Page:
    """`said` stands above: what has just come of her answer."""
    lines = [said, ""] if said else []
    lines += [f"💊 <b>{_name(course)}</b>", "", _dose_line(course, words)]
    if course.stock_milli:
        lines.append(_("Left: about {count}").format(count=_units(course.stock_milli, words)))
    left = _left(course, words, now)
    lines += [left[:1].upper() + left[1:], _reminder_line(course, words, now)]
    rows = [
        [
            button(_("✅ Bought"), _about(course, "bought")),
            button(_("⏰ Later"), _about(course, "later")),
        ],
        [
            button(_("✏️ Change dose"), _about(course, "dose")),
            button(_("📦 What is left"), _about(course, "stock")),
        ],
        [
            button(_("🔕 Stop reminding"), _about(course, "stop"))
            if course.is_active
            else button(_("🔔 Remind again"), _about(course, "resume"))
        ],
        [button(_("« All medicines"), MedicineList(page="list"))],
    ]
    return _page(lines, rows)


def _about(course: CourseView, what: str) -> Medicine:
    return Medicine.model_validate({"what": what, "course": course.id, "cycle": course.cycle})


def _dose_line(course: CourseView, words: Words) -> str:
    dose = dose_words(course.daily_milli, words)
    if course.daily_told:
        return _("You take: {dose}").format(dose=dose)
    if course.is_learned:
        return _("Usually taken: {dose}. We go by your own rhythm.").format(dose=dose)
    return _("Usually taken: {dose}").format(dose=dose)


def _reminder_line(course: CourseView, words: Words, now: datetime) -> str:
    if not course.is_active:
        return _("We do not remind you of it.")
    if course.is_asleep:
        return _("You have returned it: we remind you when you buy it again.")
    if course.snoozed_until is not None and course.snoozed_until > now:
        return _("We remind you on {day}").format(day=words.day(course.snoozed_until))
    if course.ends_at is None or course.ends_at <= now:
        return ""
    on = max(course.ends_at - timedelta(days=LEAD_DAYS), now)
    return _("We remind you on {day}").format(day=words.day(on)) if on > now else ""


def _units(milli: int, words: Words) -> str:
    """Whole ones, of a few tenths as well."""
    if milli >= 10 * MILLI:
        return words.number(round(milli / MILLI))
    return words.decimal(round(milli / 100), 1)


def dose_words(milli: int, words: Words) -> str:
    """`½ a day`, `1½ a day`, `once a week`."""
    if milli == ONCE_A_WEEK_MILLI:
        return _("once a week")
    return _("{dose} a day").format(dose=_dose(milli, words))


def _dose(milli: int, words: Words) -> str:
    whole, rest = divmod(milli, MILLI)
    if rest == MILLI // 2:
        return f"{whole or ''}½"
    return words.decimal(milli, 3)


def later_page(course: CourseView, words: Words) -> Page:
    buttons = [
        button(
            words.several("in {count} day", "in {count} days", days),
            MedicineLater(course=course.id, cycle=course.cycle, days=days),
        )
        for days in LATER_DAYS
    ]
    lines = [f"💊 <b>{_name(course)}</b>", "", _("When shall we remind you?")]
    return _page(lines, [buttons[:2], buttons[2:], [_back(course)]])


def dose_page(course: CourseView, words: Words) -> Page:
    lines = [f"💊 <b>{_name(course)}</b>", "", _("How much do you take a day?")]
    other = [button(_("Another dose"), _about(course, "type_dose")), _back(course)]
    return _page(lines, [*_doses(course.id, words), other])


def _back(course: CourseView) -> InlineKeyboardButton:
    return button(_("« Back"), _about(course, "show"))


def _doses(course_id: int, words: Words) -> Rows:
    buttons = [
        button(
            _("once a week") if milli == ONCE_A_WEEK_MILLI else _dose(milli, words),
            MedicineDose(course=course_id, milli=milli),
        )
        for milli in DOSES_MILLI
    ]
    return [buttons[:3], buttons[3:6], buttons[6:]]


# -- adding one


def name_page() -> str:
    return _("Write the name of the medicine, as it stands on the pack.")


def found_page(found: Sequence[Catalogued], typed: str) -> Page:
    rows = [
        [button(_found_label(each), MedicineChoice(step="found", value=place))]
        for place, each in enumerate(found)
    ]
    own = _("No, just «{name}»").format(name=typed[:24])
    rows.append([button(own, MedicineChoice(step="found", value=-1))])
    return _page([_("Is it one of these?")], rows)


def _found_label(found: Catalogued) -> str:
    return f"{found.name[:40]} №{found.pack_units}"


def pack_page(name: str) -> Page:
    buttons = [button(str(n), MedicineChoice(step="pack", value=n)) for n in PACKS]
    lines = [
        f"💊 <b>{html_decoration.quote(name)}</b>",
        "",
        _("How many tablets or doses are in a pack? Press or write."),
    ]
    return _page(lines, [buttons[:4], buttons[4:]])


def new_dose_page(name: str, words: Words) -> Page:
    lines = [
        f"💊 <b>{html_decoration.quote(name)}</b>",
        "",
        _("How much do you take a day? Press or write, for example 1.5."),
    ]
    return _page(lines, _doses(0, words))


def stock_page(name: str, pack_units: int) -> Page:
    rows = [
        [
            button(_("A full pack: {count}").format(count=pack_units), _stock(pack_units)),
            button(_("Half: {count}").format(count=pack_units // 2), _stock(pack_units // 2)),
        ],
        [button(_("Nothing"), _stock(0))],
    ]
    lines = [
        f"💊 <b>{html_decoration.quote(name)}</b>",
        "",
        _("How many do you have now? Press or write the number."),
    ]
    return _page(lines, rows)


def _stock(units: int) -> MedicineChoice:
    return MedicineChoice(step="stock", value=units)
