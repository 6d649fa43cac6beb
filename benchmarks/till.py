"""The till API under load: `quote` + `commit` pairs against a real server process on Postgres.

    python -m benchmarks.till [--rate 300] [--seconds 20] [--customers 2000] [--tills 64]

Starts the server in a process of its own on a database of its own, and sends from this one: first
at an open-loop rate (each pair at its appointed time, whatever became of the ones before; a late
start counts as latency), then as many as 64 callers get through. A third of the pairs spends points
with a fresh code from the chat, the others earn by phone number. Aims: p99 under 50 ms at 300
requests/s, server memory under 250 MB.
"""

import argparse
import asyncio
import multiprocessing
import os
import random
import signal
import socket
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path
from typing import Any

import aiohttp
from aiohttp import web

from admin.api_keys import NewApiKey, create_api_key
from admin.limits import Rate
from admin.web import add_admin
from app.collector import spare_the_collector
from app.database import database
from benchmarks.harness import Report, fresh_database, percentile
from loyalty.clock import SystemClock
from loyalty.customers import CustomerView, Joined
from loyalty.database import query
from loyalty.instants import to_micros
from loyalty.keys import derive_key
from loyalty.models import Shop, Till
from loyalty.programme import Programme, build_programme
from loyalty.rules.card_codes import picture_code
from loyalty.rules.commands import Accrue
from loyalty.rules.programme import ProgrammeRules

SECRET = b"a secret of the benchmark, 32 bytes"
UNLIMITED = Rate(burst=10**9, per_minute=10**9)
STARTING_POINTS = 1_000_000
LINES = [
    {"sku": f"S{n}", "name": f"Product {n}", "price_minor": 25_000, "amount_minor": 25_000}
    for n in range(3)
]
WARM_UP_S = 3
CALLERS = 64
SPENDING_SHARE = 1 / 3


@dataclass
class World:
    """What the load needs to know: keys of tills, and customers by card number and phone."""

    keys: list[str]
    cards: list[str]
    phones: list[str]


async def seed(url: str, customers: int, tills: int) -> World:
    """A shop with tills and keys; customers with points enough for the whole run."""
    clock = SystemClock()
    async with database(url):
        programme = build_programme(clock=clock, secret=SECRET, rules=ProgrammeRules())
        keys = await _tills(clock, tills)
        members = [await _join(programme, n) for n in range(customers)]
        now = to_micros(clock.now())
        given = await programme.ledger.post_many(
            Accrue(key=f"seed:{her.id}", account_id=her.id, points=STARTING_POINTS, at=now)
            for her in members
        )
        assert given.posted == customers, given
        await query("ANALYZE")
        await programme.stop()
    cards = [her.card_number for her in members]
    return World(keys, cards, [her.phone or "" for her in members])


async def _tills(clock: SystemClock, tills: int) -> list[str]:
    shop = await Shop.create(code="bench", name="Bench")
    keys = []
    for n in range(tills):
        till = await Till.create(code=f"t{n}", name=f"Till {n}", shop_id=shop.id)
        made = await create_api_key(clock=clock, till_id=till.id)
        assert isinstance(made, NewApiKey)
        keys.append(made.key)
    return keys


async def _join(programme: Programme, n: int) -> CustomerView:
    answer = await programme.customers.join(
        front_kind="telegram",
        front_value=str(n),
        phone=f"+7900{n:07d}",
        proof="own_contact",
        name=f"Customer {n}",
        language="en",
        consent_wording="bench",
        marketing=False,
        source="telegram",
    )
    assert isinstance(answer, Joined), answer
    return answer.customer


# ---- the server process ----


async def serve(url: str, port: int) -> None:
    """The till API as `kapsula web` serves it, without limits on a key."""
    clock = SystemClock()
    async with database(url, migrate=False):
        programme = build_programme(clock=clock, secret=SECRET, rules=ProgrammeRules())
        app = web.Application()
        add_admin(app, programme, clock=clock, secret=SECRET, api_rate=UNLIMITED)
        runner = web.AppRunner(app, access_log=None)
        await runner.setup()
        await web.TCPSite(runner, "127.0.0.1", port).start()
        spare_the_collector()
        stop = asyncio.Event()
        asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stop.set)
        await stop.wait()
        await runner.cleanup()
        await programme.stop()


def _serve(url: str, port: int) -> None:
    asyncio.run(serve(url, port))


@contextmanager
def server(url: str) -> Iterator[tuple[int, int]]:
    """A server process; yields its port and pid."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    process = multiprocessing.get_context("spawn").Process(target=_serve, args=(url, port))
    process.start()
    assert process.pid is not None
    try:
        yield port, process.pid
    finally:
        process.terminate()
        process.join(20)


def memory_mb(pid: int) -> float:
    """Resident memory of a process, its peak, in MB (Linux; 0 elsewhere)."""
    status = Path(f"/proc/{pid}/status")
    if not status.exists():
        return 0.0
    lines = dict(line.split(":", 1) for line in status.read_text().splitlines() if ":" in line)
    return int(lines["VmHWM"].split()[0]) / 1024


def cpu_s(pid: int) -> float:
    """Processor time of a process so far (Linux; 0 elsewhere)."""
    stat = Path(f"/proc/{pid}/stat")
    if not stat.exists():
        return 0.0
    fields = stat.read_text().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


# ---- the load process ----


@dataclass
class Outcome:
    """Latencies in milliseconds by operation, and what was not a 200."""

    quote: list[float] = field(default_factory=list)
    commit: list[float] = field(default_factory=list)
    refused: dict[str, int] = field(default_factory=dict)
    seconds: float = 0.0

    def all(self) -> list[float]:
        return self.quote + self.commit


class Load:
    """Sends pairs. Codes are drawn here: the secret is the benchmark's own."""

    def __init__(self, session: aiohttp.ClientSession, base: str, world: World) -> None:
        self._session = session
        self._base = base
        self._world = world
        self._numbers = count(1)
        self._random = random.Random(7)
        self._picture_key = derive_key(SECRET, "card picture")
        self.outcome = Outcome()

    async def pair(self, due: float | None = None) -> None:
        """A quote and its commit; `due` is when the quote should have left."""
        number = next(self._numbers)
        spends = self._random.random() < SPENDING_SHARE
        quote = {
            "card": self._card(number, spends),
            "receipt_number": f"B{number}",
            "lines": LINES,
            "spend": 20 if spends else 0,
        }
        headers = {"Authorization": f"Bearer {self._world.keys[number % len(self._world.keys)]}"}
        answer = await self._post("/quotes", quote, headers, f"quote-{number}", "quote", due)
        if answer is not None:
            commit = {"quote_id": answer["quote_id"], "receipt_number": f"B{number}"}
            await self._post("/receipts", commit, headers, f"commit-{number}", "commit", None)

    def _card(self, number: int, spends: bool) -> str:
        """What the customer shows: her phone number, or a code that her chat would draw now."""
        place = number % len(self._world.cards)
        if not spends:
            return self._world.phones[place]
        return picture_code(
            self._picture_key, self._world.cards[place], int(time.time()), number % 1000
        )

    async def _post(
        self,
        path: str,
        body: dict[str, Any],
        headers: dict[str, str],
        key: str,
        kind: str,
        due: float | None,
    ) -> dict[str, Any] | None:
        since = time.perf_counter() if due is None else due
        async with self._session.post(
            self._base + path, json=body, headers=headers | {"Idempotency-Key": key}
        ) as response:
            answer: dict[str, Any] = await response.json(content_type=None)
        getattr(self.outcome, kind).append((time.perf_counter() - since) * 1000)
        if response.status == 200:
            return answer
        code = str(answer.get("code"))
        self.outcome.refused[code] = self.outcome.refused.get(code, 0) + 1
        return None

    async def open_loop(self, requests_a_second: float, seconds: float) -> Outcome:
        """Pairs at appointed times; a pair is two requests."""
        self.outcome = Outcome()
        tasks: set[asyncio.Task[None]] = set()
        start = time.perf_counter()
        for n in range(int(requests_a_second / 2 * seconds)):
            due = start + n * 2 / requests_a_second
            await asyncio.sleep(max(0.0, due - time.perf_counter()))
            task = asyncio.create_task(self.pair(due))
            tasks.add(task)
            task.add_done_callback(tasks.discard)
        await asyncio.gather(*tasks)
        self.outcome.seconds = time.perf_counter() - start
        return self.outcome

    async def closed_loop(self, callers: int, seconds: float) -> Outcome:
        """As many pairs as `callers` get through, each sending when it has its answer."""
        self.outcome = Outcome()
        start = time.perf_counter()

        async def caller() -> None:
            while time.perf_counter() - start < seconds:
                await self.pair()

        await asyncio.gather(*(caller() for _ in range(callers)))
        self.outcome.seconds = time.perf_counter() - start
        return self.outcome


async def wait_until_up(session: aiohttp.ClientSession, base: str) -> None:
    for _ in range(200):
        try:
            async with session.get(f"{base}/openapi.json"):
                return
        except aiohttp.ClientConnectionError:
            await asyncio.sleep(0.1)
    raise TimeoutError("the server did not start")


def say(report: Report, name: str, outcome: Outcome) -> None:
    """Rate and percentiles of one loop, by operation and together."""
    report.figure(f"{name}: requests/s", round(len(outcome.all()) / outcome.seconds, 1))
    for kind, latencies in (
        ("quote", outcome.quote),
        ("commit", outcome.commit),
        ("both", outcome.all()),
    ):
        for percent in (50, 95, 99):
            value = round(percentile(latencies, percent), 2) if latencies else 0.0
            report.figure(f"{name}: {kind} p{percent}, ms", value)
    report.figure(f"{name}: not 200", outcome.refused or 0)


async def measure(arguments: argparse.Namespace) -> Report:
    report = Report()
    async with fresh_database() as url:
        print(f"seeding {arguments.customers} customers …", file=sys.stderr, flush=True)
        world = await seed(url, arguments.customers, arguments.tills)
        with server(url) as (port, pid):
            base = f"http://127.0.0.1:{port}/api/v1"
            connector = aiohttp.TCPConnector(limit=0)
            async with aiohttp.ClientSession(connector=connector) as session:
                await wait_until_up(session, base)
                await _phases(report, Load(session, base, world), pid, arguments)
    report.conditions |= vars(arguments) | {"database": "Postgres", "server processes": 1}
    return report


async def _phases(report: Report, load: Load, pid: int, arguments: argparse.Namespace) -> None:
    report.figure("memory at start, MB", round(memory_mb(pid), 1))
    await load.open_loop(arguments.rate, WARM_UP_S)
    print("open loop …", file=sys.stderr, flush=True)
    before = cpu_s(pid)
    steady = await load.open_loop(arguments.rate, arguments.seconds)
    say(report, f"open loop at {arguments.rate}/s", steady)
    report.figure("server processor, share of a core", (cpu_s(pid) - before) / steady.seconds)
    print("closed loop …", file=sys.stderr, flush=True)
    fastest = await load.closed_loop(CALLERS, arguments.seconds / 2)
    say(report, f"closed loop, {CALLERS} callers", fastest)
    refused = sum(steady.refused.values()) + sum(fastest.refused.values())
    report.aim("p99 at the rate, ms", percentile(steady.all(), 99), "< 50")
    report.aim(
        "achieved share of the rate", len(steady.all()) / steady.seconds / arguments.rate, ">= 0.98"
    )
    report.aim("server memory, MB", memory_mb(pid), "< 250")
    report.aim("answers that were not 200", refused, "<= 0")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--rate", type=int, default=300, help="requests a second")
    parser.add_argument("--seconds", type=int, default=20)
    parser.add_argument("--customers", type=int, default=2000)
    parser.add_argument("--tills", type=int, default=64)
    asyncio.run(measure(parser.parse_args())).print()


if __name__ == "__main__":
    main()
