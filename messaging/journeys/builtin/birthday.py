"""Birthday: a greeting and points a week before, so that there is time to spend them."""

from collections.abc import AsyncIterator, Iterator, Sequence
from datetime import UTC, date, datetime, time, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from loyalty.database import query
from loyalty.instants import to_micros
from loyalty.rules.occasions import birthday
from messaging.journeys.declaration import DAY, Journey, OnClock, Reward, Send
from messaging.journeys.paging import PAGE
from messaging.journeys.registry import Around, Entry, scan
from messaging.policy.quiet_hours import zone_of

JOURNEY = Journey(
    name="birthday",
    title={"ru": "День рождения", "en": "Birthday"},
    about={
        "ru": "Поздравление и бонусы за неделю до дня рождения",
        "en": "A greeting and points a week before the birthday",
    },
    trigger=OnClock(scan="birthday", days=(7,), late_max=7 * DAY),
    steps=(
        Reward(name="gift", points=200, live_days=14),
        Send(name="greeting", template="birthday", lives=7 * DAY, value=5),
    ),
)

# EXPLAIN: the index customer_birthday, one range for each stretch of days within a year.
_BORN = """
    SELECT id, born_on, timezone FROM customer
    WHERE born_on IS NOT NULL AND {day} BETWEEN $1 AND $2 AND id > $3 AND erased_at IS NULL
    ORDER BY id LIMIT $4
"""
_BORN_TEXTS = (
    _BORN.replace("{day}", "(EXTRACT(MONTH FROM born_on) * 100 + EXTRACT(DAY FROM born_on))"),
    _BORN.replace("{day}", "CAST(strftime('%m%d', born_on) AS INTEGER)"),
)


@scan("birthday")
async def birthdays(trigger: OnClock, around: Around) -> AsyncIterator[Sequence[Entry]]:
    """Those whose birthday comes within `days`; whoever is later than `late_max` is left out."""
    today, [before] = around.at.date(), trigger.days
    first = today - timedelta(days=2) - (trigger.late_max - timedelta(days=before))
    last = today + timedelta(days=before + 1)
    for lowest, highest in _stretches(first, last):
        after = 0
        while rows := await query(*_BORN_TEXTS, lowest, highest, after, PAGE):
            after = rows[-1]["id"]
            yield [entry for row in rows if (entry := _entry(row, trigger, around))]


def _stretches(first: date, last: date) -> Iterator[tuple[int, int]]:
    """The days of the year from `first` to `last`, as 100 × month + day. 29 February is among
    those of 28 February, on which it is kept in other years."""
    if first.year == last.year:
        yield _number(first), _number(last) + (_number(last) == 228)
    else:
        yield _number(first), 1231
        yield 101, _number(last)


def _number(on: date) -> int:
    return on.month * 100 + on.day


def _entry(row: Any, trigger: OnClock, around: Around) -> Entry | None:
    """Her next birthday by her own calendar, if its time has come."""
    born_on = row["born_on"]
    born_on = date.fromisoformat(born_on) if isinstance(born_on, str) else born_on
    zone, [before] = zone_of(row["timezone"]), trigger.days
    for year in (around.at.year, around.at.year + 1):
        on = birthday(born_on, year)
        due = _midnight(on - timedelta(days=before), zone)
        latest = min(_midnight(on + timedelta(days=1), zone), due + trigger.late_max + DAY)
        if due <= around.at < latest:
            return Entry(
                customer_id=row["id"],
                key=str(on.year),
                due_at=to_micros(due),
                entered_at=around.now,
                data={"birthday": on.isoformat()},
            )
    return None


def _midnight(on: date, zone: ZoneInfo) -> datetime:
    return datetime.combine(on, time(), zone).astimezone(UTC)
