"""A channel that does as it is told, a customer with a telephone, a dispatcher over both."""

import asyncio
from collections.abc import Awaitable, Callable, Iterator, Sequence
from datetime import UTC, datetime
from typing import Any

import pytest

from loyalty.clock import VirtualClock
from loyalty.database import query
from loyalty.models import Customer, Identity
from messaging.channels.base import Channel, Limit, Outgoing, SendResult, Sent, Status, Words
from messaging.dispatcher import Dispatcher, DispatcherRules
from messaging.notices import Notices
from messaging.outbox import Draft
from messaging.templates import Body
from tests.backends import Backend


class ToldChannel:
    """Answers as scripted, then `Sent`; remembers what it was given and how many at once."""

    name = "messenger"
    keeps_body = True
    reports: Sequence[Status] = ()
    limits: Sequence[Limit] = ()

    def __init__(self, *kinds: str) -> None:
        self.address_kinds = kinds or ("telegram", "webchat", "phone")
        self.answers: list[SendResult | Exception] = []
        self.got: list[Outgoing] = []
        self.gate: asyncio.Event | None = None
        self.at_once = self.at_once_max = 0

    def units(self, body: Body) -> int:
        return 1

    def price(self, words: Words, address: str) -> int:
        return 0

    async def send(self, outgoing: Outgoing) -> SendResult:
        self.got.append(outgoing)
        self.at_once += 1
        self.at_once_max = max(self.at_once_max, self.at_once)
        try:
            if self.gate is not None:
                await self.gate.wait()
            await asyncio.sleep(0)
            answer = self.answers.pop(0) if self.answers else Sent(str(outgoing.attempt_id))
            if isinstance(answer, Exception):
                raise answer
            return answer
        finally:
            self.at_once -= 1

    async def has_some(self) -> bool:
        return bool(self.got)

    @property
    def texts(self) -> list[str]:
        return [outgoing.body.plain for outgoing in self.got]


@pytest.fixture
def shared_url(postgres: Backend) -> Iterator[str]:
    """A Postgres database that several processes may open."""
    url = postgres.create()
    yield url
    postgres.drop(url)


@pytest.fixture
def channel() -> ToldChannel:
    return ToldChannel()


@pytest.fixture
def make_dispatcher(clock: VirtualClock) -> Callable[..., Dispatcher]:
    def make(*channels: Channel, **rules: Any) -> Dispatcher:
        return Dispatcher(clock, channels, Notices("RUB"), rules=DispatcherRules(**rules))

    return make


@pytest.fixture
def dispatcher(make_dispatcher: Callable[..., Dispatcher], channel: ToldChannel) -> Dispatcher:
    return make_dispatcher(channel)


@pytest.fixture
def code() -> Callable[..., Draft]:
    """A draft to a bare telephone."""

    def make(key: str = "code:1", **fields: Any) -> Draft:
        values: dict[str, Any] = {
            "dedupe_key": key,
            "topic": "service",
            "template": "sms_code",
            "context": {"programme": "Капсула", "code": "1234"},
            "address_kind": "phone",
            "address": "+79001234567",
            "language": "ru",
        }
        return Draft(**values | fields)

    return make


async def customer_with(*fronts: tuple[str, str], language: str = "ru") -> int:
    """A customer whose conversations `fronts` are open."""
    now = datetime(2026, 1, 1, tzinfo=UTC)
    customer = await Customer.create(name="Анна", language=language, joined_at=now)
    for kind, value in fronts:
        await Identity.create(
            customer=customer, kind=kind, value=value, proof="front", created_at=now
        )
    return customer.id


async def until(check: Callable[[], Awaitable[bool]], seconds: float = 5) -> None:
    """Wait for what another task or process is about to do."""
    async with asyncio.timeout(seconds):
        while not await check():  # noqa: ASYNC110 - what is waited for has no event
            await asyncio.sleep(0.01)


async def states() -> dict[str, tuple[str, str]]:
    """Every message by its key: state and reason."""
    rows = await query("SELECT dedupe_key, state, reason FROM message")
    return {row["dedupe_key"]: (row["state"], row["reason"]) for row in rows}


async def attempts() -> list[tuple[str, str, str, str]]:
    """Every try in its order: address kind, address, state, error."""
    rows = await query("SELECT address_kind, address, state, error FROM attempt ORDER BY id")
    return [(row["address_kind"], row["address"], row["state"], row["error"]) for row in rows]


async def all_sent() -> bool:
    return all(state == "sent" for state, _ in (await states()).values())
