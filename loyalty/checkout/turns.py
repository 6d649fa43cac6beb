"""One at a time for one customer, within this process; the database sees to the rest.

Whoever meets another at the same account has to judge again. Waiting here, before the transaction
begins and any row is locked, spares that to all who come from one process.
"""

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import AbstractAsyncContextManager
from typing import Any, Protocol, TypeVar, cast
from weakref import WeakValueDictionary

from loyalty.conflicts import until_settled
from loyalty.database import one_writer
from loyalty.refusals import Refusal
from loyalty.turnover import Turnover


class Seen(Protocol):
    """What a look has found of a customer, among it her turnover as it was then."""

    @property
    def turnover(self) -> Turnover: ...


S = TypeVar("S", bound=Seen)
A = TypeVar("A")


class Turn(asyncio.Lock):
    """Also tells who waited for it that what she saw of the customer before is out of date.

    `version` is that of the turnover as it was last written here, while anybody waited; 0: unknown.
    """

    version = 0


class Turns:
    def __init__(self) -> None:
        self._locks: WeakValueDictionary[int, Turn] = WeakValueDictionary()

    def of(self, customer_id: int) -> Turn:
        """The customer's lock; it is forgotten when nobody holds it or waits."""
        lock = self._locks.get(customer_id)
        if lock is None:
            lock = self._locks[customer_id] = Turn()
        return lock


async def in_turn(
    turns: Turns,
    kind: type[S],
    look: Callable[[], Awaitable[S | A | Refusal]],
    settle: Callable[[S], Awaitable[A]],
    *,
    writing: Callable[[], AbstractAsyncContextManager[Any]] = one_writer,
) -> A | Refusal:
    """Look, then wait for the customer's turn, look again if another came first, and settle; all
    of it again when somebody was quicker all the same.

    A look that is no `kind` is the answer. `settle` runs within `writing` and writes her turnover.
    """

    async def attempt() -> A | Refusal:
        seen = await look()
        if isinstance(seen, kind):
            turn = turns.of(seen.turnover.customer_id)
            async with turn, writing():
                if turn.version > seen.turnover.version:
                    seen = await look()
                if isinstance(seen, kind):
                    answer = await settle(seen)
                    turn.version = seen.turnover.version + 1
                    return answer
        return cast("A | Refusal", seen)

    return await until_settled(attempt)
