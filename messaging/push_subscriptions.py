"""Which browsers take notifications, and for whom.

A browser subscribes in the web chat, so its subscription is of the thread that is open in it; whose
notifications it shows is whose identity the thread is. So a merge takes the browser along, and who
leaves the chat or is erased is notified no more, at once.
"""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

import structlog

from loyalty.clock import Clock
from loyalty.conflicts import until_settled
from loyalty.database import query, transaction
from loyalty.ids import next_id
from loyalty.instants import to_micros
from loyalty.sql.lists import listed, looked_up
from messaging.channels.webpush.endpoints import Services, read_keys
from messaging.policy.fronts import Front

ADDRESS_KIND = "webpush"
_ID_MAX = (1 << 63) - 1

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Subscription:
    """As the browser gave it, keys in base64url. `server_key`: the key of ours it was made for."""

    endpoint: str
    p256dh: str
    auth: str
    server_key: str


class PushRefusal(StrEnum):
    """Why a browser cannot subscribe."""

    BAD_SUBSCRIPTION = "bad_subscription"
    UNKNOWN_SERVICE = "push_service_unknown"
    NOT_A_MEMBER = "not_a_member"


@dataclass(frozen=True, slots=True, kw_only=True)
class PushDesk:
    """Where browsers subscribe. `key` is the public one that they have to subscribe for."""

    key: str
    services: Services
    clock: Clock

    async def serves(self, thread_id: int) -> bool:
        """Whether this thread may subscribe: strangers get no messages."""
        return bool(await query(_MEMBER, None, str(thread_id)))

    async def subscribe(
        self, thread_id: int, *, endpoint: str, p256dh: str, auth: str
    ) -> PushRefusal | None:
        """Notify this browser from now on. Repeating it only says that the browser is there."""
        if read_keys(p256dh, auth) is None:
            return PushRefusal.BAD_SUBSCRIPTION
        if self.services.origin_of(endpoint) is None:
            log.warning("push_service_unknown", endpoint=endpoint[:60])
            return PushRefusal.UNKNOWN_SERVICE
        if not await self.serves(thread_id):
            return PushRefusal.NOT_A_MEMBER
        given = Subscription(endpoint, p256dh.rstrip("="), auth.rstrip("="), self.key)
        await until_settled(lambda: _subscribe(thread_id, given, self.clock.now()))
        return None

    async def unsubscribe(self, thread_id: int) -> None:
        """Notify the browser of this thread no more."""
        await query(_END_OF_THREAD, None, thread_id, to_micros(self.clock.now()), "off")


_MEMBER = "SELECT 1 FROM identity WHERE kind = 'webchat' AND value = $1 AND ended_at IS NULL"
_RIVALS = """
    SELECT id, thread_id, endpoint, p256dh, auth, server_key FROM push_subscription
    WHERE (thread_id = $1 OR endpoint_hash = $2) AND ended_at IS NULL
"""
_SEEN = "UPDATE push_subscription SET seen_at = $2 WHERE id = $1"
_INSERT = """
    INSERT INTO push_subscription (id, thread_id, endpoint, endpoint_hash, p256dh, auth,
        server_key, created_at, seen_at, ended_why)
    VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $8, '')
"""
_END = """
    UPDATE push_subscription
    SET ended_at = $2, ended_why = $3, endpoint = '', p256dh = '', auth = ''
    WHERE ended_at IS NULL AND
"""
_END_THESE = listed(_END + "id IN {list}")
_END_OF_THREAD = _END + "thread_id = $1"
_END_OF_NOBODY = """
    UPDATE push_subscription
    SET ended_at = $1, ended_why = 'left', endpoint = '', p256dh = '', auth = ''
    WHERE ended_at IS NULL AND NOT EXISTS (
        SELECT 1 FROM identity i WHERE i.kind = 'webchat' AND i.ended_at IS NULL
        AND i.value = CAST(push_subscription.thread_id AS VARCHAR))
"""


async def _subscribe(thread_id: int, given: Subscription, at: datetime) -> None:
    now, digest = to_micros(at), hashlib.sha256(given.endpoint.encode()).hexdigest()
    async with transaction():
        rivals = {
            row["id"]: (row["thread_id"], Subscription(*tuple(row)[2:]))
            for row in await query(_RIVALS, None, thread_id, digest)
        }
        same = next((id_ for id_, of in rivals.items() if of == (thread_id, given)), None)
        if others := [id_ for id_ in rivals if id_ != same]:
            await query(*_END_THESE, others, now, "replaced")
        if same is not None:
            await query(_SEEN, None, same, now)
            return
        values = (given.endpoint, digest, given.p256dh, given.auth, given.server_key, now)
        await query(_INSERT, None, next_id(), thread_id, *values)


async def end_gone(address: str, *, at: datetime) -> None:
    """The browser with this address is no more."""
    if (number := _number(address)) is not None:
        await query(*_END_THESE, [number], to_micros(at), "gone")


async def end_of_nobody(*, at: datetime) -> None:
    """Forget the browsers whose thread speaks for no customer any more: left, erased."""
    await query(_END_OF_NOBODY, None, to_micros(at))


_FIND = """
    SELECT endpoint, p256dh, auth, server_key FROM push_subscription
    WHERE id = $1 AND ended_at IS NULL
"""


async def find(address: str) -> Subscription | None:
    """The open subscription with this number."""
    number = _number(address)
    rows = [] if number is None else await query(_FIND, None, number)
    return Subscription(*tuple(rows[0])) if rows else None


# CASE: no planner turns another kind's value into a number.
_OF_CUSTOMERS = listed(
    looked_up(
        """
        SELECT i.customer_id, s.id, s.seen_at, i.value AS thread FROM identity i JOIN {s}
        WHERE i.customer_id IN {list} AND i.kind || '' = 'webchat' AND COALESCE(i.ended_at, 0) = 0
        ORDER BY s.seen_at DESC, s.id DESC
        """,
        s=(
            "push_subscription",
            """s.thread_id = CASE WHEN i.kind = 'webchat' THEN CAST(i.value AS BIGINT) END
            AND s.ended_at IS NULL""",
        ),
    )
)


async def subscriptions_of(customer_ids: Sequence[int]) -> dict[int, list[Front]]:
    """The addresses of these customers' browsers, the one seen last first; none, no entry."""
    fronts: dict[int, list[Front]] = {}
    if customer_ids:
        for row in await query(*_OF_CUSTOMERS, customer_ids):
            front = Front(ADDRESS_KIND, str(row["id"]), row["seen_at"], row["thread"])
            fronts.setdefault(row["customer_id"], []).append(front)
    return fronts


def _number(address: str) -> int | None:
    if not (address.isascii() and address.isdigit() and len(address) < 20):
        return None
    return number if (number := int(address)) <= _ID_MAX else None
