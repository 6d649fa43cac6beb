"""Which events are told to the customer, and as what message.

An event and its messages change hands in one transaction: the event is claimed, the messages are
written under keys made of its id, the event is marked as handled. A crash repeats all or nothing.
"""

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Protocol

import structlog

from loyalty.conflicts import is_passing
from loyalty.database import query, transaction
from loyalty.instants import from_micros, to_micros
from loyalty.sql.lists import listed
from messaging.metrics import EVENTS
from messaging.outbox import Draft, enqueue

CHAT = ("messenger", "webpush")
"""Nobody pays for an SMS about a receipt."""
RECEIPT_TOLD_WITHIN = timedelta(days=3)
"""A receipt older than this is history: it is in the statement, nobody wants it announced."""
TASK_TOLD_WITHIN = timedelta(days=7)

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class EventRow:
    """An event as its writer recorded it."""

    id: int
    kind: str
    customer_id: int
    at: datetime
    payload: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Notices:
    """Turns events into drafts. `currency` is the programme's."""

    currency: str

    def drafts(self, event: EventRow) -> list[Draft]:
        """The messages that `event` calls for; most kinds call for none."""
        writer = self._writers().get(event.kind)
        draft = None if writer is None else writer(event)
        return [] if draft is None else [draft]

    def _writers(self) -> Mapping[str, Callable[[EventRow], Draft | None]]:
        return {
            "receipt.committed": self._receipt,
            "receipt.cancelled": self._receipt,
            "referral.rewarded": _referral,
            "receipt.returned": self._return,
            "task.done": _task,
        }

    def _receipt(self, event: EventRow) -> Draft:
        told = event.payload
        expiry = told.get("next_expiry") or {}
        return Draft(
            dedupe_key=f"event:{event.id}:receipt",
            topic="service",
            template=event.kind.replace(".", "_"),
            customer_id=event.customer_id,
            context={
                "number": told["number"],
                "shop": told.get("shop", ""),
                "currency": self.currency,
                "total_minor": told["total_minor"],
                "paid_minor": told["paid_minor"],
                "discount_minor": told.get("discount_minor"),
                "spent": told["spent"],
                "earned": told["earned"],
                "returned": told["returned"],
                "taken_back": told["taken_back"],
                "balance": told["balance"],
                "expiring_points": expiry.get("points"),
                "expiring_at": expiry.get("at"),
            },
            priority=3,
            urgent=True,  # she stands at the till
            channels=CHAT,
            expires_at=event.at + RECEIPT_TOLD_WITHIN,
        )

    def _return(self, event: EventRow) -> Draft:
        told = event.payload
        expiry = told.get("next_expiry") or {}
        names = (
            "number", "shop", "amount_minor", "refund_minor", "given_back", "taken_back",
            "balance",
        )  # fmt: skip
        return Draft(
            dedupe_key=f"event:{event.id}:return",
            topic="service",
            template="receipt_returned",
            customer_id=event.customer_id,
            context={
                **{name: told[name] for name in names},
                "is_whole": int(told["is_whole"]),
                "currency": self.currency,
                "expiring_points": expiry.get("points"),
                "expiring_at": expiry.get("at"),
            },
            priority=3,
            urgent=True,  # she stands at the till
            channels=CHAT,
            expires_at=event.at + RECEIPT_TOLD_WITHIN,
        )


def _referral(event: EventRow) -> Draft:
    return Draft(
        dedupe_key=f"event:{event.id}:referral",
        topic="service",
        template="referral_rewarded",
        customer_id=event.customer_id,
        context={"role": event.payload["role"], "points": event.payload["points"]},
        priority=4,
        channels=CHAT,
        expires_at=event.at + RECEIPT_TOLD_WITHIN,
    )


def _task(event: EventRow) -> Draft | None:
    """Who was unhappy learns that somebody has seen to it; of other tasks she knows nothing."""
    told = event.payload
    if told["kind"] != "detractor" or told["outcome"] == "needless":
        return None
    return Draft(
        dedupe_key=f"event:{event.id}:task",
        topic="service",
        template="task_answered",
        customer_id=event.customer_id,
        context={"answer": told["answer"] or None},
        priority=4,
        expires_at=event.at + TASK_TOLD_WITHIN,
    )


class Listener(Protocol):
    """Who reacts to events otherwise than by one message each: the journeys."""

    async def hear(self, happened: Sequence[EventRow]) -> None:
        """Part of the transaction that handles these events."""


_CLAIM = """
    SELECT id, kind, customer_id, at, payload FROM event WHERE handled_at IS NULL
    ORDER BY id LIMIT $1 FOR UPDATE SKIP LOCKED
"""
_HANDLED = listed("UPDATE event SET handled_at = $2 WHERE id IN {list}")


async def handle_events(
    notices: Notices, *, at: datetime, limit: int = 200, listener: Listener | None = None
) -> int:
    """Turn up to `limit` events into messages; returns how many events were handled.

    An event upon which the listener breaks is handled without it: it must not stop those behind it.
    """
    try:
        return await _handle(notices, at, limit, listener)
    except _UnheardError:
        log.exception("events_unheard")
    handled = 0
    for _ in range(limit):
        try:
            count = await _handle(notices, at, 1, listener)
        except _UnheardError as error:
            log.error("event_unheard", event_id=error.first_event)
            count = await _handle(notices, at, 1, None)
        if not count:
            break
        handled += count
    return handled


class _UnheardError(Exception):
    """The listener broke upon these events, of which this is the first."""

    def __init__(self, first_event: int) -> None:
        super().__init__(first_event)
        self.first_event = first_event


async def _handle(notices: Notices, at: datetime, limit: int, listener: Listener | None) -> int:
    async with transaction():
        rows = await query(_CLAIM, _CLAIM.replace("FOR UPDATE SKIP LOCKED", ""), limit)
        if not rows:
            return 0
        events = [event for row in rows if (event := _read(row))]
        drafts = [draft for event in events for draft in _drafts(notices, event)]
        await enqueue(drafts, at=at)
        if listener is not None:
            try:
                await listener.hear(events)
            except Exception as error:
                if is_passing(error):
                    raise
                raise _UnheardError(rows[0]["id"]) from error
        await query(*_HANDLED, [row["id"] for row in rows], to_micros(at))
    return len(rows)


def _read(row: Any) -> EventRow | None:
    try:
        payload = json.loads(row["payload"])
        if not isinstance(payload, dict):
            raise TypeError("the payload is no object")
    except (ValueError, TypeError):  # one that nobody can read must not stop those behind it
        _unreadable(row["id"], row["kind"])
        return None
    at = from_micros(row["at"])
    return EventRow(row["id"], row["kind"], row["customer_id"], at, payload)


def _drafts(notices: Notices, event: EventRow) -> list[Draft]:
    try:
        drafts = notices.drafts(event)
    except Exception:
        _unreadable(event.id, event.kind)
        return []
    EVENTS.labels(event.kind, "told" if drafts else "silent").inc()
    return drafts


def _unreadable(event_id: int, kind: str) -> None:
    log.exception("event_unreadable", event_id=event_id, kind=kind)
    EVENTS.labels(kind, "unreadable").inc()
