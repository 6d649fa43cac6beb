"""A journey as data: what starts it, its steps, what ends it. Frozen, pure, and kept as JSON.

Steps follow one another in the order in which they are written. Where a step has several ends
(`yes` and `no`, `sent` and `failed`), `on` says which step follows which end; an end that is not
named goes on to the next step. Ways lead forward only, so that no step is taken twice.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from functools import cached_property
from typing import Any, Literal

END = "end"
"""Where a way leads that leaves the journey."""
MINUTE, HOUR, DAY = timedelta(minutes=1), timedelta(hours=1), timedelta(days=1)


@dataclass(frozen=True, slots=True)
class Check:
    """A question about an enrolment, by the name under which it is registered (`facts.CHECKS`).

    With `no` the answer is turned round.
    """

    name: str
    about: str = ""
    no: bool = False

    def __invert__(self) -> "Check":
        return Check(self.name, self.about, not self.no)

    @property
    def question(self) -> "Check":
        return Check(self.name, self.about)


@dataclass(frozen=True, slots=True, kw_only=True)
class OnEvent:
    """An event of this kind starts it; what `entry` makes of the event, by default one each.

    Events older than `fresh_for` start nothing. The first step comes `after` the event.
    """

    kinds: Sequence[str]
    entry: str = "each"
    after: timedelta = timedelta()
    fresh_for: timedelta = DAY


@dataclass(frozen=True, slots=True, kw_only=True)
class OnClock:
    """A look at all customers every so often finds who enters: `scan` by its registered name.

    `days` are how long before an occasion she enters, or how long after the last fact, each an
    entry of its own. Who is found later than `late_max` after that enters no more.
    """

    scan: str
    days: Sequence[int] = (0,)
    late_max: timedelta = 3 * DAY
    every: timedelta = HOUR


@dataclass(frozen=True, slots=True)
class ByHand:
    """Nobody enters but by a command of staff."""


Trigger = OnEvent | OnClock | ByHand


@dataclass(frozen=True, slots=True, kw_only=True)
class Send:
    """A message. Its ends: sent, capped, skipped, failed; `late` (too late for it when the step
    came), `untrue` (what it `needs` does not hold, or its words have nothing to say).

    `says` names what gives the words their values at the moment (`facts.WORDS`), `context` gives
    fixed ones. Past `lives` it is not sent any more, whatever it waits for.
    """

    name: str
    template: str
    topic: Literal["service", "marketing", "survey"] = "marketing"
    kind: str = ""
    says: str = ""
    context: Mapping[str, Any] = field(default_factory=dict)
    channels: Sequence[str] = ()
    wants: Literal["", "delivered", "read"] = ""
    priority: int = 6
    value: int = 0
    urgent: bool = False
    lives: timedelta = 3 * DAY
    late_max: timedelta = 2 * DAY
    needs: Check | None = None
    on: Mapping[str, str] = field(default_factory=lambda: {"untrue": END})


@dataclass(frozen=True, slots=True, kw_only=True)
class Wait:
    """Some time; or until `before` an instant that the enrolment knows by the name `until`.

    Its ends: over, and so (what it waits for, `unless`, is so before that).
    """

    name: str
    lasts: timedelta = timedelta()
    until: str = ""
    before: timedelta = timedelta()
    unless: Check | None = None
    on: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Branch:
    """Its ends: yes, no."""

    name: str
    asks: Check
    on: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Split:
    """One of the `arms` by a stable hash of journey and customer, as often as its weight says.

    Its ends are the names of the arms; the words of later messages know it as `arm`.
    """

    name: str
    arms: Mapping[str, int]
    on: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Reward:
    """Points that live for some days, or a personal promo code. Its ends: given, refused.

    Later words know `points` and `until`, or `code`, `title` and `until`. A code is `permille` off
    (or so many minor units), good for at least `live_days`, up to the end of that week.
    """

    name: str
    points: int = 0
    permille: int = 0
    amount_minor: int = 0
    title: str = ""
    first_purchase: bool = False
    live_days: int = 14
    on: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Do:
    """Something else that happens once, by its registered name (`actions.ACTIONS`): a task for an
    operator, a question, a suppression. Its `ends` are what the action may answer.
    """

    name: str
    action: str
    ends: Sequence[str] = ("done",)
    settings: Mapping[str, Any] = field(default_factory=dict)
    on: Mapping[str, str] = field(default_factory=dict)


Step = Send | Wait | Branch | Split | Reward | Do


@dataclass(frozen=True, kw_only=True)
class Journey:
    """`goal` is what it is to bring about, `leave` what makes the rest of it needless; both are
    asked at each waking, and by the dispatcher right before a message goes.

    `title` and `about` are by language, for staff.
    """

    name: str
    title: Mapping[str, str]
    about: Mapping[str, str] = field(default_factory=dict)
    trigger: Trigger
    steps: Sequence[Step]
    goal: Check | None = None
    leave: Sequence[Check] = ()

    @cached_property
    def _by_name(self) -> Mapping[str, tuple[Step, str]]:
        """Each step, and the name of the one that is written after it."""
        following = [*(step.name for step in self.steps[1:]), END]
        return {step.name: (step, after) for step, after in zip(self.steps, following, strict=True)}

    def step(self, name: str) -> Step | None:
        found = self._by_name.get(name)
        return None if found is None else found[0]

    def after(self, name: str, edge: str = "") -> str:
        """The name of the step that follows this end of a step, or END."""
        step, following = self._by_name[name]
        return step.on.get(edge, following)

    @property
    def first(self) -> str:
        return self.steps[0].name


ENDS: Mapping[type, tuple[str, ...]] = {
    Send: ("sent", "capped", "skipped", "failed", "late", "untrue"),
    Wait: ("over", "so"),
    Branch: ("yes", "no"),
    Reward: ("given", "refused"),
}
"""The ends of a step by its kind; those of Split are its arms, those of Do its action's answers."""


def ends_of(step: Step) -> tuple[str, ...]:
    if isinstance(step, Split):
        return tuple(step.arms)
    if isinstance(step, Do):
        return tuple(step.ends)
    return ENDS[type(step)]


def faults(journey: Journey) -> list[str]:
    """What is wrong with it, for whoever writes one; none: it can be published."""
    names = [step.name for step in journey.steps]
    found = [] if names else ["a journey needs a step"]
    found += [f"two steps are called {name}" for name in sorted(set(names))
              if names.count(name) > 1]  # fmt: skip
    if END in names:
        found.append(f"no step may be called {END}")
    for place, step in enumerate(journey.steps):
        found += [f"{step.name} has no end {edge}" for edge in step.on
                  if edge not in ends_of(step)]  # fmt: skip
        later = {*names[place + 1 :], END}
        found += [f"{step.name}: {target} is no later step" for target in step.on.values()
                  if target not in later]  # fmt: skip
        if isinstance(step, Split) and (not step.arms or min(step.arms.values()) < 1):
            found.append(f"{step.name} needs arms with weights of 1 or more")
        if (
            isinstance(step, Reward)
            and sum(map(bool, (step.points, step.permille, step.amount_minor))) != 1
        ):
            found.append(f"{step.name} gives points, or a share off, or a sum off")
    return found
