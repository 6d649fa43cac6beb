"""Of several messages that wait for one customer: which go now, which wait, which never go. Pure.

The order is total: class, then the soonest expiry, then value, then age, then id. Each that goes
takes its place under the caps before the next is asked.
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import Protocol

from msgspec import Struct

from messaging.policy.caps import Candidate, Contact, Full, Rule, Tally, as_verdict
from messaging.policy.verdicts import Send, Skip, Verdict, Why

CLASSES: Mapping[str, int] = {"service": 0, "survey": 1, "transactional": 1, "marketing": 2}
"""By topic, the lower goes first; a topic that is not named goes with marketing."""


class Waiting(Struct, frozen=True, kw_only=True):
    """A message that is due. Instants in microseconds; `value` is what it is worth, any unit.

    `channel` as in `caps.Candidate`: "" while none has been chosen.
    """

    id: int
    topic: str
    expires_at: int
    created_at: int
    channel: str = ""
    kind: str = ""
    value: int = 0


class Ranked(Protocol):
    """What has a place in the queue: a `Waiting`, or a message that has these fields too."""

    @property
    def id(self) -> int: ...
    @property
    def topic(self) -> str: ...
    @property
    def expires_at(self) -> int: ...
    @property
    def created_at(self) -> int: ...
    @property
    def value(self) -> int: ...


class Ruling(Struct, frozen=True):
    """What is decided about one of them."""

    message: Waiting
    verdict: Verdict


def rank(message: Ranked) -> tuple[int, int, int, int, int]:
    """The place in the queue, the lowest first."""
    last = CLASSES["marketing"]
    standing = CLASSES.get(message.topic, last)
    return standing, message.expires_at, -message.value, message.created_at, message.id


def arbitrate(
    waiting: Iterable[Waiting], rules: Sequence[Rule], contacts: Iterable[Contact], now: int
) -> list[Ruling]:
    """Every message with its verdict, in their order. `contacts` as for `caps.check`.

    One that is capped lets others pass that are not, and waits until the caps open after all that
    go now; it is skipped when it would expire before that. The contact of a message that has one
    already (a fallback) is not among `contacts`, or it would stand in its own way.
    """
    tally = Tally(rules, contacts)
    queue = sorted(waiting, key=rank)
    going = {message.id for message in queue if _goes(message, tally, now)}
    return [
        Ruling(message, Send() if message.id in going else _held(message, tally, now))
        for message in queue
    ]


def _goes(message: Waiting, tally: Tally, now: int) -> bool:
    """Whether it goes now; it then takes its place under the caps."""
    if now >= message.expires_at or isinstance(tally.check(_candidate(message), now), Full):
        return False
    tally.add(Contact(message.topic, message.channel, message.kind, now))
    return True


def _held(message: Waiting, tally: Tally, now: int) -> Verdict:
    if now >= message.expires_at:
        return Skip(Why.EXPIRED)
    return as_verdict(tally.check(_candidate(message), now), message.expires_at)


def _candidate(message: Waiting) -> Candidate:
    return Candidate(message.topic, message.channel, message.kind)
