"""What every way to send an SMS has in common: who is reached, what it costs, what is counted."""

import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Literal, Protocol

from messaging.channels.base import Channel as AnyChannel
from messaging.channels.base import Failed, Limit, SendResult, Status, Words
from messaging.channels.sms.tariff import Tariff
from messaging.policy.sms_segments import segments
from messaging.templates import Body

CHANNEL = "sms"
PARTS_MAX = 10
"""A longer text is a mistake, and an expensive one."""
_NUMBER = re.compile(r"\+?([1-9]\d{4,14})", re.ASCII)
_NOT_CHARACTERS = re.compile("[\0\ud800-\udfff]")


Fate = Status | Literal["taken", "absent"]
"""What a provider answers who is asked about a message: its status, that it has it and is not done
with it, or that it has never had it."""


class SmsChannel(AnyChannel, Protocol):
    """A channel that has a line of its own to be opened and closed."""

    async def open(self) -> None:
        """Be ready to send and to hear reports. Sending opens by itself; hearing does not."""

    async def close(self) -> None: ...


@dataclass(frozen=True, slots=True, kw_only=True)
class SmsTerms:
    """What we have agreed upon with a provider. `sender` is a name or a number."""

    sender: str
    tariff: Tariff = field(default_factory=Tariff)
    segments_per_s: int = 10


class Sms:
    """The part of `Channel` that is the same for each provider."""

    name = CHANNEL
    address_kinds = ("phone",)
    keeps_body = False
    reports: Sequence[Status] = ()

    def __init__(self, terms: SmsTerms) -> None:
        self.terms = terms
        self.limits: Sequence[Limit] = (Limit(name=CHANNEL, amount=terms.segments_per_s),)

    def units(self, body: Body) -> int:
        return segments(text_of(body)).parts

    def price(self, words: Words, address: str) -> int:
        return self.terms.tariff.segment_price(address) * self.units(words())


def text_of(body: Body) -> str:
    """The words as they can be sent: without what is no character (NUL, halves of one)."""
    return _NOT_CHARACTERS.sub("", body.plain)


def digits_of(address: str) -> str | None:
    """An international number without its plus; None when it is none."""
    found = _NUMBER.fullmatch(address)
    return found.group(1) if found else None


def unsendable(body: Body, address: str) -> SendResult | None:
    """Why no provider needs to be asked; None when one does."""
    if digits_of(address) is None:
        return Failed("address_unknown", True, detail="no international number")
    text = text_of(body)
    if not text.strip():
        return Failed("no_text", True)
    if (parts := segments(text).parts) > PARTS_MAX:
        return Failed("too_long", True, detail=f"{parts} segments")
    return None
