"""Surveys: handed out once, answered, changed for a day; the report adds them up."""

import asyncio
import json
from datetime import timedelta
from typing import Any

from loyalty.clock import VirtualClock
from loyalty.database import query, transaction
from loyalty.nps import nps_report
from loyalty.programme import Programme
from loyalty.refusals import No, Refusal
from loyalty.rules.surveys import INTERESTS, NPS, Survey
from loyalty.surveys import Sheet
from tests.loyalty.people import BORIS, joined
from tests.loyalty.tills import TillHand, open_shop


async def handed(
    programme: Programme, customer_id: int, survey: Survey = NPS, key: str = "k", **about: Any
) -> int:
    async with transaction():
        return await programme.surveys.hand_out(survey, customer_id, key=key, **about)


async def told() -> list[dict[str, Any]]:
    rows = await query("SELECT payload FROM event WHERE kind = 'survey.answered' ORDER BY id")
    return [json.loads(row["payload"]) for row in rows]


def code(answer: object) -> No | None:
    return answer.code if isinstance(answer, Refusal) else None


async def test_the_same_key_is_the_same_sheet(programme: Programme) -> None:
    anna = (await joined(programme)).id
    assert await handed(programme, anna) == await handed(programme, anna)
    assert await handed(programme, anna) != await handed(programme, anna, key="other")


async def test_a_score_is_given_changed_and_told_each_time_once(programme: Programme) -> None:
    anna = (await joined(programme)).id
    sheet = await handed(programme, anna)
    for values in (["3"], ["3"], ["9"]):
        answer = await programme.surveys.answer(sheet, anna, "score", values)
        assert isinstance(answer, Sheet)
    assert answer.score == 9
    events = [(e["score"], e["group"], e["before"], e["ended"]) for e in await told()]
    assert events == [(3, "detractor", None, False), (9, "promoter", 3, False)]


async def test_why_and_her_words(programme: Programme) -> None:
    anna = (await joined(programme)).id
    sheet = await handed(programme, anna)
    surveys = programme.surveys
    await surveys.answer(sheet, anna, "score", ["2"])
    await surveys.choose(sheet, anna, "why", "queue", wanted=True)
    await surveys.choose(sheet, anna, "why", "price", wanted=True)
    await surveys.choose(sheet, anna, "why", "price", wanted=True)
    await surveys.choose(sheet, anna, "why", "queue", wanted=False)
    await surveys.answer(sheet, anna, "words", ["Дорого\nи жарко"])
    for _ in range(2):
        answer = await surveys.end(sheet, anna)
    assert isinstance(answer, Sheet)
    assert answer.answers == {"score": ["2"], "why": ["price"], "words": ["Дорого\nи жарко"]}
    assert [event["ended"] for event in await told()] == [False, True]
    assert (await surveys.latest(anna, NPS)) == answer
    assert await surveys.latest(anna, INTERESTS) is None


async def test_it_can_be_changed_for_a_day_and_answered_for_a_month(
    programme: Programme, clock: VirtualClock
) -> None:
    anna = (await joined(programme)).id
    first, second = await handed(programme, anna), await handed(programme, anna, key="2")
    surveys = programme.surveys
    clock.advance(timedelta(days=29))
    assert code(await surveys.answer(first, anna, "score", ["9"])) is None
    clock.advance(timedelta(hours=23))
    assert code(await surveys.answer(first, anna, "score", ["4"])) is None
    clock.advance(timedelta(hours=1))
    assert code(await surveys.answer(first, anna, "score", ["9"])) is No.SURVEY_CLOSED
    assert code(await surveys.choose(first, anna, "why", "price", wanted=True)) is No.SURVEY_CLOSED
    assert code(await surveys.answer(second, anna, "score", ["9"])) is No.SURVEY_CLOSED
    assert [event["score"] for event in await told()] == [9, 4]


async def test_what_is_no_answer_leaves_nothing(programme: Programme) -> None:
    anna = (await joined(programme)).id
    boris = (await joined(programme, phone=BORIS, front_value="2")).id
    sheet = await handed(programme, anna)
    answer = programme.surveys.answer
    assert code(await answer(sheet, boris, "score", ["9"])) is No.SURVEY_NOT_FOUND
    assert code(await answer(5, anna, "score", ["9"])) is No.SURVEY_NOT_FOUND
    assert code(await answer(sheet, anna, "topics", ["baby"])) is No.INVALID_ANSWER
    assert code(await answer(sheet, anna, "score", ["11"])) is No.INVALID_ANSWER
    assert code(await programme.surveys.end(sheet, boris)) is No.SURVEY_NOT_FOUND
    assert code(
        await programme.surveys.choose(sheet, anna, "why", "weather", wanted=True)
    ) is No.INVALID_ANSWER  # fmt: skip
    stands = await programme.surveys.sheet(sheet)
    assert stands is not None
    assert (stands.answers, stands.answered_at) == ({}, None)
    assert await told() == []


async def test_an_unanswered_survey_ends_without_a_word(programme: Programme) -> None:
    anna = (await joined(programme)).id
    sheet = await handed(programme, anna, INTERESTS)
    ended = await programme.surveys.end(sheet, anna)
    assert isinstance(ended, Sheet)
    assert ended.ended_at is not None
    assert await told() == []


async def test_interests_are_found_by_their_values(programme: Programme) -> None:
    anna = (await joined(programme)).id
    sheet = await handed(programme, anna, INTERESTS)
    await programme.surveys.answer(sheet, anna, "topics", ["baby", "herbs"])
    await programme.surveys.answer(sheet, anna, "topics", ["baby", "vitamins"])
    await programme.surveys.answer(sheet, anna, "wish", ["advice"])
    rows = await query("SELECT question, value, customer_id FROM survey_answer ORDER BY 1, 2")
    assert [tuple(row) for row in rows] == [
        ("topics", "baby", anna),
        ("topics", "vitamins", anna),
        ("wish", "advice", anna),
    ]


async def test_the_report_by_shop_and_period(programme: Programme, clock: VirtualClock) -> None:
    await open_shop()
    anna = await joined(programme)
    till, start = TillHand(programme), clock.now()
    for day, score in enumerate((10, 9, 3)):
        sold = await till.sell(anna.card_number, f"R{day}", "100.00")
        sheet = await handed(programme, anna.id, key=f"k{day}", receipt_id=sold.receipt_id)
        await programme.surveys.answer(sheet, anna.id, "score", [str(score)])
        await programme.surveys.answer(sheet, anna.id, "why", ["queue", "price"][: day + 1])
        clock.advance(timedelta(days=10))
    await handed(programme, anna.id, key="unanswered")
    stray = await handed(programme, anna.id, key="no receipt")
    await programme.surveys.answer(stray, anna.id, "score", ["7"])
    until = clock.now() + timedelta(days=1)
    report = await nps_report(since=start, until=until, period=timedelta(days=20))
    assert (report.asked, report.whole.answers, report.whole.score) == (5, 4, 25)
    assert [(p.since - start, p.nps.answers, p.nps.score) for p in report.trend] == [
        (timedelta(0), 2, 100),
        (timedelta(days=20), 2, -50),
    ]
    assert {shop: nps.answers for shop, nps in report.shops.items()} == {"s1": 3, "–": 1}
    assert report.complaints == {"price": 1, "queue": 1}
    nothing = await nps_report(
        since=until, until=until + timedelta(days=1), period=timedelta(days=1)
    )
    assert (nothing.asked, nothing.whole.score, nothing.shops) == (0, None, {})


async def test_many_taps_at_once_are_one_answer(programme: Programme) -> None:
    anna = (await joined(programme)).id
    sheet = await handed(programme, anna)
    taps = (programme.surveys.answer(sheet, anna, "score", ["9"]) for _ in range(8))
    answers = await asyncio.gather(*taps)
    assert all(isinstance(answer, Sheet) for answer in answers)
    assert len(await told()) == 1
