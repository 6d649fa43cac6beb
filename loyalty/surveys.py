"""Surveys: handed out to a customer, answered question by question, changeable for a while.

An answer and its event (`survey.answered`) are one transaction. Who is asked when, and what comes
of it, is a journey's; how often one is asked at most is the dispatcher's caps'.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from loyalty import events
from loyalty.clock import Clock
from loyalty.database import query, transaction
from loyalty.ids import next_id
from loyalty.instants import from_micros, to_micros
from loyalty.refusals import No, Refusal, refuse
from loyalty.rules.surveys import SURVEYS, Question, Survey, fits, group_of, toggled
from loyalty.sql import surveys as sql

ANSWERED_WITHIN = timedelta(days=30)
"""After this a first answer says nothing of what was asked about."""
CHANGED_WITHIN = timedelta(days=1)
"""So long after her first answer she may change or add to it."""


@dataclass(frozen=True, slots=True)
class Handout:
    """To whom a survey is given, and about which receipt, if it is about one."""

    key: str
    customer_id: int
    receipt_id: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Sheet:
    """A survey in a customer's hands. `answers` by question; the score and her words are there
    too, as texts."""

    id: int
    survey: Survey
    customer_id: int
    receipt_id: int | None
    shop_id: int | None
    asked_at: datetime
    answered_at: datetime | None
    ended_at: datetime | None
    answers: Mapping[str, Sequence[str]]

    @property
    def score(self) -> int | None:
        given = self.answers.get("score")
        return int(given[0]) if given else None

    @property
    def words(self) -> str:
        """What she wrote herself."""
        return "".join(self.answers.get("words", ()))

    def is_open(self, at: datetime) -> bool:
        """Whether an answer is still taken."""
        if self.answered_at is None:
            return at < self.asked_at + ANSWERED_WITHIN
        return at < self.answered_at + CHANGED_WITHIN


class Surveys:
    def __init__(self, clock: Clock) -> None:
        self._clock = clock

    async def hand_out(
        self, survey: Survey, customer_id: int, *, key: str, receipt_id: int | None = None
    ) -> int:
        """The sheet's id; the same key gives the same sheet. Part of the caller's transaction."""
        handout = Handout(key, customer_id, receipt_id)
        return (await self.hand_out_many(survey, [handout]))[key]

    async def hand_out_many(self, survey: Survey, handouts: Sequence[Handout]) -> dict[str, int]:
        """As `hand_out`, for many customers at once: the sheets' ids by key."""
        rows = [(next_id(), each.key, each.customer_id, each.receipt_id) for each in handouts]
        at = to_micros(self._clock.now())
        await query(*sql.HAND_OUT, json.dumps(rows), survey.name, at)
        found = await query(*sql.IDS_OF, [each.key for each in handouts])
        return {row["key"]: row["id"] for row in found}

    async def not_reached(self, keys: Sequence[str]) -> None:
        """What should have brought these sheets has not gone out: nobody was asked by them.

        Whoever has one all the same may answer it. Part of the caller's transaction.
        """
        await query(*sql.UNREACHED, keys)

    async def sheet(self, sheet_id: int) -> Sheet | None:
        """As it stands; None for one that was never handed out."""
        rows = await query(sql.SHEET, None, sheet_id)
        return await _sheet(rows[0]) if rows else None

    async def latest(self, customer_id: int, survey: Survey) -> Sheet | None:
        """What she has answered last of this survey."""
        rows = await query(sql.LATEST_OF, None, customer_id, survey.name)
        return await self.sheet(rows[0]["id"]) if rows else None

    async def answer(
        self, sheet_id: int, customer_id: int, question: str, values: Sequence[str]
    ) -> Sheet | Refusal:
        """Her answer to a question, in place of the one before; the same again changes nothing.

        Refused: survey_not_found (or another's), survey_closed, invalid_answer.
        """
        async with transaction():
            sheet = await self._locked(sheet_id, customer_id)
            if isinstance(sheet, Refusal):
                return sheet
            return await self._answered(sheet, question, values)

    async def choose(
        self, sheet_id: int, customer_id: int, question: str, option: str, *, wanted: bool
    ) -> Sheet | Refusal:
        """A tap: the one answer to its question, or one option of several on or off. Refused as
        `answer`."""
        async with transaction():
            sheet = await self._locked(sheet_id, customer_id)
            if isinstance(sheet, Refusal):
                return sheet
            asked = sheet.survey.question(question)
            chosen: Sequence[str] = [option]
            if asked is not None and asked.kind == "many":
                chosen = toggled(sheet.answers.get(question, ()), option, wanted)
            return await self._answered(sheet, question, chosen)

    async def end(self, sheet_id: int, customer_id: int) -> Sheet | Refusal:
        """All questions were before her; an event says so once. Refused: survey_not_found."""
        async with transaction():
            sheet = await self._mine(sheet_id, customer_id)
            if isinstance(sheet, Refusal) or sheet.ended_at is not None:
                return sheet
            now = self._clock.now()
            await query(sql.END, None, sheet.id, to_micros(now))
            if sheet.answers:
                await self._tell(sheet, now, ended=True)
            return await self.sheet(sheet.id) or sheet

    async def _mine(self, sheet_id: int, customer_id: int) -> Sheet | Refusal:
        rows = await query(sql.LOCKED_SHEET, sql.SHEET, sheet_id)
        if not rows or rows[0]["customer_id"] != customer_id:
            return refuse(No.SURVEY_NOT_FOUND)
        return await _sheet(rows[0])

    async def _locked(self, sheet_id: int, customer_id: int) -> Sheet | Refusal:
        sheet = await self._mine(sheet_id, customer_id)
        if isinstance(sheet, Sheet) and not sheet.is_open(self._clock.now()):
            return refuse(No.SURVEY_CLOSED)
        return sheet

    async def _answered(self, sheet: Sheet, code: str, values: Sequence[str]) -> Sheet | Refusal:
        question = sheet.survey.question(code)
        if question is None or not fits(question, values):
            return refuse(No.INVALID_ANSWER)
        if sorted(values) == sorted(sheet.answers.get(code, ())):
            return sheet
        now = self._clock.now()
        await _write(sheet, question, values)
        await query(sql.ANSWERED, None, sheet.id, to_micros(now))
        answered = await self.sheet(sheet.id)
        assert answered is not None, "the row is locked"
        if question.kind == "score":
            await self._tell(answered, now, before=sheet.score)
        return answered

    async def _tell(
        self, sheet: Sheet, at: datetime, *, before: int | None = None, ended: bool = False
    ) -> None:
        """`before`: the score that this one takes the place of; `ended`: she is through."""
        score = sheet.score
        fact = {
            "survey": sheet.survey.name,
            "sheet": sheet.id,
            "receipt": sheet.receipt_id,
            "shop": sheet.shop_id,
            "score": score,
            "group": None if score is None else group_of(score),
            "before": before,
            "ended": ended,
        }
        await events.record("survey.answered", sheet.customer_id, at, fact)


async def _sheet(row: Any) -> Sheet:
    answers: dict[str, list[str]] = {}
    for question, value in map(tuple, await query(sql.ANSWERS, None, row["id"])):
        answers.setdefault(question, []).append(value)
    if row["score"] is not None:
        answers["score"] = [str(row["score"])]
    if row["words"]:
        answers["words"] = [row["words"]]
    return Sheet(
        id=row["id"],
        survey=SURVEYS[row["survey"]],
        customer_id=row["customer_id"],
        receipt_id=row["receipt_id"],
        shop_id=row["shop_id"],
        asked_at=from_micros(row["asked_at"]),
        answered_at=None if row["answered_at"] is None else from_micros(row["answered_at"]),
        ended_at=None if row["ended_at"] is None else from_micros(row["ended_at"]),
        answers=answers,
    )


async def _write(sheet: Sheet, question: Question, values: Sequence[str]) -> None:
    match question.kind:
        case "score":
            await query(sql.SET_SCORE, None, sheet.id, int(values[0]))
        case "text":
            await query(sql.SET_WORDS, None, sheet.id, "".join(values))
        case _:
            await query(sql.FORGET_ANSWER, None, sheet.id, question.code)
            for value in values:
                row = (sheet.id, question.code, value, sheet.customer_id)
                await query(sql.ADD_ANSWER, None, *row)
