"""May this message go to this address over this channel? Consent, suppression, opt-in. Pure."""

from collections.abc import Iterable, Mapping, Set
from enum import StrEnum
from typing import Literal

from msgspec import Struct

from messaging.policy.verdicts import Why

SERVICE = "service"
EMAIL = "email"

OWN_WISHES = frozenset({"unsubscribed"})
"""Reasons by which she wants no advertising. All others are hard: they stop service too."""


CONFIRMING_PROOFS = frozenset({"opt_in", "one_time_code"})
"""Proofs of an e-mail address by which its owner has confirmed it."""


class OptIn(StrEnum):
    """How far the double opt-in of an e-mail address has come."""

    MISSING = "missing"
    PENDING = "pending"
    CONFIRMED = "confirmed"


class Ask(Struct, frozen=True, kw_only=True):
    """A message about to go. `purpose` is what she must have agreed to; service needs nothing."""

    topic: str
    channel: str
    address_kind: str
    address: str
    purpose: str = "marketing"


Scope = Literal["address", "channel", "topic", "all"]


class Suppression(Struct, frozen=True, kw_only=True):
    """What is not to be sent: whatever the named fields take; naming none takes everything.

    An address is named with its kind. Over at `until`, microseconds since 1970; None: never.
    """

    reason: str
    address_kind: str = ""
    address: str = ""
    channel: str = ""
    topic: str = ""
    until: int | None = None

    @property
    def scope(self) -> Scope:
        if self.address:
            return "address"
        if self.channel:
            return "channel"
        return "topic" if self.topic else "all"

    def stops(self, ask: Ask, now: int) -> bool:
        """Her own wish does not stop service, unless it names service itself."""
        if self.until is not None and self.until <= now:
            return False
        if self.reason in OWN_WISHES and ask.topic == SERVICE and self.topic != SERVICE:
            return False
        theirs = (self.address_kind, self.address)
        return (
            (not self.address or theirs == (ask.address_kind, ask.address))
            and self.channel in ("", ask.channel)
            and self.topic in ("", ask.topic)
        )


class Allowed(Struct, frozen=True):
    """Nothing stands against it."""


class Stopped(Struct, frozen=True):
    """`scope` is what is closed to the message: another address or channel may still be open.

    It opens at `until`, microseconds since 1970; None: not by itself.
    """

    reason: str
    scope: Scope
    until: int | None = None


def check(
    ask: Ask,
    *,
    consents: Mapping[tuple[str, str], bool],
    suppressions: Iterable[Suppression] = (),
    opt_in: OptIn = OptIn.MISSING,
    taken: Set[tuple[str, str]] = frozenset(),
    now: int,
) -> Allowed | Stopped:
    """The first thing against it: a suppression, the consent, the opt-in, a shared address.

    `consents` is what holds by (purpose, channel), channel "" speaking of those that are not named
    (`loyalty.rules.consents.standing`). `opt_in` matters to e-mail alone. `taken` are the addresses
    (kind, address) that this mailing has written to: one address, one send, whoever shares it.
    """
    if closed := [entry for entry in suppressions if entry.stops(ask, now)]:
        longest = max(closed, key=_lasts)
        return Stopped(Why.SUPPRESSED.of(longest.reason), longest.scope, longest.until)
    if ask.topic != SERVICE:
        granted = consents.get((ask.purpose, ask.channel), consents.get((ask.purpose, "")))
        if not granted:
            why = Why.NO_CONSENT if granted is None else Why.CONSENT_WITHDRAWN
            return Stopped(why, "channel")
        if ask.channel == EMAIL and opt_in is not OptIn.CONFIRMED:
            asked = opt_in is OptIn.PENDING
            return Stopped(Why.OPT_IN_PENDING if asked else Why.OPT_IN_MISSING, "address")
    if (ask.address_kind, ask.address) in taken:
        return Stopped(Why.ADDRESS_TAKEN, "address")
    return Allowed()


_WIDTH: Mapping[Scope, int] = {"address": 0, "channel": 1, "topic": 2, "all": 3}


def _lasts(entry: Suppression) -> tuple[bool, int, int]:
    """The one that lasts longest is named, and of those the widest."""
    return entry.until is None, entry.until or 0, _WIDTH[entry.scope]
