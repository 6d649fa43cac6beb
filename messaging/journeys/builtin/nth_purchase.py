"""Nth purchase: congratulation and points at the 5th, 10th, 25th, 50th and 100th."""

from collections.abc import Mapping, Sequence, Set
from typing import Any

from loyalty.instants import to_micros
from messaging.journeys.declaration import DAY, Branch, Check, Journey, OnEvent, Reward, Send
from messaging.journeys.registry import Around, Entry, check, entry
from messaging.journeys.stepping import Enrolled
from messaging.notices import EventRow
from messaging.records import rowset

COUNTS = (5, 10, 25, 50, 100)

JOURNEY = Journey(
    name="nth_purchase",
    title={"ru": "Пятая, десятая… покупка", "en": "Nth purchase"},
    about={
        "ru": "Поздравление и бонусы за круглое число покупок",
        "en": "Congratulation and points for a round number of purchases",
    },
    trigger=OnEvent(kinds=("receipt.committed",), entry="nth_purchase"),
    leave=(Check("purchase_undone"),),
    steps=(
        Branch(name="is_fifth", asks=Check("nth", "5"), on={"yes": "for_fifth"}),
        Branch(name="is_tenth", asks=Check("nth", "10"), on={"yes": "for_tenth"}),
        Branch(name="is_25th", asks=Check("nth", "25"), on={"yes": "for_25th"}),
        Reward(name="for_more", points=1_000, live_days=60, on={"given": "praise"}),
        Reward(name="for_25th", points=500, live_days=60, on={"given": "praise"}),
        Reward(name="for_tenth", points=200, live_days=60, on={"given": "praise"}),
        Reward(name="for_fifth", points=100, live_days=60),
        Send(name="praise", template="nth_purchase", value=4, lives=7 * DAY),
    ),
)

# EXPLAIN: receipt's index on (customer_id, at).
_NTH = rowset(
    """
    SELECT t.id, t.customer_id, t.at, (
        SELECT COUNT(*) FROM receipt o WHERE o.customer_id = t.customer_id
        AND o.state <> 'cancelled' AND (o.recorded_at, o.id) <= (t.recorded_at, t.id)) AS n
    FROM {rows} JOIN receipt t ON t.id = r.id WHERE t.state = 'committed'
    """,
    id="bigint",
)


@entry("nth_purchase")
async def round_numbers(happened: Sequence[EventRow], around: Around) -> Sequence[Entry]:
    """Those whose purchase makes a round number. Each number is kept once for a customer."""
    receipts = {event.payload.get("receipt_id"): event for event in happened}
    rows = await _NTH.query([{"id": i} for i in receipts if isinstance(i, int)])
    return [
        Entry(
            customer_id=row["customer_id"],
            key=str(row["n"]),
            due_at=around.now,
            entered_at=to_micros(receipts[row["id"]].at),
            data={"n": row["n"], "receipt_id": row["id"]},
        )
        for row in rows
        if row["n"] in COUNTS
    ]


@check("nth")
async def nth(enrolled: Sequence[Enrolled], about: str, _around: Around) -> Set[int]:
    """Which purchase it was."""
    return {each.id for each in enrolled if each.data.get("n") == int(about)}


_UNDONE = rowset(
    "SELECT r.id FROM {rows} JOIN receipt t ON t.id = r.receipt_id WHERE t.state <> 'committed'",
    id="bigint",
    receipt_id="bigint",
)


@check("purchase_undone", hears=["receipt.cancelled", "receipt.returned"])
async def purchase_undone(enrolled: Sequence[Enrolled], _about: str, _around: Around) -> Set[int]:
    """The receipt that it began with was cancelled, or returned as a whole."""
    rows: list[Mapping[str, Any]] = [
        {"id": each.id, "receipt_id": each.data.get("receipt_id")} for each in enrolled
    ]
    return {row["id"] for row in await _UNDONE.query(rows)}
