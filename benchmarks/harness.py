"""What the benchmarks share: a database of their own, interleaved rounds, and the report.

A benchmark prints its figures for people and, on its last line, as JSON for programs:
`{"aims": {NAME: {"value": 0.83, "aim": ">= 0.7", "holds": true}}, "figures": {…}, …}`.
Ratios are medians over rounds in which the compared things took turns, so that a machine whose
speed drifts disturbs both alike.
"""

import json
import operator
import os
import platform
import secrets
import statistics
import sys
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Mapping, Sequence
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit, urlunsplit

import asyncpg

ADMIN_URL = os.environ.get(
    "KAPSULA_BENCH_POSTGRES_URL", "postgres://postgres@127.0.0.1:5432/postgres"
)
_COMPARE = {
    ">=": operator.ge,
    "<=": operator.le,
    ">": operator.gt,
    "<": operator.lt,
}


@dataclass
class Report:
    """Aims and figures as they come, printed once."""

    aims: dict[str, dict[str, Any]] = field(default_factory=dict)
    figures: dict[str, Any] = field(default_factory=dict)
    conditions: dict[str, Any] = field(default_factory=dict)

    def aim(self, name: str, value: float, aim: str) -> None:
        """Record a value against a limit written as `">= 0.7"`."""
        sign, limit = aim.split()
        holds = bool(_COMPARE[sign](value, float(limit)))
        self.aims[name] = {"value": round(value, 4), "aim": aim, "holds": holds}

    def figure(self, name: str, value: Any) -> None:
        self.figures[name] = round(value, 4) if isinstance(value, float) else value

    def print(self) -> None:
        """A table for people; the last line is JSON."""
        self.conditions |= machine()
        for name, value in self.figures.items():
            print(f"  {name:<44} {value}")
        for name, aim in self.aims.items():
            verdict = "holds" if aim["holds"] else "MISSED"
            print(f"  {name:<44} {aim['value']:<10} aim {aim['aim']:<8} {verdict}")
        sys.stdout.flush()
        print(
            json.dumps(
                {"aims": self.aims, "figures": self.figures, "conditions": self.conditions},
                ensure_ascii=False,
            )
        )


def machine() -> dict[str, Any]:
    return {
        "cores": os.cpu_count(),
        "python": platform.python_version(),
        "system": f"{platform.system()} {platform.machine()}",
    }


@asynccontextmanager
async def fresh_database() -> AsyncIterator[str]:
    """A Postgres database that exists for the life of the block; yields its URL."""
    name = f"kapsula_bench_{secrets.token_hex(4)}"
    admin = await asyncpg.connect(ADMIN_URL)
    try:
        await admin.execute(f'CREATE DATABASE "{name}"')
        try:
            yield urlunsplit(urlsplit(ADMIN_URL)._replace(path=f"/{name}"))
        finally:
            await admin.execute(f'DROP DATABASE "{name}" WITH (FORCE)')
    finally:
        await admin.close()


async def interleave(
    rounds: int, contestants: Mapping[str, Callable[[int], Awaitable[float]]]
) -> dict[str, list[float]]:
    """Let each contestant run once a round, in turns, from a new one each round.

    A contestant gets the round's number and returns its figure (a rate, say).
    """
    names = list(contestants)
    results: dict[str, list[float]] = {name: [] for name in names}
    for round_ in range(rounds):
        for name in names[round_ % len(names) :] + names[: round_ % len(names)]:
            results[name].append(await contestants[name](round_))
        print(f"  round {round_ + 1}/{rounds} done", file=sys.stderr, flush=True)
    return results


def ratio(values: Sequence[float], limit: Sequence[float]) -> float:
    """Median of the rounds' ratios."""
    return statistics.median(a / b for a, b in zip(values, limit, strict=True))


def median(values: Sequence[float]) -> float:
    return statistics.median(values)


def percentile(values: Sequence[float], percent: float) -> float:
    """The nearest-rank percentile of unsorted values."""
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(len(ordered) * percent / 100))]


def cpu_s(pid: int) -> float:
    """Processor time of a process so far (Linux; 0 elsewhere, and for one that has ended)."""
    try:
        stat = Path(f"/proc/{pid}/stat").read_text()
    except OSError:
        return 0.0
    values = stat.rsplit(")", 1)[1].split()
    return (int(values[11]) + int(values[12])) / os.sysconf("SC_CLK_TCK")


@contextmanager
def machine_busy(shares: list[float]) -> Iterator[None]:
    """Add to `shares` how much of all its processors the machine uses meanwhile (Linux; else 0)."""
    before = _machine_ticks()
    yield
    worked, idled = (now - then for now, then in zip(_machine_ticks(), before, strict=True))
    shares.append(worked / max(1, worked + idled))


def _machine_ticks() -> tuple[int, int]:
    """Of all processors so far: at work, or taken by a neighbour of the machine; and idle."""
    try:
        line = Path("/proc/stat").read_text().partition("\n")[0]
    except OSError:
        return 0, 0
    user, nice, system, idle, waiting, *interrupts = map(int, line.split()[1:9])
    return user + nice + system + sum(interrupts), idle + waiting


class ServerCpu:
    """Processor time of a process, and of the Postgres backends that work for it."""

    def __init__(self, pid: int, database: asyncpg.Connection) -> None:
        self._pid = pid
        self._database = database

    async def read(self) -> tuple[float, float, float]:
        """Seconds so far: process, database, and this process, which makes the load.

        Backends elsewhere cannot be seen and count as 0.
        """
        rows = await self._database.fetch(
            "SELECT pid FROM pg_stat_activity "
            "WHERE datname = current_database() AND pid <> pg_backend_pid()"
        )
        here = [row["pid"] for row in rows if _is_postgres(row["pid"])]
        return cpu_s(self._pid), sum(cpu_s(pid) for pid in here), time.process_time()


def _is_postgres(pid: int) -> bool:
    """Not so when Postgres runs on another machine, where the number is another process's."""
    name = Path(f"/proc/{pid}/comm")
    return name.exists() and name.read_text().startswith("postgres")
