"""Two writers who meet: the slower one looks again and finds what the faster one wrote."""

import asyncio
import random
import sqlite3
from collections.abc import Awaitable, Callable
from typing import TypeVar

import asyncpg

from loyalty.refusals import Refusal

T = TypeVar("T")

TRIES = 16
PAUSE_MAX_S = 0.01
"""Between tries, by chance, so that two do not meet again in step."""
_SQLITE_UNIQUE = (sqlite3.SQLITE_CONSTRAINT_UNIQUE, sqlite3.SQLITE_CONSTRAINT_PRIMARYKEY)


class DeclinedError(Exception):
    """Leaves a transaction with a refusal and rolls it back; `until_settled` returns that."""

    def __init__(self, refusal: Refusal) -> None:
        super().__init__(refusal.code)
        self.refusal = refusal


class OvertakenError(Exception):
    """What was read no longer holds: look again. `refusal` is the answer when that goes on."""

    def __init__(self, refusal: Refusal | None = None) -> None:
        super().__init__("somebody else was quicker")
        self.refusal = refusal


def is_conflict(error: Exception) -> bool:
    """Whether `error` only says that somebody else was quicker."""
    if isinstance(error, sqlite3.IntegrityError):
        return error.sqlite_errorcode in _SQLITE_UNIQUE
    return isinstance(error, asyncpg.UniqueViolationError | asyncpg.DeadlockDetectedError)


def is_passing(error: Exception) -> bool:
    """Whether it is the machinery that fails just now, and the same may go well in a moment."""
    return is_conflict(error) or isinstance(
        error,
        OSError
        | asyncpg.InterfaceError
        | asyncpg.PostgresConnectionError
        | asyncpg.OperatorInterventionError
        | asyncpg.InsufficientResourcesError
        | asyncpg.TransactionRollbackError
        | sqlite3.OperationalError,
    )


async def until_settled(attempt: Callable[[], Awaitable[T]]) -> T | Refusal:
    """Run `attempt`, which opens its own transaction and looks before it writes, until it meets
    nobody. Meeting somebody every time is a bug, and raised, unless there is a refusal."""
    for tries_left in reversed(range(TRIES)):
        try:
            return await attempt()
        except DeclinedError as declined:
            return declined.refusal
        except OvertakenError as overtaken:
            if tries_left == 0:
                if overtaken.refusal is not None:
                    return overtaken.refusal
                raise
        except (sqlite3.IntegrityError, asyncpg.PostgresError) as error:
            if tries_left == 0 or not is_conflict(error):
                raise
        await asyncio.sleep(PAUSE_MAX_S * random.random())
    raise AssertionError("the last try returns or raises")
