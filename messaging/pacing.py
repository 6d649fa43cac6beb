"""Provider limits that all workers share: how many may go out now, and when the next one may.

Evenly spaced grants (GCRA, ATM's leaky bucket, with room for a single unit) hold in any window,
where a count per second would let two bursts meet at its edge. In one process the state is here; in
several it is in Redis. A limiter that cannot be reached lets nothing through.
"""

import time
from collections import OrderedDict
from collections.abc import Callable, Sequence
from functools import lru_cache
from typing import Any, Protocol

import structlog
from msgspec.structs import replace
from redis.asyncio import Redis
from redis.exceptions import RedisError

from messaging.channels.base import Limit

HEADROOM = 0.97
"""Part of a provider's rate that is used: grants are even, arrivals are not quite."""
LATE_S = 0.01
"""Who comes so late for her turn does not put off those after her."""
UNREACHABLE_S = 1.0
"""Seconds to wait when the limiter does not answer."""
ADDRESSES_MAX = 20_000
"""Addresses whose own limit is remembered in this process."""

log = structlog.get_logger(__name__)

Claim = tuple[Limit, str, int]
"""A limit, the address it is for ("" when for all), and how many units are asked for."""


class Pacer(Protocol):
    async def take(self, claims: Sequence[Claim], patience_s: float = 0.0) -> float:
        """Take all of these units, or none: the seconds until their turn.

        Up to `patience_s` they are taken, and the caller waits for her turn; beyond it nothing is,
        and she asks again then. With a negative patience nothing is ever taken.
        """

    async def debit(self, claims: Sequence[Claim]) -> None:
        """Count what goes out without asking, ahead of all that asks. Never raises."""

    async def hold(self, limit: Limit, seconds: float) -> None:
        """Let nothing through for so long: the provider has said so."""


def claims_of(limits: Sequence[Limit], address_kind: str, address: str, units: int) -> list[Claim]:
    """What a send to this address takes of a channel's limits."""
    return [
        (limit, address if limit.each_address else "", units)
        for limit in limits
        if limit.address_kind in ("", address_kind)
    ]


def departures_of(limits: Sequence[Limit], address_kind: str, units: int) -> list[Claim]:
    """What leaving takes of the limits for all, beside the turn that was had.

    A turn is given beforehand, and a busy machine comes late to it: who is in time for the next one
    would follow too closely.
    """
    return [
        (_departures(limit), "", units)
        for limit in limits
        if limit.address_kind in ("", address_kind) and not limit.each_address
    ]


@lru_cache(maxsize=64)
def _departures(limit: Limit) -> Limit:
    return replace(limit, name=f"{limit.name}:left")


def spacing_s(limit: Limit, units: int) -> float:
    """Seconds that so many units keep a limit busy."""
    return units * limit.per_s / (limit.amount * HEADROOM)


class LocalPacer:
    """For one process. `monotonic` tells seconds."""

    def __init__(self, monotonic: Callable[[], float] = time.monotonic) -> None:
        self._now = monotonic
        self._free_at: OrderedDict[tuple[str, str], float] = OrderedDict()

    async def take(self, claims: Sequence[Claim], patience_s: float = 0.0) -> float:
        now = self._now()
        wait = max((self._free_at.get((c[0].name, c[1]), 0.0) - now for c in claims), default=0.0)
        wait = max(wait, 0.0)
        if wait <= patience_s:
            for limit, address, units in claims:
                free_at = self._free_at.get((limit.name, address), 0.0)
                begins = free_at if not wait and now - LATE_S <= free_at else now + wait
                self._set(limit.name, address, begins + spacing_s(limit, units))
        return wait

    async def debit(self, claims: Sequence[Claim]) -> None:
        now = self._now()
        for limit, address, units in claims:
            free_at = max(self._free_at.get((limit.name, address), 0.0), now)
            self._set(limit.name, address, free_at + spacing_s(limit, units))

    async def hold(self, limit: Limit, seconds: float) -> None:
        free_at = self._free_at.get((limit.name, ""), 0.0)
        self._set(limit.name, "", max(free_at, self._now() + seconds))

    def _set(self, name: str, address: str, free_at: float) -> None:
        self._free_at[name, address] = free_at
        self._free_at.move_to_end((name, address))
        while len(self._free_at) > ADDRESSES_MAX:
            self._free_at.popitem(last=False)


# KEYS: one per claim. ARGV: the patience, what may be late, then what each claim keeps its limit
# busy, in milliseconds. Redis's own clock counts, so that workers need not agree about the time.
_TAKE = """
local t = redis.call('TIME')
local now = t[1] * 1000 + t[2] / 1000
local wait = 0
for i, key in ipairs(KEYS) do
  local free = tonumber(redis.call('GET', key) or '0')
  if free - now > wait then wait = free - now end
end
if wait <= tonumber(ARGV[1]) then
  for i, key in ipairs(KEYS) do
    local begins = now + wait
    local last = tonumber(redis.call('GET', key) or '0')
    if wait == 0 and now - tonumber(ARGV[2]) <= last then begins = last end
    local free = begins + tonumber(ARGV[i + 2])
    redis.call('SET', key, string.format('%.3f', free), 'PX', math.ceil(free - now) + 1000)
  end
end
return tostring(wait)
"""
_DEBIT = """
local t = redis.call('TIME')
local now = t[1] * 1000 + t[2] / 1000
for i, key in ipairs(KEYS) do
  local free = tonumber(redis.call('GET', key) or '0')
  if free < now then free = now end
  free = free + tonumber(ARGV[i])
  redis.call('SET', key, string.format('%.3f', free), 'PX', math.ceil(free - now) + 1000)
end
return '0'
"""
_HOLD = """
local t = redis.call('TIME')
local free = t[1] * 1000 + t[2] / 1000 + tonumber(ARGV[1])
if tonumber(redis.call('GET', KEYS[1]) or '0') < free then
  redis.call('SET', KEYS[1], string.format('%.3f', free), 'PX', math.ceil(ARGV[1]) + 1000)
end
return '0'
"""


class RedisPacer:
    """For any number of processes. Raises nothing: a Redis that is away means "not now"."""

    def __init__(self, redis: Redis) -> None:
        self._take: Any = redis.register_script(_TAKE)
        self._debit: Any = redis.register_script(_DEBIT)
        self._hold: Any = redis.register_script(_HOLD)

    async def take(self, claims: Sequence[Claim], patience_s: float = 0.0) -> float:
        if not claims:
            return 0.0
        patience_ms = min(patience_s, UNREACHABLE_S / 2) * 1000
        args = [f"{patience_ms:.3f}", f"{LATE_S * 1000:.3f}", *_busy_ms(claims)]
        try:
            return float(await self._take(keys=_keys(claims), args=args)) / 1000
        except (RedisError, OSError, TimeoutError) as error:
            log.warning("limiter_unreachable", error=str(error))
            return UNREACHABLE_S

    async def debit(self, claims: Sequence[Claim]) -> None:
        if not claims:
            return
        try:
            await self._debit(keys=_keys(claims), args=_busy_ms(claims))
        except (RedisError, OSError, TimeoutError) as error:
            log.warning("limiter_unreachable", error=str(error))

    async def hold(self, limit: Limit, seconds: float) -> None:
        try:
            await self._hold(keys=[_key(limit, "")], args=[f"{seconds * 1000:.3f}"])
        except (RedisError, OSError, TimeoutError) as error:
            log.warning("limiter_unreachable", error=str(error))


def _keys(claims: Sequence[Claim]) -> list[str]:
    return [_key(limit, address) for limit, address, _ in claims]


def _busy_ms(claims: Sequence[Claim]) -> list[str]:
    return [f"{spacing_s(limit, units) * 1000:.3f}" for limit, _, units in claims]


def _key(limit: Limit, address: str) -> str:
    return f"kapsula:pace:{limit.name}:{address}"
