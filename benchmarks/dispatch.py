"""The dispatcher's speed, steadiness and thrift. `python -m benchmarks.dispatch --help`.

    decisions  claimed, decided, reserved, recorded: against the bare SQL of it, on Postgres
    mail       from queued rows to accepted mail: against bare connections sending finished bytes
    telegram   against bare calls of the Bot API; and with the provider's limit, which must hold
    memory     of a worker while it sends 200,000 messages
    cost       of reaching people whose habits are known: against a fixed order and SMS alone

Each part can be run alone: `--only mail`. What each compares is told where it is written.
"""

import argparse
import asyncio
import os
from collections.abc import Awaitable, Mapping
from typing import Protocol

import asyncpg

from benchmarks.dispatch_parts.cost import cost
from benchmarks.dispatch_parts.decisions import decisions
from benchmarks.dispatch_parts.mail import mail
from benchmarks.dispatch_parts.memory import memory
from benchmarks.dispatch_parts.telegram import telegram
from benchmarks.harness import ADMIN_URL, Report


class Part(Protocol):
    def __call__(self, report: Report, *, rounds: int, scale: float) -> Awaitable[None]: ...


PARTS: Mapping[str, Part] = {
    "decisions": decisions,
    "mail": mail,
    "telegram": telegram,
    "memory": memory,
    "cost": cost,
}


async def run(names: list[str], *, rounds: int, scale: float) -> Report:
    report = Report()
    for name in names:
        print(f"{name}:", flush=True)
        await PARTS[name](report, rounds=rounds, scale=scale)
    raw = await asyncpg.connect(ADMIN_URL)
    report.conditions |= {
        "postgres": await raw.fetchval("SHOW server_version"),
        "synchronous_commit": await raw.fetchval("SHOW synchronous_commit"),
        "rounds": rounds,
        "scale": scale,
        "load before and after": [_load_before, os.getloadavg()[0]],
    }
    await raw.close()
    return report


_load_before = os.getloadavg()[0]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--only", choices=PARTS, action="append", metavar="PART")
    parser.add_argument("--rounds", type=int, default=9)
    parser.add_argument("--quick", action="store_true", help="a tenth of the work, to try it out")
    given = parser.parse_args()
    names = given.only or list(PARTS)
    scale = 0.1 if given.quick else 1.0
    asyncio.run(run(names, rounds=given.rounds, scale=scale)).print()


if __name__ == "__main__":
    main()
