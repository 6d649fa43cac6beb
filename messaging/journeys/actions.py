"""Actions that any journey may do. Each works within the transaction that carries its batch on."""

from collections.abc import Mapping, Sequence
from datetime import timedelta
from typing import Any

from loyalty.database import query
from loyalty.sql.lists import listed
from messaging.journeys.registry import Around, action
from messaging.journeys.stepping import Enrolled
from messaging.policy.consent import CONFIRMING_PROOFS
from messaging.suppressions import Suppressed, lift, suppress
from messaging.tasks import NewTask, open_tasks

ASLEEP = "asleep"
"""Why an address gets no more mailings: for long nobody has reacted there."""

_ADDRESSES = listed(
    """
    SELECT i.customer_id, i.kind, i.value, i.proof, c.language FROM identity i
    JOIN customer c ON c.id = i.customer_id
    WHERE i.customer_id IN {list} AND i.ended_at IS NULL AND i.kind <> 'card' ORDER BY i.id
    """
)


@action("confirm_email")
async def confirm_email(
    enrolled: Sequence[Enrolled], _settings: Mapping[str, Any], around: Around
) -> Mapping[int, str]:
    """Ask for the confirmation of an e-mail address that she has given and not confirmed.

    Its ends: done (asked), needless (there is none, or it is confirmed).
    """
    asked: set[int] = set()
    customers = sorted({each.customer_id for each in enrolled} if around.opt_ins else ())
    for row in await query(*_ADDRESSES, customers):
        if row["kind"] == "email" and row["proof"] not in CONFIRMING_PROOFS:
            assert around.opt_ins is not None
            await around.opt_ins.ask(row["customer_id"], row["value"], row["language"])
            asked.add(row["customer_id"])
    return {e.id: "done" if e.customer_id in asked else "needless" for e in enrolled}


@action("open_task")
async def open_task(
    enrolled: Sequence[Enrolled], settings: Mapping[str, Any], around: Around
) -> Mapping[int, str]:
    """A task for an operator, due within some `hours`. What she was let in with may say `why`."""
    due_at = around.at + timedelta(hours=settings["hours"])
    await open_tasks(
        [
            NewTask(
                key=f"journey:{each.id}:{each.step}",
                kind=settings["kind"],
                customer_id=each.customer_id,
                why=str(each.data.get("why") or settings["why"]),
                due_at=due_at,
            )
            for each in enrolled
        ],
        at=around.at,
    )
    return dict.fromkeys((each.id for each in enrolled), "done")


@action("lift_sleep")
async def lift_sleep(
    enrolled: Sequence[Enrolled], _settings: Mapping[str, Any], around: Around
) -> Mapping[int, str]:
    """She is back: what `suppress` has done to her addresses is over."""
    for row in await query(*_ADDRESSES, sorted({each.customer_id for each in enrolled})):
        await lift(row["kind"], row["value"], reason=ASLEEP, at=around.at)
    return dict.fromkeys((each.id for each in enrolled), "done")


@action("suppress")
async def suppress_marketing(
    enrolled: Sequence[Enrolled], _settings: Mapping[str, Any], around: Around
) -> Mapping[int, str]:
    """No more mailings to her addresses, so that the base stays clean. Service goes on."""
    rows = await query(*_ADDRESSES, sorted({each.customer_id for each in enrolled}))
    entries = [
        Suppressed(address_kind=row["kind"], address=row["value"], reason=ASLEEP, topic="marketing")
        for row in rows
    ]
    await suppress(entries, at=around.at)
    return dict.fromkeys((each.id for each in enrolled), "done")
