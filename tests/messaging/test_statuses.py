"""Providers' reports move a message's story on, never back, however they come."""

from collections.abc import Callable
from datetime import timedelta

import pytest

from loyalty.clock import VirtualClock
from loyalty.database import query
from loyalty.instants import to_micros
from messaging import attempts, outbox, suppressions
from messaging.attempts import Beginning, Outcome
from messaging.channels.base import Report, Status
from messaging.outbox import Draft
from messaging.statuses import take_reports
from tests.messaging.conftest import customer_with

Make = Callable[..., Draft]
DEADLINE_S = 600


async def send(
    clock: VirtualClock, draft: Draft, *ids: str, state: str = "sent", channel: str = "sms"
) -> int:
    """A message that a provider has taken, and its attempt."""
    await outbox.enqueue([draft], at=clock.now())
    until = clock.now() + timedelta(seconds=60)
    [claimed] = await outbox.claim("me", limit=1, at=clock.now(), lease_until=until)
    attempt_id = claimed.id + 1
    begun = await attempts.begin(
        "me",
        [
            Beginning(
                attempt_id=attempt_id, message_id=claimed.id, channel=channel,
                address_kind="phone", address="+79001234567", presses=True,
            )
        ],
        at=clock.now(),
    )  # fmt: skip
    assert begun == {attempt_id}
    outcome = Outcome(
        message_id=claimed.id, state=state, attempt_id=attempt_id, attempt_state=state,
        provider_id=ids[0] if ids else "", more_ids=ids[1:], traced=True, channel=channel,
        habit_of=draft.customer_id if draft.topic != "service" or draft.wants else None,
        fallback_at=to_micros(clock.now()) + DEADLINE_S * 1_000_000 if draft.wants else None,
    )  # type: ignore[arg-type]  # fmt: skip
    await attempts.record("me", [outcome], at=clock.now())
    return attempt_id


def report(clock: VirtualClock, status: Status, provider_id: str) -> Report:
    return Report(channel="sms", status=status, at=to_micros(clock.now()), provider_id=provider_id)


async def status_of(attempt_id: int) -> str:
    [row] = await query("SELECT status FROM attempt WHERE id = $1", None, attempt_id)
    return str(row["status"])


async def message() -> tuple[str, bool]:
    """Its state, and whether a fallback still waits."""
    [row] = await query("SELECT state, fallback_at FROM message")
    return row["state"], row["fallback_at"] is not None


@pytest.mark.parametrize(
    ("told", "status"),
    [
        ([Status.DELIVERED], "delivered"),
        ([Status.DELIVERED, Status.DELIVERED], "delivered"),
        ([Status.READ, Status.DELIVERED], "read"),
        ([Status.UNDELIVERED, Status.DELIVERED], "delivered"),
        ([Status.DELIVERED, Status.UNDELIVERED], "delivered"),
        ([Status.READ, Status.COMPLAINED], "complained"),
    ],
    ids=lambda value: "+".join(value) if isinstance(value, list) else value,
)
async def test_the_highest_word_counts(
    db: str, clock: VirtualClock, code: Make, told: list[Status], status: str
) -> None:
    attempt_id = await send(clock, code(), "x")
    for word in told:
        await take_reports([report(clock, word, "x")])
    assert await status_of(attempt_id) == status
    assert await take_reports([report(clock, told[0], "x")]) == 0, "safe to repeat"


async def test_a_long_sms_is_delivered_when_every_part_is(
    db: str, clock: VirtualClock, code: Make
) -> None:
    attempt_id = await send(clock, code(), "p1", "p2", "p3")
    await take_reports([report(clock, Status.DELIVERED, "p1")])
    await take_reports([report(clock, Status.DELIVERED, "p3")])
    assert await status_of(attempt_id) == ""
    await take_reports([report(clock, Status.DELIVERED, "p2")])
    assert await status_of(attempt_id) == "delivered"


async def test_a_strangers_report_is_dropped(db: str, clock: VirtualClock) -> None:
    assert await take_reports([report(clock, Status.DELIVERED, "unheard of")]) == 0


async def test_the_wanted_status_calls_the_fallback_off(
    db: str, clock: VirtualClock, code: Make
) -> None:
    await send(clock, code(wants="read"), "x")
    await take_reports([report(clock, Status.DELIVERED, "x")])
    assert await message() == ("sent", True)
    await take_reports([report(clock, Status.READ, "x")])
    assert await message() == ("sent", False)


async def test_a_deadline_without_the_status_queues_it_again(
    db: str, clock: VirtualClock, code: Make
) -> None:
    await send(clock, code(wants="delivered"), "x")
    await outbox.queue_fallbacks(at=clock.now())
    assert await message() == ("sent", True)
    clock.advance(timedelta(seconds=DEADLINE_S))
    await outbox.queue_fallbacks(at=clock.now())
    assert await message() == ("queued", False)


async def test_a_bad_word_hastens_the_fallback(db: str, clock: VirtualClock, code: Make) -> None:
    await send(clock, code(wants="delivered"), "x")
    clock.advance(timedelta(seconds=1))
    await take_reports([report(clock, Status.UNDELIVERED, "x")])
    await outbox.queue_fallbacks(at=clock.now())
    assert await message() == ("queued", False)


async def test_a_receipt_resolves_the_unknown(db: str, clock: VirtualClock, code: Make) -> None:
    attempt_id = await send(clock, code(), "x", state="unknown")
    assert await message() == ("unknown", False)
    await take_reports([report(clock, Status.DELIVERED, "x")])
    assert await message() == ("sent", False)
    [row] = await query("SELECT state FROM attempt WHERE id = $1", None, attempt_id)
    assert row["state"] == "sent"


async def test_a_bounce_suppresses_the_address_until_it_is_lifted(
    db: str, clock: VirtualClock, code: Make
) -> None:
    await send(clock, code(), "x")
    for _ in range(2):
        await take_reports([report(clock, Status.BOUNCED, "x")])
    pair = ("phone", "+79001234567")
    now = to_micros(clock.now())
    [entry] = await suppressions.standing([pair], at=now)
    assert (entry.reason, entry.topic) == ("bounced", "")
    assert await suppressions.lift(*pair, reason="bounced", at=clock.now())
    assert await suppressions.standing([pair], at=now) == []
    assert not await suppressions.lift(*pair, reason="bounced", at=clock.now())
    [line] = await suppressions.listing("+79001234567")
    assert line.lifted_at == clock.now()


async def test_a_complaint_stops_the_advertising_alone(
    db: str, clock: VirtualClock, code: Make
) -> None:
    await send(clock, code(), "x")
    await take_reports([report(clock, Status.COMPLAINED, "x")])
    [entry] = await suppressions.standing([("phone", "+79001234567")], at=to_micros(clock.now()))
    assert (entry.reason, entry.topic) == ("complained", "marketing")


async def test_what_she_sees_becomes_her_habit(db: str, clock: VirtualClock, code: Make) -> None:
    anna = await customer_with()
    for n in range(3):
        await send(clock, code(f"m{n}", customer_id=anna, topic="marketing"), f"x{n}")
    for n in (0, 0, 2):
        await take_reports([report(clock, Status.READ, f"x{n}")])
    [habit] = await query(
        "SELECT channel, sent, seen FROM habit WHERE customer_id = $1", None, anna
    )
    assert tuple(habit) == ("sms", 3, 2)


async def test_pressure_is_felt_when_it_arrives_and_taken_back_when_nothing_went(
    db: str, clock: VirtualClock, code: Make
) -> None:
    anna = await customer_with()
    await send(clock, code("a", customer_id=anna, topic="marketing"), "x")
    await send(clock, code("b", customer_id=anna, topic="marketing"), state="failed")
    rows = await query("SELECT COUNT(*) AS n FROM contact")
    assert rows[0]["n"] == 1
