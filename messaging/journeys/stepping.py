"""What the next thing is that an enrolment does, given what is known. Pure: a table of verdicts.

Instants are microseconds since 1970. The engine asks `needs` what has to be known, finds it out for
a whole batch at once, and asks `judge`; what comes out is done in one transaction.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from hashlib import blake2b
from typing import Any, Literal

from loyalty.instants import span_micros
from messaging.journeys.declaration import (
    Branch,
    Check,
    Do,
    Journey,
    Reward,
    Send,
    Split,
    Step,
    Wait,
)

MESSAGE_GRACE = timedelta(hours=1)
"""A message that has told nothing so long after its life is looked for."""
LATE_NOTICED = timedelta(minutes=5)
SPREAD_MAX = timedelta(hours=2)
"""What is late by more than the first goes out within the second, not all at once."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Enrolled:
    """An enrolment as it stands. `begun`: its step's message is written, its waiting runs.

    `due_at` is when its step is over at the latest; `heard` are kinds of events since it entered.
    """

    id: int
    journey: str
    revision: int
    customer_id: int
    key: str
    step: str
    begun: bool
    entered_at: int
    due_at: int
    heard: frozenset[str] = frozenset()
    data: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class MessageState:
    """What has become of the message of a step. `state` and `reason` as `Message` has them."""

    state: str
    reason: str = ""


@dataclass(frozen=True, slots=True)
class Known:
    """`truth` are answers to the checks that were needed, each without its `no`.

    `message` is the step's own; `lacks_words`: there is nothing that it could say.
    """

    truth: Mapping[Check, bool] = field(default_factory=dict)
    message: MessageState | None = None
    lacks_words: bool = False

    def holds(self, check: Check) -> bool:
        return self.truth[check.question] != check.no


@dataclass(frozen=True, slots=True)
class Stay:
    """Nothing is to be done before `until`."""

    until: int


@dataclass(frozen=True, slots=True)
class Begin:
    """The step's work is done now: its message written, its waiting started, until then."""

    until: int


@dataclass(frozen=True, slots=True)
class Perform:
    """The step's work is done now and ends at once; whoever does it says with which edge."""


@dataclass(frozen=True, slots=True)
class Pass:
    """The step has ended by this edge."""

    edge: str


@dataclass(frozen=True, slots=True)
class Leave:
    """The journey is over for her."""

    outcome: str


Move = Stay | Begin | Perform | Pass | Leave


def ends(journey: Journey, known: Known) -> Leave | None:
    """Whether its goal is reached or the rest needless; asked first, at each waking."""
    if journey.goal is not None and known.holds(journey.goal):
        return Leave("goal")
    for check in journey.leave:
        if known.holds(check):
            return Leave(f"left:{name_of(check)}")
    return None


def ending_checks(journey: Journey) -> tuple[Check, ...]:
    goal = () if journey.goal is None else (journey.goal,)
    return (*goal, *journey.leave)


def name_of(check: Check) -> str:
    words = f"{check.name}_{check.about}" if check.about else check.name
    return f"not_{words}"[:40] if check.no else words[:40]


def needs(step: Step, begun: bool) -> Check | None:
    """The check whose answer `judge` will ask for."""
    if isinstance(step, Branch):
        return step.asks
    if isinstance(step, Wait):
        return step.unless
    return step.needs if isinstance(step, Send) and not begun else None


def judge(step: Step, who: Enrolled, known: Known, now: int) -> Move:
    """What this step does now."""
    match step:
        case Wait():
            return _wait(step, who, known, now)
        case Branch():
            return Pass("yes" if known.holds(step.asks) else "no")
        case Split():
            return Pass(arm_of(step, who.journey, who.customer_id))
        case Send():
            return _send(step, who, known, now)
        case Reward() | Do():
            return Perform()


def _wait(step: Wait, who: Enrolled, known: Known, now: int) -> Move:
    if step.unless is not None and known.holds(step.unless):
        return Pass("so")
    if who.begun:
        return Pass("over") if now >= who.due_at else Stay(who.due_at)
    until = now + span_micros(step.lasts)
    if step.until:
        instant = who.data.get(step.until)
        if not isinstance(instant, int):
            return Pass("over")
        until = instant - span_micros(step.before)
    return Begin(until) if until > now else Pass("over")


def _send(step: Send, who: Enrolled, known: Known, now: int) -> Move:
    if who.begun:
        return _sent(who, known.message, now)
    if lateness(who, now) > span_micros(step.late_max):
        return Pass("late")
    if known.lacks_words or (step.needs is not None and not known.holds(step.needs)):
        return Pass("untrue")
    return Begin(expires_at(step, who, now) + span_micros(MESSAGE_GRACE))


def _sent(who: Enrolled, message: MessageState | None, now: int) -> Move:
    """Which end the message has come to; one that is still on its way is waited for."""
    if message is None:
        return Pass("failed")
    if message.state in ("queued", "sending"):
        return Stay(max(who.due_at, now + span_micros(MESSAGE_GRACE)))
    return Pass(edge_of(message))


def edge_of(message: MessageState) -> Literal["sent", "capped", "skipped", "failed"]:
    """A message that may have been delivered has been sent, as far as a journey goes."""
    if message.state in ("sent", "unknown"):
        return "sent"
    if message.state == "failed":
        return "failed"
    return "capped" if message.reason.startswith("capped") else "skipped"


def expires_at(step: Send, who: Enrolled, now: int) -> int:
    """When its message is too late: the end of what it speaks of, if that comes first."""
    ends_at = who.data.get("ends_at")
    latest = now + span_micros(step.lives)
    return min(latest, ends_at) if isinstance(ends_at, int) and ends_at > now else latest


def lateness(who: Enrolled, now: int) -> int:
    """By how much its step comes later than it should, as after downtime."""
    return max(0, now - who.due_at)


def not_before(who: Enrolled, now: int) -> int:
    """Late ones are spread over a while, by a hash, so that they make no burst."""
    late = lateness(who, now)
    if late <= span_micros(LATE_NOTICED):
        return now
    return now + spread(min(late, span_micros(SPREAD_MAX)), str(who.id))


def spread(span: int, *whose: str) -> int:
    """A stable place within `span` for whose it is."""
    return _hash(*whose) % max(span, 1)


def arm_of(step: Split, journey: str, customer_id: int) -> str:
    """The same customer always goes the same way of a journey's split."""
    place = _hash(journey, step.name, str(customer_id)) % sum(step.arms.values())
    for arm, weight in step.arms.items():
        if place < weight:
            return arm
        place -= weight
    raise AssertionError("the weights add up")


def _hash(*words: str) -> int:
    return int.from_bytes(blake2b("/".join(words).encode(), digest_size=8).digest())
