"""The engine: wakes enrolments whose time has come, a batch to a transaction; looks who enters.

Nothing is half done: what a batch has asked, stepped, given and written is committed with the
places where its enrolments now stand, or not at all. Any number of workers share the sleepers.
"""

import asyncio
import contextlib
from collections.abc import Sequence, Set
from datetime import timedelta
from typing import Any

import structlog

from loyalty.clock import Clock
from loyalty.conflicts import is_passing
from loyalty.database import after_commit, dialect, query, transaction
from loyalty.instants import span_micros, to_micros
from loyalty.programme import Programme
from loyalty.refusals import No, Refusal, refuse
from messaging.journeys import enrolling, scanning
from messaging.journeys.builtin import HOUSE_JOURNEYS
from messaging.journeys.carrying import Batch, Way, customers_called
from messaging.journeys.declaration import OnClock
from messaging.journeys.needless import needless
from messaging.journeys.registry import Around, Entry
from messaging.journeys.revisions import Shelf, publish_house
from messaging.journeys.rewards import Rewards
from messaging.journeys.rows import COLUMNS, enrolled
from messaging.links import Links
from messaging.metrics import ENROLMENTS
from messaging.notices import EventRow
from messaging.optin import OptIns
from messaging.outbox import Claimed
from messaging.wakeups import Wakeups

BATCH = 1_000
BATCH_SQLITE = 100
"""On SQLite everybody else waits while a batch is written."""
POLL_S = 1.0
SCAN_S = 60.0
OFF_AGAIN = timedelta(hours=1)
"""How soon a sleeper is looked at again whose journey is off, or whose step cannot be done."""

log = structlog.get_logger(__name__)

# EXPLAIN: the index enrolment_due, in its order, up to the limit.
_CLAIM = f"""
    SELECT {COLUMNS} FROM enrolment WHERE ended_at IS NULL AND wakes_at <= $1
    ORDER BY wakes_at LIMIT $2 FOR UPDATE SKIP LOCKED
"""  # noqa: S608 - glued from constants
_PUT_OFF = "UPDATE enrolment SET wakes_at = $2 WHERE id = $1"


class Journeys:
    """All journeys of a process. `opt_ins` lets them ask for a confirmed e-mail address, `links`
    lead from their messages to pages of ours."""

    def __init__(
        self,
        clock: Clock,
        programme: Programme,
        wakeups: Wakeups | None = None,
        *,
        opt_ins: OptIns | None = None,
        links: Links | None = None,
    ) -> None:
        self._clock = clock
        self._programme = programme
        self._opt_ins = opt_ins
        self._links = links
        self._wakeups = wakeups or Wakeups()
        self._rewards = Rewards()
        self._news = asyncio.Event()
        self.shelf = Shelf()

    async def open(self) -> None:
        """Publish what the house has new, and learn what there is. Call it once, at the start."""
        await publish_house(HOUSE_JOURNEYS, at=self._clock.now())
        await self.shelf.refresh()

    def _around(self) -> Around:
        now = to_micros(self._clock.now())
        return Around(programme=self._programme, now=now, opt_ins=self._opt_ins, links=self._links)

    # -- entering ---------------------------------------------------------------------------------

    async def hear(self, happened: Sequence[EventRow]) -> None:
        """Let in and wake whom these events concern. Part of the transaction that handles them."""
        await self.shelf.refresh()
        around = self._around()
        entered = await enrolling.enrol_from(happened, self.shelf, around)
        woken = await enrolling.nudge(happened, self.shelf, around)
        if entered or woken:
            after_commit(self._news.set)

    async def scan(self) -> int:
        """Look for those whose time has come, where it is time to look; returns who entered."""
        await self.shelf.refresh()
        entered = 0
        for number, journey in self.shelf.all_running():
            if isinstance(journey.trigger, OnClock):
                entered += await scanning.scan(number, journey, journey.trigger, self._around())
        if entered:
            self._news.set()
        return entered

    async def enrol(
        self,
        name: str,
        customer_ids: Sequence[int],
        *,
        key: str,
        data: dict[str, Any] | None = None,
    ) -> int | Refusal:
        """Let customers in by hand, once for each key; how many were not in before.

        Refused: journey_not_found (also one that is off).
        """
        await self.shelf.refresh()
        found = self.shelf.newest(name)
        if found is None or not self.shelf.is_on(name):
            return refuse(No.JOURNEY_NOT_FOUND)
        now = to_micros(self._clock.now())
        entries = [
            Entry(customer_id=i, key=f"hand:{key}", due_at=now, entered_at=now, data=data or {})
            for i in customer_ids
        ]
        entered = await enrolling.enrol(*found, entries, now=now)
        self._news.set()
        return entered

    async def needless(self, messages: Sequence[Claimed]) -> Set[int]:
        """Of these messages, those (by id) of which their journey has no need any more."""
        await self.shelf.refresh()
        try:
            return await needless(messages, self.shelf, self._around())
        except Exception as error:
            if is_passing(error):
                raise
            log.exception("journeys_could_not_be_asked")  # a check that breaks stops no message
            return frozenset()

    # -- waking -----------------------------------------------------------------------------------

    async def wake_some(self, *, limit: int | None = None) -> int:
        """Carry on a batch of those that are due; returns how many there were.

        A batch that breaks is carried on one by one, and who breaks it is put off for an hour.
        """
        if limit is None:
            limit = BATCH if dialect() == "postgres" else BATCH_SQLITE
        try:
            return await self._wake(limit)
        except Exception as error:
            if limit == 1 or is_passing(error):
                raise
            log.exception("journey_batch_broke")
        woken = 0
        for _ in range(limit):
            try:
                if not await self._wake(1):
                    break
            except Exception as error:
                if is_passing(error):
                    raise
                await self._put_off_first()
            woken += 1
        return woken

    async def _wake(self, limit: int) -> int:
        await self.shelf.refresh()
        around = self._around()
        await self._rewards.prepare([j for _, j in self.shelf.all_running()], around)
        async with transaction():
            rows = await query(
                _CLAIM, _CLAIM.replace("FOR UPDATE SKIP LOCKED", ""), around.now, limit
            )
            if not rows:
                return 0
            batch = Batch(await self._ways(rows, around), self._rewards, around)
            await batch.carry_on()
        for way in batch.ways:
            if way.outcome:
                ENROLMENTS.labels(way.journey.name, way.outcome.split(":")[0]).inc()
        if batch.drafts:
            self._wakeups.wake()
        return len(rows)

    async def _ways(self, rows: Sequence[Any], around: Around) -> list[Way]:
        """Those that go on now; whose journey is off or unknown sleeps on, who is gone leaves."""
        called = await customers_called(row["customer_id"] for row in rows)
        ways = []
        for row in rows:
            found = self.shelf.of(row["journey"], row["revision"], row["step"])
            if found is None:
                await query(_PUT_OFF, None, row["id"], around.now + span_micros(OFF_AGAIN))
                continue
            number, journey = found
            name, language = called.get(row["customer_id"], ("", ""))
            way = Way(enrolled(row, number), journey, name, language)
            if row["customer_id"] not in called:
                way.outcome = "gone"
            elif journey.step(row["step"]) is None:
                way.outcome = "step_gone"
            elif not self.shelf.is_on(journey.name):
                way.wakes_at = around.now + span_micros(OFF_AGAIN)
            ways.append(way)
        return ways

    async def _put_off_first(self) -> None:
        """Who cannot be carried on must not stop those behind her."""
        now = to_micros(self._clock.now())
        async with transaction():
            rows = await query(_CLAIM, _CLAIM.replace("FOR UPDATE SKIP LOCKED", ""), now, 1)
            for row in rows:
                log.error("enrolment_put_off", enrolment_id=row["id"], journey=row["journey"])
                await query(_PUT_OFF, None, row["id"], now + span_micros(OFF_AGAIN))

    # -- running ----------------------------------------------------------------------------------

    async def drain(self) -> int:
        """Carry on until nobody is due; how many moves that took. For tests and simulations."""
        woken = 0
        while count := await self.wake_some():
            woken += count
        return woken

    async def run(self, stop: asyncio.Event) -> None:
        """Work until `stop`: wake those who are due, and once a minute look who enters."""
        scanned_at = -SCAN_S
        loop = asyncio.get_running_loop()
        while not stop.is_set():
            woken = 0
            try:
                if loop.time() - scanned_at >= SCAN_S:
                    scanned_at = loop.time()
                    await self.scan()
                woken = await self.wake_some()
            except Exception:
                log.exception("journeys_failed")
            if not woken:
                await self._pause(stop)

    async def _pause(self, stop: asyncio.Event) -> None:
        stopping, news = (
            asyncio.ensure_future(stop.wait()),
            asyncio.ensure_future(self._news.wait()),
        )
        with contextlib.suppress(TimeoutError):
            await asyncio.wait({stopping, news}, timeout=POLL_S, return_when="FIRST_COMPLETED")
        stopping.cancel()
        news.cancel()
        await asyncio.gather(stopping, news, return_exceptions=True)
        self._news.clear()
