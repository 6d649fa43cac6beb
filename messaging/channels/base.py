"""What the dispatcher asks of a channel, and what a channel may answer."""

from collections.abc import Collection
from dataclasses import dataclass
from typing import Protocol

from messaging.templates import Body


@dataclass(frozen=True, slots=True, kw_only=True)
class Outgoing:
    """One try: this body to this address. `address_kind` is telegram, webchat or phone."""

    message_id: int
    attempt_id: int
    address_kind: str
    address: str
    body: Body


@dataclass(frozen=True, slots=True)
class Sent:
    """The provider has accepted it."""

    provider_id: str = ""


@dataclass(frozen=True, slots=True)
class Failed:
    """The provider has surely not taken it. `permanent`: the same address will never take it."""

    reason: str
    permanent: bool
    retry_after_s: float | None = None
    detail: str = ""


@dataclass(frozen=True, slots=True)
class Unknown:
    """The request was written and no answer came: it may have been delivered."""

    reason: str


SendResult = Sent | Failed | Unknown


class Channel(Protocol):
    """A way to reach somebody. `send` answers every foreseen trouble; what it raises is a bug."""

    @property
    def address_kinds(self) -> Collection[str]:
        """The kinds of address that it can send to."""

    @property
    def keeps_body(self) -> bool:
        """Whether the attempt keeps the text; otherwise nobody but the reader has it."""

    async def send(self, outgoing: Outgoing) -> SendResult: ...
