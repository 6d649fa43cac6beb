"""Facts for others to react to, written in the transaction of the fact itself."""

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from loyalty.database import after_commit, in_transaction, query
from loyalty.ids import next_id
from loyalty.instants import to_micros
from loyalty.sql.events import TELL

INSERT = "INSERT INTO event (id, kind, customer_id, at, payload) VALUES ($1, $2, $3, $4, $5)"

_listeners: list[Callable[[], None]] = []


@contextmanager
def listening(listener: Callable[[], None]) -> Iterator[None]:
    """Call `listener` after each commit that recorded an event in this process, for the block."""
    _listeners.append(listener)
    try:
        yield
    finally:
        _listeners.remove(listener)


def announce() -> None:
    """Tell the listeners that there are new events; they must be committed."""
    for listener in _listeners:
        listener()


async def record(kind: str, customer_id: int, at: datetime, payload: Mapping[str, Any]) -> None:
    """Write an event. Only inside the transaction that makes it true."""
    if not in_transaction():
        raise RuntimeError("an event belongs in the transaction of its fact")
    await query(INSERT, None, next_id(), kind, customer_id, to_micros(at), encode(payload))
    after_commit(announce)


@dataclass(frozen=True, slots=True)
class Fact:
    """An event to be written; `at` in microseconds."""

    kind: str
    customer_id: int
    at: int
    payload: Mapping[str, Any]


async def record_many(facts: Sequence[Fact]) -> None:
    """As `record`, for many at once."""
    if not facts:
        return
    if not in_transaction():
        raise RuntimeError("an event belongs in the transaction of its fact")
    rows = [(next_id(), f.kind, f.customer_id, f.at, encode(f.payload)) for f in facts]
    await query(*TELL, json.dumps(rows, ensure_ascii=False))
    after_commit(announce)


def encode(payload: Mapping[str, Any]) -> str:
    return json.dumps(payload, ensure_ascii=False, separators=(",", ":"))
