"""Carries a batch of enrolments on: asks what has to be known, steps, and writes what came of it.

All of it is part of one transaction that has claimed the enrolments. Each round asks the same
questions of all that stand at a step, so that a batch takes a few queries, not a few each.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from loyalty.database import query
from loyalty.instants import from_micros
from loyalty.rules.commands import Accrue
from loyalty.sql.lists import listed
from messaging.journeys import stepping
from messaging.journeys.declaration import END, Check, Do, Journey, Reward, Send, Split, Step
from messaging.journeys.facts import message_key, message_states
from messaging.journeys.registry import ACTIONS, CHECKS, WORDS, Around
from messaging.journeys.rewards import Rewards, check_posted
from messaging.journeys.stepping import (
    Begin,
    Enrolled,
    Known,
    Leave,
    Move,
    Pass,
    Perform,
    Stay,
)
from messaging.outbox import Draft, enqueue
from messaging.records import encoded, rowset
from messaging.templates import BOOK


@dataclass(slots=True)
class Way:
    """One enrolment on its way through this waking: where it stands, and what it leaves behind."""

    who: Enrolled
    journey: Journey
    name: str
    language: str
    taken: list[tuple[str, str]] = field(default_factory=list)
    wakes_at: int | None = None
    outcome: str = ""

    @property
    def moves(self) -> bool:
        return self.wakes_at is None and not self.outcome

    @property
    def step(self) -> Step:
        found = self.journey.step(self.who.step)
        assert found is not None, "its revision has its step"
        return found

    def pass_on(self, edge: str) -> None:
        """To the step that follows this end. What was late is so for the first step alone."""
        self.taken.append((self.who.step, edge))
        following = self.journey.after(self.who.step, edge)
        if following == END:
            self.outcome = "finished" if edge not in ("late", "untrue") else edge
        else:
            self.who = replace(self.who, step=following, begun=False)

    def sleep(self, until: int, *, begun: bool) -> None:
        self.wakes_at = until
        self.who = replace(self.who, begun=begun, due_at=until if begun else self.who.due_at)

    def learn(self, given: Mapping[str, Any]) -> None:
        self.who = replace(self.who, data={**self.who.data, **given})


class Batch:
    """The ways of one transaction."""

    def __init__(self, ways: Sequence[Way], rewards: Rewards, around: Around) -> None:
        self.ways = ways
        self.drafts: list[Draft] = []
        self._gifts: list[Accrue] = []
        self._rewards = rewards
        self._around = around
        self._now = around.now

    async def carry_on(self) -> None:
        """Step until each sleeps or has left, and write all of it."""
        await self._end_those_at_their_goal()
        while moving := [way for way in self.ways if way.moves]:
            await self._round(moving)
        await self._write()

    async def _end_those_at_their_goal(self) -> None:
        moving = [way for way in self.ways if way.moves]
        asked = [(way.who, stepping.ending_checks(way.journey)) for way in moving]
        truth = await answers(asked, self._around)
        for way in moving:
            leave = stepping.ends(way.journey, Known(truth[way.who.id]))
            if leave is not None:
                way.outcome = leave.outcome

    async def _round(self, moving: Sequence[Way]) -> None:
        """Every way that stands at a step makes one move."""
        asked = [(way.who, _one(stepping.needs(way.step, way.who.begun))) for way in moving]
        truth = await answers(asked, self._around)
        begun = {w.who.id: w.who.step for w in moving if isinstance(w.step, Send) and w.who.begun}
        messages = await message_states(begun)
        said = await self._words(moving)
        performing: list[Way] = []
        for way in moving:
            words = said.get(way.who.id)
            speaks = isinstance(way.step, Send) and way.step.says and not way.who.begun
            known = Known(
                truth[way.who.id], messages.get(way.who.id), bool(speaks) and words is None
            )
            move = stepping.judge(way.step, way.who, known, self._now)
            if isinstance(move, Perform):
                performing.append(way)
            else:
                self._move(way, move, words or {})
        await self._perform(performing)

    async def _words(self, moving: Sequence[Way]) -> Mapping[int, Mapping[str, Any]]:
        """What the messages that are to be written now have to say, by enrolment."""
        by_name: dict[str, list[Enrolled]] = {}
        for way in moving:
            if isinstance(way.step, Send) and way.step.says and not way.who.begun:
                by_name.setdefault(way.step.says, []).append(way.who)
        found: dict[int, Mapping[str, Any]] = {}
        for name, enrolled in by_name.items():
            found |= await WORDS[name](enrolled, self._around)
        return found

    def _move(self, way: Way, move: Move, words: Mapping[str, Any]) -> None:
        match move:
            case Stay():
                way.sleep(move.until, begun=way.who.begun)
            case Begin():
                if isinstance(way.step, Send):
                    self.drafts.append(self._draft(way, way.step, words))
                way.sleep(move.until, begun=True)
            case Pass():
                if isinstance(way.step, Split):
                    way.learn({"arm": move.edge})
                way.pass_on(move.edge)
            case Leave():
                way.outcome = move.outcome
            case Perform():
                raise AssertionError("performed apart")

    def _draft(self, way: Way, step: Send, words: Mapping[str, Any]) -> Draft:
        rules = self._around.programme.rules
        context = {
            "programme": rules.name,
            "currency": rules.currency,
            "name": called(way.name),
            "promised": _promised(way.journey, step),
            **way.who.data,
            **step.context,
            **words,
        }
        return Draft(
            dedupe_key=message_key(way.who.id, step.name),
            topic=step.topic,
            template=step.template,
            kind=step.kind or BOOK.template(step.template).kind,
            source=f"journey:{way.journey.name}:{step.name}"[:64],
            customer_id=way.who.customer_id,
            enrolment_id=way.who.id,
            context=context,
            priority=step.priority,
            value=step.value,
            urgent=step.urgent,
            channels=step.channels,
            wants=step.wants,
            not_before=from_micros(stepping.not_before(way.who, self._now)),
            expires_at=from_micros(stepping.expires_at(step, way.who, self._now)),
        )

    async def _perform(self, ways: Sequence[Way]) -> None:
        """Rewards and actions, each action once for all that stand at the same step."""
        acting: dict[tuple[str, str], list[Way]] = {}
        for way in ways:
            if isinstance(way.step, Reward):
                await self._reward(way, way.step)
            else:
                acting.setdefault((way.journey.name, way.who.step), []).append(way)
        for together in acting.values():
            step = together[0].step
            assert isinstance(step, Do)
            edges = await ACTIONS[step.action](
                [way.who for way in together], step.settings, self._around
            )
            for way in together:
                way.pass_on(edges.get(way.who.id, "done"))

    async def _reward(self, way: Way, step: Reward) -> None:
        if step.points:
            command, given = self._rewards.points(way.who, step, self._around)
            self._gifts.append(command)
        else:
            code = await self._rewards.code(way.who, step, self._around)
            if code is None:
                way.pass_on("refused")
                return
            given = code
        way.learn(given)
        way.pass_on("given")

    async def _write(self) -> None:
        """The ledger comes last: it locks accounts until the commit."""
        await _KEEP.query([self._row(way) for way in self.ways])
        taken = [
            {"enrolment_id": way.who.id, "step": step, "edge": edge}
            for way in self.ways
            for step, edge in way.taken
        ]
        if taken:
            await _TAKEN.query(taken, self._now)
        await enqueue(self.drafts, at=self._around.at)
        if self._gifts:
            ledger = self._around.programme.ledger
            await ledger.open_accounts([gift.account_id for gift in self._gifts])
            check_posted(await ledger.post_within(self._gifts))

    def _row(self, way: Way) -> dict[str, Any]:
        return {
            "id": way.who.id,
            "revision": way.who.revision,
            "step": way.who.step,
            "begun": int(way.who.begun),
            "data": encoded(dict(way.who.data)),
            "due_at": way.who.due_at,
            "wakes_at": way.wakes_at if way.wakes_at is not None else self._now,
            "ended_at": self._now if way.outcome else None,
            "outcome": way.outcome[:48],
        }


def _promised(journey: Journey, step: Send) -> int | None:
    """The points of the gift that comes later, for an invitation to earn it."""
    later = journey.steps[journey.steps.index(step) :]
    return next((each.points for each in later if isinstance(each, Reward) and each.points), None)


_KEEP = rowset(
    """
    UPDATE enrolment SET revision = r.revision, step = r.step, begun = (r.begun = 1),
        data = r.data, due_at = r.due_at, wakes_at = r.wakes_at, ended_at = r.ended_at,
        outcome = r.outcome
    FROM {rows} WHERE enrolment.id = r.id
    """,
    id="bigint",
    revision="int",
    step="text",
    begun="int",
    data="text",
    due_at="bigint",
    wakes_at="bigint",
    ended_at="bigint",
    outcome="text",
)
_TAKEN = rowset(
    """
    INSERT INTO enrolment_step (enrolment_id, step, edge, at)
    SELECT r.enrolment_id, r.step, r.edge, CAST($2 AS BIGINT) FROM {rows} WHERE true
    """,
    enrolment_id="bigint",
    step="text",
    edge="text",
)
_CALLED = listed("SELECT id, name, language FROM customer WHERE id IN {list} AND erased_at IS NULL")


async def customers_called(customer_ids: Iterable[int]) -> dict[int, tuple[str, str]]:
    """Name and language of those who are still customers."""
    rows = await query(*_CALLED, sorted(set(customer_ids)))
    return {row["id"]: (row["name"], row["language"]) for row in rows}


def called(name: str) -> str | None:
    """How a message addresses her: by a single name. Of two nobody knows which is the first."""
    return name if name and " " not in name.strip() else None


async def answers(
    asked: Sequence[tuple[Enrolled, Sequence[Check]]], around: Around
) -> dict[int, dict[Check, bool]]:
    """The answers to these checks, by enrolment; each check is asked once for all."""
    askers: dict[Check, list[Enrolled]] = {}
    for who, checks in asked:
        for check in checks:
            askers.setdefault(check.question, []).append(who)
    truth: dict[int, dict[Check, bool]] = {who.id: {} for who, _ in asked}
    for question, enrolled in askers.items():
        true = await CHECKS[question.name](enrolled, question.about, around)
        for who in enrolled:
            truth[who.id][question] = who.id in true
    return truth


def _one(check: Check | None) -> tuple[Check, ...]:
    return () if check is None else (check,)
