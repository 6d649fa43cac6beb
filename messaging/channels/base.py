"""What the dispatcher asks of a channel, and what a channel may answer, at once or later."""

from collections.abc import Awaitable, Callable, Collection, Sequence
from enum import StrEnum
from typing import Protocol

from msgspec import Struct

from messaging.templates import Body


class Ring(Struct, frozen=True):
    """A notification beside a message in a chat that nobody is looking at.

    `address` is a browser's (kind webpush); the words are the notification's own, fit to be read on
    a locked screen.
    """

    address: str
    body: Body


class Outgoing(Struct, frozen=True, kw_only=True):
    """One try: this body to this address. `address_kind` is telegram, webchat, phone or email.

    `ttl_s`: after so many seconds the provider must give up by itself, since another channel takes
    over then. `unsubscribe_url` takes a POST (RFC 8058); service messages have none.
    `preferences_url` is the page on which a customer chooses what comes.
    """

    message_id: int
    attempt_id: int
    address_kind: str
    address: str
    body: Body
    topic: str = "service"
    ttl_s: int | None = None
    unsubscribe_url: str = ""
    preferences_url: str = ""
    ring: Ring | None = None


class Sent(Struct, frozen=True):
    """The provider has accepted it. A long SMS has an id for each of its parts."""

    provider_id: str = ""
    more_ids: tuple[str, ...] = ()


class Failed(Struct, frozen=True):
    """The provider has surely not taken it. `permanent`: the same address will never take it.

    `provider_down`: the provider itself is in trouble, whatever the message. `unasked`: it has not
    even been asked, because we had no room to: that is no try of the message.
    """

    reason: str
    permanent: bool
    retry_after_s: float | None = None
    detail: str = ""
    provider_down: bool = False
    unasked: bool = False


class Unknown(Struct, frozen=True):
    """The request was written and no answer came: it may have been delivered."""

    reason: str


SendResult = Sent | Failed | Unknown


class Status(StrEnum):
    """What a provider may tell of a message after it has accepted it."""

    DELIVERED = "delivered"
    READ = "read"
    UNDELIVERED = "undelivered"
    """It gave up; the address may work another time."""
    BOUNCED = "bounced"
    """The address does not exist or never takes anything."""
    COMPLAINED = "complained"
    """The reader called it spam."""


class Report(Struct, frozen=True, kw_only=True):
    """A provider's word about a message, by the id it gave to it (or by ours, if it tells that).

    `at` in microseconds since 1970; the same report may come twice, late, and in any order.
    """

    channel: str
    status: Status
    at: int
    provider_id: str = ""
    attempt_id: int | None = None
    address: str = ""
    detail: str = ""


Words = Callable[[], Body]
"""The body of a message for a channel, written when it is asked for. May raise TemplateError."""

TakeReports = Callable[[Sequence[Report]], Awaitable[None]]


class Limit(Struct, frozen=True, kw_only=True):
    """At most `amount` units in any `per_s` seconds, over all workers together.

    Units are what the provider counts: messages, or for SMS the segments (see `Channel.units`).
    `address_kind` narrows it to the addresses of one provider, `each_address` is for each alone.
    """

    name: str
    amount: int
    per_s: float = 1.0
    each_address: bool = False
    address_kind: str = ""


class Channel(Protocol):
    """A way to reach somebody. `send` answers every foreseen trouble; what it raises is a bug."""

    @property
    def name(self) -> str:
        """What routes, caps and reports call it: messenger, email, sms, webpush."""

    @property
    def address_kinds(self) -> Collection[str]:
        """The kinds of address that it can send to."""

    @property
    def keeps_body(self) -> bool:
        """Whether the attempt keeps the text; otherwise nobody but the reader has it."""

    @property
    def reports(self) -> Collection[Status]:
        """What it can tell later of a message that it has sent."""

    @property
    def limits(self) -> Sequence[Limit]:
        """The provider's limits, each of which a send is counted against."""

    def units(self, body: Body) -> int:
        """How much of the limits this body takes."""

    def price(self, words: Words, address: str) -> int:
        """What one send costs, in millionths of the programme's currency.

        Most channels need not ask for the words, which are written only then.
        """

    async def send(self, outgoing: Outgoing) -> SendResult: ...
