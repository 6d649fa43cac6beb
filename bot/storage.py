"""Where each dialogue stands, kept so that a restart does not lose it.

With Redis any number of processes share states and locks. Without it the state is a row in the
database and the locks are this process's.
"""

import asyncio
import json
import secrets
from collections import OrderedDict
from collections.abc import AsyncGenerator, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from typing import Any

import structlog
from aiogram.fsm.state import State
from aiogram.fsm.storage.base import (
    BaseEventIsolation,
    BaseStorage,
    DefaultKeyBuilder,
    KeyBuilder,
    StateType,
    StorageKey,
)
from aiogram.fsm.storage.redis import RedisStorage
from redis.asyncio import Redis
from redis.exceptions import RedisError

from loyalty.clock import Clock
from loyalty.database import query
from loyalty.instants import to_micros

KNOWN_MAX = 10_000
LOCK_S = 60
"""After so long a lock in Redis is taken to belong to a process that died."""
KNOCK_AGAIN_S = 0.02

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class DialogueMemory:
    """What the dispatcher needs to remember dialogues."""

    storage: BaseStorage
    isolation: BaseEventIsolation


def dialogue_memory(clock: Clock, redis_url: str | None = None) -> DialogueMemory:
    """In Redis when its address is given, else in the database.

    Keys carry the bot's id: Telegram and the web chat are two bots.
    """
    keys = DefaultKeyBuilder(prefix="kapsula:fsm", with_bot_id=True)
    if redis_url is None:
        return DialogueMemory(DatabaseStorage(clock, keys), LocalIsolation())
    storage = SharedStorage(Redis.from_url(redis_url), keys)
    return DialogueMemory(storage, SharedIsolation(storage))


@dataclass(slots=True)
class _Place:
    """Where one dialogue stands: what its row holds."""

    state: str | None = None
    data: str = "{}"


class DatabaseStorage(BaseStorage):
    """State and data of a dialogue as one row; a dialogue without either has none.

    For one process (several need Redis anyway, for the locks), so the rows used last are also kept
    here: most updates come from dialogues that stand nowhere, and need not ask for that.
    """

    def __init__(self, clock: Clock, keys: KeyBuilder) -> None:
        self._clock = clock
        self._keys = keys
        self._known: OrderedDict[str, _Place] = OrderedDict()
        self._writing = asyncio.Lock()

    async def set_state(self, key: StorageKey, state: StateType = None) -> None:
        name = state.state if isinstance(state, State) else state
        await self._write(self._keys.build(key), lambda place: replace(place, state=name))

    async def get_state(self, key: StorageKey) -> str | None:
        return (await self._place(self._keys.build(key))).state

    async def set_data(self, key: StorageKey, data: Mapping[str, Any]) -> None:
        text = json.dumps(dict(data), ensure_ascii=False)
        await self._write(self._keys.build(key), lambda place: replace(place, data=text))

    async def get_data(self, key: StorageKey) -> dict[str, Any]:
        data: dict[str, Any] = json.loads((await self._place(self._keys.build(key))).data)
        return data

    async def _place(self, name: str) -> _Place:
        place = self._known.get(name)
        if place is None:
            rows = await query("SELECT state, data FROM dialogue_state WHERE key = $1", None, name)
            read = _Place(rows[0]["state"], rows[0]["data"]) if rows else _Place()
            place = self._known.setdefault(name, read)
        self._known.move_to_end(name)
        while len(self._known) > KNOWN_MAX:
            self._known.popitem(last=False)
        return place

    async def _write(self, name: str, change: Callable[[_Place], _Place]) -> None:
        async with self._writing:
            now = await self._place(name)
            then = change(now)
            if then == now:
                return
            self._known.pop(name, None)  # whatever becomes of the write, the row is asked again
            await self._store(name, then)
            self._known[name] = then

    async def _store(self, name: str, place: _Place) -> None:
        if place == _Place():
            await query("DELETE FROM dialogue_state WHERE key = $1 RETURNING 1", None, name)
            return
        await query(
            "INSERT INTO dialogue_state (key, state, data, updated_at) VALUES ($1, $2, $3, $4) "
            "ON CONFLICT (key) DO UPDATE SET state = excluded.state, data = excluded.data, "
            "updated_at = excluded.updated_at RETURNING 1",
            None,
            name,
            place.state,
            place.data,
            to_micros(self._clock.now()),
        )

    async def close(self) -> None:
        """Nothing to close: the database belongs to who opened it."""


@dataclass(slots=True)
class _Waiters:
    lock: asyncio.Lock = field(default_factory=asyncio.Lock)
    count: int = 0


class LocalIsolation(BaseEventIsolation):
    """One update of a dialogue at a time, in this process. Unused locks are dropped."""

    def __init__(self) -> None:
        self._waiters: dict[StorageKey, _Waiters] = {}

    @asynccontextmanager
    async def lock(self, key: StorageKey) -> AsyncGenerator[None, None]:
        waiters = self._waiters.setdefault(key, _Waiters())
        waiters.count += 1
        try:
            async with waiters.lock:
                yield
        finally:
            waiters.count -= 1
            if not waiters.count:
                self._waiters.pop(key, None)

    async def close(self) -> None:
        self._waiters.clear()


class SharedStorage(RedisStorage):
    """aiogram's storage in Redis. The state of a dialogue that this process is within is known:
    whoever wants to change it has to enter first."""

    def __init__(self, redis: Redis, keys: KeyBuilder) -> None:
        super().__init__(redis, key_builder=keys)
        self.within: dict[StorageKey, str | None] = {}

    async def get_state(self, key: StorageKey) -> str | None:
        return self.within[key] if key in self.within else await super().get_state(key)

    async def set_state(self, key: StorageKey, state: StateType = None) -> None:
        name = state.state if isinstance(state, State) else state
        if key not in self.within:
            await super().set_state(key, name)
        elif self.within[key] != name:
            del self.within[key]  # whatever becomes of the write, Redis is asked again
            await super().set_state(key, name)
            self.within[key] = name


_ENTER = """
if redis.call('SET', KEYS[1], ARGV[1], 'NX', 'PX', ARGV[2]) then
  return {1, redis.call('GET', KEYS[2])}
end
return {0, false}
"""
_LEAVE = "if redis.call('GET', KEYS[1]) == ARGV[1] then redis.call('DEL', KEYS[1]) end"


class SharedIsolation(BaseEventIsolation):
    """One update of a dialogue at a time, in all processes.

    Entering takes the lock and reads the state in one round trip, since every update wants both.
    """

    def __init__(self, storage: SharedStorage) -> None:
        self._storage = storage
        self._here = LocalIsolation()
        self._enter = storage.redis.register_script(_ENTER)
        self._leave = storage.redis.register_script(_LEAVE)

    @asynccontextmanager
    async def lock(self, key: StorageKey) -> AsyncGenerator[None, None]:
        name, token = self._storage.key_builder.build(key, "lock"), secrets.token_hex(8)
        async with self._here.lock(key):  # those of this process need not knock again and again
            try:
                self._storage.within[key] = await self._entered(key, name, token)
                yield
            finally:
                self._storage.within.pop(key, None)
                await self._left(name, token)

    async def _entered(self, key: StorageKey, name: str, token: str) -> str | None:
        """Wait for the lock; returns the state."""
        keys = [name, self._storage.key_builder.build(key, "state")]
        while True:
            is_ours, state = await self._enter(keys=keys, args=[token, round(LOCK_S * 1000)])
            if is_ours:
                return state.decode() if isinstance(state, bytes) else state
            await asyncio.sleep(KNOCK_AGAIN_S)

    async def _left(self, name: str, token: str) -> None:
        """The update is done: a lock that cannot be given back now ends by itself."""
        try:
            await self._leave(keys=[name], args=[token])
        except (RedisError, OSError) as error:
            log.warning("dialogue_lock_kept", error=str(error))

    async def close(self) -> None:
        """Nothing to close: the connections are the storage's."""
