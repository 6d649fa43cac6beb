"""Waking the dispatcher: at once within the process, by NOTIFY between processes on Postgres.

A lost call costs a poll's delay and nothing else: the rows are the truth.
"""

import asyncio
import contextlib
from typing import Any, Protocol

import structlog
from tortoise.backends.asyncpg.client import AsyncpgDBClient

from loyalty.database import connection, query

PG_CHANNEL = "kapsula_outbox"
_PAUSE_S = 0.02  # commits of this long share one NOTIFY, which would otherwise serialise them
_RECONNECT_S = 5.0

log = structlog.get_logger(__name__)


class PgConnection(Protocol):
    async def add_listener(self, channel: str, callback: Any) -> None: ...
    async def remove_listener(self, channel: str, callback: Any) -> None: ...
    async def fetchval(self, statement: str) -> Any: ...


class Wakeups:
    """An event that may be set from this process, and on Postgres from any other."""

    def __init__(self) -> None:
        self._here = asyncio.Event()
        self._elsewhere = asyncio.Event()

    def wake(self) -> None:
        """There is something to do. Call it after the commit; callable from the event loop only."""
        self._here.set()
        self._elsewhere.set()

    def nudge(self) -> None:
        """Wake this process alone."""
        self._here.set()

    async def wait(self, timeout_s: float) -> None:
        """Return when woken, or after `timeout_s`."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(timeout_s):
                await self._here.wait()
        self._here.clear()

    async def serve(self) -> None:
        """Pass calls between processes until cancelled. On SQLite there is nobody else to call."""
        if isinstance(connection(), AsyncpgDBClient):
            await asyncio.gather(self._tell(), self._listen())

    async def tell(self) -> None:
        """Only pass this process's own calls on: for a process that has no dispatcher."""
        if isinstance(connection(), AsyncpgDBClient):
            await self._tell()

    async def _tell(self) -> None:
        while True:
            await self._elsewhere.wait()
            await asyncio.sleep(_PAUSE_S)
            self._elsewhere.clear()
            try:
                await query(f"SELECT pg_notify('{PG_CHANNEL}', '')")
            except Exception as error:
                log.warning("wakeup_not_told", error=str(error))
                await asyncio.sleep(_RECONNECT_S)

    async def _listen(self) -> None:
        client = connection()
        assert isinstance(client, AsyncpgDBClient)
        while True:
            try:
                async with client.acquire_connection() as borrowed:
                    await self._listen_on(borrowed)
            except Exception as error:
                log.warning("wakeup_connection_lost", error=str(error))
            await asyncio.sleep(_RECONNECT_S)

    async def _listen_on(self, raw: PgConnection) -> None:
        await raw.add_listener(PG_CHANNEL, self._heard)
        try:
            while True:  # a dead connection shows itself when it is asked something
                await asyncio.sleep(_RECONNECT_S * 6)
                await raw.fetchval("SELECT 1")
        finally:
            with contextlib.suppress(Exception):
                await raw.remove_listener(PG_CHANNEL, self._heard)

    def _heard(self, *_notification: object) -> None:
        self.nudge()
