"""What tells that she reads: she writes back, a message stands in her open chat, she clicks.

The web chat knows what stands on the screen. Telegram has no read marks: whoever writes or presses
a button has the chat before her eyes, and the last message in it counts as read. All of it is
gathered for a second and written in a few statements, so that no update of a chat waits for it.
"""

import asyncio
import contextlib
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta

import structlog

from loyalty.clock import Clock
from loyalty.instants import to_micros
from messaging import tracking
from messaging.channels.base import Report, Status
from messaging.records import rowset
from messaging.statuses import take_reports

EVERY_S = 1.0
LOOKS_BACK = timedelta(days=1)
"""How old a click may be that a process which has just started still makes tell."""
ROUNDS = 10
"""How often a mark is looked at again whose message is still being written down as sent."""
CHANNEL = "messenger"

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class _Mark:
    """`upto`: the number of the last message that was seen; None: the last one sent before `at`."""

    kind: str
    address: str
    upto: int | None
    at: int
    rounds: int = ROUNDS


# Both walk the index attempt_chat_address.
_SEEN = rowset(
    """
    SELECT a.id, r.at, a.state FROM {rows} JOIN attempt a
    ON a.channel = 'messenger' AND a.address = r.address AND a.address_kind = r.kind
    WHERE (a.state = 'sending' AND a.started_at <= r.at)
        OR (a.state = 'sent' AND a.status NOT IN ('read', 'bounced', 'complained')
            AND CASE WHEN a.channel = 'messenger' AND a.provider_id <> ''
                THEN CAST(a.provider_id AS BIGINT) END <= r.upto)
    """,
    kind="text",
    address="text",
    upto="bigint",
    at="bigint",
)
_LAST = rowset(
    """
    SELECT a.id, r.at, a.state FROM {rows} JOIN attempt a ON a.id = (
        SELECT b.id FROM attempt b WHERE b.channel = 'messenger' AND b.address = r.address
        AND b.address_kind = r.kind AND b.state = 'sent' AND b.finished_at <= r.at
        ORDER BY b.id DESC LIMIT 1)
    WHERE a.status NOT IN ('read', 'bounced', 'complained')
    """,
    kind="text",
    address="text",
    at="bigint",
)


class Attention:
    """One per process that talks with people; `run` has to be running for it to tell anything."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._spoke: dict[tuple[str, str], _Mark] = {}
        self._seen: dict[tuple[str, str], _Mark] = {}
        self._clicked_since: datetime | None = None

    def spoke(self, kind: str, address: str, at: datetime) -> None:
        """She wrote or pressed a button in this chat; never waits."""
        self._spoke[kind, address] = _Mark(kind, address, None, to_micros(at))

    def seen(self, kind: str, address: str, upto: int, at: datetime) -> None:
        """Every message up to this number stood in her open chat; never waits."""
        known = self._seen.get((kind, address))
        upto = max(upto, known.upto or 0) if known else upto
        self._seen[kind, address] = _Mark(kind, address, upto, to_micros(at))

    def hit(self) -> None:
        """A link or picture was asked for: see `tracking.settle`."""
        if self._clicked_since is None:
            self._clicked_since = self._clock.now()

    async def run(self, stop: asyncio.Event) -> None:
        """Write marks down once a second until `stop`, and once more then."""
        self._clicked_since = self._clock.now() - LOOKS_BACK
        stopping = False
        while not stopping:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(EVERY_S):
                    await stop.wait()
            stopping = stop.is_set()
            try:
                await self.flush()
            except Exception:
                log.exception("read_marks_failed")

    async def flush(self) -> int:
        """Write down what has been gathered; returns how many messages were found read."""
        spoke, self._spoke = self._spoke, {}
        seen, self._seen = self._seen, {}
        try:
            found = await self._marked(seen, spoke)
        except BaseException:
            self._spoke, self._seen = spoke | self._spoke, seen | self._seen
            raise
        return found + await self._settle()

    async def _marked(
        self, seen: dict[tuple[str, str], _Mark], spoke: dict[tuple[str, str], _Mark]
    ) -> int:
        """Reports of what the marks speak of. A try under way may be what she sees: once more."""
        rows = []
        if seen:
            rows += await _SEEN.query(seen.values())
        if spoke:
            rows += await _LAST.query(spoke.values())
        if any(row["state"] == "sending" for row in rows):
            self._once_more(seen.values())
        reports = [
            Report(channel=CHANNEL, status=Status.READ, at=row["at"], attempt_id=row["id"])
            for row in rows
            if row["state"] == "sent"
        ]
        return await take_reports(reports)

    def _once_more(self, marks: Iterable[_Mark]) -> None:
        for mark in marks:
            key = (mark.kind, mark.address)
            if mark.rounds > 0 and key not in self._seen:
                self._seen[key] = _Mark(*key, mark.upto, mark.at, mark.rounds - 1)

    async def _settle(self) -> int:
        since, self._clicked_since = self._clicked_since, None
        if since is None:
            return 0
        now = self._clock.now()
        young = now - tracking.GRACE  # hits after this are for a later round
        try:
            found = await tracking.settle(since=since - tracking.GRACE, at=now)
            more = await tracking.hit_after(young)
        except BaseException:
            self._clicked_since = since
            raise
        if more:
            self._clicked_since = young
        return found
