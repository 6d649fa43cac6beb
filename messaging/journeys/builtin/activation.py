"""Activation: 14 days without a first order: we ask what she would like, then give what burns."""

from collections.abc import AsyncIterator, Mapping, Sequence
from typing import Any

from loyalty.rules.surveys import INTERESTS
from messaging.journeys.builtin.nps import sheets_for
from messaging.journeys.declaration import (
    DAY,
    END,
    Branch,
    Check,
    Journey,
    OnClock,
    Reward,
    Send,
    Wait,
)
from messaging.journeys.paging import entry_of, so_long_ago
from messaging.journeys.registry import Around, Entry, scan, words
from messaging.journeys.stepping import Enrolled

ANSWERED = Check("heard", "survey.answered:interests")

JOURNEY = Journey(
    name="activation",
    title={"ru": "Первый заказ", "en": "Activation"},
    about={
        "ru": "14 дней без покупки: анкета об интересах, потом бонусы, которые скоро сгорят",
        "en": "14 days without a purchase: the interests questionnaire, then points that burn soon",
    },
    trigger=OnClock(scan="no_first_order", days=(14,), late_max=14 * DAY),
    goal=Check("has_bought"),
    steps=(
        Send(name="ask", template="interests_ask", says="interests"),
        Wait(name="a_day", lasts=DAY, unless=ANSWERED, on={"so": "gift"}),
        Branch(name="opened", asks=Check("read", "ask"), on={"yes": "one_more_day"}),
        Send(
            name="ask_again",
            template="interests_ask",
            says="interests",
            context={"arm": "again"},
            on={"capped": "one_more_day", "untrue": END},
        ),
        Wait(name="one_more_day", lasts=2 * DAY, unless=ANSWERED),
        Reward(name="gift", points=150, live_days=14),
        Send(name="gift_told", template="gift", value=3, lives=5 * DAY),
    ),
)

# EXPLAIN: the index customer_joined on the window, receipt's index on customer_id for each of it.
_NO_ORDER = """
    SELECT c.id, c.joined_at AS at FROM customer c
    WHERE c.joined_at > $1 AND c.joined_at <= $2 AND (c.joined_at, c.id) > ($3, $4)
    AND c.erased_at IS NULL
    AND NOT EXISTS (SELECT 1 FROM receipt r WHERE r.customer_id = c.id AND r.state <> 'cancelled')
    ORDER BY c.joined_at, c.id LIMIT $5
"""


@scan("no_first_order")
async def no_first_order(trigger: OnClock, around: Around) -> AsyncIterator[Sequence[Entry]]:
    """Who has joined so many days ago and has never bought anything. Once in her life."""
    async for rows in so_long_ago(_NO_ORDER, trigger, around):
        yield [entry_of(row["id"], "once", row["at"], trigger, around) for row in rows]


@words("interests")
async def interests(
    enrolled: Sequence[Enrolled], around: Around
) -> Mapping[int, Mapping[str, Any]]:
    """The sheet that she may fill in: one for each enrolment, however often she is asked."""
    return await sheets_for(INTERESTS, enrolled, around)
