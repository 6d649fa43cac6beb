"""NPS: a score from 0 to 10 a day after a purchase; then a task for who is unhappy, an invitation
to bring a friend for who is glad. An answer given by whatever way starts the second journey.
"""

from collections.abc import Mapping, Sequence, Set
from datetime import timedelta
from typing import Any

from loyalty.database import query
from loyalty.instants import from_micros, to_micros
from loyalty.rules.promo_codes import grouped
from loyalty.rules.surveys import NPS, Survey, group_of
from loyalty.sql.lists import listed
from loyalty.surveys import Handout
from messaging.i18n import DEFAULT_LANGUAGE
from messaging.journeys.declaration import (
    DAY,
    END,
    HOUR,
    MINUTE,
    Branch,
    Check,
    Do,
    Journey,
    OnEvent,
    Send,
    Wait,
)
from messaging.journeys.facts import each_event
from messaging.journeys.registry import Around, Entry, action, check, entry, words
from messaging.journeys.stepping import Enrolled
from messaging.notices import EventRow
from messaging.survey_words import option_words
from messaging.tasks import NewTask, open_tasks

ASKED_AGAIN_AFTER = 90 * DAY
"""The caps decide; whom they would hold up for longer than a question keeps is not let in."""
TASK_WITHIN = HOUR
STAFF_LANGUAGE = DEFAULT_LANGUAGE

ASKING = Journey(
    name="nps",
    title={"ru": "Оценка после покупки", "en": "Score after a purchase"},
    about={
        "ru": "Вопрос от 0 до 10 через день после покупки, не чаще раза в 90 дней",
        "en": "A question from 0 to 10 a day after a purchase, once in 90 days at most",
    },
    trigger=OnEvent(kinds=("receipt.committed",), entry="nps", after=DAY),
    steps=(
        Branch(name="bought", asks=Check("receipt_stands"), on={"no": END}),
        Send(
            name="ask",
            template="nps_ask",
            topic="survey",
            kind="nps",
            says="nps",
            channels=("messenger", "webpush", "email"),
            needs=Check("receipt_stands"),
            on=dict.fromkeys(("capped", "skipped", "failed"), "unasked")
            | dict.fromkeys(("late", "untrue"), END),
        ),
        Wait(name="answer", lasts=7 * DAY, on={"over": END}),
        Do(name="unasked", action="nps_unasked"),
    ),
    goal=Check("heard", "survey.answered:nps"),
)
ANSWERED = Journey(
    name="nps_answer",
    title={"ru": "После оценки", "en": "After the score"},
    about={
        "ru": "Недовольным звонит оператор в течение часа, довольных просим позвать друга",
        "en": "An operator calls the unhappy within the hour, the glad are asked to bring a friend",
    },
    # A few minutes for her words, and for a score that was a slip of the thumb.
    trigger=OnEvent(kinds=("survey.answered",), entry="nps_answer", after=10 * MINUTE),
    steps=(
        Branch(name="unhappy", asks=Check("nps_group", "detractor"), on={"no": "glad"}),
        Do(name="task", action="call_detractor", on={"done": END}),
        Branch(name="glad", asks=Check("nps_group", "promoter"), on={"no": END}),
        Wait(name="a_day", lasts=DAY),
        Send(
            name="refer",
            template="nps_refer",
            kind="referral",
            says="referral",
            needs=Check("nps_group", "promoter"),
        ),
    ),
)
JOURNEYS = (ASKING, ANSWERED)

_ASKED_LATELY = listed(
    """
    SELECT DISTINCT customer_id FROM contact
    WHERE customer_id IN {list} AND kind = 'nps' AND at > $2
    """
)


@entry("nps")
async def customers_to_ask(happened: Sequence[EventRow], around: Around) -> Sequence[Entry]:
    """Who was not asked within 90 days; of several receipts the first one asks."""
    people = sorted({event.customer_id for event in happened})
    since = to_micros(around.at + ASKING_LIVES - ASKED_AGAIN_AFTER)
    asked = {row["customer_id"] for row in await query(*_ASKED_LATELY, people, since)}
    return await each_event([e for e in happened if e.customer_id not in asked], around)


ASKING_LIVES = DAY + timedelta(days=3)
"""From the purchase until the question is too old to be asked."""


@entry("nps_answer")
async def answers(happened: Sequence[EventRow], around: Around) -> list[Entry]:
    """A score enters once; one that was changed to another group enters anew."""
    return [
        Entry(
            customer_id=event.customer_id,
            key=f"{event.payload['sheet']}:{event.payload['group']}",
            due_at=to_micros(event.at),
            entered_at=to_micros(event.at),
            data={"sheet": event.payload["sheet"]},
        )
        for event in happened
        if event.payload["survey"] == NPS.name and event.payload["group"] is not None
    ]


_STANDING = listed("SELECT id FROM receipt WHERE id IN {list} AND state = 'committed'")


@check("receipt_stands")
async def receipt_stands(enrolled: Sequence[Enrolled], _about: str, _around: Around) -> Set[int]:
    """The receipt that let her in was neither cancelled nor returned as a whole."""
    ids = [int(each.data["receipt_id"]) for each in enrolled if "receipt_id" in each.data]
    standing = {row["id"] for row in await query(*_STANDING, ids)}
    return {each.id for each in enrolled if each.data.get("receipt_id") in standing}


_SCORES = listed("SELECT id, score FROM survey_sheet WHERE id IN {list} AND score IS NOT NULL")


@check("nps_group")
async def nps_group(enrolled: Sequence[Enrolled], about: str, _around: Around) -> Set[int]:
    """By the score as it stands now: promoter, passive or detractor."""
    sheets = [int(each.data["sheet"]) for each in enrolled]
    scores = {row["id"]: row["score"] for row in await query(*_SCORES, sheets)}
    groups = {sheet: group_of(score) for sheet, score in scores.items()}
    return {each.id for each in enrolled if groups.get(int(each.data["sheet"])) == about}


async def sheets_for(
    survey: Survey, enrolled: Sequence[Enrolled], around: Around
) -> dict[int, dict[str, Any]]:
    """A sheet for each enrolment, the same one however often it is asked for, and its link."""
    if around.links is None:  # nobody outside reaches us
        return {}
    keys = {each.id: _key(survey, each) for each in enrolled}
    handouts = [
        Handout(keys[each.id], each.customer_id, each.data.get("receipt_id")) for each in enrolled
    ]
    sheets = await around.programme.surveys.hand_out_many(survey, handouts)
    return {
        number: {"sheet": sheets[key], "link": around.links.survey(sheets[key])}
        for number, key in keys.items()
    }


def _key(survey: Survey, enrolled: Enrolled) -> str:
    return f"journey:{enrolled.id}:{survey.name}"


@words("nps")
async def nps_words(
    enrolled: Sequence[Enrolled], around: Around
) -> Mapping[int, Mapping[str, Any]]:
    sheets = await sheets_for(NPS, enrolled, around)
    return {
        each.id: sheets[each.id] | {"shop": each.data.get("shop") or None}
        for each in enrolled
        if each.id in sheets
    }


@words("referral")
async def referral_words(
    enrolled: Sequence[Enrolled], around: Around
) -> Mapping[int, Mapping[str, Any]]:
    """Her code and what both get; nothing while there is no reward for friends."""
    referrals = around.programme.referrals
    if not referrals.rules.is_on:
        return {}
    return {
        each.id: {
            "code": grouped(await referrals.code(each.customer_id)),
            "yours": referrals.rules.referrer_points,
            "theirs": referrals.rules.friend_points,
        }
        for each in enrolled
    }


@action("nps_unasked")
async def nps_unasked(
    enrolled: Sequence[Enrolled], _settings: Mapping[str, Any], around: Around
) -> Mapping[int, str]:
    """The question has not gone out: her sheet is no question of ours."""
    await around.programme.surveys.not_reached([_key(NPS, each) for each in enrolled])
    return dict.fromkeys((each.id for each in enrolled), "done")


@action("call_detractor")
async def call_detractor(
    enrolled: Sequence[Enrolled], _settings: Mapping[str, Any], around: Around
) -> Mapping[int, str]:
    """A task to call her within an hour of her score, with what she said."""
    tasks = []
    for each in enrolled:
        sheet = await around.programme.surveys.sheet(int(each.data["sheet"]))
        assert sheet is not None, "her score is on it"
        named = ", ".join(option_words(STAFF_LANGUAGE, why) for why in sheet.answers.get("why", ()))
        parts = (f"NPS {sheet.score}", named, f"«{sheet.words}»" if sheet.words else "")
        due_at = from_micros(each.entered_at) + TASK_WITHIN
        tasks.append(
            NewTask(
                key=f"nps:{sheet.id}",
                kind="detractor",
                customer_id=each.customer_id,
                why=" · ".join(filter(None, parts)),
                due_at=due_at,
            )
        )
    await open_tasks(tasks, at=around.at)
    return dict.fromkeys((each.id for each in enrolled), "done")
