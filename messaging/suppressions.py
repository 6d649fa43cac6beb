"""Addresses that are not written to: bounced, blocked, unsubscribed. Kept across re-imports."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from msgspec import Struct
from msgspec.structs import asdict

from loyalty.database import query
from loyalty.ids import next_id
from loyalty.instants import NEVER, from_micros, from_micros_or_never, to_micros
from loyalty.sql.lists import looked_up
from messaging.records import rowset

LIFTABLE = frozenset(
    {"bounced", "blocked", "chat_not_found", "address_unknown", "by_hand", "asleep"}
)
"""Reasons that staff may lift: they speak of the address, the others are the reader's own word."""


class Suppressed(Struct, frozen=True, kw_only=True):
    """`topic` "" is every topic; `until` in microseconds."""

    address_kind: str
    address: str
    reason: str
    topic: str = ""
    until: int = NEVER


_ADD = rowset(
    """
    INSERT INTO suppression (id, address_kind, address, topic, reason, at, until)
    SELECT r.id, r.address_kind, r.address, r.topic, r.reason, CAST($2 AS BIGINT), r.until
    FROM {rows} WHERE NOT EXISTS (
        SELECT 1 FROM suppression s WHERE s.address_kind = r.address_kind
        AND s.address = r.address AND s.topic = r.topic AND s.reason = r.reason
        AND s.lifted_at IS NULL AND s.until >= r.until)
    """,
    id="bigint",
    address_kind="text",
    address="text",
    topic="text",
    reason="text",
    until="bigint",
)


async def suppress(entries: Sequence[Suppressed], *, at: datetime) -> None:
    """Stop writing to these addresses. What is suppressed already stays as it is."""
    if entries:
        await _ADD.query([asdict(entry) | {"id": next_id()} for entry in entries], to_micros(at))


_LIFT = """
    UPDATE suppression SET lifted_at = $3
    WHERE address_kind = $1 AND address = $2 AND lifted_at IS NULL AND reason = $4
        AND (topic = $5 OR CAST($5 AS VARCHAR) IS NULL)
    RETURNING id
"""


async def lift(
    address_kind: str, address: str, *, reason: str, at: datetime, topic: str | None = None
) -> bool:
    """Write to this address again (she has come back, say); whether anything stood against it.

    `topic` None lifts it of every topic.
    """
    args = (address_kind, address, to_micros(at), reason, topic)
    return bool(await query(_LIFT, None, *args))


_STANDING = rowset(
    *looked_up(
        """
        SELECT DISTINCT s.address_kind, s.address, s.topic, s.reason, s.until
        FROM {rows} JOIN {s} WHERE s.until > $2
        """,
        s=(
            "suppression",
            "s.address_kind = r.kind AND s.address = r.address AND s.lifted_at IS NULL",
        ),
    ),
    kind="text",
    address="text",
)


async def standing(addresses: Sequence[tuple[str, str]], *, at: int) -> list[Suppressed]:
    """What holds now (`at` in microseconds) of these addresses (kind, address)."""
    if not addresses:
        return []
    rows = [{"kind": kind, "address": address} for kind, address in set(addresses)]
    return [
        Suppressed(
            address_kind=row["address_kind"],
            address=row["address"],
            topic=row["topic"],
            reason=row["reason"],
            until=row["until"],
        )
        for row in await _STANDING.query(rows, at)
    ]


_LIST = """
    SELECT address_kind, address, topic, reason, at, until, lifted_at FROM suppression
    WHERE address = $1 OR CAST($1 AS VARCHAR) = '' ORDER BY id DESC LIMIT $2
"""


@dataclass(frozen=True, slots=True)
class Entry:
    """A line of the suppression list, lifted ones included."""

    address_kind: str
    address: str
    topic: str
    reason: str
    at: datetime
    until: datetime | None
    lifted_at: datetime | None


async def listing(address: str = "", *, limit: int = 100) -> list[Entry]:
    """The latest entries, of one address or of all."""
    return [_entry(row) for row in await query(_LIST, None, address, limit)]


def _entry(row: Any) -> Entry:
    return Entry(
        row["address_kind"],
        row["address"],
        row["topic"],
        row["reason"],
        from_micros(row["at"]),
        from_micros_or_never(row["until"]),
        None if row["lifted_at"] is None else from_micros(row["lifted_at"]),
    )
