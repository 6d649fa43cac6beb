"""The whole story of a message: what called for it, each decision, each try, what came back."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from loyalty.database import query
from loyalty.instants import from_micros, from_micros_or_never
from messaging.tracking import Clicked, hits_of


@dataclass(frozen=True, slots=True)
class Moment:
    """One thing that happened. `details` are figures by name."""

    at: datetime
    what: str
    reason: str
    details: Mapping[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Story:
    """`cost` in millionths of the programme's currency, all tries together."""

    message_id: int
    dedupe_key: str
    source: str
    customer_id: int | None
    topic: str
    template: str
    state: str
    reason: str
    created_at: datetime
    not_before: datetime
    expires_at: datetime | None
    cost: int
    moments: Sequence[Moment]


_MESSAGE = """
    SELECT id, dedupe_key, source, customer_id, topic, template, state, reason, created_at,
        not_before, expires_at FROM message WHERE id = $1
"""
_DECISIONS = """
    SELECT at, verdict, reason, details FROM decision WHERE message_id = $1 ORDER BY id
"""
_ATTEMPTS = """
    SELECT channel, address_kind, address, state, error, provider_id, cost, started_at,
        finished_at, status, status_at, clicked_at FROM attempt WHERE message_id = $1 ORDER BY id
"""
_LATEST = """
    SELECT id, created_at, topic, template, state, reason FROM message
    WHERE customer_id = $1 ORDER BY created_at DESC, id DESC LIMIT $2
"""


@dataclass(frozen=True, slots=True)
class Line:
    """A message in a list."""

    message_id: int
    created_at: datetime
    topic: str
    template: str
    state: str
    reason: str


async def messages_of(customer_id: int, *, limit: int = 20) -> list[Line]:
    """The latest messages to a customer, sent or not."""
    return [
        Line(row["id"], from_micros(row["created_at"]), *tuple(row)[2:])
        for row in await query(_LATEST, None, customer_id, limit)
    ]


async def story(message_id: int) -> Story | None:
    """What became of a message and why; None if there is none."""
    rows = await query(_MESSAGE, None, message_id)
    if not rows:
        return None
    [row] = rows
    attempts = await query(_ATTEMPTS, None, message_id)
    moments = [_decision(each) for each in await query(_DECISIONS, None, message_id)]
    for attempt in attempts:
        moments += _of_attempt(attempt)
    moments += [_hit(hit) for hit in await hits_of(message_id)]
    return Story(
        message_id=row["id"],
        dedupe_key=row["dedupe_key"],
        source=row["source"],
        customer_id=row["customer_id"],
        topic=row["topic"],
        template=row["template"],
        state=row["state"],
        reason=row["reason"],
        created_at=from_micros(row["created_at"]),
        not_before=from_micros(row["not_before"]),
        expires_at=from_micros_or_never(row["expires_at"]),
        cost=sum(attempt["cost"] for attempt in attempts if attempt["state"] != "failed"),
        moments=sorted(moments, key=lambda moment: moment.at),
    )


def _decision(row: Any) -> Moment:
    details = json.loads(row["details"]) if row["details"] else {}
    return Moment(from_micros(row["at"]), f"decided: {row['verdict']}", row["reason"], details)


def _hit(hit: Clicked) -> Moment:
    """A request for a link or picture, a machine's too; what counts is told with its try."""
    where = {"link": hit.url} if hit.url else {}
    by = {"person": "a person", "machine": "a machine"}[hit.verdict]
    return Moment(from_micros(hit.at), f"{hit.kind} by {by}", hit.reason, where)


def _of_attempt(row: Any) -> list[Moment]:
    """A try, its answer, and what the provider or the reader told later."""
    where = {"channel": row["channel"], row["address_kind"]: row["address"]}
    moments = [Moment(from_micros(row["started_at"]), "tried", "", where)]
    if row["finished_at"] is not None:
        told = {"provider id": row["provider_id"]} if row["provider_id"] else {}
        answered = from_micros(row["finished_at"])
        moments.append(Moment(answered, f"answered: {row['state']}", row["error"], told))
    if row["status_at"] is not None:
        moments.append(Moment(from_micros(row["status_at"]), f"told: {row['status']}", "", {}))
    if row["clicked_at"] is not None:
        moments.append(Moment(from_micros(row["clicked_at"]), "clicked", "", {}))
    return moments
