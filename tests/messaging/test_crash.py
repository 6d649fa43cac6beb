"""Workers that die and workers that race: nothing is lost, nothing is sent twice blindly."""

import asyncio
import sys
from collections import Counter
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from app.database import database
from loyalty.clock import SystemClock, VirtualClock
from loyalty.database import query
from messaging import attempts as tries
from messaging import outbox
from messaging.dispatcher import Dispatcher, DispatcherRules
from messaging.notices import Notices
from messaging.outbox import Draft, enqueue
from messaging.wakeups import Wakeups
from tests.messaging.conftest import ToldChannel, attempts, states, until

ROOT = Path(__file__).parents[2]
Make = Callable[..., Draft]


@asynccontextmanager
async def worker(url: str, how: str) -> AsyncIterator[asyncio.subprocess.Process]:
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "tests.messaging.worker_process",
        url,
        how,
        cwd=ROOT,
        stdout=asyncio.subprocess.PIPE,
    )
    try:
        assert process.stdout is not None
        assert await process.stdout.readline() == b"ready\n"
        yield process
    finally:
        if process.returncode is None:
            process.kill()
        await process.wait()


async def test_killed_in_the_middle_of_a_send_the_outcome_is_unknown_and_the_rest_goes_on(
    shared_url: str, code: Make
) -> None:
    async with database(shared_url, migrate=False):
        now = datetime.now(UTC)
        drafts = [code(f"k{i}", address=f"+{i}") for i in range(4)]
        drafts += [code("same", address="+0")]  # waits for the first one to +0
        await enqueue(drafts, at=now)
        async with worker(shared_url, "stuck") as process:
            assert process.stdout is not None
            begun = {(await process.stdout.readline()).decode().strip() for _ in range(4)}
            process.kill()
        assert begun == {"+0", "+1", "+2", "+3"}
        assert Counter(a[2] for a in await attempts()) == {"sending": 4}

        channel = ToldChannel()
        later = VirtualClock(now + timedelta(seconds=120))
        await Dispatcher(later, [channel], Notices("RUB")).drain()
        found = await states()
        assert [found[f"k{i}"] for i in range(4)] == [("unknown", "worker_died_while_sending")] * 4
        assert found["same"] == ("sent", ""), "claimed or not, its try had not begun"
        assert [outgoing.address for outgoing in channel.got] == ["+0"]
        assert Counter(a[2] for a in await attempts()) == {"unknown": 4, "sent": 1}


async def test_two_workers_share_the_queue_and_each_message_goes_out_once(
    shared_url: str, code: Make
) -> None:
    count = 600
    async with database(shared_url, migrate=False):
        async with worker(shared_url, "quick") as one, worker(shared_url, "quick") as two:
            drafts = [code(f"n{i}", address=f"+{i}") for i in range(count)]
            await enqueue(drafts, at=datetime.now(UTC))
            await until(lambda: _all_sent(count), 60)
            one.kill()
            two.kill()
            sent = [await _lines(process) for process in (one, two)]
        assert Counter(sent[0] + sent[1]) == {f"+{i}": 1 for i in range(count)}
        assert sent[0], "both have worked"
        assert sent[1], "both have worked"


async def _lines(process: asyncio.subprocess.Process) -> list[str]:
    assert process.stdout is not None
    return (await process.stdout.read()).decode().split()


async def _all_sent(count: int) -> bool:
    rows = await query("SELECT COUNT(*) AS n FROM message WHERE state = 'sent'")
    return bool(rows[0]["n"] == count)


async def test_events_are_told_once_by_however_many_workers(shared_url: str) -> None:
    async with database(shared_url, migrate=False):
        for i in range(50):
            await query(
                "INSERT INTO event (id, kind, customer_id, at, payload) "
                "VALUES ($1, 'receipt.cancelled', 1, 1, $2)",
                None,
                i + 1,
                '{"number":"1","shop":"","total_minor":1,"paid_minor":1,"spent":0,"earned":0,'
                '"returned":0,"taken_back":0,"balance":0,"next_expiry":null}',
            )
        workers = [Dispatcher(SystemClock(), [], Notices("RUB")) for _ in range(4)]
        await asyncio.gather(*(each.drain() for each in workers))
        assert (await query("SELECT COUNT(*) AS n FROM message"))[0]["n"] == 50


async def test_another_process_is_woken_at_once(shared_url: str, code: Make) -> None:
    """Two `Wakeups` on one database are two processes to each other."""
    async with database(shared_url, migrate=False):
        here, there = Wakeups(), Wakeups()
        channel = ToldChannel()
        rules = DispatcherRules(poll_s=60)
        worker_there = Dispatcher(
            SystemClock(), [channel], Notices("RUB"), wakeups=there, rules=rules
        )
        stop = asyncio.Event()
        tasks = [
            asyncio.create_task(worker_there.run(stop)),
            asyncio.create_task(there.serve()),
            asyncio.create_task(here.tell()),
        ]
        await asyncio.sleep(0.5)
        await enqueue([code()], at=datetime.now(UTC))
        here.wake()
        await until(lambda: _all_sent(1), 2)
        stop.set()
        await asyncio.wait_for(tasks[0], 5)
        for task in tasks[1:]:
            task.cancel()
        await asyncio.gather(*tasks[1:], return_exceptions=True)


@pytest.mark.usefixtures("db")
class TestLeases:
    async def claim(self, clock: VirtualClock, owner: str = "dead") -> list[outbox.Claimed]:
        until_then = clock.now() + timedelta(seconds=60)
        return await outbox.claim(owner, limit=10, at=clock.now(), lease_until=until_then)

    async def test_a_claim_that_lapsed_before_its_try_is_queued_again(
        self, clock: VirtualClock, code: Make
    ) -> None:
        await enqueue([code()], at=clock.now())
        assert len(await self.claim(clock)) == 1
        assert await self.claim(clock, "other") == []
        clock.advance(timedelta(seconds=60))
        recovered = await outbox.recover(at=clock.now(), tries_max=8)
        assert (recovered.unknown, recovered.requeued, recovered.poisoned) == (0, 1, 0)
        assert len(await self.claim(clock, "other")) == 1

    async def test_a_message_that_kills_its_workers_is_given_up(
        self, clock: VirtualClock, code: Make
    ) -> None:
        await enqueue([code()], at=clock.now())
        for _ in range(3):
            await self.claim(clock)
            clock.advance(timedelta(seconds=60))
            await outbox.recover(at=clock.now(), tries_max=3)
        assert await states() == {"code:1": ("failed", "poisonous")}

    async def test_an_outcome_after_the_lease_changes_nothing(
        self, clock: VirtualClock, code: Make
    ) -> None:
        await enqueue([code()], at=clock.now())
        [claimed] = await self.claim(clock)
        clock.advance(timedelta(seconds=61))
        await outbox.recover(at=clock.now(), tries_max=8)
        outcome = tries.Outcome(message_id=claimed.id, state="failed", reason="late")
        assert await tries.record("dead", [outcome], at=clock.now()) == set()
        assert await states() == {"code:1": ("queued", "")}

    async def test_no_try_begins_without_a_lease(self, clock: VirtualClock, code: Make) -> None:
        await enqueue([code()], at=clock.now())
        [claimed] = await self.claim(clock)
        beginning = tries.Beginning(
            attempt_id=1, message_id=claimed.id, channel="sms", address_kind="phone", address="+1"
        )
        assert await tries.begin("somebody else", [beginning], at=clock.now()) == set()
        clock.advance(timedelta(seconds=60))
        assert await tries.begin("dead", [beginning], at=clock.now()) == set()
        assert await attempts() == []

    async def test_a_clock_set_back_does_no_harm(self, clock: VirtualClock, code: Make) -> None:
        channel = ToldChannel()
        worker_here = Dispatcher(clock, [channel], Notices("RUB"))
        await enqueue([code()], at=clock.now())
        clock.set(clock.now() - timedelta(days=1))
        await worker_here.drain()
        assert channel.got == [], "it is not due yet by this clock"
        clock.set(clock.now() + timedelta(days=1))
        await worker_here.drain()
        assert len(channel.got) == 1
