"""Frequency caps: how often a customer is written to at most, by several rules at once. Pure.

Windows roll: a rule lets a message pass while fewer than `limit` counted contacts are younger than
its window. What a rule counts and what it binds are two questions; so is what it exempts.
"""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from messaging.policy.verdicts import Send, Skip, Verdict, Wait, Why

HOUR_US = 3_600_000_000
DAY_US = 24 * HOUR_US


@dataclass(frozen=True, slots=True)
class Candidate:
    """A message that would go. With `channel` "" no rule for single channels has a say yet."""

    topic: str
    channel: str = ""
    kind: str = ""


@dataclass(frozen=True, slots=True)
class Contact:
    """A message that pressed upon her at an instant, or is about to."""

    topic: str
    channel: str
    kind: str
    at: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Which:
    """Some messages: those whose topic, channel and kind are named. Naming none means all."""

    topics: frozenset[str] = frozenset()
    channels: frozenset[str] = frozenset()
    kinds: frozenset[str] = frozenset()

    def takes(self, topic: str, channel: str, kind: str) -> bool:
        return (
            (not self.topics or topic in self.topics)
            and (not self.channels or channel in self.channels)
            and (not self.kinds or kind in self.kinds)
        )


SERVICE = Which(topics=frozenset({"service"}))
MARKETING = Which(topics=frozenset({"marketing"}))
NPS = Which(kinds=frozenset({"nps"}))
PRESSING = Which(topics=frozenset({"marketing", "survey"}))


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule:
    """At most `limit` of the contacts it `counts` in any `window_us` microseconds.

    It holds up the messages it `binds` unless one of `exempt` takes them: by default service
    messages pass, whatever else is said. A limit of 0 lets nothing pass. A negative limit or an
    empty window raises ValueError.
    """

    name: str
    limit: int
    window_us: int
    counts: Which
    binds: Which
    exempt: tuple[Which, ...] = (SERVICE,)

    def __post_init__(self) -> None:
        if self.limit < 0 or self.window_us <= 0:
            raise ValueError(f"cap {self.name}: {self.limit} in {self.window_us} µs")

    def holds(self, candidate: Candidate) -> bool:
        """Whether the rule has a say about this message."""
        asked = candidate.topic, candidate.channel, candidate.kind
        if not self.binds.takes(*asked):
            return False
        for which in self.exempt:  # noqa: SIM110 - a generator takes four times as long
            if which.takes(*asked):
                return False
        return True

    @property
    def names_channels(self) -> bool:
        """Whether its say depends on the channel that a message takes."""
        return bool(self.binds.channels) or any(which.channels for which in self.exempt)


@dataclass(frozen=True, slots=True)
class Free:
    """Every rule lets it pass."""


@dataclass(frozen=True, slots=True)
class Full:
    """`rule` is the one that opens last, at `until`, when all let it pass; None: it never opens."""

    rule: str
    until: int | None


DEFAULT_RULES = (
    Rule(name="marketing_day", limit=1, window_us=DAY_US, counts=MARKETING, binds=MARKETING),
    Rule(name="marketing_week", limit=2, window_us=7 * DAY_US, counts=MARKETING, binds=MARKETING),
    Rule(name="marketing_month", limit=5, window_us=30 * DAY_US, counts=MARKETING, binds=MARKETING),
    Rule(name="nps_quarter", limit=1, window_us=90 * DAY_US, counts=NPS, binds=NPS),
)


def own_rule(weekly_max: int) -> Rule:
    """The cap that a customer has set for herself: marketing and surveys in any seven days."""
    return Rule(
        name="her_own", limit=weekly_max, window_us=7 * DAY_US, counts=PRESSING, binds=PRESSING
    )


def check(
    rules: Sequence[Rule], candidate: Candidate, contacts: Iterable[Contact], now: int
) -> Free | Full:
    """Whether the candidate may go at `now`, given all her contacts within `horizon(rules)`.

    A contact exactly one window old no longer counts. One later than `now` does: it is another
    worker's, whose clock runs ahead. So a rule opens once and for all, one window after its
    `limit`-th newest contact, and all are open when the last of them is.
    """
    return Tally(rules, contacts).check(candidate, now)


def horizon(rules: Iterable[Rule]) -> int:
    """How far back contacts need be loaded, in microseconds: those with `at > now - horizon`."""
    return max((rule.window_us for rule in rules), default=0)


def as_verdict(found: Free | Full, expires_at: int) -> Verdict:
    """What the caps' answer means to a message: one that would expire before then is skipped."""
    if isinstance(found, Free):
        return Send()
    if found.until is None or found.until >= expires_at:
        return Skip(Why.CAPPED_UNTIL_EXPIRY.of(found.rule))
    return Wait(Why.CAPPED.of(found.rule), found.until)


class Tally:
    """One customer's contacts, counted once for many candidates; `add` what is let pass."""

    def __init__(self, rules: Sequence[Rule], contacts: Iterable[Contact]) -> None:
        self._rules = rules
        self._ats = defaultdict[tuple[str, str, str], list[int]](list)  # topic, channel, kind
        self._newest: dict[int, list[int]] = {}  # by a rule's place: what it counts, newest first
        ats = self._ats
        for contact in contacts:
            ats[contact.topic, contact.channel, contact.kind].append(contact.at)

    def add(self, contact: Contact) -> None:
        """The contact counts from now on."""
        self._ats[contact.topic, contact.channel, contact.kind].append(contact.at)
        self._newest.clear()

    def check(self, candidate: Candidate, now: int) -> Free | Full:
        """As `caps.check`."""
        last, opens = "", now
        for place, rule in enumerate(self._rules):
            if not rule.holds(candidate):
                continue
            if rule.limit == 0:
                return Full(rule.name, None)
            newest = self._counted(place)
            if len(newest) >= rule.limit and newest[rule.limit - 1] + rule.window_us > opens:
                last, opens = rule.name, newest[rule.limit - 1] + rule.window_us
        return Full(last, opens) if opens > now else Free()

    def _counted(self, place: int) -> list[int]:
        newest = self._newest.get(place)
        if newest is None:
            takes = self._rules[place].counts.takes
            newest = [at for sort, ats in self._ats.items() if takes(*sort) for at in ats]
            newest.sort(reverse=True)
            self._newest[place] = newest
        return newest
