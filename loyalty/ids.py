"""Row numbers made by the application: 63 bits, rising with time, without a round trip.

41 bits of milliseconds since 2024, 10 bits of the process's own number, 12 bits of a counter. Two
processes that draw the same number may, rarely, make the same id: the primary key then refuses the
statement as a whole and its writer repeats it with new ids.
"""

import secrets
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

EPOCH_MS = 1_704_067_200_000  # 2024-01-01T00:00:00Z
_NODE_BITS, _COUNTER_BITS = 10, 12
_COUNTER_MASK = (1 << _COUNTER_BITS) - 1


def _system_ms() -> int:
    return time.time_ns() // 1_000_000


class IdSource:
    """Unique within a process even when its clock stands still or is set back."""

    def __init__(self, node: int | None = None, now_ms: Callable[[], int] = _system_ms) -> None:
        self._node = secrets.randbelow(1 << _NODE_BITS) if node is None else node
        self._now_ms = now_ms
        self._last = 0

    def next(self) -> int:
        """Return the next id, greater than all before it."""
        tick = (self._now_ms() - EPOCH_MS) << _COUNTER_BITS
        self._last = last = tick if tick > self._last else self._last + 1
        high, low = last >> _COUNTER_BITS, last & _COUNTER_MASK
        return (((high << _NODE_BITS) | self._node) << _COUNTER_BITS) | low

    @contextmanager
    def by(self, now_ms: Callable[[], int], node: int) -> Iterator[None]:
        """Number by another clock and as another process, for the block."""
        before = self._node, self._now_ms, self._last
        self._node, self._now_ms, self._last = node, now_ms, 0
        try:
            yield
        finally:
            self._node, self._now_ms, self._last = before


_source = IdSource()
next_id = _source.next
numbered_by = _source.by
"""A simulation numbers its rows by its own clock, so that the same year has the same numbers."""


def first_id_at(epoch_ms: int) -> int:
    """No id made at or after this time (milliseconds since 1970) is smaller: for sweeping by age."""  # noqa: E501
    return max(epoch_ms - EPOCH_MS, 0) << (_NODE_BITS + _COUNTER_BITS)
