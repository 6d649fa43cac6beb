"""Asking a provider about messages of which nothing was heard: the request was written, no answer
came, or the worker died.

Each is asked about under our own id of it, half a minute after its try, then whenever its age has
doubled, at the latest every hour, for a day or until another channel has taken over. A message that
the provider has never had may go by another channel at once; nothing is sent again blindly.
"""

import asyncio
import contextlib
from collections.abc import Sequence
from datetime import timedelta
from typing import Any, Protocol

import structlog

from loyalty.clock import Clock
from loyalty.database import query, transaction
from loyalty.instants import span_micros, to_micros
from loyalty.sql.lists import listed
from messaging.channels.base import Report, Status
from messaging.channels.sms.channel import Fate
from messaging.statuses import take_reports

EVERY_S = 15.0
AT_ONCE = 20
FIRST_AFTER, HOURLY, GIVEN_UP_AFTER = timedelta(seconds=30), timedelta(hours=1), timedelta(days=1)
ABSENT_AFTER = timedelta(minutes=2)
"""How old a message is that a provider has to know by now if it has ever got it."""

log = structlog.get_logger(__name__)


class Asked(Protocol):
    """A channel whose provider can be asked."""

    name: str

    async def ask(self, attempt_id: int, address: str) -> Fate | None:
        """What has become of a try; None when that cannot be told now."""


# $1 now, $2 channel, $3 first after, $4 at the latest every, $5 given up after, $6 how many. Each
# is one worker's until its next turn. EXPLAIN: the partial index attempt_unknown.
_CLAIM = """
UPDATE attempt SET ask_at = $1 + {least}({greatest}($1 - started_at, $3), $4)
WHERE id IN (
    SELECT a.id FROM attempt a JOIN message m ON m.id = a.message_id
    WHERE a.state = 'unknown' AND a.channel = $2 AND a.status = ''
        AND a.started_at + $3 <= $1 AND a.started_at + $5 > $1
        AND (a.ask_at IS NULL OR a.ask_at <= $1) AND m.state = 'unknown'
    ORDER BY a.started_at LIMIT $6 {locked})
RETURNING id, address, started_at
"""
_CLAIMS = (
    _CLAIM.format(least="LEAST", greatest="GREATEST", locked="FOR UPDATE OF a SKIP LOCKED"),
    _CLAIM.format(least="MIN", greatest="MAX", locked=""),
)
_TAKEN = listed("UPDATE attempt SET state = 'sent' WHERE id IN {list} AND state = 'unknown'")
_SENT = listed(
    """
    UPDATE message SET state = 'sent', reason = '' WHERE state = 'unknown' AND id IN (
        SELECT a.message_id FROM attempt a WHERE a.id IN {list})
    """
)


class Inquiries:
    """Of one channel. Any number of workers may ask at once."""

    def __init__(self, channel: Asked, clock: Clock) -> None:
        self._channel = channel
        self._clock = clock

    async def run(self, stop: asyncio.Event) -> None:
        """Ask until `stop`."""
        while not stop.is_set():
            try:
                await self.ask_due()
            except Exception:
                log.exception("inquiries_failed", channel=self._channel.name)
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(EVERY_S):
                    await stop.wait()

    async def ask_due(self) -> int:
        """Ask about those whose turn has come; returns how many were asked about."""
        now = to_micros(self._clock.now())
        spans = (span_micros(FIRST_AFTER), span_micros(HOURLY), span_micros(GIVEN_UP_AFTER))
        rows = await query(*_CLAIMS, now, self._channel.name, *spans, AT_ONCE)
        fates = [(row, await self._channel.ask(row["id"], row["address"])) for row in rows]
        taken = [row["id"] for row, fate in fates if fate == "taken"]
        if taken:
            async with transaction():
                await query(*_SENT, taken)
                await query(*_TAKEN, taken)
        await take_reports(self._reports(fates, now))
        return len(rows)

    def _reports(self, fates: Sequence[tuple[Any, Fate | None]], now: int) -> list[Report]:
        told = [(row, _status(fate, now - row["started_at"])) for row, fate in fates]
        return [
            Report(
                channel=self._channel.name,
                status=status,
                at=now,
                attempt_id=row["id"],
                address=row["address"],
            )
            for row, status in told
            if status is not None
        ]


def _status(fate: Fate | None, age: int) -> Status | None:
    """What is reported of it."""
    if fate == "absent" and age >= span_micros(ABSENT_AFTER):
        return Status.UNDELIVERED
    return fate if isinstance(fate, Status) else None
