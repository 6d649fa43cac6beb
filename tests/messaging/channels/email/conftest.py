"""A channel to a server of the test's, and mails to send through it."""

from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack
from typing import Any

import pytest

from loyalty.clock import SystemClock
from messaging.channels.base import Outgoing
from messaging.channels.email.channel import EmailChannel, EmailOptions
from messaging.channels.email.connection import Server
from messaging.channels.email.mime import Sender
from messaging.channels.email.pool import PoolRules
from messaging.channels.email.signing import Signer
from messaging.channels.email.tokens import Tokens
from messaging.templates import Body

TOKENS = Tokens(b"k" * 32)
SENDER = Sender(
    address="news@kapsula.example",
    name="Аптека «Капсула»",
    brand="Капсула",
    bounce_domain="b.kapsula.example",
    leaves_by_mail=True,
)


def outgoing(attempt_id: int = 7, **fields: Any) -> Outgoing:
    values: dict[str, Any] = {
        "message_id": 1,
        "attempt_id": attempt_id,
        "address_kind": "email",
        "address": "anna@example.com",
        "body": Body("🧾 <b>Чек № 5</b>\nНачислено: 12 бонусов", subject="Ваш чек"),
    }
    return Outgoing(**values | fields)


MakeChannel = Callable[..., EmailChannel]


@pytest.fixture
async def make_channel() -> AsyncIterator[MakeChannel]:
    async with AsyncExitStack() as stack:

        def make(
            port: int,
            *,
            sender: Sender = SENDER,
            signer: Signer | None = None,
            rules: PoolRules | None = None,
            price: int = 0,
            per_second: int = 0,
            **server: Any,
        ) -> EmailChannel:
            values = {"host": "127.0.0.1", "port": port, "security": "none", "hello": "x.example"}
            channel = EmailChannel(
                Server(**values | server),
                sender,
                tokens=TOKENS,
                clock=SystemClock(),
                signer=signer,
                options=EmailOptions(price=price, per_second=per_second, pool=rules or PoolRules()),
            )
            stack.push_async_callback(channel.close)
            return channel

        yield make
