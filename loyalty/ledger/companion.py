"""A caller's own rows, written by the ledger's very statement: all of it, or nothing.

On Postgres this spares the till the round trips of a transaction. On SQLite, where a round trip
costs nothing, a caller writes her rows by herself inside a transaction.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class Companion:
    """`steps` is the inside of a WITH, with placeholders $1 … of its own for `arguments`.

    `demands` are names with conditions over the steps; one that is false undoes everything.
    """

    steps: str
    arguments: Sequence[Any]
    demands: tuple[tuple[str, str], ...] = ()


class DemandError(Exception):
    """A demand of the companion was not met; nothing has been written."""

    def __init__(self, name: str) -> None:
        super().__init__(name)
        self.name = name
