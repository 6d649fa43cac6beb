"""Makes what is simulated the same each time: the numbers of rows, chance, and the order of things.

A process has three sources of accidents. Rows are numbered by the system's clock; codes and jitter
are drawn from the system's chance; and SQLite works in a thread of its own, whose answers come when
they come. For the block each has a well-behaved one in its place. Never where anybody is served:
codes that are drawn here can be guessed by whoever knows the seed.
"""

import random
import secrets
import sqlite3
from collections.abc import Callable, Generator, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from pathlib import Path
from types import ModuleType
from typing import Any

import aiosqlite

from loyalty.clock import Clock
from loyalty.ids import numbered_by


@contextmanager
def repeatable(seed: int, clock: Clock) -> Iterator[None]:
    """The same `seed` and clock make the same rows, for the block."""
    dice = random.Random(f"kapsula:{seed}")
    before = random.getstate()
    with ExitStack() as stack:
        stack.callback(random.setstate, before)
        random.seed(f"jitter:{seed}")
        stack.enter_context(numbered_by(lambda: int(clock.now().timestamp() * 1000), 0))
        stack.enter_context(_having(secrets, _drawn_from(dice)))
        stack.enter_context(_having(aiosqlite, {"connect": _connect_here}))
        yield


def _drawn_from(dice: random.Random) -> Mapping[str, Callable[..., Any]]:
    """What `secrets` offers, from these dice."""
    return {
        "randbelow": dice.randrange,
        "randbits": dice.getrandbits,
        "choice": dice.choice,
        "token_bytes": lambda count=32: dice.randbytes(count),
        "token_hex": lambda count=32: dice.randbytes(count).hex(),
        "token_urlsafe": lambda count=32: dice.randbytes(count).hex(),
    }


@contextmanager
def _having(module: ModuleType, others: Mapping[str, Any]) -> Iterator[None]:
    """Functions of a module replaced for the block."""
    before = {name: getattr(module, name) for name in others}
    vars(module).update(others)
    try:
        yield
    finally:
        vars(module).update(before)


class _Here(aiosqlite.Connection):
    """A connection without a thread: it answers at once, where it is asked."""

    async def _execute(self, fn: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
        return fn(*args, **kwargs)

    def __await__(self) -> Generator[Any, None, aiosqlite.Connection]:
        self._connection = self._connector()
        return self
        yield  # makes it a generator, which an awaitable gives

    def stop(self) -> None:
        """There is no thread to stop."""

    async def close(self) -> None:
        if self._connection is not None:
            self._connection.close()
            self._connection = None


def _connect_here(database: str | Path, **options: Any) -> aiosqlite.Connection:
    return _Here(lambda: sqlite3.connect(str(database), **options), 64)
