"""Four workers, five sources, twenty thousand messages, kill -9 at random, a Redis that goes away.

What holds is read from the receiver's log, a Bot API server that notes every message that arrives:
no customer gets more than the cap lets her have, none gets a message twice, none gets fewer than
the cap has room for, unless a worker died while it was writing to her.
"""

import asyncio
import random
import shutil
import socket
import sys
import time
from collections import Counter
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from redis import Redis
from redis.exceptions import RedisError

from app.database import database
from loyalty.database import query
from loyalty.ids import next_id
from loyalty.instants import to_micros
from loyalty.models import ConsentFact, Customer, Identity
from messaging.outbox import Draft, enqueue
from tests.availability import redis_absence, require
from tests.backends import Backend
from tests.bot.bot_api import BotApi
from tests.messaging.worker_process import SHARED_PER_S, STORM

ROOT = Path(__file__).parents[2]
SOURCES, EACH, CUSTOMERS = 5, 2, 2_000
CAP = 2
SETTLE_S = 240
DRAINED_S = 5.0
"""What was admitted has arrived by then."""
pytestmark = pytest.mark.timeout(400)


@dataclass
class Receiver(BotApi):
    """Notes what arrives, to whom and when."""

    log: list[tuple[int, str, float]] = field(default_factory=list)

    def __post_init__(self) -> None:
        super().__init__()

    async def _sendMessage(self, params: dict[str, Any], files: Any) -> Any:
        self.meet(int(params["chat_id"]))
        self.log.append((int(params["chat_id"]), params["text"], time.monotonic()))
        return await super()._sendMessage(params, files)


@pytest.fixture
def url(request: pytest.FixtureRequest) -> Iterator[str]:
    """Of an empty database that several processes may open, one after the other on SQLite."""
    backend: Backend = request.getfixturevalue(getattr(request, "param", "postgres"))
    made = backend.create()
    yield made
    backend.drop(made)


@pytest.fixture
async def receiver() -> AsyncIterator[Receiver]:
    api = Receiver()
    await api.start()
    yield api
    await api.stop()


@dataclass
class Workers:
    """Processes that may be killed, each replaced by a new one."""

    arguments: Sequence[str]
    running: list[asyncio.subprocess.Process] = field(default_factory=list)
    killed: int = 0

    async def start(self, count: int) -> None:
        for _ in range(count):
            self.running.append(
                await asyncio.create_subprocess_exec(
                    sys.executable,
                    "-m",
                    "tests.messaging.worker_process",
                    *self.arguments,
                    cwd=ROOT,
                    stdout=asyncio.subprocess.PIPE,
                )
            )

    async def ready(self) -> None:
        for process in self.running:
            assert process.stdout is not None
            assert await process.stdout.readline() == b"ready\n"

    async def kill(self, which: int) -> None:
        process = self.running.pop(which)
        process.kill()
        await process.wait()
        self.killed += 1

    async def stop(self) -> None:
        for process in self.running:
            with suppress(ProcessLookupError):
                process.kill()
            await process.wait()


async def population(customers: int) -> list[int]:
    now = datetime.now(UTC)
    ids = [next_id() for _ in range(customers)]
    await Customer.bulk_create([Customer(id=i, name="Анна", joined_at=now) for i in ids])
    await Identity.bulk_create(
        [
            Identity(customer_id=i, kind="telegram", value=str(n + 1), proof="front",
                     created_at=now)
            for n, i in enumerate(ids)
        ]
    )  # fmt: skip
    await ConsentFact.bulk_create(
        [
            ConsentFact(customer_id=i, purpose="marketing", channel="", granted=True, at=now,
                        source="telegram", wording="1")
            for i in ids
        ]
    )  # fmt: skip
    return ids


async def mailing(ids: Sequence[int]) -> int:
    """Every source has some messages for every customer; returns how many there are."""
    drafts = [
        Draft(
            dedupe_key=f"{source}:{nth}:{customer_id}",
            topic="marketing",
            template="welcome",
            context={"programme": f"{source}:{nth}", "points": 0},
            customer_id=customer_id,
            source=f"source:{source}",
            value=source,
        )
        for source in range(SOURCES)
        for nth in range(EACH)
        for customer_id in ids
    ]
    for start in range(0, len(drafts), 5000):
        await enqueue(drafts[start : start + 5000], at=datetime.now(UTC))
    return len(drafts)


async def settled() -> bool:
    """Nothing is under way, and whatever is queued waits for its turn tomorrow."""
    return not await query(
        "SELECT 1 FROM message WHERE state = 'sending' OR (state = 'queued' AND not_before <= $1) "
        "LIMIT 1",
        None,
        to_micros(datetime.now(UTC)),
    )


async def until_settled() -> None:
    async with asyncio.timeout(SETTLE_S):
        while not await settled():  # noqa: ASYNC110 - other processes do it
            await asyncio.sleep(0.2)


async def some_arrived(receiver: Receiver, count: int) -> None:
    async with asyncio.timeout(SETTLE_S):
        while len(receiver.log) < count:  # noqa: ASYNC110 - the log has no event
            await asyncio.sleep(0.02)


async def check(receiver: Receiver, total: int, customers: int, killed: int) -> None:
    """The receiver's log against the cap, and our own books against the log."""
    arrived = Counter((chat, text) for chat, text, _ in receiver.log)
    assert not [each for each, times in arrived.items() if times > 1], "nothing comes twice"
    per_customer = Counter(chat for chat, _ in arrived)
    assert max(per_customer.values()) <= CAP, "no cap is violated"
    states = {r["state"]: r["n"] for r in await query(
        "SELECT state, COUNT(*) AS n FROM message GROUP BY state")}  # fmt: skip
    assert sum(states.values()) == total, "no row is lost"
    assert states.keys() <= {"sent", "unknown", "queued"}
    unknown = states.get("unknown", 0)
    # What was being written, and the answers that were just being written down.
    assert unknown <= killed * 2 * STORM.concurrency
    assert states["sent"] + unknown == CAP * customers, "all that the cap has room for has gone"
    assert states["sent"] <= len(receiver.log) <= states["sent"] + unknown
    waiting = await query("SELECT DISTINCT reason FROM message WHERE state = 'queued'")
    assert [row["reason"] for row in waiting] == ["capped:day"], "who waits says why"
    assert not receiver.refused


async def test_four_workers_that_are_killed_at_random(url: str, receiver: Receiver) -> None:
    workers = Workers((url, "telegram", receiver.url))
    chance = random.Random(3)
    try:
        async with database(url, migrate=False):
            ids = await population(CUSTOMERS)
            total = await mailing(ids)
            await workers.start(4)
            for part in range(1, 7):
                await some_arrived(receiver, part * CAP * CUSTOMERS // 8)
                await workers.kill(chance.randrange(4))
                await workers.start(1)
            await until_settled()
            await check(receiver, total, CUSTOMERS, workers.killed)
    finally:
        await workers.stop()


@pytest.mark.parametrize("url", ["sqlite"], indirect=True)
async def test_one_worker_on_sqlite_that_is_killed(url: str, receiver: Receiver) -> None:
    """Its file belongs to one process: it is looked into only while no worker has it."""
    workers = Workers((url, "telegram", receiver.url))
    room = CAP * CUSTOMERS
    try:
        async with database(url, migrate=False):
            total = await mailing(await population(CUSTOMERS))
        for part in range(1, 4):
            await workers.start(1)
            await some_arrived(receiver, part * room // 5)
            await workers.kill(0)
        await workers.start(1)
        async with asyncio.timeout(SETTLE_S):
            quiet_s = 0.0
            # What the last one that was killed had claimed is its own until its lease lapses.
            while quiet_s < 1.5 * STORM.lease_s or len(receiver.log) < room - 3 * STORM.concurrency:
                before = len(receiver.log)
                await asyncio.sleep(0.5)
                quiet_s = quiet_s + 0.5 if len(receiver.log) == before else 0.0
        await workers.kill(0)
        async with database(url, migrate=False):
            await check(receiver, total, CUSTOMERS, workers.killed)
    finally:
        await workers.stop()


# ---- Redis comes and goes ----


@dataclass
class OwnRedis:
    """A Redis of this test alone, which may be stopped."""

    port: int
    folder: Path
    process: asyncio.subprocess.Process | None = None

    @property
    def url(self) -> str:
        return f"redis://127.0.0.1:{self.port}/0"

    async def start(self) -> None:
        self.process = await asyncio.create_subprocess_exec(
            "redis-server", "--port", str(self.port), "--bind", "127.0.0.1", "--save", "",
            "--appendonly", "no", "--dir", str(self.folder),
            stdout=asyncio.subprocess.DEVNULL,
        )  # fmt: skip
        async with asyncio.timeout(10):
            while not self._answers():  # noqa: ASYNC110 - another process starts
                await asyncio.sleep(0.05)

    def _answers(self) -> bool:
        try:
            return bool(Redis.from_url(self.url).ping())
        except RedisError:
            return False

    def flush(self) -> None:
        Redis.from_url(self.url).flushall()

    async def stop(self) -> None:
        if self.process is not None and self.process.returncode is None:
            self.process.kill()
            await self.process.wait()


@pytest.fixture
async def own_redis(tmp_path: Path) -> AsyncIterator[OwnRedis]:
    require(redis_absence() or (None if shutil.which("redis-server") else "redis-server"))
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    redis = OwnRedis(port, tmp_path)
    await redis.start()
    yield redis
    await redis.stop()


async def test_redis_is_emptied_and_stopped_in_the_middle(
    url: str, receiver: Receiver, own_redis: OwnRedis
) -> None:
    """Without the limiter nothing goes; with a forgetful one the limit holds but for a moment."""
    customers = 600
    workers = Workers((url, "telegram", receiver.url, own_redis.url))
    try:
        async with database(url, migrate=False):
            total = await mailing(await population(customers))
            await workers.start(2)
            await workers.ready()
            await some_arrived(receiver, 200)
            own_redis.flush()
            await some_arrived(receiver, 400)
            await own_redis.stop()
            stopped_at = time.monotonic()
            await asyncio.sleep(DRAINED_S + 3)
            back_at = time.monotonic()
            await own_redis.start()
            await until_settled()
            await check(receiver, total, customers, workers.killed)
    finally:
        await workers.stop()
    times = [at for _, _, at in receiver.log]
    late = [at for at in times if stopped_at + DRAINED_S < at < back_at]
    assert not late, "a limiter out of reach stops the mailing"
    busiest = max(sum(1 for at in times if begin <= at < begin + 1) for begin in times)
    assert busiest <= SHARED_PER_S * 1.5, "arrivals bunch up a little on a busy machine"
