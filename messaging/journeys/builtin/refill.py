"""Refill: a reminder some days before a medicine runs out, for each medicine by itself.

A service message, of prescription medicines too: it promotes nothing. SMS and locked screens do
not name the medicine unless she has allowed it. Who has returned it, answered or bought is not
reminded.
"""

from collections.abc import AsyncIterator, Mapping, Sequence, Set
from datetime import timedelta
from typing import Any

from loyalty.courses import CourseView
from loyalty.instants import from_micros, to_micros
from loyalty.refills import supplied
from loyalty.rules.refill import LEAD_DAYS
from messaging.journeys.declaration import DAY, HOUR, Check, Journey, OnClock, Send, Wait
from messaging.journeys.registry import Around, Entry, check, scan, words
from messaging.journeys.stepping import Enrolled
from messaging.preferences import medicine_names_shown

PAGE = 1_000

JOURNEY = Journey(
    name="refill",
    title={"ru": "Лекарство заканчивается", "en": "A medicine runs out"},
    about={
        "ru": "Напоминание за несколько дней до того, как закончится лекарство",
        "en": "A reminder some days before a medicine runs out",
    },
    trigger=OnClock(scan="refill", days=(LEAD_DAYS,), every=HOUR),
    steps=(
        Send(
            name="reminder",
            template="refill",
            topic="service",
            kind="refill",
            says="medicine",
            needs=Check("refill_due"),
            lives=5 * DAY,
            late_max=7 * DAY,
            priority=5,
        ),
        Wait(name="fortnight", lasts=14 * DAY),
    ),
    goal=Check("refilled"),
    leave=(~Check("refill_due"),),
)


@scan("refill")
async def due(trigger: OnClock, around: Around) -> AsyncIterator[Sequence[Entry]]:
    """Courses that run out within so many days, each once for its cycle."""
    [days] = trigger.days
    lead, refills = timedelta(days=days), around.programme.refills
    while found := await refills.due(around.at, PAGE, lead=lead):
        yield [_entry(course, lead, around) for course in found]
        await refills.told(found)  # they are in by now; one that comes again is in already


def _entry(course: CourseView, lead: timedelta, around: Around) -> Entry:
    assert course.ends_at is not None, "it would not be due"
    due_at = max(course.ends_at - lead, course.snoozed_until or course.ends_at - lead)
    return Entry(
        customer_id=course.customer_id,
        key=f"{course.id}:{course.cycle}",
        due_at=to_micros(due_at),
        entered_at=around.now,
        data={"course": course.id, "cycle": course.cycle},
    )


@check("refill_due", hears=["receipt.committed", "receipt.returned", "receipt.cancelled"])
async def refill_due(enrolled: Sequence[Enrolled], _about: str, around: Around) -> Set[int]:
    """Nothing has happened to the course that makes the reminder needless: she takes it, has not
    answered, bought, put it off or returned it."""
    courses = await _courses_of(enrolled, around)
    return {each.id for each in enrolled if _is_due(courses.get(each.id), each)}


def _is_due(course: CourseView | None, each: Enrolled) -> bool:
    return (
        course is not None
        and course.cycle == each.data["cycle"]
        and course.is_active
        and not course.is_asleep
        and course.ends_at is not None
    )


@check("refilled", hears=["receipt.committed"])
async def refilled(enrolled: Sequence[Enrolled], _about: str, _around: Around) -> Set[int]:
    """She has bought this medicine since she was to be reminded, and kept it."""
    since = {int(each.data["course"]): from_micros(each.entered_at) for each in enrolled}
    bought = await supplied(since)
    return {each.id for each in enrolled if int(each.data["course"]) in bought}


@words("medicine")
async def medicine_words(
    enrolled: Sequence[Enrolled], around: Around
) -> Mapping[int, Mapping[str, Any]]:
    """Nothing to be said of what is no longer due."""
    courses = await _courses_of(enrolled, around)
    shown = await medicine_names_shown([each.customer_id for each in enrolled])
    return {
        each.id: _words(course, around, is_shown=each.customer_id in shown)
        for each in enrolled
        if (course := courses.get(each.id)) is not None and _is_due(course, each)
    }


def _words(course: CourseView, around: Around, *, is_shown: bool) -> dict[str, Any]:
    """`shown` is the name where others may read it."""
    assert course.ends_at is not None, "it is due"
    return {
        "medicine": course.name,
        "shown": course.name if is_shown else None,
        "days": max(0, (course.ends_at - around.at).days),
        "ends": course.ends_at.isoformat(),
        "prescription": int(course.prescription_only),
        "course": course.id,
        "cycle": course.cycle,
    }


async def _courses_of(enrolled: Sequence[Enrolled], around: Around) -> dict[int, CourseView]:
    found = await around.programme.refills.courses(int(e.data["course"]) for e in enrolled)
    return {e.id: found[int(e.data["course"])] for e in enrolled if int(e.data["course"]) in found}
