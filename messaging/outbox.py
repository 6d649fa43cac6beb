"""The outbox: a message is a row before it is a send. How it comes in, and who holds it.

Every verb is one statement or one transaction. Tries and what comes of them are `attempts`; who
sends, when and how often is `dispatcher`'s.
"""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, Literal

import msgspec
from msgspec import Struct, field

from loyalty.database import query, transaction
from loyalty.ids import next_id
from loyalty.instants import to_micros
from loyalty.sql.lists import found, listed
from messaging.records import encoded, rowset
from messaging.rousing import rouse

Topic = Literal["service", "marketing", "survey"]
Recipient = int | tuple[str, str]
"""A customer, or a bare address with its kind."""
RIVALS_MAX = 1000
"""Messages that are decided together with a claimed batch, at most."""


class Draft(Struct, frozen=True, kw_only=True):
    """A message to be: to a customer by the best channel, or to the bare address that it names.

    A second draft with the same `dedupe_key` is no message. `priority` 1 goes out first, 9 last;
    of those that wait for a cap the one of the most `value` goes first. `channels` are those it may
    take (none named: any), `wants` the status without which the next channel takes over,
    `reach_permille` how sure it must be that she sees it, `cost_max` what all tries together may
    cost in millionths of the currency. With a `goal` it is needless once that is reached; with an
    `enrolment_id` once that journey has no need of it any more. Of one `mailing` an address gets
    one message, whoever shares it.
    """

    dedupe_key: str
    topic: Topic
    template: str
    context: Mapping[str, Any] = field(default_factory=dict)
    customer_id: int | None = None
    address_kind: str = ""
    address: str = ""
    language: str = ""
    kind: str = ""
    source: str = ""
    mailing: str = ""
    priority: int = 5
    value: int = 0
    urgent: bool = False
    channels: Sequence[str] = ()
    wants: Literal["", "delivered", "read"] = ""
    reach_permille: int = 0
    cost_max: int | None = None
    goal: Literal["", "purchase"] = ""
    enrolment_id: int | None = None
    not_before: datetime | None = None
    expires_at: datetime | None = None


class Claimed(Struct, frozen=True, kw_only=True):
    """A message that this worker may send until its lease ends. Instants in microseconds."""

    id: int
    customer_id: int | None
    address_kind: str
    address: str
    topic: Topic
    kind: str
    mailing: str
    template: str
    context: Mapping[str, Any]
    language: str
    priority: int
    value: int
    urgent: bool
    channels: frozenset[str]
    wants: str
    reach_permille: int
    cost_max: int | None
    goal: str
    enrolment_id: int | None
    created_at: int
    expires_at: int
    tries: int
    lease_until: int

    @property
    def recipient(self) -> Recipient:
        """Messages to one recipient go out one after the other."""
        return (self.address_kind, self.address) if self.customer_id is None else self.customer_id

    @property
    def is_first(self) -> bool:
        """Whether this is its first claim: no try has been made, so there is none to take back."""
        return self.tries == 1


_COLUMNS = {
    "id": "bigint", "dedupe_key": "text", "customer_id": "bigint", "address_kind": "text",
    "address": "text", "topic": "text", "kind": "text", "source": "text", "mailing": "text",
    "template": "text", "context": "text", "language": "text", "priority": "int", "value": "bigint",
    "urgent": "boolean", "channels": "text", "wants": "text", "reach_permille": "int",
    "cost_max": "bigint", "goal": "text", "enrolment_id": "bigint", "not_before": "bigint",
    "expires_at": "bigint",
}  # fmt: skip
_NAMES = ", ".join(_COLUMNS)
_ENQUEUE = rowset(
    f"""
    INSERT INTO message ({_NAMES}, state, reason, created_at, lease_owner, tries)
    SELECT {_NAMES}, 'queued', '', CAST($2 AS BIGINT), '', 0 FROM {{rows}} WHERE true
    ON CONFLICT (dedupe_key) DO NOTHING RETURNING id
    """,  # noqa: S608 - glued from constants
    **_COLUMNS,
)


async def enqueue(drafts: Sequence[Draft], *, at: datetime) -> int:
    """Write the drafts as messages; returns how many were new. Part of the caller's transaction."""
    if not drafts:
        return 0
    rows = [_as_row(draft, at) for draft in drafts]
    return len(await _ENQUEUE.query(rows, to_micros(at)))


def _as_row(draft: Draft, at: datetime) -> dict[str, Any]:
    given = {name: getattr(draft, name) for name in _COLUMNS if name != "id"}
    return given | {
        "id": next_id(),
        "context": encoded(dict(draft.context)),
        "channels": ",".join(draft.channels),
        "not_before": to_micros(draft.not_before or at),
        "expires_at": to_micros(draft.expires_at),
    }


_CLAIMED = """id, customer_id, address_kind, address, topic, kind, mailing, template, context,
    language, priority, value, urgent, channels, wants, reach_permille, cost_max, goal,
    enrolment_id, not_before, created_at, expires_at, tries, lease_until"""
_CLAIM = f"""
    UPDATE message SET state = 'sending', lease_owner = $3, lease_until = $4, tries = tries + 1
    WHERE id {{}} RETURNING {_CLAIMED}
"""  # noqa: S608 - glued from constants, as below
# EXPLAIN: it walks the index message_due in its order and stops at the limit.
_DUE = """
    SELECT id FROM message WHERE state = 'queued' AND not_before <= $1
    ORDER BY priority, not_before, id LIMIT $2
"""
_CLAIM_DUE = tuple(map(_CLAIM.format, found(_DUE)))


async def claim(owner: str, *, limit: int, at: datetime, lease_until: datetime) -> list[Claimed]:
    """Take up to `limit` messages that are due, the most urgent first. No other worker has them."""
    rows = await query(*_CLAIM_DUE, to_micros(at), limit, owner, to_micros(lease_until))
    rows.sort(key=lambda row: (row["priority"], row["not_before"], row["id"]))
    return [_claimed(row) for row in rows]


# EXPLAIN: message_rivals; a customer has a handful of messages that wait. Its `state || ''` and the
# `+ 0` keep every plan from walking through the whole queue by another index, which seems cheap
# while the queue is empty.
_RIVALS = f"""
    SELECT id FROM message WHERE customer_id IN {{list}} AND state || '' = 'queued'
    AND topic <> 'service' AND not_before + 0 <= $2 ORDER BY id + 0 LIMIT {RIVALS_MAX}
"""  # noqa: S608
_CLAIM_RIVALS = tuple(map(_CLAIM.format, found(*listed(_RIVALS))))


async def claim_rivals(
    owner: str, customer_ids: Sequence[int], *, at: datetime, lease_until: datetime
) -> list[Claimed]:
    """Take the other messages that are due for these customers, so that the caps choose among all.

    Part of the transaction that has locked the customers; service messages are nobody's rivals.
    """
    if not customer_ids:
        return []
    given = (customer_ids, to_micros(at), owner, to_micros(lease_until))
    rows = await query(*_CLAIM_RIVALS, *given)
    return [_claimed(row) for row in rows]


# What is being recorded just now is skipped: it needs no lease any more, and its locks are held.
# NO KEY: the tries that a lane is writing down just now refer to it, which is no reason to skip it.
_HELD = """
    SELECT id FROM message WHERE state = 'sending' AND lease_owner = $1 AND lease_until > $3
    ORDER BY id + 0
"""
_RENEW = tuple(
    map(
        "UPDATE message SET lease_until = $2 WHERE id {} RETURNING id".format,
        found(_HELD, lock="FOR NO KEY UPDATE SKIP LOCKED"),
    )
)


async def renew(owner: str, *, at: datetime, lease_until: datetime) -> set[int]:
    """The heartbeat: what this worker holds, which is returned, stays its own for another lease."""
    rows = await query(*_RENEW, owner, to_micros(lease_until), to_micros(at))
    return {row["id"] for row in rows}


_decoded = msgspec.json.Decoder().decode
_ANY: frozenset[str] = frozenset()


def _claimed(row: Any) -> Claimed:
    """A row of _CLAIMED, whose order this is."""
    (id_, customer_id, address_kind, address, topic, kind, mailing, template, context, language,
     priority, value, urgent, channels, wants, reach_permille, cost_max, goal, enrolment_id,
     _not_before, created_at, expires_at, tries, lease_until) = row  # fmt: skip
    return Claimed(
        id=id_,
        customer_id=customer_id,
        address_kind=address_kind,
        address=address,
        topic=topic,
        kind=kind,
        mailing=mailing,
        template=template,
        context=_decoded(context),
        language=language,
        priority=priority,
        value=value,
        urgent=bool(urgent),
        channels=frozenset(channels.split(",")) if channels else _ANY,
        wants=wants,
        reach_permille=reach_permille,
        cost_max=cost_max,
        goal=goal,
        enrolment_id=enrolment_id,
        created_at=created_at,
        expires_at=expires_at,
        tries=tries,
        lease_until=lease_until,
    )


_GIVE_BACK = listed(
    """
    UPDATE message SET state = 'queued', lease_owner = '', lease_until = NULL, tries = tries - 1
    WHERE id IN {list} AND state = 'sending' AND lease_owner = $2
    """
)


async def give_back(owner: str, ids: Sequence[int]) -> None:
    """Return claimed messages whose try has not begun, as if they had never been claimed."""
    if ids:
        await query(*_GIVE_BACK, ids, owner)


class Recovered(Struct, frozen=True):
    """Messages whose worker died: `unknown` had a try under way, the others had none."""

    unknown: int
    requeued: int
    poisoned: int


_FALLBACKS = """
    UPDATE message SET state = 'queued', not_before = $1, fallback_at = NULL, closed_at = NULL,
        tries = 1
    WHERE fallback_at <= $1 AND state IN ('sent', 'unknown')
"""


async def queue_fallbacks(*, at: datetime) -> None:
    """Queue those again whose wanted status has not come by its deadline: for the next channel."""
    await query(_FALLBACKS, None, to_micros(at))


_LAPSED_POSTGRES = """
    SELECT m.id, m.tries, EXISTS (
        SELECT 1 FROM attempt a WHERE a.message_id = m.id AND a.state = 'sending') AS begun
    FROM message m WHERE m.state = 'sending' AND m.lease_until <= $1
    ORDER BY m.id + 0 LIMIT 1000 FOR UPDATE SKIP LOCKED
"""
_LAPSED_SQLITE = _LAPSED_POSTGRES.replace("FOR UPDATE SKIP LOCKED", "")
_CLOSE_LAPSED = rowset(
    """
    UPDATE message SET state = r.state, reason = r.reason, lease_owner = '', lease_until = NULL,
        closed_at = CASE WHEN r.state = 'queued' THEN NULL ELSE CAST($2 AS BIGINT) END
    FROM {rows} WHERE message.id = r.id RETURNING enrolment_id, message.state
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
            closed = await _CLOSE_LAPSED.query(closings, instant)
            await rouse((r["enrolment_id"] for r in closed if r["state"] != "queued"), at=instant)
        if begun:
            await query(*_CLOSE_LAPSED_ATTEMPTS, begun, instant)
    return Recovered(len(begun), len(again), len(poisoned))
