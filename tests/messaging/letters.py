"""A message that has gone out, with its links kept: what the pages behind them stand on."""

from datetime import timedelta
from typing import Any

from loyalty.clock import VirtualClock
from loyalty.database import query
from loyalty.instants import to_micros
from messaging import attempts, outbox
from messaging.attempts import Beginning, Outcome
from messaging.links import Links
from messaging.outbox import Draft
from messaging.templates import Body
from messaging.tracking import keep_links
from messaging.wrapping import Tracked, track
from tests.conftest import SECRET

LINKS = Links(SECRET, "https://k.example")
KINDS = {"email": "email", "sms": "phone", "messenger": "telegram"}
ADDRESSES = {"email": "anna@shop.example", "sms": "+79001234567", "messenger": "5001"}


async def send(
    clock: VirtualClock,
    body: Body,
    *,
    key: str = "m",
    channel: str = "email",
    kind: str = "",
    address: str = "",
    topic: str = "marketing",
    customer_id: int | None = None,
    provider_id: str = "",
    finished: bool = True,
    **draft: Any,
) -> tuple[int, Tracked]:
    """The attempt, and what went out."""
    clock.advance(timedelta(seconds=1))
    where = {"kind": kind or KINDS[channel], "address": address or ADDRESSES[channel]}
    await outbox.enqueue(
        [
            Draft(
                dedupe_key=key,
                topic=topic,  # type: ignore[arg-type]
                template="welcome",
                customer_id=customer_id,
                address_kind=where["kind"],
                address=where["address"],
                **draft,
            )
        ],
        at=clock.now(),
    )
    until = clock.now() + timedelta(seconds=60)
    [claimed] = await outbox.claim("me", limit=1, at=clock.now(), lease_until=until)
    attempt_id = claimed.id + 1
    beginning = Beginning(
        attempt_id=attempt_id,
        message_id=claimed.id,
        channel=channel,
        address_kind=where["kind"],
        address=where["address"],
    )
    assert await attempts.begin("me", [beginning], at=clock.now())
    tracked = track(
        body, LINKS, attempt_id=attempt_id, channel=channel, topic=topic, customer_id=customer_id
    )
    await keep_links(tracked.rows)
    if finished:
        await finish(clock, claimed.id, attempt_id, provider_id)
    return attempt_id, tracked


async def finish(
    clock: VirtualClock, message_id: int, attempt_id: int, provider_id: str = ""
) -> None:
    [row] = await query(
        "SELECT m.customer_id, m.topic, a.channel FROM message AS m "
        "JOIN attempt AS a ON a.message_id = m.id WHERE a.id = $1",
        None,
        attempt_id,
    )
    outcome = Outcome(
        message_id=message_id,
        habit_of=row["customer_id"] if row["topic"] != "service" else None,
        channel=row["channel"],
        state="sent",
        attempt_id=attempt_id,
        attempt_state="sent",
        provider_id=provider_id,
        fallback_at=to_micros(clock.now() + timedelta(hours=1)),
    )
    await attempts.record("me", [outcome], at=clock.now())
