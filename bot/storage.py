"""Where each dialogue stands, kept so that a restart does not lose it.

With Redis aiogram's own storage and locks serve any number of processes. Without it the state is a
row in the database and the locks are this process's.
"""

import asyncio
import json
from collections import OrderedDict
from collections.abc import AsyncGenerator, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from typing import Any

from aiogram.fsm.state import State
from aiogram.fsm.storage.base import (
    BaseEventIsolation,
    BaseStorage,
    DefaultKeyBuilder,
    KeyBuilder,
    StateType,
    StorageKey,
)
from aiogram.fsm.storage.redis import RedisEventIsolation, RedisStorage
from redis.asyncio import Redis

from loyalty.clock import Clock
from loyalty.database import query
from loyalty.instants import to_micros

KNOWN_MAX = 10_000
LOCK_S = 60
"""After so long a lock in Redis is taken to belong to a process that died."""


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
    storage = RedisStorage(Redis.from_url(redis_url), key_builder=keys)
    isolation = RedisEventIsolation(
        storage.redis, key_builder=keys, lock_kwargs={"timeout": LOCK_S, "sleep": 0.02}
    )
    return DialogueMemory(storage, isolation)


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
