"""Frequency caps: how often a customer is written to at most, by several rules at once. Pure.

Windows roll: a rule lets a message pass while fewer than `limit` counted contacts are younger than
its window. What a rule counts and what it binds are two questions; so is what it exempts.
"""

from collections.abc import Iterable, Sequence
from typing import TypeVar

from msgspec import Struct

from messaging.policy.verdicts import Send, Skip, Verdict, Wait, Why

_Found = TypeVar("_Found")
HOUR_US = 3_600_000_000
DAY_US = 24 * HOUR_US


class Candidate(Struct, frozen=True):
    """A message that would go. With `channel` "" no rule for single channels has a say yet."""

    topic: str
    channel: str = ""
    kind: str = ""


class Contact(Struct, frozen=True):
    """A message that pressed upon her at an instant, or is about to."""

    topic: str
    channel: str
    kind: str
    at: int


class Which(Struct, frozen=True, kw_only=True):
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


class Rule(Struct, frozen=True, kw_only=True):
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


class Free(Struct, frozen=True):
    """Every rule lets it pass."""


class Full(Struct, frozen=True):
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


_Sort = tuple[str, str, str]
"""Topic, channel and kind of a message."""
_SORTS_MAX = 2_000


class Caps(tuple[Rule, ...]):
    """Rules that hold together. What they mean to a sort of message is found out once."""

    def __init__(self, _rules: Iterable[Rule]) -> None:
        counted = list(dict.fromkeys(rule.counts for rule in self))
        self._counts = [counted.index(rule.counts) for rule in self]
        self._counted = counted
        self._binding: dict[_Sort, tuple[tuple[int, Rule], ...]] = {}
        self._counting: dict[_Sort, frozenset[int]] = {}

    @classmethod
    def of(cls, rules: Iterable[Rule]) -> "Caps":
        return rules if isinstance(rules, Caps) else cls(rules)

    def binding(self, sort: _Sort) -> tuple[tuple[int, Rule], ...]:
        """The rules that have a say about it, each with the number of what it counts."""
        found = self._binding.get(sort)
        if found is None:
            asked = Candidate(*sort)
            pairs = zip(self._counts, self, strict=True)
            found = tuple((what, rule) for what, rule in pairs if rule.holds(asked))
            self._keep(self._binding, sort, found)
        return found

    def counting(self, sort: _Sort) -> frozenset[int]:
        """The numbers of what it counts among."""
        found = self._counting.get(sort)
        if found is None:
            found = frozenset(n for n, which in enumerate(self._counted) if which.takes(*sort))
            self._keep(self._counting, sort, found)
        return found

    @staticmethod
    def _keep(known: dict[_Sort, _Found], sort: _Sort, found: _Found) -> None:
        if len(known) >= _SORTS_MAX:
            known.clear()
        known[sort] = found


class Tally:
    """One customer's contacts, counted once for many candidates; `add` what is let pass."""

    def __init__(self, rules: Iterable[Rule], contacts: Iterable[Contact]) -> None:
        self._caps = Caps.of(rules)
        self._contacts = list(contacts)
        self._newest: dict[int, list[int]] = {}  # by the number of what is counted, newest first

    def add(self, contact: Contact) -> None:
        """The contact counts from now on."""
        self._contacts.append(contact)
        self._newest.clear()

    def check(self, candidate: Candidate, now: int) -> Free | Full:
        """As `caps.check`."""
        last, opens = "", now
        sort = (candidate.topic, candidate.channel, candidate.kind)
        for what, rule in self._caps.binding(sort):
            if rule.limit == 0:
                return Full(rule.name, None)
            newest = self._newest.get(what)
            if newest is None:
                newest = self._newest[what] = self._counted(what)
            if len(newest) >= rule.limit and newest[rule.limit - 1] + rule.window_us > opens:
                last, opens = rule.name, newest[rule.limit - 1] + rule.window_us
        return Full(last, opens) if opens > now else Free()

    def _counted(self, what: int) -> list[int]:
        counting = self._caps.counting
        ats = [c.at for c in self._contacts if what in counting((c.topic, c.channel, c.kind))]
        ats.sort(reverse=True)
        return ats
