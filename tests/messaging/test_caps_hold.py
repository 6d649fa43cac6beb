"""The caps hold: with several sources, several workers, and workers that die."""

import asyncio
import sys
from collections import Counter
from collections.abc import Callable
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from app.database import database
from loyalty import consents
from loyalty.clock import VirtualClock
from loyalty.database import query
from messaging.channels.base import Failed
from messaging.dispatcher import Dispatcher
from messaging.models import Preference
from messaging.outbox import Draft, enqueue
from tests.messaging.conftest import ToldChannel, customer_with, states, until

Make = Callable[..., Draft]
DAY = timedelta(days=1)


async def agreeing(*fronts: tuple[str, str], granted: bool = True) -> int:
    anna = await customer_with(*fronts)
    await consents.record(
        anna, datetime(2026, 1, 1, tzinfo=UTC), purpose="marketing", channel="", granted=granted,
        source="webchat", wording="1",
    )  # fmt: skip
    return anna


@pytest.fixture
def offer(code: Make) -> Make:
    def make(key: str, customer_id: int, **fields: object) -> Draft:
        return code(key, customer_id=customer_id, topic="marketing", **fields)

    return make


@pytest.mark.usefixtures("db")
class TestOneWorker:
    async def test_advertising_needs_a_yes(
        self, dispatcher: Dispatcher, channel: ToldChannel, clock: VirtualClock, offer: Make
    ) -> None:
        silent = await customer_with(("telegram", "1"))
        unwilling = await agreeing(("telegram", "2"), granted=False)
        willing = await agreeing(("telegram", "3"))
        await enqueue(
            [offer(str(n), who) for n, who in enumerate((silent, unwilling, willing))],
            at=clock.now(),
        )
        await dispatcher.drain()
        assert [o.address for o in channel.got] == ["3"]
        assert await states() == {
            "0": ("skipped", "no_consent"),
            "1": ("skipped", "consent_withdrawn"),
            "2": ("sent", ""),
        }

    async def test_one_a_day_two_a_week_five_in_thirty_days(
        self, dispatcher: Dispatcher, channel: ToldChannel, clock: VirtualClock, offer: Make
    ) -> None:
        anna = await agreeing(("telegram", "1"))
        start = clock.now()
        await enqueue([offer(f"m{n}", anna) for n in range(8)], at=start)
        sent: list[timedelta] = []
        for hour in range(40 * 24):
            clock.set(start + timedelta(hours=hour))
            before = len(channel.got)
            await dispatcher.drain()
            sent += [timedelta(hours=hour)] * (len(channel.got) - before)
        days = [at // DAY for at in sent]  # a contact counts from a little after it was decided
        assert days == [0, 1, 7, 8, 14, 30, 31, 37]
        assert max(at % DAY for at in sent) <= timedelta(hours=7)
        assert (await states())["m7"] == ("sent", "")

    async def test_what_waits_says_for_which_cap_and_what_is_too_late_ends(
        self, dispatcher: Dispatcher, clock: VirtualClock, offer: Make
    ) -> None:
        anna = await agreeing(("telegram", "1"))
        now = clock.now()
        await enqueue(
            [
                offer("a", anna, expires_at=now + DAY),
                offer("b", anna),
                offer("c", anna, expires_at=now + DAY),
            ],
            at=now,
        )
        await dispatcher.drain()
        assert await states() == {
            "a": ("sent", ""),
            "b": ("queued", "capped:marketing_day"),
            "c": ("skipped", "capped_until_expiry:marketing_day"),
        }

    async def test_service_messages_pass_and_press_upon_nobody(
        self, dispatcher: Dispatcher, channel: ToldChannel, clock: VirtualClock, code: Make
    ) -> None:
        anna = await agreeing(("telegram", "1"))
        await enqueue([code(f"s{n}", customer_id=anna) for n in range(5)], at=clock.now())
        await dispatcher.drain()
        assert len(channel.got) == 5
        assert not await query("SELECT 1 FROM contact")

    async def test_what_did_not_go_presses_upon_nobody(
        self, dispatcher: Dispatcher, channel: ToldChannel, clock: VirtualClock, offer: Make
    ) -> None:
        anna = await agreeing(("telegram", "1"), ("webchat", "2"))
        channel.answers = [Failed("refused_by_provider", permanent=True)] * 2
        await enqueue([offer("a", anna), offer("b", anna)], at=clock.now())
        await dispatcher.drain()
        assert await states() == {"a": ("failed", "refused_by_provider"), "b": ("sent", "")}

    async def test_her_own_wish_is_a_cap_too(
        self, dispatcher: Dispatcher, channel: ToldChannel, clock: VirtualClock, offer: Make
    ) -> None:
        anna = await agreeing(("telegram", "1"))
        await Preference.create(customer_id=anna, weekly_max=0, updated_at=clock.now())
        await enqueue([offer("a", anna)], at=clock.now())
        await dispatcher.drain()
        assert await states() == {"a": ("skipped", "capped_until_expiry:her_own")}


CUSTOMERS, SOURCES = 80, 5
KILLED_AFTER = 8
"""Messages after which a worker dies."""


async def test_workers_that_are_killed_break_no_cap(shared_url: str, code: Make) -> None:
    """Three workers and five sources at once; what counts is what the receivers have got."""
    async with database(shared_url, migrate=False):
        ids = [await agreeing(("telegram", str(n))) for n in range(CUSTOMERS)]
        drafts = [
            code(f"{source}:{n}", customer_id=customer, topic="marketing")
            for source in range(SOURCES)
            for n, customer in enumerate(ids)
        ]
        workers = await asyncio.gather(*(_started(shared_url) for _ in range(3)))
        try:
            await enqueue(drafts, at=datetime.now(UTC))
            logs = await asyncio.gather(*(_log(w, kill=n < 2) for n, w in enumerate(workers)))
        finally:
            for worker in workers:
                with suppress(ProcessLookupError):
                    worker.kill()
                await worker.wait()
        got = Counter(line for log in logs for line in log.splitlines() if line.isdigit())
        tries = await query("SELECT state, COUNT(*) AS n FROM attempt GROUP BY state")
        kept = await query("SELECT COUNT(*) AS n FROM contact")
    counts = {row["state"]: row["n"] for row in tries}
    assert set(got.values()) <= {1}, "nobody has got two"
    assert counts.get("failed", 0) == 0
    assert sum(counts.values()) == CUSTOMERS == kept[0]["n"], "one try for each, kept as pressure"
    assert counts.get("sent", 0) <= len(got) <= CUSTOMERS


async def _started(url: str) -> asyncio.subprocess.Process:
    worker = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "tests.messaging.worker_process", url, "quick",
        cwd=Path(__file__).parents[2], stdout=asyncio.subprocess.PIPE,
    )  # fmt: skip
    assert worker.stdout is not None
    assert await worker.stdout.readline() == b"ready\n"
    return worker


async def _log(worker: asyncio.subprocess.Process, *, kill: bool) -> str:
    """What a worker's channel has written down: an address for each message that it took."""
    assert worker.stdout is not None
    log = ""
    while kill and log.count("\n") < KILLED_AFTER and (line := await worker.stdout.readline()):
        log += line.decode()
    if not kill:
        await until(_all_settled, seconds=60)
    worker.kill()
    await worker.wait()
    return log + (await worker.stdout.read()).decode()


async def _all_settled() -> bool:
    return not await query(
        "SELECT 1 FROM message WHERE state = 'sending' OR state = 'queued' AND reason = '' LIMIT 1"
    )
