"""Using codes on Postgres with 8 connections: judged, reserved, redeemed; against bare SQL.

`bare` is the least that can be said in SQL for the same: one statement that reads the code with its
campaign and counts, one that takes the code, counts it and keeps the use, one that marks the use as
redeemed. It knows no conditions, no spellings, no guessing and no several codes at once. In `hot`
all callers use one shared code with a limit, and so one row.
"""

import argparse
import asyncio
import time
from collections.abc import Awaitable, Callable
from typing import Any

import asyncpg

from app.database import database
from benchmarks.harness import Report, fresh_database, interleave, median, ratio
from loyalty.checkout import Line
from loyalty.checkout.desk import write_alone
from loyalty.checkout.promising import promise, reserving
from loyalty.clock import SystemClock
from loyalty.database import query
from loyalty.ids import next_id
from loyalty.instants import to_micros
from loyalty.promo import Guesser, Promo
from loyalty.promo_campaigns import Campaign, PromoCampaigns
from loyalty.rules.earning import LineResult, Priced
from loyalty.rules.promo import Kind, Terms
from loyalty.sql import promo as sql

CONNECTIONS = 8
PAIRS = 2_000
HOLD = 900_000_000
LINES = [Line("cream", "Cream", 1000, 100_00, 100_00)]
PRICED = Priced(
    total_minor=90_00, to_pay_minor=90_00, spent=0, earned=4, lines=(LineResult(4, 0, ()),)
)
TERMS = Terms(kind=Kind.PERCENT, permille=100, total_max=1_000_000_000, per_customer_max=1_000_000)

BARE_SCHEMA = """
CREATE TABLE bare_campaign (id BIGINT PRIMARY KEY, ends_at BIGINT NOT NULL, terms TEXT NOT NULL);
CREATE TABLE bare_code (code VARCHAR(32) PRIMARY KEY, campaign_id BIGINT NOT NULL,
  uses_max INT, taken INT NOT NULL) WITH (fillfactor = 90);
CREATE TABLE bare_tally (campaign_id BIGINT NOT NULL, customer_id BIGINT NOT NULL,
  taken BIGINT NOT NULL, most BIGINT NOT NULL, PRIMARY KEY (campaign_id, customer_id))
  WITH (fillfactor = 50);
CREATE TABLE bare_use (id BIGINT PRIMARY KEY, campaign_id BIGINT NOT NULL,
  code VARCHAR(32) NOT NULL, customer_id BIGINT NOT NULL, quote_id BIGINT NOT NULL,
  receipt_id BIGINT, state VARCHAR(12) NOT NULL, at BIGINT NOT NULL, expires_at BIGINT NOT NULL,
  closed_at BIGINT);
CREATE INDEX bare_use_quote ON bare_use (quote_id);
CREATE INDEX bare_use_customer ON bare_use (customer_id, at);
CREATE INDEX bare_use_campaign ON bare_use (campaign_id);
CREATE INDEX bare_use_open ON bare_use (expires_at) WHERE closed_at IS NULL;
CREATE INDEX bare_use_receipt ON bare_use (receipt_id) WHERE receipt_id IS NOT NULL;
"""
BARE_LOOK = """
SELECT c.taken, c.uses_max, p.terms, p.ends_at, t.taken, u.taken
FROM bare_code AS c JOIN bare_campaign AS p ON p.id = c.campaign_id
LEFT JOIN bare_tally AS t ON t.campaign_id = p.id AND t.customer_id = 0
LEFT JOIN bare_tally AS u ON u.campaign_id = p.id AND u.customer_id = $2
WHERE c.code = $1
"""
BARE_TAKE = """
WITH coded AS (UPDATE bare_code SET taken = taken + 1 WHERE code = $1 AND taken < uses_max),
tallied AS (
  INSERT INTO bare_tally (campaign_id, customer_id, taken, most)
  VALUES ($2, 0, 1, $3), ($2, $4, 1, $3)
  ON CONFLICT (campaign_id, customer_id) DO UPDATE SET taken = bare_tally.taken + 1
  WHERE bare_tally.taken < excluded.most)
INSERT INTO bare_use (id, campaign_id, code, customer_id, quote_id, state, at, expires_at)
VALUES ($5, $2, $1, $4, $6, 'reserved', $7, $8)
"""
BARE_REDEEM = """
UPDATE bare_use SET state = 'redeemed', receipt_id = $2, closed_at = $3
WHERE quote_id = $1 AND state = 'reserved'
"""
Pair = Callable[[str, int], Awaitable[None]]


class Bench:
    """Both in one database: the same campaigns and codes."""

    def __init__(self, pool: asyncpg.Pool, campaigns: dict[str, int], codes: list[str]) -> None:
        self.pool = pool
        self.campaigns = campaigns
        self.codes = codes
        self.promo = Promo(SystemClock())

    async def ours(self, code: str, customer_id: int) -> None:
        """As the checkout does it, without its receipt and points."""
        guesser = Guesser(till_id=1, device="bench")
        promised = await promise(
            self.promo, [code], LINES, customer_id=customer_id, guesser=guesser, older=None
        )
        _, outcomes = promised.reward(PRICED)
        assert outcomes[0].is_applied, outcomes
        quote_id, now = next_id(), to_micros(SystemClock().now())
        reserved = reserving(
            promised, outcomes, quote_id=quote_id, customer_id=customer_id, now=now,
            until=now + HOLD, older=None,
        )  # fmt: skip
        assert reserved is not None
        await write_alone(reserved.companion())
        await write_alone(sql.redeem_companion(quote_id, next_id(), now, 1))

    async def bare(self, code: str, customer_id: int) -> None:
        campaign_id = self.campaigns["hot" if code == "HOT" else "personal"]
        quote_id, now = next_id(), to_micros(SystemClock().now())
        row = await self.pool.fetchrow(BARE_LOOK, code, customer_id)
        assert row is not None
        most = 1_000_000_000
        await self.pool.execute(
            BARE_TAKE, code, campaign_id, most, customer_id, next_id(), quote_id, now, now + HOLD
        )
        await self.pool.execute(BARE_REDEEM, quote_id, next_id(), now)


async def run(report: Report, arguments: argparse.Namespace) -> None:
    pairs, rounds = (PAIRS // 10 if arguments.quick else PAIRS), arguments.rounds
    async with (
        fresh_database() as url,
        database(url, pool_max=CONNECTIONS),
        asyncpg.create_pool(
            url, min_size=CONNECTIONS, max_size=CONNECTIONS, reset=_no_reset
        ) as pool,
    ):
        bench = await _stocked(pool, pairs * rounds)
        personal = await interleave(rounds, {
            "bare": _crowd(bench.bare, bench.codes, pairs),
            "ours": _crowd(bench.ours, bench.codes, pairs),
        })  # fmt: skip
        hot = await interleave(rounds, {
            "bare": _crowd(bench.bare, ["HOT"], pairs),
            "ours": _crowd(bench.ours, ["HOT"], pairs),
        })  # fmt: skip
        [[taken]] = await query(
            "SELECT taken FROM promo_tally WHERE campaign_id = $1 AND customer_id = 0", None,
            bench.campaigns["hot"],
        )  # fmt: skip
        assert taken == pairs * rounds
    for name, results in (("personal codes", personal), ("one hot code", hot)):
        report.figure(f"bare SQL, {name}, pairs/s", median(results["bare"]))
        report.figure(f"ours, {name}, pairs/s", median(results["ours"]))
    report.aim("redeem", ratio(personal["ours"], personal["bare"]), ">= 0.5")
    report.aim("redeem a hot code", ratio(hot["ours"], hot["bare"]), ">= 0.5")


def _crowd(pair: Pair, codes: list[str], pairs: int) -> Callable[[int], Awaitable[float]]:
    """Pairs a second of eight callers, each code once where there are many."""

    async def measured(round_: int) -> float:
        waiting = list(range(round_ * pairs, (round_ + 1) * pairs))

        async def caller() -> None:
            while waiting:
                n = waiting.pop()
                await pair(codes[n % len(codes)], 50_000 + n % 1_000)

        started = time.perf_counter()
        await asyncio.gather(*(caller() for _ in range(CONNECTIONS)))
        return pairs / (time.perf_counter() - started)

    return measured


async def _stocked(pool: asyncpg.Pool, count: int) -> Bench:
    campaigns, ids = PromoCampaigns(SystemClock()), dict[str, int]()
    for name, shared in (("personal", None), ("hot", "HOT")):
        made = await campaigns.create(name, name, TERMS, shared_code=shared)
        assert isinstance(made, Campaign)
        ids[name] = made.id
    await campaigns.generate(ids["personal"], count, "bench")
    codes = await campaigns.codes("bench", limit=count)
    await pool.execute(BARE_SCHEMA)
    await pool.execute(
        "INSERT INTO bare_campaign (id, ends_at, terms) SELECT id, ends_at, terms "
        "FROM promo_campaign"
    )
    await pool.execute(
        "INSERT INTO bare_code SELECT code, campaign_id, uses_max, taken FROM promo_code"
    )
    await query("ANALYZE")
    return Bench(pool, ids, codes)


async def _no_reset(_connection: Any) -> None:
    """Like our own pool: no session state, no reset query."""
