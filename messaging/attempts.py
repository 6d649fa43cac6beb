"""Tries: written down before they are made, and what became of them after.

`begin` is a part of the transaction that has decided; from its commit on, a crash leaves the
message `unknown`, because the provider may have it.
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Literal

from loyalty.database import query, transaction
from loyalty.ids import next_id
from loyalty.instants import to_micros
from messaging.mailings import let_go
from messaging.records import as_list, as_rows, encoded, listed, rowset
from messaging.rousing import rouse

MessageState = Literal["queued", "sent", "skipped", "failed", "unknown"]
AttemptState = Literal["sent", "failed", "unknown"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Beginning:
    """A try about to be made. `cost` in millionths of the currency; `presses`: caps count it."""

    attempt_id: int
    message_id: int
    channel: str
    address_kind: str
    address: str
    body: str = ""
    cost: int = 0
    presses: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """What became of a claimed message; with `attempt_id` also of the try that was made.

    Instants in microseconds: `not_before` of a message that is queued again, `fallback_at` of one
    that another channel takes over then. `waited`: it is queued again without having been tried.
    `anew`: its tries are counted from the beginning, by another channel. `traced`: the provider
    will speak of it by these ids. `habit_of`: the customer in whose history over `channel` a try
    counts that was sent.
    """

    message_id: int
    state: MessageState
    reason: str = ""
    not_before: int | None = None
    fallback_at: int | None = None
    waited: bool = False
    anew: bool = False
    attempt_id: int | None = None
    attempt_state: AttemptState | None = None
    provider_ids: tuple[str, ...] = ()
    traced: bool = False
    error: str = ""
    habit_of: int | None = None
    channel: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """A decision for the message's story: the verdict, its reason, and what it stood on."""

    message_id: int
    verdict: Literal["send", "wait", "skip", "fail"]
    reason: str = ""
    details: Mapping[str, Any] = field(default_factory=dict)


ARRIVES_WITHIN_US = 2_000_000
"""A contact is reserved for the moment by which the message will mostly have arrived. A cap that
counts from a little too late is never broken, and most contacts need not be written again."""

_BEGIN = rowset(
    """
    INSERT INTO attempt (id, message_id, channel, address_kind, address, body, cost, state,
        provider_id, error, started_at, status)
    SELECT r.attempt_id, r.message_id, r.channel, r.address_kind, r.address, r.body, r.cost,
        'sending', '', '', CAST($2 AS BIGINT), ''
    FROM {rows} JOIN message m ON m.id = r.message_id
    WHERE m.state = 'sending' AND m.lease_owner = $3 AND m.lease_until > $2
    RETURNING id
    """,
    attempt_id="bigint",
    message_id="bigint",
    channel="text",
    address_kind="text",
    address="text",
    body="text",
    cost="bigint",
)
_RESERVE = rowset(
    """
    INSERT INTO contact (message_id, customer_id, topic, kind, channel, at)
    SELECT m.id, m.customer_id, m.topic, m.kind, r.channel, CAST($2 AS BIGINT)
    FROM {rows} JOIN message m ON m.id = r.message_id WHERE m.customer_id IS NOT NULL
    ON CONFLICT (message_id) DO UPDATE SET channel = excluded.channel, at = excluded.at
    """,
    message_id="bigint",
    channel="text",
)
_DECIDE = rowset(
    """
    INSERT INTO decision (id, message_id, at, verdict, reason, details)
    SELECT r.id, r.message_id, CAST($2 AS BIGINT), r.verdict, r.reason, r.details FROM {rows}
    """,
    id="bigint",
    message_id="bigint",
    verdict="text",
    reason="text",
    details="text",
)


async def begin(owner: str, beginnings: Sequence[Beginning], *, at: datetime) -> set[int]:
    """Write down that these tries begin, and reserve their pressure.

    Returns the attempt ids whose message is still `owner`'s by its lease.
    """
    if not beginnings:
        return set()
    rows = [
        {
            "attempt_id": b.attempt_id,
            "message_id": b.message_id,
            "channel": b.channel,
            "address_kind": b.address_kind,
            "address": b.address,
            "body": b.body,
            "cost": b.cost,
        }
        for b in beginnings
    ]
    instant = to_micros(at)
    begun = {row["id"] for row in await query(*_BEGIN, as_rows(rows), instant, owner)}
    pressing = [
        {"message_id": b.message_id, "channel": b.channel}
        for b in beginnings
        if b.presses and b.attempt_id in begun
    ]
    if pressing:
        await query(*_RESERVE, as_rows(pressing), instant + ARRIVES_WITHIN_US)
    return begun


async def tell(verdicts: Sequence[Verdict], *, at: datetime) -> None:
    """Add decisions to their messages' stories."""
    rows = [
        {
            "id": next_id(),
            "message_id": v.message_id,
            "verdict": v.verdict,
            "reason": v.reason[:200],
            "details": encoded(v.details) if v.details else "",
        }
        for v in verdicts
    ]
    if rows:
        await query(*_DECIDE, as_rows(rows), to_micros(at))


# A code is a secret that is hashed elsewhere: here it is wiped once nothing follows any more.
_RECORD_MESSAGES = rowset(
    """
    UPDATE message SET state = r.state, reason = r.reason, lease_owner = '', lease_until = NULL,
        not_before = COALESCE(r.not_before, message.not_before), fallback_at = r.fallback_at,
        tries = CASE WHEN r.anew = 1 THEN 1 ELSE message.tries - r.waited END,
        closed_at = CASE WHEN r.state = 'queued' THEN NULL ELSE CAST($2 AS BIGINT) END,
        context = CASE WHEN r.state <> 'queued' AND r.fallback_at IS NULL
            AND template = 'sms_code' THEN '{}' ELSE context END
    FROM {rows} WHERE message.id = r.message_id AND message.state = 'sending' AND lease_owner = $3
    RETURNING message.id, message.enrolment_id, message.state
    """,
    message_id="bigint",
    state="text",
    reason="text",
    not_before="bigint",
    fallback_at="bigint",
    waited="int",
    anew="int",
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
_KEEP_PROVIDER_IDS = rowset(
    """
    INSERT INTO provider_message (channel, provider_id, attempt_id, status)
    SELECT a.channel, r.provider_id, r.attempt_id, '' FROM {rows}
    JOIN attempt a ON a.id = r.attempt_id WHERE true ON CONFLICT DO NOTHING
    """,
    attempt_id="bigint",
    provider_id="text",
)
# Pressure is felt when the message arrives: later than was reserved only where sending took long.
_PRESSED = listed("UPDATE contact SET at = $2 WHERE message_id IN {list} AND at < $2")
_RELIEVED = listed(
    """
    DELETE FROM contact WHERE message_id IN {list} AND NOT EXISTS (
        SELECT 1 FROM attempt a WHERE a.message_id = contact.message_id
        AND a.state IN ('sent', 'unknown', 'sending'))
    RETURNING customer_id
    """
)
_TURN_HAS_COME = listed(
    """
    UPDATE message SET not_before = $2 WHERE customer_id IN {list} AND state = 'queued'
    AND topic <> 'service' AND reason LIKE 'capped:%' AND not_before > $2
    """
)
_HABIT = rowset(
    """
    INSERT INTO habit (customer_id, channel, sent, seen)
    SELECT r.customer_id, r.channel, r.sent, 0 FROM {rows} WHERE true
    ON CONFLICT (customer_id, channel) DO UPDATE SET sent = habit.sent + excluded.sent
    """,
    customer_id="bigint",
    channel="text",
    sent="int",
)


async def record(owner: str, outcomes: Sequence[Outcome], *, at: datetime) -> set[int]:
    """Write the outcomes down in one go; returns the messages whose lease was still `owner`'s."""
    if not outcomes:
        return set()
    instant = to_micros(at)
    by_id = sorted(outcomes, key=lambda outcome: outcome.message_id)
    async with transaction():
        rows = as_rows(_message_row(o) for o in by_id)
        recorded = await query(*_RECORD_MESSAGES, rows, instant, owner)
        own = {row["id"] for row in recorded}
        await rouse((r["enrolment_id"] for r in recorded if r["state"] != "queued"), at=instant)
        tried = [o for o in by_id if o.attempt_id is not None and o.message_id in own]
        if tried:
            await query(*_RECORD_ATTEMPTS, as_rows(_attempt_row(o) for o in tried), instant)
            await _keep_provider_ids(tried)
            await _press(tried, instant)
        await _relieve([o.message_id for o in by_id if o.state in ("failed", "skipped")], instant)
    return own


async def _relieve(over: Sequence[int], instant: int) -> None:
    """What has not gone presses upon nobody; those that waited because of it may go."""
    if over:
        await let_go(over)
        relieved = await query(*_RELIEVED, as_list(over))
        if relieved:
            await query(*_TURN_HAS_COME, as_list(row["customer_id"] for row in relieved), instant)


def _message_row(o: Outcome) -> dict[str, Any]:
    return {
        "message_id": o.message_id,
        "state": o.state,
        "reason": o.reason[:200],
        "not_before": o.not_before,
        "fallback_at": o.fallback_at,
        "waited": int(o.waited),
        "anew": int(o.anew),
    }


def _attempt_row(o: Outcome) -> dict[str, Any]:
    return {
        "attempt_id": o.attempt_id,
        "attempt_state": o.attempt_state,
        "provider_id": o.provider_ids[0][:120] if o.provider_ids else "",
        "error": o.error[:300],
    }


async def _keep_provider_ids(tried: Sequence[Outcome]) -> None:
    rows = [
        {"attempt_id": o.attempt_id, "provider_id": provider_id[:120]}
        for o in tried
        if o.traced
        for provider_id in o.provider_ids
        if provider_id
    ]
    if rows:
        await query(*_KEEP_PROVIDER_IDS, as_rows(rows))


async def _press(tried: Sequence[Outcome], instant: int) -> None:
    """What may have arrived weighs from now on, and counts among what she could have seen."""
    felt = [o for o in tried if o.attempt_state in ("sent", "unknown")]
    if felt:
        await query(*_PRESSED, as_list(o.message_id for o in felt), instant)
    went = [o for o in felt if o.attempt_state == "sent" and o.habit_of]
    sent = Counter((o.habit_of, o.channel) for o in went)
    if sent:
        rows = [
            {"customer_id": customer_id, "channel": channel, "sent": count}
            for (customer_id, channel), count in sorted(sent.items())
        ]
        await query(*_HABIT, as_rows(rows))
