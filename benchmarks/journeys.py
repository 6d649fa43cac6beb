"""What it costs to wake those who sleep in journeys. `python -m benchmarks.journeys [--asleep N]`.

A worker claims enrolments that are due, asks whether their goal is reached, checks, writes a
message for each and puts them to sleep again. Measured with few asleep and with a million: the time
for one must not depend on how many sleep beside it.
"""

import argparse
import asyncio
import time
from dataclasses import dataclass, field
from datetime import UTC, datetime

from app.database import database
from benchmarks.harness import Report, fresh_database, interleave, median, ratio
from loyalty.clock import VirtualClock
from loyalty.database import analysis, query
from loyalty.instants import to_micros
from loyalty.programme import build_programme
from loyalty.refusals import Refusal
from loyalty.rules.programme import ProgrammeRules
from messaging.journeys.declaration import DAY, ByHand, Check, Journey, Send, Wait
from messaging.journeys.engine import Journeys
from messaging.journeys.revisions import publish

NOW = datetime(2026, 3, 2, 9, 0, tzinfo=UTC)
DUE_PERMILLE = 10
LOOKS = 20
AIM_PER_S = 5_000
JOURNEY = Journey(
    name="bench",
    title={"ru": "Замер", "en": "Bench"},
    trigger=ByHand(),
    goal=Check("bought"),
    steps=(
        Wait(name="a_week", lasts=7 * DAY),
        Send(name="advice", template="welcome_advice", needs=~Check("has_bought")),
        Wait(name="another_week", lasts=7 * DAY),
    ),
)

_CUSTOMERS = """
    INSERT INTO customer (id, name, city, language, timezone, joined_at)
    SELECT g, 'Анна', '', 'ru', 'Europe/Moscow', $2::bigint - 86400000000
    FROM generate_series(1, $1::bigint) g
"""
_RECEIPTS = """
    INSERT INTO receipt (id, customer_id, till_id, number, state, at, recorded_at, total_minor,
        paid_minor, spent_points, earned_points, key, fingerprint, answer)
    SELECT g, g, 1, g::text, 'committed', $2::bigint - 86400000000 * 30, $2, 100, 100, 0, 0,
        'b' || g, '', '{}' FROM generate_series(1, $1::bigint) g WHERE g % 4 = 0
"""
# Those who are due lie scattered over the table, as they do in life.
_ASLEEP = """
    INSERT INTO enrolment (id, journey, revision, customer_id, trigger_key, step, begun, data,
        heard, entered_at, due_at, wakes_at, outcome)
    SELECT g, 'bench', 1, g, 'k', 'a_week', TRUE, '{}', ',', $2::bigint - 7 * 86400000000, w, w, ''
    FROM (SELECT g, CASE WHEN g % 1000 < $3 THEN $2::bigint - 1000 - g % 60000000
        ELSE $2::bigint + 86400000000 + (g * 7919) % 864000000000 END AS w
        FROM generate_series(1, $1::bigint) g) s
"""
_AGAIN = """
    UPDATE enrolment SET step = 'a_week', begun = TRUE, wakes_at = $1, due_at = $1,
        ended_at = NULL, outcome = '' WHERE id % 1000 < $2
"""


async def fill(asleep: int, permille: int) -> None:
    now = to_micros(NOW)
    async with analysis():
        await query(_CUSTOMERS, None, asleep, now)
        await query("INSERT INTO shop (id, code, name, city, address, timezone) "
                    "VALUES (1, 's', 'S', '', '', 'Europe/Moscow')")  # fmt: skip
        await query("INSERT INTO till (id, shop_id, code, name) VALUES (1, 1, 't', 'T')")
        await query(_RECEIPTS, None, min(asleep, 200_000), now)
        await query(_ASLEEP, None, asleep, now, permille)
    for table in ("customer", "receipt", "enrolment"):
        await query(f"ANALYZE {table}")


async def again(permille: int) -> None:
    """Everybody who was woken is due once more, and nothing of the last round is left."""
    async with analysis():
        await query(_AGAIN, None, to_micros(NOW) - 1_000, permille)
    await query("TRUNCATE message CASCADE")
    await query("TRUNCATE enrolment_step")
    await query("VACUUM ANALYZE enrolment")


async def wake_all(journeys: Journeys) -> tuple[int, float]:
    begun = time.perf_counter()
    woken = 0
    while count := await journeys.wake_some():
        woken += count
    return woken, time.perf_counter() - begun


@dataclass
class Contest:
    """One database: how many sleep in it, which part is due, and the rates of its rounds."""

    url: str
    asleep: int
    permille: int
    looks_s: list[float] = field(default_factory=list)

    async def prepare(self) -> None:
        async with database(self.url):
            await fill(self.asleep, self.permille)
            done = await publish(JOURNEY, author="bench", key="b", moves_inside=False, at=NOW)
            assert not isinstance(done, Refusal), done

    async def round(self, _round: int) -> float:
        """Enrolments woken a second. Nothing is left of the round before, caches are warm."""
        async with database(self.url, migrate=False):
            programme = build_programme(
                clock=VirtualClock(NOW), secret=b"b" * 32, rules=ProgrammeRules()
            )
            journeys = Journeys(programme.clock, programme)
            await again(self.permille)
            await wake_all(journeys)
            await again(self.permille)
            woken, seconds = await wake_all(journeys)
            [[messages]] = await query("SELECT COUNT(*) FROM message")
            assert woken == self.asleep * self.permille // 1000
            assert messages >= woken * 7 // 10, "a fourth has bought already"
            begun = time.perf_counter()
            for _ in range(LOOKS):
                await journeys.wake_some()
            self.looks_s.append((time.perf_counter() - begun) / LOOKS)
            await programme.stop()
            return woken / seconds


async def run(arguments: argparse.Namespace) -> Report:
    report, due = Report(), arguments.asleep * DUE_PERMILLE // 1000
    async with fresh_database() as few_url, fresh_database() as many_url:
        few = Contest(few_url, due, 1000)
        many = Contest(many_url, arguments.asleep, DUE_PERMILLE)
        for contest in (few, many):
            await contest.prepare()
        rates = await interleave(arguments.rounds, {"few": few.round, "many": many.round})
    report.figure("asleep", arguments.asleep)
    report.figure("due", due)
    report.figure("woken a second, nobody else asleep", median(rates["few"]))
    report.figure("woken a second, with all asleep", median(rates["many"]))
    report.figure("a look when nobody is due, ms", median(many.looks_s) * 1000)
    report.aim("woken a second by one worker", median(rates["many"]), f">= {AIM_PER_S}")
    report.aim(
        "with all asleep, to nobody else asleep", ratio(rates["many"], rates["few"]), ">= 0.8"
    )
    return report


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--asleep", type=int, default=1_000_000)
    parser.add_argument("--rounds", type=int, default=3)
    arguments = parser.parse_args()
    asyncio.run(run(arguments)).print()


if __name__ == "__main__":
    main()
