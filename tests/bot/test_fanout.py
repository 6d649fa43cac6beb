"""Frames reach every open tab, in this process or another; one contract for both ways."""

import asyncio
from collections.abc import AsyncIterator

import pytest
from redis.asyncio import Redis

from bot.webchat.fanout import Fanout, LocalFanout, RedisFanout
from tests.bot.test_storage import REDIS_URL, redis_or_skip


@pytest.fixture(params=["local", "redis"])
async def pair(request: pytest.FixtureRequest) -> AsyncIterator[tuple[Fanout, Fanout]]:
    """The fan-out of two processes; locally both are the same one."""
    if request.param == "local":
        fanout = LocalFanout()
        yield fanout, fanout
        return
    await redis_or_skip()
    clients = [Redis.from_url(REDIS_URL) for _ in range(2)]
    one, other = (RedisFanout(client) for client in clients)
    yield one, other
    await one.close()
    await other.close()
    for client in clients:
        await client.aclose()


async def until(condition: object) -> None:
    for _ in range(100):
        if condition():  # type: ignore[operator]
            return
        await asyncio.sleep(0.02)
    raise AssertionError("it did not happen")


async def test_a_frame_reaches_the_tabs_of_its_thread_only(pair: tuple[Fanout, Fanout]) -> None:
    here, there = pair
    mine: list[str] = []
    second: list[str] = []
    others: list[str] = []
    await here.subscribe(1, mine.append)
    await here.subscribe(1, second.append)
    await here.subscribe(2, others.append)
    await asyncio.sleep(0.1)
    assert await there.publish(1, "a") is True
    assert await there.publish(1, "b") is True
    await until(lambda: len(mine) == 2 and len(second) == 2)
    assert mine == second == ["a", "b"]
    assert others == []


async def test_nobody_there_is_told(pair: tuple[Fanout, Fanout]) -> None:
    here, there = pair
    seen: list[str] = []
    assert await there.publish(1, "a") is False
    await here.subscribe(1, seen.append)
    await asyncio.sleep(0.1)
    await here.unsubscribe(1, seen.append)
    await asyncio.sleep(0.1)
    assert await there.publish(1, "b") is False
    assert seen == []


async def test_without_redis_the_tabs_of_this_process_are_still_served() -> None:
    client = Redis.from_url("redis://127.0.0.1:1/0")
    fanout = RedisFanout(client)
    seen: list[str] = []
    await fanout.subscribe(1, seen.append)
    assert await fanout.publish(1, "a") is True
    assert seen == ["a"]
    await fanout.close()
    await client.aclose()
