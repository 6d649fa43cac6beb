"""Promo code expiring: one reminder 2 days before, of a code of hers that is still good."""

from collections.abc import AsyncIterator, Sequence
from typing import Any

from loyalty.database import query
from loyalty.instants import from_micros, span_micros
from messaging.journeys.declaration import DAY, Check, Journey, OnClock, Send
from messaging.journeys.paging import PAGE
from messaging.journeys.registry import Around, Entry, scan
from messaging.policy.caps import DAY_US

JOURNEY = Journey(
    name="promo_expiring",
    title={"ru": "Заканчивается промокод", "en": "Promo code expiring"},
    about={
        "ru": "Одно напоминание за 2 дня до конца личного промокода",
        "en": "One reminder 2 days before a personal promo code ends",
    },
    trigger=OnClock(scan="promo_expiring", days=(2,), late_max=DAY),
    leave=(~Check("code_unused"),),
    steps=(Send(name="reminder", template="promo_expiring", value=4, lives=DAY),),
)

# Codes of the welcome have a reminder of their own. EXPLAIN: promo_code_held for each campaign.
_ENDING = """
    SELECT c.customer_id, c.code, p.title, p.ends_at FROM promo_campaign p
    JOIN promo_code c ON c.campaign_id = p.id
    WHERE p.ends_at > $1 AND p.ends_at <= $2 AND p.revoked_at IS NULL
        AND p.name NOT LIKE 'welcome-%'
        AND c.customer_id IS NOT NULL AND c.uses_max = 1 AND c.taken = 0 AND c.revoked_at IS NULL
        AND (c.customer_id > $3 OR c.customer_id = $3 AND c.code > $4)
    ORDER BY c.customer_id, c.code LIMIT $5
"""


@scan("promo_expiring")
async def ending(trigger: OnClock, around: Around) -> AsyncIterator[Sequence[Entry]]:
    """Who holds an unused personal code of a campaign that ends so soon."""
    [days] = trigger.days
    until = around.now + days * DAY_US
    since = max(until - span_micros(trigger.late_max), around.now)
    after: tuple[int, str] = (0, "")
    while rows := await query(_ENDING, None, since, until, *after, PAGE):
        after = rows[-1]["customer_id"], rows[-1]["code"]
        yield [_entry(row, days, around.now) for row in rows]


def _entry(row: Any, days: int, now: int) -> Entry:
    return Entry(
        customer_id=row["customer_id"],
        key=row["code"],
        due_at=min(row["ends_at"] - days * DAY_US, now),
        entered_at=now,
        data={
            "code": row["code"],
            "title": row["title"],
            "until": from_micros(row["ends_at"] - 1_000_000).isoformat(),
            "ends_at": row["ends_at"],
        },
    )
