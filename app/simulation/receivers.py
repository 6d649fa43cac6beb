"""What arrives, where it arrives: mailboxes, telephones for SMS, and a log of it all.

The log is the receivers' own: the daily checks count by it and ask no sender.
"""

import re
from collections.abc import Collection, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from loyalty.clock import Clock
from loyalty.instants import to_micros
from messaging.channels.base import (
    Channel,
    Limit,
    Outgoing,
    Report,
    SendResult,
    Sent,
    Status,
    Words,
)
from messaging.channels.sms.channel import Sms, SmsTerms, text_of, unsendable
from messaging.channels.sms.tariff import parse_tariff
from messaging.templates import Body

SMS_PRICE = "4.35"
MAIL_PRICE = 20_000
"""A mail costs 0.02 of the currency."""
_LINK = re.compile(r"https?://[^\s\"'<>]+")


@dataclass(frozen=True, slots=True, kw_only=True)
class Arrival:
    """Something that came. `reference` is the provider's number of it, `leave_link` the one of
    which the mail program makes a button to unsubscribe."""

    at: datetime
    address_kind: str
    address: str
    reference: str
    text: str
    buttons: Sequence[tuple[str, str]] = ()
    """What can be pressed: label and data."""
    leave_link: str = ""

    @property
    def links(self) -> list[str]:
        return _LINK.findall(self.text)


@dataclass(slots=True)
class Post:
    """What came by SMS and e-mail since somebody looked. `dead` addresses bounce."""

    clock: Clock
    arrivals: list[Arrival] = field(default_factory=list)
    reports: list[Report] = field(default_factory=list)
    dead: set[str] = field(default_factory=set)

    def arrive(self, channel: str, outgoing: Outgoing, text: str) -> SendResult:
        reference = f"{channel}-{outgoing.attempt_id}"
        now = self.clock.now()
        lost = outgoing.address in self.dead
        self.reports.append(
            Report(
                channel=channel,
                status=Status.BOUNCED if lost else Status.DELIVERED,
                at=to_micros(now),
                attempt_id=outgoing.attempt_id,
            )
        )
        if not lost:
            self.arrivals.append(
                Arrival(
                    at=now,
                    address_kind=outgoing.address_kind,
                    address=outgoing.address,
                    reference=reference,
                    text=text,
                    leave_link=outgoing.unsubscribe_url,
                )
            )
        return Sent(reference)


class SmsPhones(Sms):
    """Takes every SMS at once, and tells what became of it."""

    reports: Sequence[Status] = (Status.DELIVERED, Status.BOUNCED)

    def __init__(self, post: Post) -> None:
        super().__init__(SmsTerms(sender="", tariff=parse_tariff(SMS_PRICE), segments_per_s=1000))
        self.limits: Sequence[Limit] = ()
        self._post = post

    async def open(self) -> None:
        """There is nobody to connect to."""

    async def close(self) -> None:
        """Nothing is kept open."""

    async def send(self, outgoing: Outgoing) -> SendResult:
        refused = unsendable(outgoing.body, outgoing.address)
        return refused or self._post.arrive(self.name, outgoing, text_of(outgoing.body))


class Mailboxes:
    """Takes every mail at once; nobody composes it, since nobody would look at it."""

    name = "email"
    address_kinds: Collection[str] = ("email",)
    keeps_body = False
    reports: Collection[Status] = (Status.DELIVERED, Status.BOUNCED)
    limits: Sequence[Limit] = ()

    def __init__(self, post: Post) -> None:
        self._post = post

    def units(self, body: Body) -> int:
        return 1

    def price(self, words: Words, address: str) -> int:
        return MAIL_PRICE

    async def send(self, outgoing: Outgoing) -> SendResult:
        return self._post.arrive(self.name, outgoing, outgoing.body.html)


class Overheard:
    """A channel that really sends, overheard: what it has sent arrives in the `post` as well."""

    def __init__(self, channel: Channel, post: Post) -> None:
        self._channel = channel
        self._post = post
        self.name = channel.name
        self.address_kinds = channel.address_kinds
        self.keeps_body = channel.keeps_body
        self.reports = (Status.DELIVERED, Status.BOUNCED)
        self.limits: Sequence[Limit] = ()

    def units(self, body: Body) -> int:
        return self._channel.units(body)

    def price(self, words: Words, address: str) -> int:
        return self._channel.price(words, address)

    async def send(self, outgoing: Outgoing) -> SendResult:
        result = await self._channel.send(outgoing)
        if not isinstance(result, Sent):
            return result
        self._post.arrive(self.name, outgoing, outgoing.body.html)
        return result
