"""A month of receipts replayed under other rules; memory must not grow with their number."""

import argparse
import json
import random
import resource
import sys
import tempfile
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from app.database import database
from benchmarks.harness import Report, fresh_database
from benchmarks.promo_parts.rules import CATEGORIES, marketers_rules
from loyalty.database import analysis, query, transaction
from loyalty.instants import to_micros
from loyalty.replay import replay
from loyalty.rules.earning_rules import Combine

RECEIPTS = 1_000_000
START = datetime(2026, 3, 1, tzinfo=UTC)
DAYS = 31


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--receipts", type=int, default=RECEIPTS, help="to replay")
    parser.add_argument("--sqlite", action="store_true", help="replay on SQLite instead")


async def run(report: Report, arguments: argparse.Namespace) -> None:
    receipts = arguments.receipts // 10 if arguments.quick else arguments.receipts
    await _measure(report, receipts, on_sqlite=arguments.sqlite)


async def _fill(receipts: int) -> None:
    """A shop, goods, customers with about eight receipts each, three lines a receipt."""
    await query("INSERT INTO shop (id, code, name, city, address, timezone) "
                "VALUES (1, 'bench', 'Bench', '', '', 'Europe/Moscow')")  # fmt: skip
    await query("INSERT INTO till (id, shop_id, code, name) VALUES (1, 1, 't', 'T')")
    goods = [[f"s{n}", f"c{n % CATEGORIES}"] for n in range(300)]
    await query(*_GOODS, json.dumps(goods))
    chance, done, customer = random.Random(2), 0, 10_000
    while done < receipts:
        people: list[list[Any]] = []
        sales: list[list[Any]] = []
        lines: list[list[Any]] = []
        while done + len(sales) < receipts and len(sales) < 5_000:
            customer += 1
            people.append([customer])
            for _ in range(min(chance.randrange(1, 16), receipts - done - len(sales))):
                sales.append(_sale(chance, done + len(sales) + 1, customer))
                lines += [
                    [sales[-1][0] * 4 + n, sales[-1][0], n, *chance.choice(goods), price]
                    for n, price in enumerate(sales[-1][4])
                ]
        async with transaction():
            await query(*_PEOPLE, json.dumps(people))
            await query(*_SALES, json.dumps([sale[:4] for sale in sales]))
            await query(*_LINES, json.dumps(lines))
        done += len(sales)
        print(f"\r  filled {done:,}", end="", file=sys.stderr, flush=True)
    async with analysis():
        await query(_SUMS)
    await query("ANALYZE")
    print(file=sys.stderr)


def _sale(chance: random.Random, number: int, customer: int) -> list[Any]:
    prices = [chance.randrange(50_00, 900_00) for _ in range(3)]
    at = to_micros(START) + chance.randrange(DAYS * 86_400) * 1_000_000
    return [number, customer, at, sum(prices), prices]


def _rows(columns: str, table: str, select: str) -> tuple[str, str]:
    """One insert from a JSON array of arrays, for both databases; `{n}` is the nth of each."""

    def text(source: str, cell: str) -> str:
        picked = select
        for n in range(8):
            picked = picked.replace(f"{{{n}}}", cell.format(n=n))
        return f"INSERT INTO {table} ({columns}) SELECT {picked} FROM {source}"

    return (
        text("json_array_elements($1::json) AS e(v)", "(e.v ->> {n})"),
        text("json_each($1) AS e", "(e.value ->> {n})"),
    )


_GOODS = _rows(
    "sku, name, category, price_minor, units_per_pack, prescription_only, earns,"
    " payable_with_points, barcode",
    "product",
    "{0}, {0}, {1}, 100, 0, FALSE, TRUE, TRUE, ''",
)
_PEOPLE = _rows(
    "id, name, city, language, timezone, joined_at",
    "customer",
    "CAST({0} AS BIGINT), 'C', '', 'ru', 'Europe/Moscow', 0",
)
_SALES = _rows(
    "id, customer_id, till_id, number, state, at, recorded_at, total_minor, paid_minor,"
    " spent_points, earned_points, key, fingerprint, answer",
    "receipt",
    "CAST({0} AS BIGINT), CAST({1} AS BIGINT), 1, {0}, 'committed', CAST({2} AS BIGINT),"
    " CAST({2} AS BIGINT), CAST({3} AS BIGINT), CAST({3} AS BIGINT), 0,"
    " CAST({3} AS BIGINT) / 2000, {0}, '', '{{}}'",
)
_LINES = _rows(
    "id, receipt_id, position, sku, name, category, quantity_milli, price_minor, amount_minor,"
    " spent_points, earned_points, explanation",
    "receipt_line",
    "CAST({0} AS BIGINT), CAST({1} AS BIGINT), CAST({2} AS INTEGER), {3}, {3}, {4}, 1000,"
    " CAST({5} AS BIGINT), CAST({5} AS BIGINT), 0, 0, ''",
)
_SUMS = """
INSERT INTO customer_month (customer_id, month, turnover_minor, receipts)
SELECT customer_id, 24314, SUM(paid_minor), COUNT(*) FROM receipt GROUP BY customer_id
"""


async def _measure(report: Report, receipts: int, *, on_sqlite: bool) -> None:
    async with _database(on_sqlite) as url, database(url):
        await _fill(receipts)
        rules = marketers_rules(Combine.BEST)
        start = to_micros(START)
        await replay(rules, start, start + 2 * 3_600_000_000)  # what is loaded once is loaded
        before, started, done = _memory_mb(), time.perf_counter(), 0
        most = before

        def progress(count: int) -> None:
            nonlocal done, most
            done += count
            if done // 10_000 != (done - count) // 10_000:
                print(f"\r  replayed {done:,}", end="", file=sys.stderr, flush=True)
                most = max(most, _memory_mb())

        told = await replay(rules, start, start + DAYS * 86_400_000_000, progress=progress)
        took = time.perf_counter() - started
        print(file=sys.stderr)
    name = "sqlite" if on_sqlite else "postgres"
    assert told.total.receipts == receipts == done, (told.total, done)
    report.figure(f"replay {name}: receipts", receipts)
    report.figure(f"replay {name}: seconds", took)
    report.figure(f"replay {name}: receipts a second", receipts / took)
    report.aim(f"replay {name}: MB of memory more than before", most - before, "< 50")


def _memory_mb() -> float:
    """What this process has in memory now."""
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * resource.getpagesize() / 1_048_576


@asynccontextmanager
async def _database(on_sqlite: bool) -> AsyncIterator[str]:
    if not on_sqlite:
        async with fresh_database() as url:
            yield url
        return
    with tempfile.TemporaryDirectory() as folder:
        yield f"sqlite://{Path(folder) / 'bench.sqlite3'}"
