"""How often someone may ask: token buckets in memory, of bounded number.

Counted per process: with several web processes a limit is, at worst, that many times wider. What
must hold exactly (points, codes, wrong-code attempts) is counted in the database, not here.
"""

import math
from collections import OrderedDict
from dataclasses import dataclass
from datetime import datetime

BUCKETS_MAX = 20_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Rate:
    """`burst` requests at once, then `per_minute` of them a minute."""

    burst: int
    per_minute: float


class Meter:
    """Counts by name. A full house forgets the names that have been silent longest."""

    def __init__(self, rate: Rate, *, buckets_max: int = BUCKETS_MAX) -> None:
        self._rate = rate
        self._buckets_max = buckets_max
        self._buckets: OrderedDict[str, tuple[float, float]] = OrderedDict()  # name: tokens, as of

    def take(self, name: str, now: datetime) -> int:
        """Take one token. Returns 0, or the whole seconds to wait when there is none."""
        tokens, instant = self._tokens(name, now), now.timestamp()
        allowed = tokens >= 1
        self._keep(name, tokens - 1 if allowed else tokens, instant)
        if allowed:
            return 0
        return max(1, math.ceil((1 - tokens) * 60 / self._rate.per_minute))

    def give_back(self, name: str, now: datetime) -> None:
        """Undo one `take`: it turned out not to count."""
        self._keep(name, min(self._rate.burst, self._tokens(name, now) + 1), now.timestamp())

    def _tokens(self, name: str, now: datetime) -> float:
        found = self._buckets.get(name)
        if found is None:
            return float(self._rate.burst)
        tokens, as_of = found
        elapsed_s = max(0.0, now.timestamp() - as_of)  # a clock set back earns nothing
        return min(self._rate.burst, tokens + elapsed_s * self._rate.per_minute / 60)

    def _keep(self, name: str, tokens: float, instant: float) -> None:
        self._buckets[name] = (tokens, instant)
        self._buckets.move_to_end(name)
        if len(self._buckets) > self._buckets_max:
            self._buckets.popitem(last=False)
