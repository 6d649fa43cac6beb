"""A message centre of our own, a channel bound to it, and what it reported."""

from collections.abc import AsyncIterator, Callable, Sequence
from typing import Any

import pytest

from loyalty.clock import VirtualClock
from messaging.channels.base import Outgoing, Report
from messaging.channels.sms.channel import SmsTerms
from messaging.channels.sms.session import SmppServer, SmppTimes
from messaging.channels.sms.smpp import SmppChannel, SmppOptions
from messaging.channels.sms.tariff import parse_tariff
from messaging.templates import Body
from tests.app.conftest import port, start
from tests.messaging.channels.sms.smsc import PASSWORD, SYSTEM_ID, Smsc, running_smsc

__all__ = ["port", "start"]  # fixtures: pytest finds them by their names here

PHONE = "+79001234567"
QUICK = SmppTimes(
    connect_s=2.0, answer_s=0.5, idle_s=0.1, unbind_s=0.5, backoff_s=0.02, backoff_s_max=0.05
)
CALM = SmppTimes(
    connect_s=2.0, answer_s=5.0, idle_s=30.0, unbind_s=0.5, backoff_s=0.02, backoff_s_max=0.05
)
TERMS = SmsTerms(sender="Kapsula", tariff=parse_tariff("4.35"), segments_per_s=20)


class Reports(list[Report]):
    """Takes reports; `broken` makes it fail as a database would."""

    broken = False

    async def take(self, reports: Sequence[Report]) -> None:
        if self.broken:
            raise ConnectionError("the database is away")
        self.extend(reports)

    @property
    def told(self) -> list[tuple[str, str]]:
        return [(report.provider_id, report.status.value) for report in self]


def sms(text: str, *, to: str = PHONE, attempt_id: int = 7, ttl_s: int | None = None) -> Outgoing:
    return Outgoing(
        message_id=1,
        attempt_id=attempt_id,
        address_kind="phone",
        address=to,
        body=Body("", text=text),
        ttl_s=ttl_s,
    )


@pytest.fixture
def reports() -> Reports:
    return Reports()


@pytest.fixture
async def smsc() -> AsyncIterator[Smsc]:
    async with running_smsc() as running:
        yield running
        assert running.complaints == []


MakeChannel = Callable[..., SmppChannel]


@pytest.fixture
async def make_channel(
    smsc: Smsc, reports: Reports, clock: VirtualClock
) -> AsyncIterator[MakeChannel]:
    made: list[SmppChannel] = []

    def make(
        *,
        times: SmppTimes = CALM,
        terms: SmsTerms = TERMS,
        options: SmppOptions | None = None,
        **server: Any,
    ) -> SmppChannel:
        where: dict[str, Any] = {
            "host": "127.0.0.1",
            "port": smsc.port,
            "system_id": SYSTEM_ID,
            "password": PASSWORD,
        }
        channel = SmppChannel(
            SmppServer(**where | server),
            terms,
            clock=clock,
            take_reports=reports.take,
            options=options,
            times=times,
        )
        made.append(channel)
        return channel

    yield make
    for channel in made:
        await channel.close()


@pytest.fixture
def channel(make_channel: MakeChannel) -> SmppChannel:
    return make_channel()
