"""A few connections that are used again and again: opened when needed, closed when idle."""

import asyncio
from collections import deque
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


class _Turn:
    """A mail that waits for one of the connections.

    What it is given is a connection on which its envelope has been sent already, or None: any.
    """

    __slots__ = ("given", "mail", "until")

    def __init__(self, mail: Mail, until: float) -> None:
        self.mail = mail
        self.until = until
        self.given: asyncio.Future[Connection | None] = asyncio.get_running_loop().create_future()


class Pool:
    """Connections to one server, the one used last first, so that the others can go.

    Who waits longest for one sends its envelope along with the mail of who has it.
    """

    def __init__(self, server: Server, rules: PoolRules | None = None) -> None:
        self._server = server
        self._rules = rules or PoolRules()
        self._in_use = 0
        self._waiting: deque[_Turn] = deque()
        self._unserved: deque[_Turn] = deque()  # also those whose envelope has been sent
        self._patience: asyncio.TimerHandle | None = None  # of the first of them
        self._idle: list[tuple[Connection, asyncio.TimerHandle]] = []

    async def send(self, mail: Mail) -> Reply:
        """Send on a connection of its own. Raises what `Connection.send` and `connect` raise.

        A connection may have died since it was last used, or the server have had enough of it:
        nothing was handed over then, and the mail goes out on a fresh one.
        """
        ready_by = asyncio.get_running_loop().time() + self._rules.ready_s
        connection = await self._enter(mail, ready_by)
        try:
            connection = connection or self._take_idle()
            while connection is not None:
                try:
                    return await self._send_on(connection, mail, ready_by)
                except LostError:
                    if _left(ready_by) <= _NO_TIME_S:
                        raise
                except RefusedError as refused:
                    if not refused.fatal:
                        raise
                connection = self._take_idle()
            fresh = await connect(self._server, timeout_s=_left(ready_by))
            return await self._send_on(fresh, mail, ready_by)
        finally:
            self._leave()

    async def _enter(self, mail: Mail, ready_by: float) -> Connection | None:
        """Wait for one of the places; whoever has one calls `_leave`."""
        if self._in_use < self._rules.size:
            self._in_use += 1
            return None
        turn = _Turn(mail, ready_by)
        self._waiting.append(turn)
        self._unserved.append(turn)
        self._watch()
        try:
            return await turn.given
        except asyncio.CancelledError:
            given = turn.given
            if given.done() and not given.cancelled() and given.exception() is None:
                if (connection := given.result()) is not None:  # given in this very moment
                    connection.abort()
                self._leave()
            raise

    def _watch(self) -> None:
        """One timer is enough for all who wait: who has come first gives up first."""
        while self._unserved and self._unserved[0].given.done():
            self._unserved.popleft()
        if self._patience is None and self._unserved:
            loop = asyncio.get_running_loop()
            self._patience = loop.call_at(self._unserved[0].until, self._give_up)

    def _give_up(self) -> None:
        self._patience = None
        now = asyncio.get_running_loop().time()
        for turn in self._unserved:
            if turn.until > now:
                break
            if not turn.given.done():
                turn.given.set_exception(BusyError())
        self._watch()

    def _leave(self) -> None:
        self._in_use -= 1
        while self._in_use < self._rules.size and (turn := self._next_turn()) is not None:
            self._waiting.popleft()
            self._in_use += 1
            turn.given.set_result(None)

    def _next_turn(self) -> _Turn | None:
        """The first that still waits; it stays in its place."""
        while self._waiting and self._waiting[0].given.done():
            self._waiting.popleft()
        return self._waiting[0] if self._waiting else None

    async def _send_on(self, connection: Connection, mail: Mail, ready_by: float) -> Reply:
        """Keep the connection for the next mail unless it has become useless."""
        if mail.utf8 and not connection.takes_utf8:
            self._put_back(connection)
            raise Utf8NotTakenError
        follower: _Turn | None = None

        def following() -> Mail | None:
            nonlocal follower
            turn = self._next_turn()
            worn = connection.used >= self._rules.mails_max
            if turn is None or worn or not connection.could_follow(turn.mail):
                return None
            follower = self._waiting.popleft()
            return turn.mail

        try:
            reply = await connection.send(
                mail,
                ready_by=ready_by,
                answer_by=ready_by + self._rules.answer_s,
                following=following,
            )
        except RefusedError as refused:
            self._pass_on(None if refused.fatal else connection, follower)
            if refused.fatal:
                connection.abort()
            raise
        except BaseException:  # lost, or cancelled in the middle: an answer may still come
            self._pass_on(None, follower)
            connection.abort()
            raise
        self._pass_on(connection, follower)
        return reply

    def _pass_on(self, connection: Connection | None, follower: _Turn | None) -> None:
        """To whom the connection knows the envelope of, and a place with it."""
        if follower is None:
            if connection is not None:
                self._put_back(connection)
        elif follower.given.done():  # it has gone meanwhile, and the server waits for its mail
            if connection is not None:
                connection.abort()
        elif connection is None:
            self._waiting.appendleft(follower)
        else:
            self._in_use += 1  # and this mail's own place is free in a moment
            follower.given.set_result(connection)

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
