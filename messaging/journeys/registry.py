"""What a declaration may name: checks, words, actions, entries of events, looks at the clock.

A function is registered by a decorator, beside the journey that needs it or in `facts` and
`actions` for all. Each works for a whole batch at once: enrolments in, an answer for each out.
"""

from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Mapping, Sequence, Set
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, TypeVar

from loyalty.instants import from_micros
from loyalty.programme import Programme
from messaging.journeys.declaration import (
    Check,
    Do,
    Journey,
    OnClock,
    OnEvent,
    Send,
)
from messaging.journeys.stepping import Enrolled, ending_checks, needs
from messaging.links import Links
from messaging.notices import EventRow
from messaging.optin import OptIns
from messaging.templates import BOOK


@dataclass(frozen=True, slots=True, kw_only=True)
class Around:
    """What functions of journeys work with. `now` in microseconds since 1970.

    Without `opt_ins` nobody is asked to confirm an address, without `links` nothing is linked to.
    """

    programme: Programme
    now: int
    opt_ins: OptIns | None = None
    links: Links | None = None

    @property
    def at(self) -> datetime:
        return from_micros(self.now)


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """Somebody who enters. Once for each `key`; the first step comes at `due_at`.

    `data` is what the words of messages may use, and `ends_at` in it the end of what it speaks of.
    """

    customer_id: int
    key: str
    due_at: int
    entered_at: int
    data: Mapping[str, Any] = field(default_factory=dict)


CheckFunction = Callable[[Sequence[Enrolled], str, Around], Awaitable[Set[int]]]
"""Of these enrolments, those (by id) for whom it is so; the text is what the check is about."""
WordsFunction = Callable[[Sequence[Enrolled], Around], Awaitable[Mapping[int, Mapping[str, Any]]]]
"""Values for a message's words, by enrolment; who is missing has nothing to be told."""
ActionFunction = Callable[
    [Sequence[Enrolled], Mapping[str, Any], Around], Awaitable[Mapping[int, str]]
]
"""Does it for these enrolments within the running transaction; by which edge each goes on."""
EntryFunction = Callable[[Sequence[EventRow], Around], Awaitable[Sequence[Entry]]]
"""Who enters because of these events."""
ScanFunction = Callable[[OnClock, Around], AsyncIterator[Sequence[Entry]]]
"""Who enters because her time has come, a page at a time."""

CHECKS: dict[str, CheckFunction] = {}
WORDS: dict[str, WordsFunction] = {}
ACTIONS: dict[str, ActionFunction] = {}
ENTRIES: dict[str, EntryFunction] = {}
SCANS: dict[str, ScanFunction] = {}
HEARD_BY: dict[str, tuple[str, ...]] = {}
"""By check: the kinds of events that may change its answer, upon which sleepers are woken."""

F = TypeVar("F")


def check(name: str, *, hears: Sequence[str] = ()) -> Callable[[CheckFunction], CheckFunction]:
    """Register a check. Events of the kinds that it `hears` wake those whose journey asks it."""
    HEARD_BY[name] = tuple(hears)
    return _into(CHECKS, name)


def words(name: str) -> Callable[[WordsFunction], WordsFunction]:
    return _into(WORDS, name)


def action(name: str) -> Callable[[ActionFunction], ActionFunction]:
    return _into(ACTIONS, name)


def entry(name: str) -> Callable[[EntryFunction], EntryFunction]:
    return _into(ENTRIES, name)


def scan(name: str) -> Callable[[ScanFunction], ScanFunction]:
    return _into(SCANS, name)


def _into(registry: dict[str, F], name: str) -> Callable[[F], F]:
    def register(function: F) -> F:
        if name in registry:
            raise ValueError(f"{name} is registered twice")
        registry[name] = function
        return function

    return register


def checks_of(journey: Journey) -> Iterator[Check]:
    """Every check that it asks, at whatever step."""
    yield from ending_checks(journey)
    for step in journey.steps:
        check = needs(step, begun=False)
        if check is not None:
            yield check


def unknown(journey: Journey) -> list[str]:
    """The names in a declaration that nobody has registered, and templates that do not fit."""
    return unregistered(journey) + [
        f"template {step.template} ({step.topic})"
        for step in journey.steps
        if isinstance(step, Send)
        and (step.template not in BOOK.names or BOOK.template(step.template).topic != step.topic)
    ]


def unregistered(journey: Journey) -> list[str]:
    """The names that this version of the code does not know."""
    trigger = journey.trigger
    found = [f"check {check.name}" for check in checks_of(journey) if check.name not in CHECKS]
    if isinstance(trigger, OnEvent) and trigger.entry not in ENTRIES:
        found.append(f"entry {trigger.entry}")
    if isinstance(trigger, OnClock) and trigger.scan not in SCANS:
        found.append(f"scan {trigger.scan}")
    for step in journey.steps:
        if isinstance(step, Do) and step.action not in ACTIONS:
            found.append(f"action {step.action}")
        if isinstance(step, Send) and step.says and step.says not in WORDS:
            found.append(f"words {step.says}")
    return found
