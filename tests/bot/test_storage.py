"""Where dialogues stand: one contract, in the database and in Redis."""

import asyncio
import os
import secrets
from collections.abc import AsyncIterator
from datetime import UTC, datetime

import pytest
from aiogram.fsm.state import State
from aiogram.fsm.storage.base import StorageKey
from redis.asyncio import Redis
from redis.exceptions import RedisError

from bot.states import Join
from bot.storage import DialogueMemory, LocalIsolation, dialogue_memory
from loyalty.clock import VirtualClock
from messaging.models import DialogueState
from tests.backends import ON_CI

REDIS_URL = os.environ.get("KAPSULA_TEST_REDIS_URL", "redis://127.0.0.1:6379/9")
KEY = StorageKey(bot_id=1, chat_id=10, user_id=10)


async def redis_or_skip() -> None:
    client = Redis.from_url(REDIS_URL)
    try:
        await client.ping()
    except (RedisError, OSError) as error:
        absence = f"no Redis at {REDIS_URL} ({type(error).__name__}); set KAPSULA_TEST_REDIS_URL"
        if ON_CI:
            pytest.fail(absence)
        pytest.skip(absence)
    finally:
        await client.aclose()


@pytest.fixture(params=["database", "redis"])
async def memory(
    request: pytest.FixtureRequest, db: str, clock: VirtualClock
) -> AsyncIterator[DialogueMemory]:
    url = None
    if request.param == "redis":
        await redis_or_skip()
        url = REDIS_URL
    memory = dialogue_memory(clock, url)
    yield memory
    for bot_id in (1, 2):
        key = StorageKey(bot_id=bot_id, chat_id=10, user_id=10)
        await memory.storage.set_state(key, None)
        await memory.storage.set_data(key, {})
    await memory.storage.close()


async def test_a_dialogue_is_remembered_and_forgotten(memory: DialogueMemory) -> None:
    storage = memory.storage
    assert await storage.get_state(KEY) is None
    assert await storage.get_data(KEY) == {}
    await storage.set_state(KEY, Join.code)
    await storage.set_data(KEY, {"phone": "+79001234567", "language": "ru"})
    assert await storage.get_state(KEY) == Join.code.state
    assert await storage.get_data(KEY) == {"phone": "+79001234567", "language": "ru"}
    await storage.update_data(KEY, {"language": "en"})
    assert (await storage.get_data(KEY))["language"] == "en"
    await storage.set_state(KEY, None)
    assert await storage.get_state(KEY) is None
    assert (await storage.get_data(KEY))["language"] == "en"
    await storage.set_data(KEY, {})
    assert await storage.get_data(KEY) == {}


async def test_two_bots_do_not_share_a_dialogue(memory: DialogueMemory) -> None:
    other = StorageKey(bot_id=2, chat_id=10, user_id=10)
    await memory.storage.set_state(KEY, Join.consent)
    assert await memory.storage.get_state(other) is None


async def test_updates_of_one_dialogue_come_one_after_another(memory: DialogueMemory) -> None:
    inside, most = 0, 0

    async def update() -> None:
        nonlocal inside, most
        async with memory.isolation.lock(KEY):
            inside += 1
            most = max(most, inside)
            await asyncio.sleep(0.01)
            inside -= 1

    await asyncio.gather(*(update() for _ in range(5)))
    assert most == 1


async def test_a_finished_dialogue_leaves_no_row(db: str, clock: VirtualClock) -> None:
    storage = dialogue_memory(clock).storage
    await storage.set_data(KEY, {"a": 1})
    await storage.set_state(KEY, Join.consent)
    await storage.set_state(KEY, None)
    await storage.set_data(KEY, {})
    assert await DialogueState.all().count() == 0


async def test_locks_that_nobody_waits_for_are_dropped() -> None:
    isolation = LocalIsolation()
    for number in range(100):
        key = StorageKey(bot_id=1, chat_id=number, user_id=number)
        async with isolation.lock(key):
            pass
    assert isolation._waiters == {}


async def test_the_first_write_of_two_at_once_is_not_lost(db: str) -> None:
    clock = VirtualClock(datetime(2026, 1, 1, tzinfo=UTC))
    storage = dialogue_memory(clock).storage
    key = StorageKey(bot_id=1, chat_id=secrets.randbelow(1 << 40), user_id=1)
    await asyncio.gather(storage.set_state(key, Join.contact), storage.set_data(key, {"a": 1}))
    assert await storage.get_state(key) == Join.contact.state
    assert await storage.get_data(key) == {"a": 1}


@pytest.fixture
async def processes(clock: VirtualClock) -> AsyncIterator[tuple[DialogueMemory, DialogueMemory]]:
    """Two processes on one Redis, and a dialogue that nobody has touched yet."""
    await redis_or_skip()
    made = dialogue_memory(clock, REDIS_URL), dialogue_memory(clock, REDIS_URL)
    yield made
    await made[0].storage.set_state(KEY, None)
    for memory in made:
        await memory.storage.close()


async def test_a_dialogue_waits_for_the_other_process(
    processes: tuple[DialogueMemory, DialogueMemory],
) -> None:
    here, there = processes
    steps = []

    async def answer(memory: DialogueMemory, then: State) -> None:
        async with memory.isolation.lock(KEY):
            found = await memory.storage.get_state(KEY)
            await asyncio.sleep(0.03)
            await memory.storage.set_state(KEY, then)
            steps.append((found, await memory.storage.get_state(KEY)))

    await answer(here, Join.consent)
    await asyncio.gather(answer(there, Join.marketing), answer(here, Join.contact))
    consent, marketing, contact = (
        step.state for step in (Join.consent, Join.marketing, Join.contact)
    )
    assert steps[0] == (None, consent)
    assert steps[1][0] == consent
    assert {steps[1][1], steps[2][1]} == {marketing, contact}
    assert steps[2][0] == steps[1][1]
    assert await here.storage.get_state(KEY) == await there.storage.get_state(KEY) == steps[2][1]


async def test_the_lock_of_a_process_that_died_ends(
    processes: tuple[DialogueMemory, DialogueMemory], monkeypatch: pytest.MonkeyPatch
) -> None:
    here, there = processes
    monkeypatch.setattr("bot.storage.LOCK_S", 0.05)
    async with asyncio.timeout(5), here.isolation.lock(KEY), there.isolation.lock(KEY):
        await there.storage.set_state(KEY, Join.contact)
    assert await here.storage.get_state(KEY) == Join.contact.state


async def test_who_comes_back_late_does_not_take_anothers_lock_away(
    processes: tuple[DialogueMemory, DialogueMemory], monkeypatch: pytest.MonkeyPatch
) -> None:
    here, there = processes
    late, hers = here.isolation.lock(KEY), there.isolation.lock(KEY)
    monkeypatch.setattr("bot.storage.LOCK_S", 0.05)
    await late.__aenter__()
    monkeypatch.setattr("bot.storage.LOCK_S", 60)
    await hers.__aenter__()
    await late.__aexit__(None, None, None)
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.2), here.isolation.lock(KEY):
            pass
    await hers.__aexit__(None, None, None)
    async with asyncio.timeout(5), here.isolation.lock(KEY):
        pass


async def test_a_lock_that_cannot_be_given_back_spoils_no_answer(
    processes: tuple[DialogueMemory, DialogueMemory], monkeypatch: pytest.MonkeyPatch
) -> None:
    here, _ = processes

    async def out_of_reach(**_: object) -> None:
        raise ConnectionError("Redis is gone")

    monkeypatch.setattr("bot.storage.LOCK_S", 0.05)
    with monkeypatch.context() as patch:
        patch.setattr(here.isolation, "_leave", out_of_reach)
        async with here.isolation.lock(KEY):
            pass
    async with asyncio.timeout(5), here.isolation.lock(KEY):
        pass
