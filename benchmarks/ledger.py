"""The ledger's speed against honest limits, on Postgres. `python -m benchmarks.ledger --help`.

`limit` is the least that an SQL ledger must do for one movement, in one server-side function and
one round trip: take the key, update both accounts in order, check the overdraft, write two entries
with running balances. It knows no lots, no expiry, no holds, no reversals and no hash chain.
"""

import argparse
import asyncio
import contextlib
import time
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import asyncpg

from app.collector import spare_the_collector
from app.database import database
from benchmarks.harness import Report, fresh_database, interleave, median, ratio
from loyalty.clock import SystemClock
from loyalty.database import query
from loyalty.instants import to_micros
from loyalty.ledger import Ledger, verify
from loyalty.ledger.row_sets import TABLES
from loyalty.rules.commands import Accrue, Command, Posted, Redeem

CUSTOMERS = 1_000
FIRST = 10_000
HOT = FIRST
CALLERS = 64
POOL = 16

LIMIT_SCHEMA = """
CREATE TABLE limit_account (id BIGINT PRIMARY KEY, balance BIGINT NOT NULL) WITH (fillfactor = 70);
CREATE TABLE limit_transfer (id BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  key TEXT NOT NULL UNIQUE, at TIMESTAMPTZ NOT NULL DEFAULT now());
CREATE TABLE limit_entry (id BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  account_id BIGINT NOT NULL, transfer_id BIGINT NOT NULL, points BIGINT NOT NULL,
  balance_after BIGINT NOT NULL);
CREATE INDEX limit_entry_account ON limit_entry (account_id, id);
INSERT INTO limit_account SELECT g, 0 FROM generate_series(1, 16) AS g;

CREATE FUNCTION limit_post(key_ TEXT, from_ BIGINT, to_ BIGINT, points_ BIGINT) RETURNS BIGINT
LANGUAGE plpgsql AS $$
DECLARE transfer BIGINT; from_after BIGINT; to_after BIGINT;
BEGIN
  INSERT INTO limit_transfer (key) VALUES (key_) ON CONFLICT DO NOTHING RETURNING id INTO transfer;
  IF transfer IS NULL THEN RETURN NULL; END IF;
  IF from_ < to_ THEN
    UPDATE limit_account SET balance = balance - points_ WHERE id = from_
      RETURNING balance INTO from_after;
    UPDATE limit_account SET balance = balance + points_ WHERE id = to_
      RETURNING balance INTO to_after;
  ELSE
    UPDATE limit_account SET balance = balance + points_ WHERE id = to_
      RETURNING balance INTO to_after;
    UPDATE limit_account SET balance = balance - points_ WHERE id = from_
      RETURNING balance INTO from_after;
  END IF;
  IF from_ > 16 AND from_after < 0 THEN RAISE EXCEPTION 'overdraft'; END IF;
  INSERT INTO limit_entry (account_id, transfer_id, points, balance_after)
  VALUES (from_, transfer, -points_, from_after), (to_, transfer, points_, to_after);
  RETURN transfer;
END $$;
"""


class Limit:
    """The honest minimum, over a pool or on a connection of its own."""

    def __init__(self, pool: asyncpg.Pool | asyncpg.Connection) -> None:
        self._pool = pool

    async def post(self, key: str, customer: int, points: int) -> None:
        """Give points (> 0) to a customer, or take them (< 0)."""
        programme = customer % 16 + 1
        source, target = (programme, customer) if points > 0 else (customer, programme)
        await self._pool.fetchval(
            "SELECT limit_post($1, $2, $3, $4)", key, source, target, abs(points)
        )


class Bench:
    """Both ledgers in one database."""

    def __init__(self, url: str, pool: asyncpg.Pool) -> None:
        self.url = url
        self.limit = Limit(pool)
        self.pool = pool
        self.ledger = Ledger(SystemClock())
        self.chainless = Ledger(SystemClock(), chain=False)
        self.count = 0

    def key(self) -> str:
        self.count += 1
        return f"bench {self.count}"

    def command(self, customer: int, points: int) -> Command:
        now = to_micros(datetime.now(UTC))
        if points < 0:
            return Redeem(key=self.key(), account_id=customer, points=-points, at=now)
        return Accrue(
            key=self.key(), account_id=customer, points=points, at=now,
            expires_at=now + 365 * 86_400_000_000,
        )  # fmt: skip

    async def post(self, ledger: Ledger, customer: int, points: int) -> None:
        verdict = await ledger.post(self.command(customer, points))
        assert isinstance(verdict, Posted), verdict


def movements(count: int, seed: int, *, half: int = 0) -> list[tuple[int, int]]:
    """Customers of one half of all in turn; every second movement spends."""
    size = CUSTOMERS // 2 - 1
    first = FIRST + 1 + half * size
    return [(first + (n * 7919 + seed) % size, -3 if n % 2 else 10) for n in range(count)]


async def one_call(bench: Bench, calls: int, rounds: int) -> dict[str, list[float]]:
    """Movements a second of a single caller who waits for each answer.

    `bare` is the limit without a pool. Our service keeps a connection too, among much else.
    """

    def least(limit: Limit) -> Any:
        async def run(round_: int) -> float:
            started = time.perf_counter()
            for customer, points in movements(calls, round_):
                await limit.post(bench.key(), customer, points)
            return calls / (time.perf_counter() - started)

        return run

    def ours(ledger: Ledger, half: int) -> Any:
        async def run(round_: int) -> float:
            started = time.perf_counter()
            for customer, points in movements(calls, round_, half=half):
                await bench.post(ledger, customer, points)
            return calls / (time.perf_counter() - started)

        return run

    async with bench.pool.acquire() as raw:
        return await interleave(
            rounds,
            {
                "limit": least(bench.limit),
                "bare": least(Limit(raw)),
                "ours": ours(bench.ledger, 0),
                "chainless": ours(bench.chainless, 1),
            },
        )


async def hot_account(bench: Bench, calls: int, rounds: int) -> dict[str, list[float]]:
    """Movements a second of 64 callers on one account."""

    async def crowd(one: Any) -> float:
        async def caller(n: int) -> None:
            for i in range(calls // CALLERS):
                await one(HOT, -3 if (n + i) % 2 else 10)

        started = time.perf_counter()
        await asyncio.gather(*(caller(n) for n in range(CALLERS)))
        return calls / (time.perf_counter() - started)

    async def limit(_round: int) -> float:
        return await crowd(lambda customer, points: bench.limit.post(bench.key(), customer, points))

    async def ours(_round: int) -> float:
        return await crowd(lambda customer, points: bench.post(bench.ledger, customer, points))

    return await interleave(rounds, {"limit": limit, "ours": ours})


COPIED = {
    table: [name for name, _ in TABLES[table]]
    for table in ("ledger_transaction", "ledger_posting", "ledger_lot")
}


async def bulk(bench: Bench, rows: int, rounds: int) -> dict[str, list[float]]:
    """Accruals a second imported by 1,000 per commit, against COPY of the same finished rows.

    The copied tables are twins of ours with the same columns and indexes, and grow as ours do.
    COPY judges nothing, makes no links and keeps no balance: it is the least that writing those
    rows can cost.
    """
    for table, columns in COPIED.items():
        names = ", ".join(columns)
        await query(f"CREATE TABLE twin_{table} (LIKE {table} INCLUDING ALL)")
        await query(f"INSERT INTO twin_{table} ({names}) SELECT {names} FROM {table}")
    written: dict[int, dict[str, list[tuple[Any, ...]]]] = {}

    async def ours(round_: int) -> float:
        commands = [bench.command(FIRST + 1 + n % (CUSTOMERS - 1), 10) for n in range(rows)]
        [[last]] = await query("SELECT COALESCE(MAX(id), 0) FROM ledger_transaction")
        started = time.perf_counter()
        result = await bench.ledger.post_many(commands, batch=1_000)
        elapsed = time.perf_counter() - started
        assert result.posted == rows
        written[round_] = await _written(last)
        return rows / elapsed

    async def copy(round_: int) -> float:
        if round_ not in written:
            await ours(round_)
        prepared = written.pop(round_)
        async with bench.pool.acquire() as raw:
            started = time.perf_counter()
            for first in range(0, rows, 1_000):
                async with raw.transaction():
                    for table, records in prepared.items():
                        share = len(records) // rows
                        part = records[first * share : (first + 1_000) * share]
                        await raw.copy_records_to_table(
                            f"twin_{table}", records=part, columns=COPIED[table]
                        )
            return rows / (time.perf_counter() - started)

    return await interleave(rounds, {"copy": copy, "ours": ours})


async def _written(after: int) -> dict[str, list[tuple[Any, ...]]]:
    """The rows of all transactions after this one."""
    columns = {
        "ledger_transaction": "id",
        "ledger_posting": "transaction_id",
        "ledger_lot": "transaction_id",
    }
    written: dict[str, list[tuple[Any, ...]]] = {}
    for table, column in columns.items():
        rows = await query(
            f"SELECT {', '.join(COPIED[table])} FROM {table} WHERE {column} > $1 ORDER BY {column}",
            None,
            after,
        )
        written[table] = [tuple(row) for row in rows]
    return written


async def reads(bench: Bench, calls: int, rounds: int) -> dict[str, list[float]]:
    """Balance reads a second of an account with a thousand and one with 100,000 entries."""
    small, large = FIRST + CUSTOMERS, FIRST + CUSTOMERS + 1
    await bench.ledger.open_accounts([small, large])
    for account, entries in ((small, 1_000), (large, 100_000)):
        await bench.ledger.post_many(
            (bench.command(account, -3 if n % 2 else 10) for n in range(entries)), batch=2_000
        )
    await query("VACUUM ANALYZE")

    def reader(account: int) -> Any:
        async def run(_round: int) -> float:
            started = time.perf_counter()
            for _ in range(calls):
                await bench.ledger.balance(account)
            return calls / (time.perf_counter() - started)

        return run

    return await interleave(rounds, {"at_1k": reader(small), "at_100k": reader(large)})


@contextlib.asynccontextmanager
async def opened() -> AsyncIterator[Bench]:
    async with (
        fresh_database() as url,
        database(url, pool_max=POOL),
        asyncpg.create_pool(url, min_size=POOL, max_size=POOL, reset=_no_reset) as pool,
    ):
        await pool.execute(LIMIT_SCHEMA)
        bench = Bench(url, pool)
        customers = list(range(FIRST, FIRST + CUSTOMERS))
        await bench.ledger.open_accounts(customers)
        await pool.execute("INSERT INTO limit_account SELECT unnest($1::bigint[]), 0", customers)
        for customer in customers:
            await bench.limit.post(bench.key(), customer, 1_000_000)
        await bench.ledger.post_many(bench.command(customer, 1_000_000) for customer in customers)
        spare_the_collector()  # as in life; the limit and COPY gain from it as well
        yield bench


async def _no_reset(_connection: Any) -> None:
    """Like our own pool: no session state, no reset query."""


async def run(arguments: argparse.Namespace) -> Report:
    report = Report()
    scale = 10 if arguments.quick else 1
    rounds = arguments.rounds
    async with opened() as bench:
        single = await one_call(bench, 1_000 // scale, rounds)
        report.figure("limit, one caller, posts/s", median(single["limit"]))
        report.figure("ours, one caller, posts/s", median(single["ours"]))
        report.figure("ours of a limit without a pool", ratio(single["ours"], single["bare"]))
        report.aim("single", ratio(single["ours"], single["limit"]), ">= 0.7")
        report.aim("chain", ratio(single["ours"], single["chainless"]), ">= 0.85")
        if arguments.pgledger:
            await against_pgledger(bench, arguments.pgledger, report, rounds, 1_000 // scale)
        hot = await hot_account(bench, 6_400 // scale, rounds)
        report.figure("limit, 64 callers on a hot account, posts/s", median(hot["limit"]))
        report.figure("ours, 64 callers on a hot account, posts/s", median(hot["ours"]))
        report.aim("hot account", ratio(hot["ours"], hot["limit"]), ">= 5")
        imported = await bulk(bench, 20_000 // scale, rounds)
        report.figure("COPY of finished rows, accruals/s", median(imported["copy"]))
        report.figure("ours, import by 1,000, accruals/s", median(imported["ours"]))
        report.aim("import", ratio(imported["ours"], imported["copy"]), ">= 0.6")
        read = await reads(bench, 1_000 // scale, rounds)
        report.figure("balance reads/s at 1k entries", median(read["at_1k"]))
        report.figure("balance reads/s at 100k entries", median(read["at_100k"]))
        report.aim("balance read flat", ratio(read["at_100k"], read["at_1k"]), ">= 0.8")
        findings = (await verify()).findings
        assert not [f for f in findings if f.what != "chain_broken"], findings[:3]
        [[version]] = await query("SHOW server_version")
        [[sync]] = await query("SHOW synchronous_commit")
        report.conditions |= {"postgres": version, "synchronous_commit": sync, "rounds": rounds}
    return report


def pgledger_sql(folder: Path) -> list[str]:
    """Its one file, after the function for ULIDs that it brings along."""
    files = [*sorted(folder.rglob("uuid-to-ulid.sql")), folder / "pgledger.sql"]
    return [file.read_text() for file in files]


async def against_pgledger(
    bench: Bench, folder: Path, report: Report, rounds: int, calls: int
) -> None:
    """The public pgledger (its SQL file in `folder`), one caller and 64, beside ours."""
    for text in pgledger_sql(folder):
        await bench.pool.execute(text)
    make = "SELECT id FROM pgledger_create_account($1, 'PTS')"
    programme = await bench.pool.fetchval(make, "programme")
    accounts = [await bench.pool.fetchval(make, f"customer {n}") for n in range(100)]
    transfer = "SELECT id FROM pgledger_create_transfer($1, $2, $3)"

    async def theirs(round_: int) -> float:
        started = time.perf_counter()
        for customer, points in movements(calls, round_):
            account = accounts[customer % 100]
            ends = (programme, account) if points > 0 else (account, programme)
            await bench.pool.fetchval(transfer, *ends, abs(points))
        return calls / (time.perf_counter() - started)

    async def ours(round_: int) -> float:
        started = time.perf_counter()
        for customer, points in movements(calls, round_):
            await bench.post(bench.ledger, customer, points)
        return calls / (time.perf_counter() - started)

    result = await interleave(rounds, {"pgledger": theirs, "ours": ours})
    report.figure("pgledger, one caller, transfers/s", median(result["pgledger"]))
    report.figure("ours beside pgledger, one caller, posts/s", median(result["ours"]))
    report.figure("ours against pgledger", ratio(result["ours"], result["pgledger"]))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--quick", action="store_true", help="a tenth of the work, to try it out")
    parser.add_argument(
        "--pgledger", type=Path, metavar="DIR", help="a copy of the public pgledger"
    )
    asyncio.run(run(parser.parse_args())).print()


if __name__ == "__main__":
    main()
