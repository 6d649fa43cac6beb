"""Tries: written down before they are made, and what became of them after.

`begin` is a part of the transaction that has decided; from its commit on, a crash leaves the
message `unknown`, because the provider may have it.
"""

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any, Literal

from msgspec import Struct, field

from loyalty.database import query, transaction
from loyalty.ids import next_id
from loyalty.instants import to_micros
from loyalty.sql.lists import listed
from messaging.mailings import let_go
from messaging.records import rowset
from messaging.rousing import rouse

MessageState = Literal["queued", "sent", "skipped", "failed", "unknown"]
AttemptState = Literal["sent", "failed", "unknown"]


class Beginning(Struct, frozen=True, kw_only=True):
    """A try about to be made. `cost` in millionths of the currency; `presses`: caps count it."""

    attempt_id: int
    message_id: int
    channel: str
    address_kind: str
    address: str
    body: str = ""
    cost: int = 0
    presses: bool = False


class Outcome(Struct, frozen=True, kw_only=True):
    """What became of a claimed message; with `attempt_id` also of the try that was made.

    Instants in microseconds: `not_before` of a message that is queued again, `fallback_at` of one
    that another channel takes over then. `waited`: it is queued again without having been tried.
    `anew`: its tries are counted from the beginning, by another channel. `first`: it was claimed
    for the first time, so there is nothing to take back. `late`: it arrived later than its contact
    was reserved for. `traced`: the provider will speak of it by these ids. `habit_of`: the customer
    in whose history over `channel` a try counts that was sent.
    """

    message_id: int
    state: MessageState
    reason: str = ""
    not_before: int | None = None
    fallback_at: int | None = None
    waited: bool = False
    anew: bool = False
    first: bool = False
    attempt_id: int | None = None
    attempt_state: AttemptState | None = None
    provider_id: str = ""
    more_ids: tuple[str, ...] = ()
    late: bool = False
    traced: bool = False
    error: str = ""
    habit_of: int | None = None
    channel: str = ""

    @property
    def is_plainly_sent(self) -> bool:
        """Nothing more is to be said about it, and nothing follows."""
        return self.state == "sent" and not self.reason and self.fallback_at is None


class Verdict(Struct, frozen=True, kw_only=True):
    """A decision for the message's story: the verdict, its reason, and what it stood on."""

    message_id: int
    verdict: Literal["send", "wait", "skip", "fail"]
    reason: str = ""
    details: Mapping[str, Any] = field(default_factory=dict)


class _Told(Struct):
    """A row of `_DECIDE`; so are those below, each of its own statement."""

    id: int
    message_id: int
    verdict: str
    reason: str
    details: Mapping[str, Any]


class _Ended(Struct):
    message_id: int
    state: str
    reason: str
    not_before: int | None
    fallback_at: int | None
    waited: bool
    anew: bool

    @classmethod
    def of(cls, o: Outcome) -> "_Ended":
        return cls(o.message_id, o.state, o.reason, o.not_before, o.fallback_at, o.waited, o.anew)


class _Tried(Struct):
    attempt_id: int | None
    attempt_state: str | None
    provider_id: str
    error: str

    @classmethod
    def of(cls, o: Outcome) -> "_Tried":
        return cls(o.attempt_id, o.attempt_state, o.provider_id, o.error)


ARRIVES_WITHIN_US = 2_000_000
"""A contact is reserved for the moment by which the message will mostly have arrived. A cap that
counts from a little too late is never broken, and most contacts need not be written again."""

_BEGIN = rowset(
    *listed(
        """
        INSERT INTO attempt (id, message_id, channel, address_kind, address, body, cost, state,
            provider_id, error, started_at, status)
        SELECT r.attempt_id, r.message_id, r.channel, r.address_kind, r.address, r.body, r.cost,
            'sending', '', '', CAST($2 AS BIGINT), ''
        FROM {rows} JOIN message m ON m.id = r.message_id
        WHERE m.id IN {list} AND m.state || '' = 'sending' AND m.lease_owner = $3
        AND m.lease_until > $2 RETURNING id
        """,
        place="$4",
    ),
    attempt_id="bigint",
    message_id="bigint",
    channel="text",
    address_kind="text",
    address="text",
    body="text",
    cost="bigint",
)
_RESERVE = listed(
    """
    INSERT INTO contact (message_id, customer_id, topic, kind, channel, at)
    SELECT id, customer_id, topic, kind, CAST($2 AS VARCHAR), CAST($3 AS BIGINT)
    FROM message WHERE id IN {list} AND customer_id IS NOT NULL
    ON CONFLICT (message_id) DO UPDATE SET channel = excluded.channel, at = excluded.at
    """
)
_DECIDE = rowset(
    """
    INSERT INTO decision (id, message_id, at, verdict, reason, details)
    SELECT r.id, r.message_id, CAST($2 AS BIGINT), r.verdict, substr(r.reason, 1, 200),
        CASE WHEN r.details = '{}' THEN '' ELSE r.details END FROM {rows}
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
    instant = to_micros(at)
    rows = await _BEGIN.query(beginnings, instant, owner, [b.message_id for b in beginnings])
    begun = {row["id"] for row in rows}
    pressing = [b for b in beginnings if b.presses and b.attempt_id in begun]
    for channel, messages in _by_channel((b.channel, b.message_id) for b in pressing):
        await query(*_RESERVE, messages, channel, instant + ARRIVES_WITHIN_US)
    return begun


async def tell(verdicts: Sequence[Verdict], *, at: datetime) -> None:
    """Add decisions to their messages' stories."""
    if verdicts:
        rows = [_Told(next_id(), v.message_id, v.verdict, v.reason, v.details) for v in verdicts]
        await _DECIDE.query(rows, to_micros(at))


# A code is a secret that is hashed elsewhere: here it is wiped once nothing follows any more.
# Most messages have been sent and that was that; it is less work to say so of all of them at once.
_RECORD_SENT = listed(
    """
    UPDATE message SET state = 'sent', reason = '', lease_owner = '', lease_until = NULL,
        fallback_at = NULL, closed_at = $2,
        context = CASE WHEN template = 'sms_code' THEN '{}' ELSE context END
    WHERE id IN {list} AND state || '' = 'sending' AND lease_owner = $3
    RETURNING id, enrolment_id, state
    """
)
_RECORD_MESSAGES = rowset(
    *listed(
        """
        UPDATE message SET state = r.state, reason = substr(r.reason, 1, 200), lease_owner = '',
            lease_until = NULL, fallback_at = r.fallback_at,
            not_before = COALESCE(r.not_before, message.not_before),
            tries = CASE WHEN r.anew THEN 1 WHEN r.waited THEN message.tries - 1
                ELSE message.tries END,
            closed_at = CASE WHEN r.state = 'queued' THEN NULL ELSE CAST($2 AS BIGINT) END,
            context = CASE WHEN r.state <> 'queued' AND r.fallback_at IS NULL
                AND template = 'sms_code' THEN '{}' ELSE context END
        FROM {rows} WHERE message.id = r.message_id AND message.id IN {list}
        AND message.state || '' = 'sending' AND lease_owner = $3
        RETURNING message.id, message.enrolment_id, message.state
        """,
        place="$4",
    ),
    message_id="bigint",
    state="text",
    reason="text",
    not_before="bigint",
    fallback_at="bigint",
    waited="boolean",
    anew="boolean",
)
# Both are found by their ids: the state is spelled so that no plan begins with all that are being
# sent, and the ids come as a list too, so that none begins with the whole table.
_RECORD_ATTEMPTS = rowset(
    *listed(
        """
        UPDATE attempt SET state = r.attempt_state, provider_id = substr(r.provider_id, 1, 120),
            error = substr(r.error, 1, 300), finished_at = $2
        FROM {rows} WHERE attempt.id = r.attempt_id AND attempt.id IN {list}
        AND attempt.state || '' = 'sending'
        """,
        place="$3",
    ),
    attempt_id="bigint",
    attempt_state="text",
    provider_id="text",
    error="text",
)
_KEEP_PROVIDER_IDS = rowset(
    """
    INSERT INTO provider_message (channel, provider_id, attempt_id, status)
    SELECT r.channel, r.provider_id, r.attempt_id, '' FROM {rows} WHERE true
    ON CONFLICT DO NOTHING
    """,
    channel="text",
    attempt_id="bigint",
    provider_id="text",
)
# Pressure is felt when the message arrives: later than was reserved only where sending took long.
_PRESSED = listed("UPDATE contact SET at = $2 WHERE message_id IN {list} AND at < $2")
_RELIEVED = listed(
    """
    DELETE FROM contact WHERE message_id IN {list} AND 0 = (
        SELECT COUNT(*) FROM attempt a WHERE a.message_id = contact.message_id
        AND a.state IN ('sent', 'unknown', 'sending'))
    RETURNING customer_id
    """
)
_TURN_HAS_COME = listed(
    """
    UPDATE message SET not_before = $2 WHERE customer_id IN {list} AND state || '' = 'queued'
    AND topic <> 'service' AND reason LIKE 'capped:%' AND not_before + 0 > $2
    """
)
# By channel and customer: whoever else records waits in one order.
_HABIT = """
    INSERT INTO habit (customer_id, channel, sent, seen)
    SELECT v, CAST($2 AS VARCHAR), COUNT(*), 0 FROM {customers} GROUP BY v ORDER BY v
    ON CONFLICT (customer_id, channel) DO UPDATE SET sent = habit.sent + excluded.sent
"""
_HABITS = (
    _HABIT.format(customers="unnest($1::bigint[]) AS e(v)"),
    _HABIT.format(customers="(SELECT value AS v FROM json_each($1)) AS e"),
)


async def record(owner: str, outcomes: Sequence[Outcome], *, at: datetime) -> set[int]:
    """Write the outcomes down in one go; returns the messages whose lease was still `owner`'s."""
    if not outcomes:
        return set()
    instant = to_micros(at)
    by_id = sorted(outcomes, key=lambda outcome: outcome.message_id)
    async with transaction():
        recorded = await _record_messages(owner, by_id, instant)
        own = {row["id"] for row in recorded}
        await rouse((r["enrolment_id"] for r in recorded if r["state"] != "queued"), at=instant)
        tried = [o for o in by_id if o.attempt_id is not None and o.message_id in own]
        if tried:
            attempts = [o.attempt_id for o in tried]
            await _RECORD_ATTEMPTS.query(map(_Tried.of, tried), instant, attempts)
            await _keep_provider_ids(tried)
            await _press(tried, instant)
        over = [o for o in by_id if o.state in ("failed", "skipped") and not o.first]
        await _relieve([o.message_id for o in over], instant)
    return own


async def _record_messages(owner: str, outcomes: Sequence[Outcome], instant: int) -> Sequence[Any]:
    recorded = []
    if sent := [o.message_id for o in outcomes if o.is_plainly_sent]:
        recorded += await query(*_RECORD_SENT, sent, instant, owner)
    if others := [o for o in outcomes if not o.is_plainly_sent]:
        ids = [o.message_id for o in others]
        recorded += await _RECORD_MESSAGES.query(map(_Ended.of, others), instant, owner, ids)
    return recorded


async def _relieve(over: Sequence[int], instant: int) -> None:
    """What has not gone presses upon nobody; those that waited because of it may go."""
    if over:
        await let_go(over)
        relieved = await query(*_RELIEVED, over)
        if relieved:
            await query(*_TURN_HAS_COME, [row["customer_id"] for row in relieved], instant)


async def _keep_provider_ids(tried: Sequence[Outcome]) -> None:
    rows = [
        {"channel": o.channel, "attempt_id": o.attempt_id, "provider_id": provider_id[:120]}
        for o in tried
        if o.traced
        for provider_id in (o.provider_id, *o.more_ids)
        if provider_id
    ]
    if rows:
        await _KEEP_PROVIDER_IDS.query(rows)


async def _press(tried: Sequence[Outcome], instant: int) -> None:
    """What may have arrived weighs from now on, and counts among what she could have seen."""
    felt = [o for o in tried if o.attempt_state in ("sent", "unknown")]
    if late := [o.message_id for o in felt if o.late]:
        await query(*_PRESSED, late, instant)
    went = ((o.channel, o.habit_of) for o in felt if o.attempt_state == "sent" and o.habit_of)
    for channel, customers in _by_channel(went):
        await query(*_HABITS, customers, channel)


def _by_channel(pairs: Iterable[tuple[str, int]]) -> list[tuple[str, list[int]]]:
    """The ids of each channel; always in one order, for what is written in it is locked."""
    found: dict[str, list[int]] = {}
    for channel, id_ in pairs:
        found.setdefault(channel, []).append(id_)
    return sorted(found.items())
