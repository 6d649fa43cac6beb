"""Read marks of chats: what stood on the screen, and who spoke after it came."""

import asyncio
from datetime import timedelta

from loyalty.clock import VirtualClock
from loyalty.database import query
from loyalty.instants import to_micros
from messaging import tracking
from messaging.attention import Attention
from messaging.policy.hits import Kind, Request
from messaging.templates import Body
from tests.messaging.conftest import customer_with
from tests.messaging.letters import finish, send

WORDS = Body("words")


async def read() -> list[str]:
    """The messages that count as read, by key."""
    rows = await query(
        "SELECT m.dedupe_key FROM attempt a JOIN message m ON m.id = a.message_id "
        "WHERE a.status = 'read' ORDER BY a.id"
    )
    return [row["dedupe_key"] for row in rows]


async def in_chat(
    clock: VirtualClock, key: str, number: int, kind: str = "webchat", address: str = "77"
) -> None:
    await send(
        clock, WORDS, key=key, channel="messenger", kind=kind, address=address,
        provider_id=str(number),
    )  # fmt: skip


async def test_what_stood_on_the_screen_is_read(db: str, clock: VirtualClock) -> None:
    attention = Attention(clock)
    for number in (3, 9, 12):
        await in_chat(clock, f"m{number}", number)
    await in_chat(clock, "elsewhere", 5, address="78")
    attention.seen("webchat", "77", 9, clock.now())
    attention.seen("webchat", "77", 4, clock.now())
    assert await attention.flush() == 2
    assert await read() == ["m3", "m9"]
    assert await attention.flush() == 0
    attention.seen("webchat", "77", 12, clock.now())
    assert await attention.flush() == 1
    assert await read() == ["m3", "m9", "m12"]


async def test_a_try_that_is_still_being_recorded_is_looked_at_again(
    db: str, clock: VirtualClock
) -> None:
    attention = Attention(clock)
    attempt_id, _ = await send(
        clock, WORDS, channel="messenger", kind="webchat", address="77", finished=False
    )
    attention.seen("webchat", "77", 5, clock.now())
    assert await attention.flush() == 0
    [row] = await query("SELECT id FROM message")
    await finish(clock, row["id"], attempt_id, "5")
    assert await attention.flush() == 1
    assert await read() == ["m"]


async def test_who_speaks_has_read_the_last_message(db: str, clock: VirtualClock) -> None:
    attention = Attention(clock)
    anna = await customer_with(("telegram", "5001"))
    for key in ("first", "second"):
        await send(clock, WORDS, key=key, channel="messenger", customer_id=anna, provider_id="1")
    clock.advance(timedelta(hours=1))
    spoke_at = clock.now()
    clock.advance(timedelta(seconds=5))
    await send(clock, WORDS, key="after", channel="messenger", customer_id=anna, provider_id="2")
    attention.spoke("telegram", "5001", spoke_at)
    attention.spoke("telegram", "5002", spoke_at)
    assert await attention.flush() == 1
    assert await read() == ["second"]
    [habit] = await query("SELECT sent, seen FROM habit WHERE customer_id = $1", None, anna)
    assert tuple(habit) == (3, 1)
    attention.spoke("telegram", "5001", spoke_at)
    assert await attention.flush() == 0, "once"


async def test_marks_survive_a_database_that_fails(db: str, clock: VirtualClock) -> None:
    attention = Attention(clock)
    await in_chat(clock, "m", 3)
    attention.seen("webchat", "77", 3, clock.now())
    await query("ALTER TABLE attempt RENAME TO hidden")
    try:
        await attention.flush()
    except Exception:
        pass
    else:
        raise AssertionError("it should have failed")
    finally:
        await query("ALTER TABLE hidden RENAME TO attempt")
    assert await attention.flush() == 1


async def test_a_click_tells_after_the_grace(db: str, clock: VirtualClock) -> None:
    attempt_id, _ = await send(clock, Body("https://s.example/a"), channel="sms")
    clock.advance(timedelta(minutes=1))
    agent = "Mozilla/5.0 (iPhone) Safari/604.1"
    await tracking.take_hit(
        attempt_id, Request(kind=Kind.CLICK, at=to_micros(clock.now()), user_agent=agent)
    )
    attention = Attention(clock)
    attention.hit()
    assert await attention.flush() == 0
    assert await read() == []
    clock.advance(timedelta(seconds=3))
    assert await attention.flush() == 1
    assert await read() == ["m"]


async def test_a_process_that_starts_looks_back(db: str, clock: VirtualClock) -> None:
    attempt_id, _ = await send(clock, Body("https://s.example/a"), channel="sms")
    clock.advance(timedelta(minutes=1))
    agent = "Mozilla/5.0 (iPhone) Safari/604.1"
    await tracking.take_hit(
        attempt_id, Request(kind=Kind.CLICK, at=to_micros(clock.now()), user_agent=agent)
    )
    clock.advance(timedelta(minutes=5))
    attention, stop = Attention(clock), asyncio.Event()
    running = asyncio.create_task(attention.run(stop))
    stop.set()
    await running
    assert await read() == ["m"]
