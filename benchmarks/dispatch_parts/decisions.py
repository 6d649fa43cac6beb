"""How many messages a second one worker decides, sends and records, against the bare SQL of it.

`limit` is the same claim and record by asyncpg alone: the same batches, the same three commits, the
same tables with the same indexes, in them the same rows, and the same looks at the lease. It
decides nothing: it looks at no customer, no consent, no cap.

`least` is the least that any outbox must do which claims with a lease, writes a try down before it
is made and what came of it after: of the same number of rows, all alike and known beforehand.
"""

import itertools
import json
import os
import secrets
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence

import asyncpg

from benchmarks.dispatch_parts.base import Base, Spent, now_us
from benchmarks.dispatch_parts.letters import SHORT, SHORT_CONTEXT
from benchmarks.dispatch_parts.workers import Options, Worker
from benchmarks.harness import Report, ServerCpu, fresh_database, interleave, median, ratio
from messaging.dispatcher import DispatcherRules

_NEEDED = """id, customer_id, address_kind, address, topic, kind, mailing, template, context,
    language, priority, value, urgent, channels, wants, reach_permille, cost_max, goal,
    enrolment_id, created_at, expires_at, tries, lease_until"""
_CLAIM = """
    UPDATE message SET state = 'sending', lease_owner = $3, lease_until = $4, tries = tries + 1
    WHERE id = ANY (ARRAY(
        SELECT id FROM message WHERE state = 'queued' AND not_before <= $1
        ORDER BY priority, not_before, id LIMIT $2 FOR UPDATE SKIP LOCKED))
    RETURNING {}
"""
_ATTEMPTS = """
    INSERT INTO attempt (id, message_id, channel, address_kind, address, body, cost, state,
        provider_id, error, started_at, status)
    SELECT v.a, v.m, 'messenger', 'telegram', v.t, '', 0, 'sending', '', '', $3, ''
    FROM unnest($1::bigint[], $2::bigint[], $4::text[]) v (a, m, t) JOIN message ON id = v.m
    WHERE state = 'sending' AND lease_owner = $5 AND lease_until > $3
"""
_ATTEMPTS_ALIKE = """
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
    SELECT d, m, $3, 'send', '', t FROM unnest($1::bigint[], $2::bigint[], $4::text[]) v (d, m, t)
"""
_DECISIONS_ALIKE = """
    INSERT INTO decision (id, message_id, at, verdict, reason, details)
    SELECT d, m, $3, 'send', '', $4 FROM unnest($1::bigint[], $2::bigint[]) v (d, m)
"""
_SENT = """
    UPDATE message SET state = 'sent', lease_owner = '', lease_until = NULL, closed_at = $2
    WHERE id = ANY ($1::bigint[]) AND state = 'sending' AND lease_owner = $3
"""
_ARRIVED_ALIKE = """
    UPDATE attempt SET state = 'sent', provider_id = 'x', finished_at = $2
    WHERE id = ANY ($1::bigint[])
"""
_ARRIVED = """
    UPDATE attempt SET state = 'sent', provider_id = v.p, finished_at = $2
    FROM unnest($1::bigint[], $3::text[]) v (a, p) WHERE id = v.a AND state = 'sending'
"""
_HABITS = """
    INSERT INTO habit (customer_id, channel, sent, seen)
    SELECT c, 'messenger', 1, 0 FROM unnest($1::bigint[]) v (c)
    ON CONFLICT (customer_id, channel) DO UPDATE SET sent = habit.sent + excluded.sent
"""
_DETAILS = json.dumps({"channel": "messenger", "to": "telegram", "cost": 0, "because": "cheapest"})


class Limit:
    """The same claim and record, on a connection of its own."""

    claim = _CLAIM.format(_NEEDED)

    def __init__(self, raw: asyncpg.Connection, batch: int, *, first_id: int) -> None:
        self._raw = raw
        self._batch = batch
        self._owner = secrets.token_hex(8)
        self._ids = itertools.count(first_id)

    async def drain(self) -> float:
        """Until nothing is queued; the seconds that it took."""
        started = time.perf_counter()
        while await self._one_batch():
            pass
        return time.perf_counter() - started

    async def _one_batch(self) -> int:
        now = now_us()
        lease_until = now + 60_000_000
        rows = await self._raw.fetch(self.claim, now, self._batch, self._owner, lease_until)
        ids = [row["id"] for row in rows]
        if not ids:
            return 0
        customers = [row["customer_id"] for row in rows]
        tries = [next(self._ids) for _ in ids]
        async with self._raw.transaction():
            await self.begin(tries, ids, customers, now)
        async with self._raw.transaction():
            await self._raw.execute(_SENT, ids, now_us(), self._owner)
            await self.end(tries, customers)
        return len(ids)

    async def begin(
        self, tries: Sequence[int], ids: Sequence[int], customers: Sequence[int], now: int
    ) -> None:
        addresses = [str(100_000_000 + customer) for customer in customers]
        await self._raw.execute(_ATTEMPTS, tries, ids, now, addresses, self._owner)
        await self._raw.execute(_CONTACTS, ids, customers, now)
        await self._raw.execute(_DECISIONS, tries, ids, now, [_DETAILS] * len(ids))

    async def end(self, tries: Sequence[int], customers: Sequence[int]) -> None:
        await self._raw.execute(_ARRIVED, tries, now_us(), [str(one) for one in tries])
        await self._raw.execute(_HABITS, sorted(customers))


class Least(Limit):
    """Rows that are all alike; the customers' habits stay as they are."""

    claim = _CLAIM.format("id, customer_id")

    async def begin(
        self, tries: Sequence[int], ids: Sequence[int], customers: Sequence[int], now: int
    ) -> None:
        await self._raw.execute(_ATTEMPTS_ALIKE, tries, ids, now)
        await self._raw.execute(_CONTACTS, ids, customers, now)
        await self._raw.execute(_DECISIONS_ALIKE, tries, ids, now, _DETAILS)

    async def end(self, tries: Sequence[int], customers: Sequence[int]) -> None:
        await self._raw.execute(_ARRIVED_ALIKE, tries, now_us())


async def decisions(report: Report, *, rounds: int, scale: float) -> None:
    """Fill in this part of the report."""
    count = int(24_000 * scale)
    async with fresh_database() as url:
        base = await Base.make(url, int(72_000 * scale))
        raw = await asyncpg.connect(url)
        batch = DispatcherRules().batch
        limit, least = Limit(raw, batch, first_id=1), Least(raw, batch, first_id=1 << 40)
        firsts = itertools.cycle(range(1, base.size - count + 2, count))
        async with Worker.started(url, Options(channel="instant")) as worker:
            spent = {
                "limit": Spent(ServerCpu(os.getpid(), base.raw)),
                "least": Spent(ServerCpu(os.getpid(), base.raw)),
                "ours": Spent(ServerCpu(worker.pid, base.raw)),
            }

            async def bare(name: str, sql: Limit) -> float:
                source = await base.queue(next(firsts), count, SHORT, SHORT_CONTEXT)
                async with spent[name].over(count):
                    seconds = await sql.drain()
                assert await base.states(source) == {"sent": count}
                await base.calm()
                return count / seconds

            async def ours(_round: int) -> float:
                source = await base.queue(next(firsts), count, SHORT, SHORT_CONTEXT)
                async with spent["ours"].over(count):
                    drained = await worker.drain()
                states = await base.states(source)
                assert states.keys() <= {"sent", "skipped", "failed"}, states
                assert states["sent"] > 0.9 * count, states
                await base.calm()
                return states["sent"] / drained.seconds

            contestants: Mapping[str, Callable[[int], Awaitable[float]]] = {
                "limit": lambda _round: bare("limit", limit),
                "least": lambda _round: bare("least", least),
                "ours": ours,
            }
            for one in contestants.values():  # warm
                await one(0)
            rates = await interleave(rounds, contestants)
        await raw.close()
        await base.close()
    for name, its in spent.items():
        report.figure(f"decisions: {name}, ms of processor, Python", median(its.process_ms))
        report.figure(f"decisions: {name}, ms of processor, Postgres", median(its.database_ms))
        report.figure(f"decisions: {name}, messages/s", median(rates[name]))
    report.figure("decisions: ours of the least", ratio(rates["ours"], rates["least"]))
    report.aim("decisions", ratio(rates["ours"], rates["limit"]), ">= 0.5")
