"""Points expiring: 14 and 3 days before, how many, until when, and what they are good for."""

from collections.abc import AsyncIterator, Mapping, Sequence
from datetime import datetime, time, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from loyalty.database import query
from loyalty.instants import from_micros, span_micros, to_micros
from messaging.journeys.declaration import DAY, HOUR, Journey, OnClock, Send
from messaging.journeys.paging import PAGE
from messaging.journeys.registry import Around, Entry, scan, words
from messaging.journeys.stepping import Enrolled
from messaging.policy.caps import DAY_US
from messaging.records import rowset

POINTS_MIN = 20
"""Fewer are worth no message."""

JOURNEY = Journey(
    name="points_expiring",
    title={"ru": "Сгорающие бонусы", "en": "Points expiring"},
    about={
        "ru": "За 14 и за 3 дня: сколько, когда и что на них купить",
        "en": "14 and 3 days before: how many, when, and what they can buy",
    },
    trigger=OnClock(scan="points_expiring", days=(14, 3), late_max=2 * DAY, every=6 * HOUR),
    steps=(
        Send(
            name="reminder",
            template="points_expiring",
            topic="service",
            says="points_expiring",
            channels=("messenger", "webpush", "email"),
            lives=2 * DAY,
        ),
    ),
)

# EXPLAIN: the partial index ledger_lot_due on the window, then a sort of what it holds.
_ENDING = """
    SELECT account_id, MIN(expires_at) AS first, SUM(remaining - held) AS points FROM ledger_lot
    WHERE open AND expires_at > $1 AND expires_at <= $2 AND account_id > $3
        AND expires_at - available_at >= $6
    GROUP BY account_id HAVING SUM(remaining - held) >= $4 ORDER BY account_id LIMIT $5
"""


@scan("points_expiring")
async def ending(trigger: OnClock, around: Around) -> AsyncIterator[Sequence[Entry]]:
    """Who has points that end so many days from now. Those of one week are told together."""
    zone = ZoneInfo(around.programme.rules.timezone)
    for days in trigger.days:
        until = around.now + days * DAY_US
        since = max(until - span_micros(trigger.late_max), around.now)
        after = 0
        lived = 2 * days * DAY_US  # she has just been told of those that live no longer
        while rows := await query(_ENDING, None, since, until, after, POINTS_MIN, PAGE, lived):
            after = rows[-1]["account_id"]
            yield [_entry(row, days, zone, around.now) for row in rows]


def _entry(row: Any, days: int, zone: ZoneInfo, now: int) -> Entry:
    on = from_micros(row["first"]).astimezone(zone).date()
    year, week, weekday = on.isocalendar()
    sunday = datetime.combine(on + timedelta(days=8 - weekday), time(), zone)
    return Entry(
        customer_id=row["account_id"],
        key=f"{days}:{year}-{week}",
        due_at=min(row["first"] - days * DAY_US, now),
        entered_at=now,
        data={"ends_at": row["first"], "week_ends_at": to_micros(sunday)},
    )


_LEFT = rowset(
    """
    SELECT r.id, SUM(l.remaining - l.held) AS points, MIN(l.expires_at) AS first
    FROM {rows} JOIN ledger_lot l ON l.account_id = r.account_id
    WHERE l.open AND l.expires_at > $2 AND l.expires_at BETWEEN r.first AND r.last
    GROUP BY r.id
    """,
    id="bigint",
    account_id="bigint",
    first="bigint",
    last="bigint",
)


@words("points_expiring")
async def left(enrolled: Sequence[Enrolled], around: Around) -> Mapping[int, dict[str, Any]]:
    """What of them is still there, and the purchase that they can all be spent on."""
    rules = around.programme.rules
    rows = [
        {
            "id": each.id,
            "account_id": each.customer_id,
            "first": each.data["ends_at"],
            "last": each.data["week_ends_at"],
        }
        for each in enrolled
    ]
    found = {}
    for row in await _LEFT.query(rows, around.now):
        points = int(row["points"])
        if points >= POINTS_MIN:
            worth = points * rules.points_minor
            found[row["id"]] = {
                "points": points,
                "until": from_micros(row["first"] - 1_000_000).isoformat(),
                "worth_minor": worth,
                "receipt_minor": _rounded_up(worth * 100 // max(rules.spend_percent_max, 1)),
            }
    return found


def _rounded_up(minor: int) -> int:
    """To whole hundreds of the currency: nobody reckons in kopecks here."""
    return -(-minor // 10_000) * 10_000
