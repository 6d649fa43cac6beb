"""A worker in a process of its own, for tests that kill it: `python -m … URL HOW`.

HOW is `stuck` (the channel takes the message and never answers) or `quick` (it writes the address
of each message to stdout and accepts it).
"""

import asyncio
import sys
from collections.abc import Sequence

from app.database import database
from loyalty.clock import SystemClock
from messaging.channels.base import Limit, Outgoing, SendResult, Sent, Status
from messaging.decisions import Policies
from messaging.dispatcher import Dispatcher, DispatcherRules
from messaging.notices import Notices
from messaging.policy.quiet_hours import QuietHours, Release
from messaging.templates import Body

AT_ANY_HOUR = Policies(quiet=Release(hours=QuietHours(begin=0, end=0)))


class PrintingChannel:
    name = "sms"
    address_kinds = ("phone", "telegram")
    keeps_body = False
    reports: Sequence[Status] = ()
    limits: Sequence[Limit] = ()

    def __init__(self, how: str) -> None:
        self._how = how

    def units(self, body: Body) -> int:
        return 1

    def price(self, body: Body, address: str) -> int:
        return 0

    async def send(self, outgoing: Outgoing) -> SendResult:
        sys.stdout.write(f"{outgoing.address}\n")
        sys.stdout.flush()
        if self._how == "stuck":
            await asyncio.sleep(3600)
        await asyncio.sleep(0.001)
        return Sent()


async def main(url: str, how: str) -> None:
    async with database(url, migrate=False):
        rules = DispatcherRules(concurrency=4, lease_s=1.5, send_timeout_s=1.0, poll_s=0.05)
        if how == "stuck":
            rules = DispatcherRules(concurrency=4, lease_s=30, send_timeout_s=20, poll_s=0.05)
        worker = Dispatcher(
            SystemClock(),
            [PrintingChannel(how)],
            Notices("RUB"),
            rules=rules,
            policies=AT_ANY_HOUR,
        )
        await worker.run(asyncio.Event())


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:]))
