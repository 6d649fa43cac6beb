"""Journeys in processes that kill themselves: `python -m … URL`, one child for each statement.

The n-th child lets one more customer in, then carries everybody through the days of a journey that
gives, writes, waits and opens a task, and sends SIGKILL to itself right after its n-th statement
(of engine and dispatcher alike). After the first child that lives to the end comes one that lives a
month later, when the leases of the dead have lapsed. What is left in the database is for the test.
"""

import asyncio
import os
import signal
import sys
from collections.abc import Callable, Coroutine
from datetime import UTC, datetime, timedelta
from typing import Any

import aiosqlite

import loyalty.database as db
from app.database import database
from loyalty.clock import VirtualClock
from loyalty.programme import build_programme
from loyalty.rules.programme import ProgrammeRules
from messaging.decisions import Policies
from messaging.dispatcher import Dispatcher, DispatcherRules
from messaging.journeys.declaration import DAY, ByHand, Check, Do, Journey, Reward, Send, Wait
from messaging.journeys.engine import Journeys
from messaging.notices import Notices
from messaging.policy.quiet_hours import QuietHours, Release
from messaging.policy.retries import RetryRules
from tests.messaging.conftest import ToldChannel

START = datetime(2026, 3, 2, 9, 0, tzinfo=UTC)
DAYS = 4
MONTH = 30 * DAY
LATER = 100 * DAY
POINTS = 50
JOURNEY = Journey(
    name="storm",
    title={"ru": "Буря", "en": "Storm"},
    trigger=ByHand(),
    goal=Check("bought"),
    steps=(
        Reward(name="points", points=POINTS),
        Send(name="told", template="welcome_tour", topic="service", lives=LATER, late_max=LATER),
        Reward(name="code", permille=100, title="Скидка"),
        Wait(name="a_day", lasts=DAY),
        Do(name="task", action="open_task", settings={"kind": "win_back", "why": "?", "hours": 1}),
        Send(name="again", template="welcome_tour", topic="service", lives=LATER, late_max=LATER),
    ),
)
Query = Callable[..., Coroutine[Any, Any, Any]]


def dying_after(count: int, function: Query) -> Query:
    """The same, and after so many calls in this process death, as sudden as it can be."""
    left = count

    async def call(*args: Any, **kwargs: Any) -> Any:
        nonlocal left
        answer = await function(*args, **kwargs)
        left -= 1
        if left == 0:
            os.kill(os.getpid(), signal.SIGKILL)
        return answer

    return call


async def live(url: str, count: int, start: datetime = START) -> None:
    """All days, from the first on: what an earlier child has done is done. 0: nobody dies."""
    async with database(url, migrate=False):
        clock = VirtualClock(start)
        programme = build_programme(clock=clock, secret=b"s" * 32, rules=ProgrammeRules())
        journeys = Journeys(clock, programme)
        people = await db.query("SELECT id FROM customer ORDER BY id")
        await journeys.enrol("storm", [people[count % len(people)]["id"]], key="x")
        if count:
            die_after(count)
        policies = Policies(quiet=Release(hours=QuietHours(begin=0, end=0)))
        dispatcher = Dispatcher(
            clock, [ToldChannel()], Notices("RUB"), journeys=journeys, policies=policies,
            rules=DispatcherRules(retries=RetryRules(tries_max=1_000)),
        )  # fmt: skip
        for day in range(DAYS):
            clock.set(start + timedelta(days=day))
            while await journeys.drain():
                await dispatcher.drain()
            await dispatcher.drain()
            await journeys.drain()
        await programme.stop()


def die_after(count: int) -> None:
    if db.dialect() == "sqlite":
        aiosqlite.Connection.execute_fetchall = dying_after(  # type: ignore[method-assign]
            count, aiosqlite.Connection.execute_fetchall
        )
    else:
        db.query_postgres = dying_after(count, db.query_postgres)


def main(url: str) -> None:
    count = 0
    while True:
        count += 1
        pid = os.fork()
        if pid == 0:
            asyncio.run(live(url, count))
            os._exit(0)
        _, status = os.waitpid(pid, 0)
        if os.waitstatus_to_exitcode(status) != -signal.SIGKILL:
            break
    asyncio.run(live(url, 0, START + MONTH))
    sys.stdout.write(f"{count - 1} {os.waitstatus_to_exitcode(status)}\n")


if __name__ == "__main__":
    main(sys.argv[1])
