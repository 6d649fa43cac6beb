"""What decisions stand on beside the facts, and what comes out of them: a try or a reason."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import msgspec
from msgspec import Struct

from messaging.attempts import Outcome
from messaging.channels.base import Channel, Outgoing, Status
from messaging.facts import Before, Facts, Person
from messaging.links import Links
from messaging.outbox import Claimed
from messaging.policy import habits
from messaging.policy.caps import DAY_US, DEFAULT_RULES, Caps, Rule, Tally, horizon, own_rule
from messaging.policy.habits import Record, Usual
from messaging.policy.quiet_hours import Release
from messaging.wrapping import LinkRow

DEFAULT_RELEASE = Release()
_OWN_RULE = own_rule(0)


@dataclass(frozen=True, slots=True, kw_only=True)
class Policies:
    """What the programme has laid down about writing to people."""

    caps: Sequence[Rule] = DEFAULT_RULES
    quiet: Release = DEFAULT_RELEASE
    usual: Mapping[str, Usual] = field(default_factory=lambda: habits.USUAL)
    names_channels: bool = field(init=False)
    """Whether some cap depends on the channel that a message takes."""
    _all: Caps = field(init=False)
    _own: dict[int, Caps] = field(default_factory=dict, init=False)  # by what she has allowed

    def __post_init__(self) -> None:
        named = any(rule.names_channels for rule in self.caps)
        object.__setattr__(self, "names_channels", named)
        object.__setattr__(self, "caps", Caps.of(self.caps))
        object.__setattr__(self, "_all", Caps((*self.caps, _OWN_RULE)))

    @property
    def horizon(self) -> int:
        """How far back contacts count, in microseconds; her own cap looks back a week."""
        return max(horizon(self.caps), 7 * DAY_US)

    def counts(self, message: Claimed, channel: str) -> bool:
        """Whether a contact must be kept of it."""
        return bool(self._all.counting((message.topic, channel, message.kind)))

    def caps_of(self, person: Person) -> Sequence[Rule]:
        if person.weekly_max is None:
            return self.caps
        own = self._own.get(person.weekly_max)
        if own is None:
            own = self._own[person.weekly_max] = Caps((*self.caps, own_rule(person.weekly_max)))
        return own

    def release_of(self, person: Person) -> Release:
        if person.quiet is None:
            return self.quiet
        return Release(
            hours=person.quiet,
            spread_us=self.quiet.spread_us,
            fallback_zone=self.quiet.fallback_zone,
            seed=self.quiet.seed,
        )

    def usual_of(self, channel: str) -> Usual:
        return self.usual.get(channel, habits.UNHEARD_OF)


class World(Struct, frozen=True, kw_only=True):
    """What is the same for all messages of a batch: rules, channels, their state, the hour.

    `channels` are by kind of address, `shut` those whose provider is down with the instant of the
    next try, `base` what all customers together see by channel. Without `links` nothing is tracked.
    Instants in microseconds.
    """

    policies: Policies
    channels: Mapping[str, Channel]
    shut: Mapping[str, int]
    base: Mapping[str, Record]
    now: int
    links: Links | None = None


class Case(Struct, frozen=True):
    """One message to one person, with all that bears upon it."""

    message: Claimed
    person: Person
    facts: Facts
    world: World
    rules: Sequence[Rule]
    tally: Tally
    """Her contacts without its own: it presses once, whatever the number of its tries."""

    @classmethod
    def of(cls, message: Claimed, person: Person, facts: Facts, world: World) -> "Case":
        rules = world.policies.caps_of(person)
        contacts = [contact for message_id, contact in person.contacts if message_id != message.id]
        return cls(message, person, facts, world, rules, Tally(rules, contacts))

    @property
    def before(self) -> Sequence[Before]:
        return self.facts.before.get(self.message.id, ())

    def chance(self, kind: str) -> float:
        """That she sees it at an address of this kind, or gets it where that is wanted."""
        channel = self.world.channels.get(kind)
        if channel is None:
            return 0.0
        return habits.chance(
            self.world.policies.usual_of(channel.name),
            wants=self.message.wants,
            tells_of_reading=Status.READ in channel.reports,
            own=self.person.habits.get(channel.name, Record()),
            base=self.world.base.get(channel.name, Record()),
        )


class Try(Struct, frozen=True, kw_only=True):
    """A message about to go: what, by which channel, at which price, and what follows it.

    `cost` in millionths of the currency; after `fallback_after_us` without the wanted status
    another channel takes over. `others_left`: one could take over after a failure. `delay_s` is
    the time to its turn at the provider.
    """

    message: Claimed
    outgoing: Outgoing
    channel: Channel
    cost: int
    presses: bool
    fallback_after_us: int | None
    others_left: bool
    delay_s: float = 0.0
    links: Sequence[LinkRow] = ()
    details: Mapping[str, Any]

    @property
    def to(self) -> tuple[str, str]:
        """Kind and address."""
        return self.outgoing.address_kind, self.outgoing.address


class Held(Struct, frozen=True):
    """No try now. The outcome, and what it stood on."""

    outcome: Outcome
    details: Mapping[str, Any] = msgspec.field(default_factory=dict)
