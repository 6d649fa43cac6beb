"""A believable base of customers and its queue, made by the database itself within seconds."""

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

import asyncpg

from app.database import database
from benchmarks.dispatch_parts.letters import provide_templates
from benchmarks.harness import ServerCpu
from loyalty.instants import to_micros
from messaging.decisions import Policies
from messaging.policy.quiet_hours import QuietHours, Release

DAY_US = 86_400_000_000
_ZONES = "ARRAY['Europe/Moscow', 'Europe/Samara', 'Asia/Yekaterinburg', 'Asia/Vladivostok']"

# $1: how many, $2: now in microseconds. Each twentieth customer has taken her consent back, each
# tenth has set a preference, each fiftieth address is suppressed; each has had two advertisements
# of the last month, which the caps look at and let pass.
_SEED = (
    f"""
    INSERT INTO customer (id, name, city, language, timezone, joined_at)
    SELECT g, 'Customer ' || g, 'Samara', CASE WHEN g % 5 = 0 THEN 'en' ELSE 'ru' END,
        ({_ZONES})[1 + g % 4], $2::bigint - {400 * DAY_US} FROM generate_series(1, $1::bigint) g
    """,
    f"""
    INSERT INTO chat_thread (id, secret_hash, language, last_message_id, keyboard, created_at,
        seen_at)
    SELECT g, 'hash ' || g, 'ru', 1, '', $2::bigint - {90 * DAY_US}, $2::bigint - {DAY_US}
    FROM generate_series(1, $1::bigint) g WHERE g % 4 = 0
    """,
    f"""
    INSERT INTO identity (id, customer_id, kind, value, proof, created_at)
    SELECT g * 8 + n, g, kind, value, 'one_time_code', $2::bigint - {300 * DAY_US}
    FROM generate_series(1, $1::bigint) g, LATERAL (VALUES
        (0, 'card', (2000000000000 + g)::text, true),
        (1, 'phone', '+7' || (9000000000 + g)::text, true),
        (2, 'email', 'customer' || g || '@mail' || g % 7 || '.example', g % 40 <> 9),
        (3, 'telegram', (100000000 + g)::text, g % 40 > 0),
        (4, 'webchat', g::text, g % 4 = 0)) v (n, kind, value, has) WHERE has
    """,
    f"""
    INSERT INTO consent_fact (id, customer_id, purpose, channel, granted, at, source, wording)
    SELECT g * 4 + n, g, purpose, '', n < 2, $2::bigint - {300 * DAY_US} + n, 'telegram', '1'
    FROM generate_series(1, $1::bigint) g, LATERAL (VALUES
        (0, 'processing', true), (1, 'marketing', true), (2, 'marketing', g % 20 = 7))
        v (n, purpose, said) WHERE said
    """,
    f"""
    INSERT INTO contact (message_id, customer_id, topic, kind, channel, at)
    SELECT g * 4 + n, g, 'marketing', '', 'messenger', $2::bigint - (9 + n * 9) * {DAY_US}
    FROM generate_series(1, $1::bigint) g, generate_series(1, 2) n
    """,
    """
    INSERT INTO habit (customer_id, channel, sent, seen)
    SELECT g, channel, 12, (g * weight) % 13 FROM generate_series(1, $1::bigint) g,
        (VALUES ('messenger', 7), ('email', 5)) v (channel, weight) WHERE $2::bigint > 0
    """,
    """
    INSERT INTO preference (customer_id, quiet_from, quiet_until, weekly_max, updated_at)
    SELECT g, NULL, NULL, 1 + g % 3, $2::bigint FROM generate_series(1, $1::bigint) g
    WHERE g % 10 = 3
    """,
    f"""
    INSERT INTO suppression (id, address_kind, address, topic, reason, at, until)
    SELECT g, 'telegram', (100000000 + g)::text, '', 'blocked', $2::bigint,
        $2::bigint + {4000 * DAY_US}
    FROM generate_series(1, $1::bigint) g WHERE g % 50 = 11
    """,
)
# $1: the first customer, $2: the last, $3: now, $4: a word that makes the keys new, then fields.
_QUEUE = f"""
    INSERT INTO message (id, dedupe_key, customer_id, address_kind, address, topic, kind, source,
        template, context, language, priority, value, urgent, channels, wants, reach_permille, goal,
        state, reason, created_at, not_before, expires_at, lease_owner, tries)
    SELECT $5::bigint + g, $4::text || ':' || g, g, '', '', 'marketing', '',
        'campaign:' || $4::text, $6, replace(replace($7::text, '"@"', g::text), '@', g::text), '',
        5, g % 100, false, $8, '', 0, '', 'queued', '', $3::bigint, $3, $3 + {7 * DAY_US}, '', 0
    FROM generate_series($1::bigint, $2::bigint) g
"""
_ID_STEP = 10_000_000


def now_us() -> int:
    return to_micros(datetime.now(UTC))


def in_daytime() -> Policies:
    """The programme's policies, its quiet hours laid where they disturb nobody just now.

    They are asked all the same; a customer's own zone is at most seven hours away from Moscow.
    """
    minute = datetime.now(UTC).hour * 60 + 180 + 12 * 60
    hours = QuietHours(begin=minute % 1440, end=(minute + 120) % 1440)
    return Policies(quiet=Release(hours=hours))


class Base:
    """The customers 1 … `size` in a database of their own, and messages to them."""

    def __init__(self, raw: asyncpg.Connection, size: int) -> None:
        self.raw = raw
        self.size = size
        self._queued = 0

    @classmethod
    async def make(cls, url: str, size: int) -> "Base":
        async with database(url):  # with its migrations
            await provide_templates()
        base = cls(await asyncpg.connect(url), size)
        for statement in _SEED:
            await base.raw.execute(statement, size, now_us())
        await base.raw.execute("VACUUM ANALYZE")
        return base

    async def queue(
        self, first: int, count: int, template: str, context: dict[str, Any], *, channels: str = ""
    ) -> str:
        """An advertisement to each of these customers; "@" in the context is her number.

        Returns the source by which the messages are known. The last one is in the queue when this
        returns, and nothing of it is left for autovacuum to begin with.
        """
        self._queued += 1
        name = f"bench{self._queued}"
        await self.raw.execute(
            _QUEUE, first, first + count - 1, now_us(), name, self._queued * _ID_STEP * 100,
            template, json.dumps(context), channels,
        )  # fmt: skip
        await self.raw.execute("CHECKPOINT")
        return f"campaign:{name}"

    async def states(self, source: str) -> dict[str, int]:
        rows = await self.raw.fetch(
            "SELECT state, COUNT(*) AS n FROM message WHERE source = $1 GROUP BY state", source
        )
        return {row["state"]: row["n"] for row in rows}

    async def calm(self) -> None:
        """Forget the pressure, so that the same customers may be written to again."""
        await self.raw.execute("DELETE FROM contact WHERE at > $1", now_us() - DAY_US)
        await self.raw.execute("VACUUM ANALYZE")

    async def close(self) -> None:
        await self.raw.close()


@dataclass
class Spent:
    """Processor time per message, in milliseconds a round: it minds other people's work less."""

    cpu: ServerCpu
    process_ms: list[float] = field(default_factory=list)
    database_ms: list[float] = field(default_factory=list)

    @asynccontextmanager
    async def over(self, messages: int) -> AsyncIterator[None]:
        before = await self.cpu.read()
        yield
        after = await self.cpu.read()
        self.process_ms.append(1000 * (after[0] - before[0]) / messages)
        self.database_ms.append(1000 * (after[1] - before[1]) / messages)
