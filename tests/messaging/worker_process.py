"""A worker in a process of its own, for tests that kill it: `python -m … URL HOW [API [REDIS]]`.

It writes `ready` to stdout, and then works. HOW is `stuck` (the channel takes the message and never
answers), `quick` (it writes the address of each message to stdout and accepts it) or `telegram`
(the real messenger to a Bot API server; with a Redis under a limit that workers share).
"""

import asyncio
import sys
from collections.abc import Sequence

import structlog
from redis.asyncio import Redis

from app.database import database
from bot.telegram import make_telegram_bot
from loyalty.clock import SystemClock
from messaging.channels.base import Channel, Limit, Outgoing, SendResult, Sent, Status, Words
from messaging.channels.messenger import MessengerChannel
from messaging.decisions import Policies
from messaging.dispatcher import Dispatcher, DispatcherRules
from messaging.notices import Notices
from messaging.pacing import LocalPacer, Pacer, RedisPacer
from messaging.policy.caps import DAY_US, MARKETING, Rule
from messaging.policy.quiet_hours import QuietHours, Release
from messaging.templates import Body
from tests.bot.bot_api import TOKEN

AT_ANY_HOUR = Release(hours=QuietHours(begin=0, end=0))
TWO_A_DAY = Rule(name="day", limit=2, window_us=DAY_US, counts=MARKETING, binds=MARKETING)
SHARED_PER_S = 200
STUCK = DispatcherRules(concurrency=4, lease_s=30, send_timeout_s=20, poll_s=0.05)
QUICK = DispatcherRules(concurrency=4, lease_s=1.5, send_timeout_s=1.0, poll_s=0.05)
STORM = DispatcherRules(concurrency=32, lease_s=8.0, send_timeout_s=30.0, poll_s=0.05)


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

    def price(self, words: Words, address: str) -> int:
        return 0

    async def send(self, outgoing: Outgoing) -> SendResult:
        sys.stdout.write(f"{outgoing.address}\n")
        sys.stdout.flush()
        if self._how == "stuck":
            await asyncio.sleep(3600)
        await asyncio.sleep(0.001)
        return Sent()


def messenger(api_url: str, *, limited: bool) -> Channel:
    """Telegram's own limits would make a test last for minutes: none, or one that is wider."""
    channel = MessengerChannel({"telegram": make_telegram_bot(TOKEN, api_url)})
    channel.limits = (Limit(name="telegram", amount=SHARED_PER_S),) if limited else ()  # type: ignore[assignment]
    return channel


def log_to_stderr() -> None:
    """Stdout is what the test reads; a trace that filled its pipe would stop this process."""
    structlog.configure(logger_factory=structlog.PrintLoggerFactory(sys.stderr))


async def main(url: str, how: str, api_url: str = "", redis_url: str = "") -> None:
    pacer: Pacer = RedisPacer(Redis.from_url(redis_url)) if redis_url else LocalPacer()
    async with database(url, migrate=False):
        if how == "telegram":
            channel, rules = messenger(api_url, limited=bool(redis_url)), STORM
            policies = Policies(caps=(TWO_A_DAY,), quiet=AT_ANY_HOUR)
        else:
            channel, rules = PrintingChannel(how), STUCK if how == "stuck" else QUICK
            policies = Policies(quiet=AT_ANY_HOUR)
        worker = Dispatcher(
            SystemClock(), [channel], Notices("RUB"), rules=rules, policies=policies, pacer=pacer
        )
        sys.stdout.write("ready\n")
        sys.stdout.flush()
        await worker.run(asyncio.Event())


if __name__ == "__main__":
    log_to_stderr()
    asyncio.run(main(*sys.argv[1:]))
