"""The connection that is kept between single statements, and what may happen to it meanwhile."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from typing import Any

import asyncpg
import pytest

from app.database import database
from loyalty import postgres as kept
from loyalty.database import connection, query
from tests.backends import Backend


@pytest.fixture
def url(postgres: Backend) -> Iterator[str]:
    made = postgres.create()
    yield made
    postgres.drop(made)


@pytest.fixture
async def pool(url: str) -> AsyncIterator[Any]:
    async with database(url, migrate=False):
        yield connection()._pool  # type: ignore[attr-defined]


async def backend() -> int:
    [[pid]] = await query("SELECT pg_backend_pid()")
    return int(pid)


async def test_statements_in_a_row_run_on_one_connection_and_a_crowd_on_several(
    pool: asyncpg.Pool,
) -> None:
    assert await backend() == await backend()
    await asyncio.gather(*(query("SELECT pg_sleep(0.01)") for _ in range(30)))
    assert pool.get_size() > 1
    assert pool.get_size() - pool.get_idle_size() == 1
    await kept.give_back(pool)
    assert pool.get_size() == pool.get_idle_size()


async def test_a_connection_that_broke_while_idle_is_replaced(pool: asyncpg.Pool, url: str) -> None:
    broken = await backend()
    [raw, _] = kept._kept[pool]
    ended = asyncio.Event()
    raw.add_termination_listener(lambda _: ended.set())
    other = await asyncpg.connect(url)
    await other.execute("SELECT pg_terminate_backend($1)", broken)
    await other.close()
    await asyncio.wait_for(ended.wait(), 30)
    assert await backend() != broken


async def test_a_cancelled_or_failed_statement_does_not_spoil_the_next(pool: asyncpg.Pool) -> None:
    for _ in range(5):
        task = asyncio.create_task(query("SELECT pg_sleep(60)"))
        await asyncio.sleep(0.01)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        with pytest.raises(asyncpg.DivisionByZeroError):
            await query("SELECT 1 / 0")
        assert await backend()
    await kept.give_back(pool)
    assert pool.get_size() == pool.get_idle_size()


async def test_a_connection_that_was_idle_for_long_is_not_trusted(
    pool: asyncpg.Pool, monkeypatch: pytest.MonkeyPatch
) -> None:
    old = await backend()
    monkeypatch.setattr(kept, "KEPT_S", -1.0)
    assert await backend() != old
