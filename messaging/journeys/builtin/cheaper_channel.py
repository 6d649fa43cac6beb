"""Cheaper channel: who can be reached by SMS alone is invited to the chat or to e-mail, for points.

It pays for itself: each later message costs nothing.
"""

from collections.abc import AsyncIterator, Mapping, Sequence
from typing import Any

from messaging.journeys.declaration import (
    DAY,
    END,
    HOUR,
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

REACHED = Check("reachable", "chat,confirmed")

JOURNEY = Journey(
    name="cheaper_channel",
    title={"ru": "Приглашение в чат", "en": "Cheaper channel"},
    about={
        "ru": "Кому можно писать только по SMS, тех зовём в чат или на почту за бонусы",
        "en": "Who is reachable by SMS only is invited to the chat or e-mail, for points",
    },
    trigger=OnClock(scan="sms_only", days=(3,), late_max=30 * DAY, every=6 * HOUR),
    steps=(
        Branch(name="has_come_already", asks=REACHED, on={"yes": END}),
        Send(
            name="invitation",
            template="cheaper_channel",
            says="chat_link",
            channels=("sms",),
            on={"capped": END, "skipped": END, "failed": END, "late": END, "untrue": END},
        ),
        Wait(name="a_month", lasts=30 * DAY, unless=REACHED, on={"over": END}),
        Reward(name="gift", points=100, live_days=60),
        Send(
            name="thanks", template="gift_given", topic="service", channels=("messenger", "email")
        ),
    ),
)

# EXPLAIN: the index customer_joined on the window, identity's on customer_id for each of it.
_SMS_ONLY = """
    SELECT c.id, c.joined_at AS at FROM customer c
    WHERE c.joined_at > $1 AND c.joined_at <= $2 AND (c.joined_at, c.id) > ($3, $4)
    AND c.erased_at IS NULL
    AND EXISTS (SELECT 1 FROM identity i WHERE i.customer_id = c.id AND i.kind = 'phone'
        AND i.ended_at IS NULL)
    AND NOT EXISTS (SELECT 1 FROM identity i WHERE i.customer_id = c.id AND i.ended_at IS NULL
        AND (i.kind IN ('telegram', 'webchat')
            OR i.kind = 'email' AND i.proof IN ('opt_in', 'one_time_code')))
    ORDER BY c.joined_at, c.id LIMIT $5
"""


@scan("sms_only")
async def sms_only(trigger: OnClock, around: Around) -> AsyncIterator[Sequence[Entry]]:
    """Who has joined so many days ago and can be reached by telephone alone. Once in her life."""
    async for rows in so_long_ago(_SMS_ONLY, trigger, around):
        yield [entry_of(row["id"], "once", row["at"], trigger, around) for row in rows]


@words("chat_link")
async def chat_link(enrolled: Sequence[Enrolled], around: Around) -> Mapping[int, dict[str, Any]]:
    """Where the chat is. A house without an address of its own invites nobody."""
    if around.links is None:
        return {}
    return {each.id: {"link": f"{around.links.public_url}/chat/frame"} for each in enrolled}
