"""The outbox: a message is a row before it is a send. The verbs on that row, and their SQL.

Every verb is one statement or one transaction. Who sends, when and how often is `dispatcher`'s.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Literal

from loyalty.database import query, transaction
from loyalty.ids import next_id
from loyalty.instants import to_micros
from messaging.records import as_list, as_rows, listed, rowset

MessageState = Literal["queued", "sent", "skipped", "failed", "unknown"]
AttemptState = Literal["sent", "failed", "unknown"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Draft:
    """A message to be. It goes to the customer's conversations, or to the bare address it names.

    `priority` 1 goes out first, 9 last. A second draft with the same `dedupe_key` is no message.
    """

    dedupe_key: str
    topic: Literal["service", "marketing", "survey"]
    template: str
    context: Mapping[str, Any] = field(default_factory=dict)
    customer_id: int | None = None
    address_kind: str = ""
    address: str = ""
    language: str = ""
    priority: int = 5
    not_before: datetime | None = None
    expires_at: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Claimed:
    """A message that this worker may send until its lease ends. Instants in microseconds."""

    id: int
    customer_id: int | None
    address_kind: str
    address: str
    template: str
    context: Mapping[str, Any]
    language: str
    created_at: int
    expires_at: int
    tries: int
    lease_until: int

    @property
    def recipient(self) -> tuple[str, str]:
        """Messages to one recipient go out one after the other."""
        if self.customer_id is not None:
            return ("customer", str(self.customer_id))
        return (self.address_kind, self.address)


@dataclass(frozen=True, slots=True, kw_only=True)
class Beginning:
    """A try about to be made, written down before it is made."""

    attempt_id: int
    message_id: int
    channel: str
    address: str
    body: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """What became of a claimed message; with `attempt_id` also of the try that was made."""

    message_id: int
    state: MessageState
    reason: str = ""
    not_before: int | None = None  # of a message that is queued again
    attempt_id: int | None = None
    attempt_state: AttemptState | None = None
    provider_id: str = ""
    error: str = ""


_ENQUEUE = rowset(
    """
    INSERT INTO message (id, dedupe_key, customer_id, address_kind, address, topic, template,
        context, language, priority, state, reason, created_at, not_before, expires_at,
        lease_owner, tries)
    SELECT r.id, r.dedupe_key, r.customer_id, r.address_kind, r.address, r.topic, r.template,
        r.context, r.language, r.priority, 'queued', '', CAST($2 AS BIGINT), r.not_before,
        r.expires_at, '', 0
    FROM {rows} WHERE true
    ON CONFLICT (dedupe_key) DO NOTHING RETURNING id
    """,
    id="bigint",
    dedupe_key="text",
    customer_id="bigint",
    address_kind="text",
    address="text",
    topic="text",
    template="text",
    context="text",
    language="text",
    priority="int",
    not_before="bigint",
    expires_at="bigint",
)


async def enqueue(drafts: Sequence[Draft], *, at: datetime) -> int:
    """Write the drafts as messages; returns how many were new. Part of the caller's transaction."""
    if not drafts:
        return 0
    rows = [_as_row(draft, at) for draft in drafts]
    return len(await query(*_ENQUEUE, as_rows(rows), to_micros(at)))


def _as_row(draft: Draft, at: datetime) -> dict[str, Any]:
    return {
        "id": next_id(),
        "dedupe_key": draft.dedupe_key,
        "customer_id": draft.customer_id,
        "address_kind": draft.address_kind,
        "address": draft.address,
        "topic": draft.topic,
        "template": draft.template,
        "context": json.dumps(dict(draft.context)),
        "language": draft.language,
        "priority": draft.priority,
        "not_before": to_micros(draft.not_before or at),
        "expires_at": to_micros(draft.expires_at),
    }


# The inner SELECT walks the index message_due in its order and stops at the limit.
_CLAIM_POSTGRES = """
    UPDATE message SET state = 'sending', lease_owner = $3, lease_until = $4, tries = tries + 1
    WHERE id = ANY (ARRAY(
        SELECT id FROM message WHERE state = 'queued' AND not_before <= $1
        ORDER BY priority, not_before, id LIMIT $2 FOR UPDATE SKIP LOCKED))
    RETURNING id, customer_id, address_kind, address, template, context, language, priority,
        not_before, created_at, expires_at, tries, lease_until
"""
_CLAIM_SQLITE = """
    UPDATE message SET state = 'sending', lease_owner = $3, lease_until = $4, tries = tries + 1
    WHERE id IN (
        SELECT id FROM message WHERE state = 'queued' AND not_before <= $1
        ORDER BY priority, not_before, id LIMIT $2)
    RETURNING id, customer_id, address_kind, address, template, context, language, priority,
        not_before, created_at, expires_at, tries, lease_until
"""


async def claim(owner: str, *, limit: int, at: datetime, lease_until: datetime) -> list[Claimed]:
    """Take up to `limit` messages that are due, the most urgent first. No other worker has them."""
    rows = await query(
        _CLAIM_POSTGRES, _CLAIM_SQLITE, to_micros(at), limit, owner, to_micros(lease_until)
    )
    rows.sort(key=lambda row: (row["priority"], row["not_before"], row["id"]))
    return [
        Claimed(
            id=row["id"],
            customer_id=row["customer_id"],
            address_kind=row["address_kind"],
            address=row["address"],
            template=row["template"],
            context=json.loads(row["context"]),
            language=row["language"],
            created_at=row["created_at"],
            expires_at=row["expires_at"],
            tries=row["tries"],
            lease_until=row["lease_until"],
        )
        for row in rows
    ]


_BEGIN = rowset(
    """
    INSERT INTO attempt (id, message_id, channel, address, body, state, provider_id, error,
        cost, started_at)
    SELECT r.attempt_id, r.message_id, r.channel, r.address, r.body, 'sending', '', '', 0,
        CAST($2 AS BIGINT)
    FROM {rows} JOIN message m ON m.id = r.message_id
    WHERE m.state = 'sending' AND m.lease_owner = $3 AND m.lease_until > $2
    RETURNING id
    """,
    attempt_id="bigint",
    message_id="bigint",
    channel="text",
    address="text",
    body="text",
)


async def begin(owner: str, beginnings: Sequence[Beginning], *, at: datetime) -> set[int]:
    """Write down that these tries begin; returns the attempt ids whose lease is still `owner`'s.

    From here on a crash leaves the message `unknown`, because the provider may have it.
    """
    if not beginnings:
        return set()
    rows = [
        {
            "attempt_id": b.attempt_id,
            "message_id": b.message_id,
            "channel": b.channel,
            "address": b.address,
            "body": b.body,
        }
        for b in beginnings
    ]
    return {row["id"] for row in await query(*_BEGIN, as_rows(rows), to_micros(at), owner)}


# A code is a secret that is hashed elsewhere: here it is wiped once its message is closed.
_RECORD_MESSAGES = rowset(
    """
    UPDATE message SET state = r.state, reason = r.reason, lease_owner = '', lease_until = NULL,
        not_before = COALESCE(r.not_before, message.not_before),
        closed_at = CASE WHEN r.state = 'queued' THEN NULL ELSE CAST($2 AS BIGINT) END,
        context = CASE WHEN r.state <> 'queued' AND template = 'sms_code' THEN '{}' ELSE context END
    FROM {rows} WHERE message.id = r.message_id AND message.state = 'sending' AND lease_owner = $3
    RETURNING message.id
    """,
    message_id="bigint",
    state="text",
    reason="text",
    not_before="bigint",
)
_RECORD_ATTEMPTS = rowset(
    """
    UPDATE attempt SET state = r.attempt_state, provider_id = r.provider_id, error = r.error,
        finished_at = $2
    FROM {rows} WHERE attempt.id = r.attempt_id AND attempt.state = 'sending'
    """,
    attempt_id="bigint",
    attempt_state="text",
    provider_id="text",
    error="text",
)


async def record(owner: str, outcomes: Sequence[Outcome], *, at: datetime) -> set[int]:
    """Write the outcomes down in one go; returns the messages whose lease was still `owner`'s."""
    if not outcomes:
        return set()
    instant = to_micros(at)
    by_id = sorted(outcomes, key=lambda outcome: outcome.message_id)
    messages = [
        {
            "message_id": o.message_id,
            "state": o.state,
            "reason": o.reason[:200],
            "not_before": o.not_before,
        }
        for o in by_id
    ]
    async with transaction():
        own = {
            row["id"] for row in await query(*_RECORD_MESSAGES, as_rows(messages), instant, owner)
        }
        attempts = [
            {
                "attempt_id": o.attempt_id,
                "attempt_state": o.attempt_state,
                "provider_id": o.provider_id[:120],
                "error": o.error[:300],
            }
            for o in by_id
            if o.attempt_id is not None and o.message_id in own
        ]
        if attempts:
            await query(*_RECORD_ATTEMPTS, as_rows(attempts), instant)
    return own


_GIVE_BACK = listed(
    """
    UPDATE message SET state = 'queued', lease_owner = '', lease_until = NULL, tries = tries - 1
    WHERE id IN {list} AND state = 'sending' AND lease_owner = $2
    """
)


async def give_back(owner: str, ids: Sequence[int]) -> None:
    """Return claimed messages whose try has not begun, as if they had never been claimed."""
    if ids:
        await query(*_GIVE_BACK, as_list(ids), owner)


@dataclass(frozen=True, slots=True)
class Recovered:
    """Messages whose worker died: `unknown` had a try under way, the others had none."""

    unknown: int
    requeued: int
    poisoned: int


_LAPSED_POSTGRES = """
    SELECT m.id, m.tries, EXISTS (
        SELECT 1 FROM attempt a WHERE a.message_id = m.id AND a.state = 'sending') AS begun
    FROM message m WHERE m.state = 'sending' AND m.lease_until <= $1
    ORDER BY m.id LIMIT 1000 FOR UPDATE SKIP LOCKED
"""
_LAPSED_SQLITE = _LAPSED_POSTGRES.replace("FOR UPDATE SKIP LOCKED", "")
_CLOSE_LAPSED = rowset(
    """
    UPDATE message SET state = r.state, reason = r.reason, lease_owner = '', lease_until = NULL,
        closed_at = CASE WHEN r.state = 'queued' THEN NULL ELSE CAST($2 AS BIGINT) END
    FROM {rows} WHERE message.id = r.id
    """,
    id="bigint",
    state="text",
    reason="text",
)
_CLOSE_LAPSED_ATTEMPTS = listed(
    """
    UPDATE attempt SET state = 'unknown', error = 'worker_died', finished_at = $2
    WHERE state = 'sending' AND message_id IN {list}
    """
)


async def recover(*, at: datetime, tries_max: int) -> Recovered:
    """Take back messages whose lease has lapsed.

    A try that had begun may have reached the provider: `unknown`, never sent again blindly. Without
    one the message is queued again, until `tries_max` claims have shown that it kills its workers.
    """
    instant = to_micros(at)
    async with transaction():
        lapsed = await query(_LAPSED_POSTGRES, _LAPSED_SQLITE, instant)
        begun = [row["id"] for row in lapsed if row["begun"]]
        idle = [row for row in lapsed if not row["begun"]]
        poisoned = [row["id"] for row in idle if row["tries"] >= tries_max]
        again = [row["id"] for row in idle if row["tries"] < tries_max]
        closings = [
            *({"id": i, "state": "unknown", "reason": "worker_died_while_sending"} for i in begun),
            *({"id": i, "state": "failed", "reason": "poisonous"} for i in poisoned),
            *({"id": i, "state": "queued", "reason": ""} for i in again),
        ]
        if closings:
            await query(*_CLOSE_LAPSED, as_rows(closings), instant)
        if begun:
            await query(*_CLOSE_LAPSED_ATTEMPTS, as_list(begun), instant)
    return Recovered(len(begun), len(again), len(poisoned))
