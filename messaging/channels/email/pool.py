"""A few connections that are used again and again: opened when needed, closed when idle."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass

from messaging.channels.email.connection import (
    Connection,
    LostError,
    RefusedError,
    Reply,
    Server,
    connect,
)
from messaging.channels.email.mime import Mail

_NO_TIME_S = 0.01


@dataclass(frozen=True, slots=True, kw_only=True)
class PoolRules:
    """A connection is closed after `idle_s` without work, and after `mails_max` mails.

    Within `ready_s` a connection must be had and the server be willing; then it has `answer_s` to
    take the mail. Together they are less than the dispatcher waits for a channel.
    """

    size: int = 4
    idle_s: float = 30.0
    mails_max: int = 1_000
    ready_s: float = 8.0
    answer_s: float = 9.0


class BusyError(Exception):
    """Every connection was busy all the time that there was."""


class Utf8NotTakenError(Exception):
    """The address has letters that this server does not take."""


class Pool:
    """Connections to one server, the one used last first, so that the others can go."""

    def __init__(self, server: Server, rules: PoolRules | None = None) -> None:
        self._server = server
        self._rules = rules or PoolRules()
        self._room = asyncio.Semaphore(self._rules.size)
        self._idle: list[tuple[Connection, asyncio.TimerHandle]] = []

    async def send(self, mail: Mail) -> Reply:
        """Send on a connection of its own. Raises what `Connection.send` and `connect` raise.

        A connection may have died since it was last used, or the server have had enough of it:
        nothing was handed over then, and the mail goes out on a fresh one.
        """
        ready_by = asyncio.get_running_loop().time() + self._rules.ready_s
        await self._enter(ready_by)
        try:
            while (connection := self._take_idle()) is not None:
                try:
                    return await self._send_on(connection, mail, ready_by)
                except LostError:
                    if _left(ready_by) <= _NO_TIME_S:
                        raise
                except RefusedError as refused:
                    if not refused.fatal:
                        raise
            fresh = await connect(self._server, timeout_s=_left(ready_by))
            return await self._send_on(fresh, mail, ready_by)
        finally:
            self._room.release()

    async def _enter(self, ready_by: float) -> None:
        try:
            async with asyncio.timeout_at(ready_by):
                await self._room.acquire()
        except TimeoutError:
            raise BusyError from None

    async def _send_on(self, connection: Connection, mail: Mail, ready_by: float) -> Reply:
        async with self._kept(connection):
            if mail.utf8 and not connection.takes_utf8:
                raise Utf8NotTakenError
            answer_by = ready_by + self._rules.answer_s
            return await connection.send(mail, ready_by=ready_by, answer_by=answer_by)

    @asynccontextmanager
    async def _kept(self, connection: Connection) -> AsyncIterator[None]:
        """Keep the connection for the next mail unless it has become useless."""
        try:
            yield
        except Utf8NotTakenError:
            self._put_back(connection)
            raise
        except RefusedError as refused:
            if refused.fatal:
                connection.abort()
            else:
                self._put_back(connection)
            raise
        except BaseException:  # lost, or cancelled in the middle: an answer may still come
            connection.abort()
            raise
        self._put_back(connection)

    def _put_back(self, connection: Connection) -> None:
        if not connection.usable or connection.used >= self._rules.mails_max:
            connection.quit()
            return
        loop = asyncio.get_running_loop()
        timer = loop.call_later(self._rules.idle_s, self._expire, connection)
        self._idle.append((connection, timer))

    def _take_idle(self) -> Connection | None:
        while self._idle:
            connection, timer = self._idle.pop()
            timer.cancel()
            if connection.usable:
                return connection
            connection.abort()
        return None

    def _expire(self, connection: Connection) -> None:
        self._idle = [(c, timer) for c, timer in self._idle if c is not connection]
        connection.quit()

    async def close(self) -> None:
        """Part from the server."""
        for connection, timer in self._idle:
            timer.cancel()
            connection.quit()
        self._idle.clear()


def _left(until: float) -> float:
    """Seconds, never none at all: a late connection fails by its timeout, not by a bad argument."""
    return max(until - asyncio.get_running_loop().time(), _NO_TIME_S)
