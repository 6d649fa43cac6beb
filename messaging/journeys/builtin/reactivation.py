"""Reactivation: 160 days without a purchase; a year asleep and silent ends in no more mailings."""

from collections.abc import AsyncIterator, Mapping, Sequence
from typing import Any

from loyalty.database import query
from loyalty.sql.lists import listed
from messaging.journeys.declaration import (
    DAY,
    END,
    HOUR,
    Branch,
    Check,
    Do,
    Journey,
    OnClock,
    OnEvent,
    Reward,
    Send,
    Split,
    Wait,
)
from messaging.journeys.facts import each_event
from messaging.journeys.paging import entry_of, so_long_ago
from messaging.journeys.registry import Around, Entry, entry, scan, words
from messaging.journeys.stepping import Enrolled
from messaging.notices import EventRow

PRODUCTS = 3

JOURNEY = Journey(
    name="reactivation",
    title={"ru": "Возвращение", "en": "Reactivation"},
    about={
        "ru": "160 дней без покупок: письмо с A/B темы, рекомендации, последнее предложение",
        "en": "160 days without a purchase: A/B of subject, recommendations, a last offer",
    },
    trigger=OnClock(scan="asleep", days=(160,), late_max=14 * DAY, every=6 * HOUR),
    goal=Check("bought"),
    steps=(
        Split(name="subject", arms={"warm": 1, "curious": 1}),
        Send(name="hello", template="reactivation_hello", lives=7 * DAY),
        Wait(name="ten_days", lasts=10 * DAY),
        Send(
            name="for_you",
            template="reactivation_products",
            says="recommended",
            lives=7 * DAY,
            on={"untrue": "two_weeks"},
        ),
        Wait(name="two_weeks", lasts=14 * DAY),
        Reward(
            name="last_gift",
            permille=150,
            title="Мы скучаем: скидка на любую покупку",
            live_days=14,
            on={"refused": "until_a_year"},
        ),
        Send(
            name="last_offer",
            template="reactivation_offer",
            needs=Check("code_unused"),
            lives=7 * DAY,
            value=3,
            on={"untrue": "until_a_year"},
        ),
        Wait(name="until_a_year", lasts=181 * DAY),
        Branch(name="is_silent", asks=Check("silent", "365"), on={"no": END}),
        Do(name="leave_alone", action="suppress"),
    ),
)

BACK = Journey(
    name="back_again",
    title={"ru": "Снова с нами", "en": "Back again"},
    about={
        "ru": "Покупка того, кого мы перестали беспокоить: рассылки снова возможны",
        "en": "A purchase of somebody who was left alone: mailings may come again",
    },
    trigger=OnEvent(kinds=("receipt.committed",), entry="back_again"),
    steps=(Do(name="wake", action="lift_sleep"),),
)
JOURNEYS = (JOURNEY, BACK)

# EXPLAIN: identity's index on customer_id, the partial index suppression_open for each address.
_LEFT_ALONE = listed(
    """
    SELECT DISTINCT i.customer_id FROM identity i JOIN suppression s
    ON s.address_kind = i.kind AND s.address = i.value
    WHERE i.customer_id IN {list} AND i.ended_at IS NULL AND s.reason = 'asleep'
    AND s.lifted_at IS NULL
    """
)


@entry("back_again")
async def back_again(happened: Sequence[EventRow], around: Around) -> Sequence[Entry]:
    """Those who buy and had been left alone."""
    rows = await query(*_LEFT_ALONE, sorted({event.customer_id for event in happened}))
    left_alone = {row["customer_id"] for row in rows}
    return await each_event([e for e in happened if e.customer_id in left_alone], around)


# EXPLAIN: receipt_time on the window, receipt's index on (customer_id, at) for each of it.
_LAST = """
    SELECT r.id, r.customer_id, r.at FROM receipt r
    WHERE r.at > $1 AND r.at <= $2 AND r.state = 'committed' AND (r.at, r.id) > ($3, $4)
    AND NOT EXISTS (SELECT 1 FROM receipt l WHERE l.customer_id = r.customer_id
        AND l.state = 'committed' AND (l.at, l.id) > (r.at, r.id))
    ORDER BY r.at, r.id LIMIT $5
"""


@scan("asleep")
async def asleep(trigger: OnClock, around: Around) -> AsyncIterator[Sequence[Entry]]:
    """Whose last purchase is so many days ago: once for each such purchase."""
    async for rows in so_long_ago(_LAST, trigger, around):
        yield [
            entry_of(row["customer_id"], str(row["id"]), row["at"], trigger, around) for row in rows
        ]


@words("recommended")
async def recommended(enrolled: Sequence[Enrolled], around: Around) -> Mapping[int, dict[str, Any]]:
    """What she may like, by her past purchases; nobody is told of nothing."""
    found = {}
    for each in enrolled:
        chosen = await around.programme.recommendations.recommend(each.customer_id, PRODUCTS)
        if chosen:
            because = next((one.because for one in chosen if one.because), None)
            found[each.id] = {"products": [one.name for one in chosen], "because": because}
    return found
