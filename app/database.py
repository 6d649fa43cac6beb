"""Opens, migrates and closes the database that the settings name."""

import asyncio
import fcntl
import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit

import asyncpg
from tortoise import Tortoise
from tortoise.backends.base.executor import EXECUTOR_CACHE
from tortoise.exceptions import DBConnectionError
from tortoise.migrations.executor import MigrationExecutor, MigrationTarget
from tortoise.migrations.graph import MigrationKey
from tortoise.migrations.schema_generator.state import State

from app.collector import collector_is_lazy
from app.errors import DatabaseBusyError, DatabaseUnreachableError
from loyalty.database import close_pool, connection, query

APPS = ("loyalty", "messaging")
_LATEST = [MigrationTarget(app_label=label, name="__latest__") for label in APPS]


class _PlainConnection(asyncpg.Connection):  # type: ignore[misc]  # asyncpg has no types
    """Kapsula keeps no session state, so a connection is given back without a reset query."""

    def get_reset_query(self) -> str:
        return ""


PLANS_LIVE_S = 60
"""Seconds after which a statement is planned anew: what its tables are like may have changed."""


def tortoise_config(url: str, *, pool_max: int = 10) -> dict[str, Any]:
    """Tortoise's configuration for `sqlite://PATH`, `sqlite://:memory:` or `postgres://…`."""
    return {
        "connections": {"default": _credentials(url, pool_max)},
        "apps": {
            label: {
                "models": [f"{label}.models"],
                "default_connection": "default",
                "migrations": f"{label}.migrations",
            }
            for label in APPS
        },
        "use_tz": True,
        "timezone": "UTC",
    }


def _credentials(url: str, pool_max: int) -> dict[str, Any]:
    if url.startswith("sqlite://"):
        path = url.removeprefix("sqlite://")
        pragmas = {"synchronous": "NORMAL", "busy_timeout": 5000, "cache_size": -65536}
        return {
            "engine": "tortoise.backends.sqlite",
            "credentials": {"file_path": path, "journal_size_limit": 67_108_864, **pragmas},
        }
    parts = urlsplit(url)
    options = {k: v[-1] for k, v in parse_qs(parts.query).items()}
    return {
        "engine": "tortoise.backends.asyncpg",
        "credentials": {
            "host": options.get("host", parts.hostname or "127.0.0.1"),
            "port": parts.port or 5432,
            "user": unquote(parts.username or "postgres"),
            "password": unquote(parts.password) if parts.password else None,
            "database": parts.path.lstrip("/") or "kapsula",
            "schema": options.get("schema"),
            "minsize": 1,
            "maxsize": pool_max,
            "connection_class": _PlainConnection,
            "max_cached_statement_lifetime": PLANS_LIVE_S,
            "server_settings": {
                # Planning our short statements takes longer than running them, so they are planned
                # once for all arguments, by index even while a table is still small: the plan is
                # kept while it grows. Long reads use `loyalty.database.analysis` instead.
                "plan_cache_mode": "force_generic_plan",
                "enable_seqscan": "off",
                "random_page_cost": "1.1",  # what is asked for again and again is in memory
                "jit": "off",
            },
        },
    }


class _ForwardState(State):
    """What the schema is after the operations so far; nobody asks what it was before them."""

    def clone(self) -> State:
        return self


class _Forward(MigrationExecutor):
    """Only forward, and only by operations that look at nothing but the new state (decision 9).

    Tortoise copies all models before each operation for those that need the old ones too: four
    fifths of the time that a new database takes.
    """

    async def _project_state(
        self, applied: set[MigrationKey], *, upto: MigrationKey | None = None
    ) -> State:
        state = await super()._project_state(applied, upto=upto)
        return _ForwardState(models=state.models, apps=state.apps)


@asynccontextmanager
async def database(url: str, *, pool_max: int = 10, migrate: bool = True) -> AsyncIterator[None]:
    """Open the database for the life of the block, brought to the latest schema first.

    Raises DatabaseBusyError when another process already serves the same SQLite file, and
    DatabaseUnreachableError when nothing answers.
    """
    lock = _lock_file(url)
    try:
        config = tortoise_config(url, pool_max=pool_max)
        try:
            EXECUTOR_CACHE.clear()  # Tortoise keeps statements by connection name, not by dialect
            await Tortoise.init(config=config)
            await _knock(url)
            if migrate:
                with collector_is_lazy():
                    await _Forward(connection(), config["apps"]).migrate(_LATEST)
            yield
        finally:  # also after a failed migration: an open SQLite connection would hang the exit
            await asyncio.shield(_close())
    finally:
        if lock is not None:
            os.close(lock)


async def _close() -> None:
    await close_pool()
    await Tortoise.close_connections()


def refuse_if_served(url: str) -> None:
    """Raises DatabaseBusyError when a process serves this SQLite file just now."""
    lock = _lock_file(url)
    if lock is not None:
        os.close(lock)


MIGRATIONS_CONFIG = tortoise_config("sqlite://:memory:")
"""What `make migrations` compares the models by."""


async def pending_migrations() -> list[str]:
    """What the open database lacks to be of the latest schema, by name."""
    executor = MigrationExecutor(connection(), MIGRATIONS_CONFIG["apps"])
    plan = await executor.plan(_LATEST)
    return [f"{step.migration.app_label}.{step.migration.name}" for step in plan]


async def _knock(url: str) -> None:
    """A first question, so that a wrong address is one line at the start."""
    try:
        async with asyncio.timeout(10):
            await query("SELECT 1")
    except (OSError, TimeoutError, DBConnectionError, asyncpg.PostgresError) as error:
        where = urlsplit(url).hostname or url.removeprefix("sqlite://")
        reason = str(error).replace("\n", " ") or type(error).__name__
        raise DatabaseUnreachableError(
            f"the database at {where} is out of reach: {reason}"
        ) from None


def _lock_file(url: str) -> int | None:
    """SQLite serves one process: a second one is told so instead of failing at random later."""
    path = url.removeprefix("sqlite://")
    if not url.startswith("sqlite://") or path == ":memory:":
        return None
    try:
        Path(path).parent.mkdir(parents=True, exist_ok=True)
        handle = os.open(f"{path}.lock", os.O_RDWR | os.O_CREAT, 0o600)
    except OSError as error:
        raise DatabaseUnreachableError(f"{path} cannot be opened: {error.strerror}") from None
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        os.close(handle)
        raise DatabaseBusyError(
            f"{path} is already in use by another Kapsula process. Stop that one first, "
            "or use Postgres to run several."
        ) from None
    return handle
