"""One mailing, one address, one send, whoever shares the address and however many workers send.

A message takes the address for its mailing in the transaction that decides about it; what nothing
went from lets go of it.
"""

from collections.abc import Iterable, Mapping, Sequence, Set
from typing import Any

from loyalty.database import query
from loyalty.sql.lists import listed, looked_up
from messaging.outbox import Claimed
from messaging.records import rowset

Address = tuple[str, str]
"""Kind and value."""

_PLACES = {"message_id": "bigint", "mailing": "text", "address_kind": "text", "address": "text"}
_TAKEN = rowset(
    *looked_up(
        """
        SELECT r.message_id, r.address_kind, r.address FROM {rows} JOIN {t}
        WHERE t.message_id <> r.message_id
        """,
        t=(
            "mailing_address",
            """t.mailing = r.mailing AND t.address_kind = r.address_kind
            AND t.address = r.address""",
        ),
    ),
    **_PLACES,
)
# Sorted, so that two workers wait for each other in one order. Her own place is taken once more.
_TAKE = rowset(
    """
    INSERT INTO mailing_address (mailing, address_kind, address, message_id)
    SELECT r.mailing, r.address_kind, r.address, MIN(r.message_id) FROM {rows} WHERE true
    GROUP BY r.mailing, r.address_kind, r.address
    ORDER BY r.mailing, r.address_kind, r.address
    ON CONFLICT (mailing, address_kind, address) DO UPDATE SET message_id = excluded.message_id
    WHERE mailing_address.message_id = excluded.message_id
    RETURNING message_id
    """,
    **_PLACES,
)
_LET_GO = listed(
    """
    DELETE FROM mailing_address WHERE message_id IN {list} AND 0 = (
        SELECT COUNT(*) FROM attempt a WHERE a.message_id = mailing_address.message_id
        AND a.state IN ('sent', 'unknown', 'sending'))
    """
)


async def taken_of(
    messages: Iterable[tuple[Claimed, Sequence[Address]]],
) -> Mapping[int, Set[Address]]:
    """By message, those of these addresses that another message of its mailing has taken."""
    rows = [
        _place(message, address)
        for message, addresses in messages
        if message.mailing
        for address in addresses
    ]
    taken: dict[int, set[Address]] = {}
    for row in await _TAKEN.query(rows) if rows else ():
        taken.setdefault(row["message_id"], set()).add((row["address_kind"], row["address"]))
    return taken


async def take(going: Iterable[tuple[Claimed, Address]]) -> set[int]:
    """Take the addresses for the mailings of these messages; returns whose are another's.

    Waits for a worker that is just taking the same, and sees what has become of that.
    """
    rows = [_place(message, address) for message, address in going if message.mailing]
    if not rows:
        return set()
    own = {row["message_id"] for row in await _TAKE.query(rows)}
    return {row["message_id"] for row in rows} - own


async def let_go(message_ids: Iterable[int]) -> None:
    """Messages that are over without having gone anywhere keep no address."""
    await query(*_LET_GO, [*message_ids])


def _place(message: Claimed, address: Address) -> dict[str, Any]:
    kind, value = address
    return {
        "message_id": message.id,
        "mailing": message.mailing,
        "address_kind": kind,
        "address": value,
    }
