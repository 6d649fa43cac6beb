"""How a frame reaches every open tab of a visitor, whichever process holds its socket.

In one process it is a dictionary. Between several it is Redis: one channel per thread, to which
each process subscribes while it holds a socket of that thread, so that the number of receivers
tells whether the visitor is there. Nothing lives here only: a frame that nobody receives is in
the transcript.
"""

import asyncio
import contextlib
from collections import defaultdict
from collections.abc import Awaitable, Callable
from typing import Protocol

import structlog
from redis.asyncio import Redis
from redis.exceptions import RedisError

Receiver = Callable[[str], None]
"""Takes one frame (JSON text) and never waits."""

IDLE_S, RETRY_S = 0.05, 1.0

log = structlog.get_logger(__name__)


class Fanout(Protocol):
    async def publish(self, thread_id: int, frame: str) -> bool:
        """Send a frame to the thread's open tabs; True when anybody was there."""
        ...

    async def subscribe(self, thread_id: int, receiver: Receiver) -> None: ...

    async def unsubscribe(self, thread_id: int, receiver: Receiver) -> None: ...

    async def close(self) -> None: ...


class LocalFanout:
    """For one process."""

    def __init__(self) -> None:
        self._receivers: defaultdict[int, list[Receiver]] = defaultdict(list)

    async def publish(self, thread_id: int, frame: str) -> bool:
        return self.deliver(thread_id, frame)

    def deliver(self, thread_id: int, frame: str) -> bool:
        receivers = list(self._receivers.get(thread_id, ()))
        for receiver in receivers:
            receiver(frame)
        return bool(receivers)

    async def subscribe(self, thread_id: int, receiver: Receiver) -> None:
        self._receivers[thread_id].append(receiver)

    async def unsubscribe(self, thread_id: int, receiver: Receiver) -> None:
        with contextlib.suppress(KeyError, ValueError):
            self._receivers[thread_id].remove(receiver)
            if not self._receivers[thread_id]:
                del self._receivers[thread_id]

    def holds(self, thread_id: int) -> bool:
        return thread_id in self._receivers

    def threads(self) -> list[int]:
        return list(self._receivers)

    async def close(self) -> None:
        self._receivers.clear()


class RedisFanout:
    """For several processes. When Redis is out of reach, tabs of this process are still served."""

    PREFIX = "kapsula:chat:"

    def __init__(self, redis: Redis) -> None:
        self._redis = redis
        self._local = LocalFanout()
        self._pubsub = redis.pubsub(ignore_subscribe_messages=True)
        self._reader: asyncio.Task[None] | None = None
        self._lock = asyncio.Lock()
        self._behind = False

    async def publish(self, thread_id: int, frame: str) -> bool:
        try:
            return int(await self._redis.publish(self._channel(thread_id), frame)) > 0
        except (RedisError, OSError) as error:
            log.warning("chat_fanout_down", error=str(error))
            return self._local.deliver(thread_id, frame)

    async def subscribe(self, thread_id: int, receiver: Receiver) -> None:
        async with self._lock:
            first = not self._local.holds(thread_id)
            await self._local.subscribe(thread_id, receiver)
            if self._reader is None:
                self._reader = asyncio.create_task(self._read())
            if first:
                await self._ask(self._pubsub.subscribe(self._channel(thread_id)))

    async def unsubscribe(self, thread_id: int, receiver: Receiver) -> None:
        async with self._lock:
            await self._local.unsubscribe(thread_id, receiver)
            if not self._local.holds(thread_id):
                await self._ask(self._pubsub.unsubscribe(self._channel(thread_id)))

    async def close(self) -> None:
        if self._reader is not None:
            self._reader.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._reader
        await self._pubsub.aclose()  # type: ignore[no-untyped-call]

    def _channel(self, thread_id: int) -> str:
        return f"{self.PREFIX}{thread_id}"

    async def _ask(self, request: Awaitable[None]) -> None:
        """Without Redis the reader asks again later, for all that are held by then."""
        try:
            await request
        except (RedisError, OSError) as error:
            self._behind = True
            log.warning("chat_fanout_down", error=str(error))

    async def _read(self) -> None:
        """Hand frames on for ever."""
        while True:
            if self._behind:
                await asyncio.sleep(RETRY_S)
                await self._catch_up()
            elif not self._pubsub.subscribed:
                await asyncio.sleep(IDLE_S)
            else:
                await self._take_one()

    async def _catch_up(self) -> None:
        async with self._lock:
            self._behind = False
            if channels := [self._channel(thread_id) for thread_id in self._local.threads()]:
                await self._ask(self._pubsub.subscribe(*channels))

    async def _take_one(self) -> None:
        try:
            message = await self._pubsub.get_message(timeout=None)
        except (RedisError, OSError) as error:
            self._behind = True
            log.warning("chat_fanout_down", error=str(error))
            return
        if message is not None:
            self._hand_on(message)

    def _hand_on(self, message: dict[str, bytes | str]) -> None:
        channel, frame = (
            part.decode() if isinstance(part, bytes) else part
            for part in (message["channel"], message["data"])
        )
        self._local.deliver(int(channel.removeprefix(self.PREFIX)), frame)
