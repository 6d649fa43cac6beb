"""A caller's own rows, written by the ledger's very statement: all of it, or nothing.

On Postgres this spares the till the round trips of a transaction. On SQLite, where a round trip
costs nothing, a caller writes her rows by herself inside a transaction.
"""

import re
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


def joined(first: Companion, *others: Companion) -> Companion:
    """Companions of one statement as one: each keeps its own numbering of arguments."""
    steps, arguments, demands = [first.steps], list(first.arguments), first.demands
    for other in others:
        steps.append(shifted(other.steps, len(arguments)))
        arguments += other.arguments
        demands += other.demands
    return Companion(",\n".join(steps), arguments, demands)


def shifted(steps: str, by: int) -> str:
    """`$1` as `$4`, when three arguments of others come before."""
    return re.sub(r"\$(\d+)", lambda number: f"${int(number[1]) + by}", steps)


class DemandError(Exception):
    """A demand of the companion was not met; nothing has been written."""

    def __init__(self, name: str) -> None:
        super().__init__(name)
        self.name = name
