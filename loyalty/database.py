"""The way to the database: which dialect it is, a query, and a transaction that leaks nothing.

Opening, migrating and closing it belong to `app.database`.
"""

import asyncio
import json
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from contextvars import ContextVar
from typing import Any, Literal

from tortoise.backends.asyncpg.client import AsyncpgDBClient
from tortoise.backends.asyncpg.client import TransactionWrapper as PostgresTransaction
from tortoise.backends.base.client import BaseDBAsyncClient, TransactionalDBClient
from tortoise.backends.sqlite.client import SqliteClient
from tortoise.backends.sqlite.client import SqliteTransactionWrapper as SqliteTransaction
from tortoise.context import require_context

from loyalty import postgres

Dialect = Literal["postgres", "sqlite"]
CONNECTION = "default"
_AFTER_COMMIT: ContextVar[list[Callable[[], None]]] = ContextVar("after_commit")


def connection() -> BaseDBAsyncClient:
    """The connection of the running transaction, or the pool outside of one."""
    return require_context().connections.get(CONNECTION)


def dialect() -> Dialect:
    name = connection().capabilities.dialect
    return "postgres" if name == "postgres" else "sqlite"


def in_transaction() -> bool:
    return isinstance(connection(), TransactionalDBClient)


async def query(text: str, sqlite: str | None = None, /, *args: Any) -> list[Any]:
    """Run one statement and return its rows (indexable by name).

    Placeholders are `$1 … $n` for Postgres; SQLite takes the same text (as `?1 … ?n`) unless it is
    given its own. SQLite has no arrays: statements that need them come as two texts, and it takes
    an argument that is a list or tuple as JSON (see `loyalty.sql.lists`).
    """
    db = connection()
    if db.capabilities.dialect == "postgres":
        return list(await query_postgres(text, args))
    async with db.acquire_connection() as raw:
        given = [json.dumps(each) if isinstance(each, list | tuple) else each for each in args]
        return list(await raw.execute_fetchall((sqlite or text).replace("$", "?"), given))


async def query_postgres(text: str, arguments: Sequence[Any]) -> Sequence[Any]:
    """As `query`, where it is known that this is Postgres."""
    db = connection()
    if isinstance(db, TransactionalDBClient):
        async with db.acquire_connection() as raw:
            rows: Sequence[Any] = await raw.fetch(text, *arguments)
            return rows
    assert isinstance(db, AsyncpgDBClient)
    return await postgres.fetch(await _pool(db), text, arguments)


async def close_pool() -> None:
    """What `app.database` does first when it closes the database."""
    db = connection()
    if isinstance(db, AsyncpgDBClient) and db._pool is not None:
        await postgres.give_back(db._pool)


@asynccontextmanager
async def transaction() -> AsyncIterator[BaseDBAsyncClient]:
    """One database transaction; inside another one it is part of that one.

    Use this, never Tortoise's `in_transaction`: that one loses its connection when the task is
    cancelled while it enters. Here the connection goes back whatever happens, and a cancelled or
    failed body is rolled back. A cancelled *commit* is an unknown outcome: repeat with that key.
    """
    outer = connection()
    if isinstance(outer, TransactionalDBClient):
        yield outer
        return
    calls: list[Callable[[], None]] = []
    token = _AFTER_COMMIT.set(calls)
    try:
        async with _begin(outer) as inner:
            yield inner
    finally:
        _AFTER_COMMIT.reset(token)
    for call in calls:
        call()


def after_commit(call: Callable[[], None]) -> None:
    """Run `call` once the running transaction is committed; outside of one, at once."""
    if in_transaction():
        _AFTER_COMMIT.get().append(call)
    else:
        call()


def _begin(outer: BaseDBAsyncClient) -> AbstractAsyncContextManager[BaseDBAsyncClient]:
    if isinstance(outer, AsyncpgDBClient):
        return _postgres_transaction(outer)
    if isinstance(outer, SqliteClient):
        return _sqlite_transaction(outer)
    raise TypeError(f"no transactions for {type(outer).__name__}")  # app.database opens no other


@asynccontextmanager
async def one_writer() -> AsyncIterator[None]:
    """On SQLite a transaction, the only writer; on Postgres nothing.

    For code that reads, judges, and then writes all in one statement that checks what it judged.
    """
    if dialect() == "postgres":
        yield
    else:
        async with transaction():
            yield


@asynccontextmanager
async def analysis() -> AsyncIterator[BaseDBAsyncClient]:
    """A transaction for long reads over much of a table, planned for their very arguments.

    Outside of it statements are planned once, for a few rows by index (see `app.database`).
    """
    async with transaction() as db:
        if dialect() == "postgres":
            await query("SET LOCAL plan_cache_mode = auto")
            await query("SET LOCAL enable_seqscan = on")
        yield db


@asynccontextmanager
async def _postgres_transaction(pool_client: AsyncpgDBClient) -> AsyncIterator[BaseDBAsyncClient]:
    pool = await _pool(pool_client)
    async with pool.acquire() as raw:  # asyncpg gives the connection back under cancellation too
        wrapper = PostgresTransaction(pool_client)
        wrapper._connection = raw
        token = require_context().connections.set(CONNECTION, wrapper)
        try:
            async with raw.transaction():
                yield wrapper
        finally:
            require_context().connections.reset(token)


async def _pool(client: AsyncpgDBClient) -> Any:
    """The pool of a Postgres client, opened by whoever asks first."""
    if client._pool is None:
        async with client._pool_init_lock:  # or the first callers would open a pool each
            if client._pool is None:
                await client.create_connection(with_db=True)
    return client._pool


@asynccontextmanager
async def _sqlite_transaction(client: SqliteClient) -> AsyncIterator[BaseDBAsyncClient]:
    async with client._lock:
        if client._connection is None:
            await client.create_connection(with_db=True)
        raw = client._connection
        assert raw is not None
        wrapper = SqliteTransaction(client)
        token = require_context().connections.set(CONNECTION, wrapper)
        try:
            await _finish(raw.execute("BEGIN IMMEDIATE"))
            yield wrapper
            await _finish(raw.commit())
        except BaseException:
            # The one connection is shared: it must be clean before the lock is let go.
            await _finish(raw.rollback())
            raise
        finally:
            require_context().connections.reset(token)


async def _finish(step: Any) -> None:
    """Await `step` to its end even if this task is cancelled meanwhile, then pass the cancel on."""
    task = asyncio.ensure_future(step)
    try:
        await asyncio.shield(task)
    except asyncio.CancelledError:
        while not task.done():
            try:
                await asyncio.shield(task)
            except asyncio.CancelledError:
                continue
        raise
