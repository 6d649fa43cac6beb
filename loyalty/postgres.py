"""Single statements on Postgres, each a transaction of its own, on a connection that is kept.

To take a connection from asyncpg's pool and to give it back costs more than half the processor time
of a short statement. So the last one is kept for the next statement; those who come meanwhile take
from the pool as ever.
"""

import time
from collections.abc import Sequence
from typing import Any

import asyncpg

KEPT_S = 60.0
"""A connection that nobody has used for longer may have died unnoticed: another is taken."""
POOL_AT_LEAST = 4
"""From how many connections a pool can spare one."""

_kept: dict[asyncpg.Pool, tuple[asyncpg.Connection, float]] = {}


async def fetch(pool: asyncpg.Pool, text: str, arguments: Sequence[Any]) -> Sequence[Any]:
    """The rows of one statement, in a transaction of its own."""
    raw = _take(pool) or await pool.acquire()
    try:
        rows: Sequence[Any] = await raw.fetch(text, *arguments)
    except BaseException:
        await pool.release(raw)  # which waits until a cancelled statement is over
        raise
    if pool in _kept or pool.get_max_size() < POOL_AT_LEAST:
        await pool.release(raw)
    else:
        _kept[pool] = (raw, time.monotonic())
    return rows


async def give_back(pool: asyncpg.Pool) -> None:
    """Before the pool is closed, which waits for all its connections."""
    kept = _kept.pop(pool, None)
    if kept is not None:
        await pool.release(kept[0])


def _take(pool: asyncpg.Pool) -> asyncpg.Connection | None:
    kept = _kept.pop(pool, None)
    if kept is None:
        return None
    raw, since = kept
    try:
        if raw.is_closed():
            return None
        if time.monotonic() - since > KEPT_S:
            raw.terminate()
            return None
    except asyncpg.InterfaceError:  # it broke while it was idle, and the pool has noticed
        return None
    return raw
