"""Worker processes of the outbox, as in life: each drains what is due when it is told to.

`python -m benchmarks.dispatch_parts.workers URL OPTIONS` is one of them. It says "ready", then
waits for lines: at each it works until nothing is due, and tells in a line of JSON what that took.
"""

import asyncio
import gc
import json
import os
import sys
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import asdict, dataclass
from pathlib import Path

import structlog
from redis.asyncio import Redis

from app.collector import spare_the_collector
from app.database import database
from benchmarks.dispatch_parts.base import in_daytime
from bot.telegram import make_telegram_bot
from loyalty.clock import SystemClock
from messaging.channels.base import Channel, Limit, Outgoing, SendResult, Sent, Status, Words
from messaging.channels.email.channel import EmailChannel, EmailOptions
from messaging.channels.email.connection import Server
from messaging.channels.email.mime import Sender
from messaging.channels.email.pool import PoolRules
from messaging.channels.email.tokens import Tokens
from messaging.channels.messenger import MessengerChannel
from messaging.dispatcher import Dispatcher, DispatcherRules
from messaging.notices import Notices
from messaging.pacing import LocalPacer, RedisPacer
from messaging.templates import BOOK, Body

TOKEN = "4242424242:a-token-of-the-benchmark-of-thirty-five"


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """`channel` is instant, email or telegram; `port` that of the mail or Bot API server.

    `limited`: the provider's limits hold, kept in `redis` if that is named. After each
    `sample_every` messages the memory of the process is noted.
    """

    channel: str
    port: int = 0
    limited: bool = False
    redis: str = ""
    sample_every: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Drained:
    """What draining the queue took this process. `rss_kb`: its memory, as sampled, then at last."""

    seconds: float
    cpu_s: float
    rss_kb: Sequence[int]


class Worker:
    """The process, as its parent sees it."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self.pid = process.pid
        assert process.stdin is not None
        assert process.stdout is not None
        self._stdin, self._stdout = process.stdin, process.stdout

    @classmethod
    @asynccontextmanager
    async def started(cls, url: str, options: Options) -> AsyncIterator["Worker"]:
        process = await asyncio.create_subprocess_exec(
            sys.executable, "-m", __spec__.name, url, json.dumps(asdict(options)),
            stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE,
        )  # fmt: skip
        worker = cls(process)
        try:
            assert await worker._line() == "ready"
            yield worker
        finally:
            worker._stdin.close()
            await process.wait()

    async def drain(self) -> Drained:
        """Work until nothing is due."""
        self._stdin.write(b"\n")
        return Drained(**json.loads(await self._line()))

    async def _line(self) -> str:
        line = await self._stdout.readline()
        if not line:
            raise RuntimeError("a worker has died; what it said stands above")
        return line.decode().strip()


async def drain_together(workers: Sequence[Worker]) -> tuple[float, list[Drained]]:
    """Let all of them drain the same queue; the seconds until the last of them is done."""
    started = time.perf_counter()
    drained = await asyncio.gather(*(worker.drain() for worker in workers))
    return time.perf_counter() - started, drained


# ---- in the process itself ----


def rss_kb() -> int:
    """Memory of this process that is its own or shared (Linux)."""
    return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE") // 1024


class InstantChannel:
    """A messenger that takes everything at once; every so often it notes the memory in use."""

    name = "messenger"
    address_kinds = ("telegram", "webchat")
    keeps_body = False
    reports: Sequence[Status] = ()
    limits: Sequence[Limit] = ()

    def __init__(self, sample_every: int) -> None:
        self._sample_every = sample_every
        self._taken = 0
        self.rss_kb: list[int] = []

    def units(self, body: Body) -> int:
        return 1

    def price(self, words: Words, address: str) -> int:
        return 0

    async def send(self, outgoing: Outgoing) -> SendResult:
        self._taken += 1
        if self._sample_every and self._taken % self._sample_every == 0:
            self.rss_kb.append(rss_kb())
        return Sent(str(outgoing.attempt_id))


def mail_channel(port: int) -> EmailChannel:
    return EmailChannel(
        Server(host="127.0.0.1", port=port, security="none"),
        Sender(address="shop@pharmacy.example", name="Аптека", brand="Аптека на углу"),
        tokens=Tokens(b"a key of the benchmark"),
        clock=SystemClock(),
        options=EmailOptions(price=10_000, pool=PoolRules(mails_max=1_000_000)),
    )


async def _channel(options: Options, stack: AsyncExitStack) -> Channel:
    match options.channel:
        case "email":
            mail = mail_channel(options.port)
            stack.push_async_callback(mail.close)
            return mail
        case "telegram":
            bot = make_telegram_bot(TOKEN, f"http://127.0.0.1:{options.port}")
            stack.push_async_callback(bot.session.close)
            messenger = MessengerChannel({"telegram": bot})
            if not options.limited:
                messenger.limits = ()
            return messenger
        case _:
            return InstantChannel(options.sample_every)


async def _work(url: str, options: Options) -> None:
    structlog.configure(logger_factory=structlog.PrintLoggerFactory(sys.stderr))
    async with AsyncExitStack() as stack:
        await stack.enter_async_context(database(url, migrate=False))
        await BOOK.refresh(at_once=True)
        channel = await _channel(options, stack)
        redis = Redis.from_url(options.redis) if options.redis else None
        if redis is not None:
            stack.push_async_callback(redis.aclose)
        dispatcher = Dispatcher(
            SystemClock(),
            [channel],
            Notices("RUB"),
            pacer=LocalPacer() if redis is None else RedisPacer(redis),
            policies=in_daytime(),
            rules=DispatcherRules(),
        )
        await dispatcher.drain()
        spare_the_collector()  # as in life
        print("ready", flush=True)
        reader = asyncio.StreamReader()
        loop = asyncio.get_running_loop()
        await loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(reader), sys.stdin)
        while await reader.readline():
            before, started = time.process_time(), time.perf_counter()
            await dispatcher.drain()
            drained = Drained(
                seconds=time.perf_counter() - started,
                cpu_s=time.process_time() - before,
                rss_kb=[*getattr(channel, "rss_kb", ()), rss_kb()],
            )
            print(json.dumps(asdict(drained)), flush=True)
            gc.collect()


if __name__ == "__main__":
    asyncio.run(_work(sys.argv[1], Options(**json.loads(sys.argv[2]))))
