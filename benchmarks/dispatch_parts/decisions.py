"""How many messages a second one worker decides, sends and records, against the bare SQL of it.

`limit` is what any outbox must do that claims with a lease, writes a try down before it is made and
what came of it after: the same batches, the same three commits, the same tables with the same
indexes, by asyncpg alone. It decides nothing: it looks at no customer, no consent, no cap.
"""

import itertools
import json
import os
import secrets
import time

import asyncpg

from benchmarks.dispatch_parts.base import Base, Spent, now_us
from benchmarks.dispatch_parts.letters import SHORT, SHORT_CONTEXT
from benchmarks.dispatch_parts.workers import Options, Worker
from benchmarks.harness import Report, ServerCpu, fresh_database, interleave, median, ratio
from messaging.dispatcher import DispatcherRules

_CLAIM = """
    UPDATE message SET state = 'sending', lease_owner = $3, lease_until = $4, tries = tries + 1
    WHERE id = ANY (ARRAY(
        SELECT id FROM message WHERE state = 'queued' AND not_before <= $1
        ORDER BY priority, not_before, id LIMIT $2 FOR UPDATE SKIP LOCKED))
    RETURNING id, customer_id, context
"""
_ATTEMPTS = """
    INSERT INTO attempt (id, message_id, channel, address_kind, address, body, cost, state,
        provider_id, error, started_at, status)
    SELECT a, m, 'messenger', 'telegram', '100000001', '', 0, 'sending', '', '', $3, ''
    FROM unnest($1::bigint[], $2::bigint[]) v (a, m)
"""
_CONTACTS = """
    INSERT INTO contact (message_id, customer_id, topic, kind, channel, at)
    SELECT m, c, 'marketing', '', 'messenger', $3 FROM unnest($1::bigint[], $2::bigint[]) v (m, c)
"""
_DECISIONS = """
    INSERT INTO decision (id, message_id, at, verdict, reason, details)
    SELECT d, m, $3, 'send', '', $4 FROM unnest($1::bigint[], $2::bigint[]) v (d, m)
"""
_SENT = """
    UPDATE message SET state = 'sent', lease_owner = '', lease_until = NULL, closed_at = $2
    WHERE id = ANY ($1::bigint[]) AND state = 'sending' AND lease_owner = $3
"""
_ARRIVED = """
    UPDATE attempt SET state = 'sent', provider_id = 'x', finished_at = $2
    WHERE id = ANY ($1::bigint[])
"""
_DETAILS = json.dumps({"channel": "messenger", "to": "telegram", "cost": 0, "because": "cheapest"})


class Limit:
    """The least, on a connection of its own."""

    def __init__(self, raw: asyncpg.Connection, batch: int) -> None:
        self._raw = raw
        self._batch = batch
        self._owner = secrets.token_hex(8)
        self._ids = itertools.count(1)

    async def drain(self) -> None:
        while await self._one_batch():
            pass

    async def _one_batch(self) -> int:
        now = now_us()
        lease_until = now + 60_000_000
        rows = await self._raw.fetch(_CLAIM, now, self._batch, self._owner, lease_until)
        ids = [row["id"] for row in rows]
        if not ids:
            return 0
        tries = [next(self._ids) for _ in ids]
        async with self._raw.transaction():
            await self._raw.execute(_ATTEMPTS, tries, ids, now)
            await self._raw.execute(_CONTACTS, ids, [row["customer_id"] for row in rows], now)
            await self._raw.execute(_DECISIONS, tries, ids, now, _DETAILS)
        async with self._raw.transaction():
            await self._raw.execute(_SENT, ids, now_us(), self._owner)
            await self._raw.execute(_ARRIVED, tries, now_us())
        return len(ids)


async def decisions(report: Report, *, rounds: int, scale: float) -> None:
    """Fill in this part of the report."""
    count = int(12_000 * scale)
    async with fresh_database() as url:
        base = await Base.make(url, int(40_000 * scale))
        raw = await asyncpg.connect(url)
        limit = Limit(raw, DispatcherRules().batch)
        firsts = itertools.cycle(range(1, base.size - count + 2, count))
        async with Worker.started(url, Options(channel="instant")) as worker:
            spent = {
                "limit": Spent(ServerCpu(os.getpid(), base.raw)),
                "ours": Spent(ServerCpu(worker.pid, base.raw)),
            }

            async def bare(_round: int) -> float:
                source = await base.queue(next(firsts), count, SHORT, SHORT_CONTEXT)
                async with spent["limit"].over(count):
                    started = time.perf_counter()
                    await limit.drain()
                    elapsed = time.perf_counter() - started
                assert await base.states(source) == {"sent": count}
                await base.calm()
                return count / elapsed

            async def ours(_round: int) -> float:
                source = await base.queue(next(firsts), count, SHORT, SHORT_CONTEXT)
                async with spent["ours"].over(count):
                    drained = await worker.drain()
                states = await base.states(source)
                assert states.keys() <= {"sent", "skipped", "failed"}, states
                assert states["sent"] > 0.9 * count, states
                await base.calm()
                return states["sent"] / drained.seconds

            for one in (bare, ours):  # warm
                await one(0)
            rates = await interleave(rounds, {"limit": bare, "ours": ours})
        await raw.close()
        await base.close()
    for name, its in spent.items():
        report.figure(f"decisions: {name}, ms of processor, Python", median(its.process_ms))
        report.figure(f"decisions: {name}, ms of processor, Postgres", median(its.database_ms))
    report.figure("decisions: limit, messages/s", median(rates["limit"]))
    report.figure("decisions: ours, messages/s", median(rates["ours"]))
    report.aim("decisions", ratio(rates["ours"], rates["limit"]), ">= 0.5")
