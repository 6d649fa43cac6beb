"""Pages of a look at the clock: those whose fact is so many days old, in the order of time."""

from collections.abc import AsyncIterator
from typing import Any

from loyalty.database import query
from loyalty.instants import span_micros
from messaging.journeys.declaration import OnClock
from messaging.journeys.registry import Around, Entry
from messaging.policy.caps import DAY_US

PAGE = 5_000


async def so_long_ago(statement: str, trigger: OnClock, around: Around) -> AsyncIterator[list[Any]]:
    """Rows of `statement` with `id` and `at`, of the days before `trigger.days` ago.

    $1 and $2 bound `at`, ($3, $4) is the (at, id) of the last row so far, $5 the size of a page.
    """
    [days] = trigger.days
    until = around.now - days * DAY_US
    since = until - span_micros(trigger.late_max)
    after = (since, 0)
    while rows := await query(statement, None, since, until, *after, PAGE):
        after = rows[-1]["at"], rows[-1]["id"]
        yield rows


def entry_of(customer_id: int, key: str, at: int, trigger: OnClock, around: Around) -> Entry:
    """In since now, with a first step that was due so many days after the fact."""
    [days] = trigger.days
    due_at = at + days * DAY_US
    return Entry(customer_id=customer_id, key=key, due_at=due_at, entered_at=around.now)
