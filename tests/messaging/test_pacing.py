"""No window of a provider's period ever holds more than its limit, and hardly less."""

import asyncio
import itertools
import random
from bisect import bisect_left
from collections.abc import AsyncIterator, Sequence

import pytest
from redis.asyncio import Redis

from messaging.channels.base import Limit
from messaging.pacing import (
    HEADROOM,
    UNREACHABLE_S,
    LocalPacer,
    RedisPacer,
    claims_of,
    departures_of,
    spacing_s,
)
from tests.availability import REDIS_URL, redis_absence, require

THIRTY = Limit(name="all", amount=30)
EACH = Limit(name="each", amount=1, each_address=True)


class Seconds:
    """A clock that is turned by hand."""

    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


async def grants(
    pacer: LocalPacer, clock: Seconds, addresses: Sequence[str], units: int
) -> list[tuple[float, str]]:
    """What a greedy sender gets within ten seconds."""
    chance = random.Random(7)
    end = clock.now + 10
    granted: list[tuple[float, str]] = []
    while clock.now < end:
        address = chance.choice(addresses)
        wait = await pacer.take(claims_of((THIRTY, EACH), "telegram", address, units))
        if wait == 0:
            granted.append((clock.now, address))
        clock.now += min(wait, 0.003) if wait else 0.0001
    return granted


@pytest.mark.parametrize(("units", "least"), [(1, 280), (3, 93), (7, 40)])
async def test_units_are_spread_evenly(units: int, least: int) -> None:
    clock = Seconds()
    granted = await grants(LocalPacer(clock), clock, [str(n) for n in range(500)], units)
    times = [at for at, _ in granted]
    for at in times:
        assert sum(at <= other < at + 1 for other in times) * units < 30 + units
    assert len(times) >= least
    for address in {address for _, address in granted}:
        own = [at for at, to in granted if to == address]
        assert all(later - earlier >= 1 for earlier, later in itertools.pairwise(own))


async def test_what_is_not_granted_takes_nothing() -> None:
    clock = Seconds()
    pacer = LocalPacer(clock)
    assert await pacer.take(claims_of((EACH,), "telegram", "anna", 1)) == 0
    assert await pacer.take(claims_of((THIRTY, EACH), "telegram", "anna", 1)) == pytest.approx(
        1 / HEADROOM
    )
    assert await pacer.take(claims_of((THIRTY,), "telegram", "", 1)) == 0, (
        "the refused one cost nothing"
    )


async def test_who_has_patience_takes_a_turn_to_come() -> None:
    clock = Seconds()
    pacer = LocalPacer(clock)
    ask = claims_of((THIRTY,), "telegram", "", 1)
    spacing = 1 / (30 * HEADROOM)
    turns = [await pacer.take(ask, 0.1) for _ in range(5)]
    assert turns == pytest.approx([n * spacing for n in range(3)] + [3 * spacing] * 2)
    assert await pacer.take(ask, -1.0) == pytest.approx(3 * spacing)


async def test_who_does_not_ask_is_counted_all_the_same() -> None:
    clock = Seconds()
    pacer = LocalPacer(clock)
    ask = claims_of((THIRTY, EACH), "telegram", "anna", 1)
    for _ in range(30):
        await pacer.debit(ask)
    wait = await pacer.take(claims_of((THIRTY,), "telegram", "bella", 1))
    assert wait == pytest.approx(1 / HEADROOM), "mailings yield to replies"


async def test_a_limit_may_be_of_one_provider_alone() -> None:
    theirs = Limit(name="theirs", amount=1, address_kind="telegram")
    assert claims_of((theirs, THIRTY), "webchat", "5", 2) == [(THIRTY, "", 2)]


async def test_the_providers_wish_holds_everybody() -> None:
    clock = Seconds()
    pacer = LocalPacer(clock)
    await pacer.hold(THIRTY, 7.0)
    assert await pacer.take(claims_of((THIRTY,), "telegram", "", 1)) == pytest.approx(7)
    clock.now += 7.01
    assert await pacer.take(claims_of((THIRTY,), "telegram", "", 1)) == 0


async def test_a_shorter_wish_does_not_end_a_longer_one() -> None:
    clock = Seconds()
    pacer = LocalPacer(clock)
    await pacer.hold(THIRTY, 7.0)
    await pacer.hold(THIRTY, 1.0)
    assert await pacer.take(claims_of((THIRTY,), "telegram", "", 1)) == pytest.approx(7)


@pytest.fixture
async def redis() -> AsyncIterator[Redis]:
    require(redis_absence())
    client = Redis.from_url(REDIS_URL)
    await client.delete("kapsula:pace:shared:")
    yield client
    await client.delete("kapsula:pace:shared:")
    await client.aclose()


async def test_workers_share_a_limit_through_redis(redis: Redis) -> None:
    limit = Limit(name="shared", amount=50)
    loop = asyncio.get_running_loop()
    times: list[float] = []

    async def worker() -> None:
        pacer = RedisPacer(redis)
        end = loop.time() + 1.0
        while loop.time() < end:
            wait = await pacer.take(claims_of((limit,), "telegram", "", 1))
            if wait == 0:
                times.append(loop.time())
            await asyncio.sleep(min(wait, 0.01))

    await asyncio.gather(*(worker() for _ in range(4)))
    assert 0 < len(times) <= 51
    pacer, ask = RedisPacer(redis), claims_of((limit,), "telegram", "", 1)
    await asyncio.sleep(0.1)
    await pacer.debit(ask)
    assert 0 < await pacer.take(ask, 0.5) < await pacer.take(ask, 0.5)
    assert await pacer.take(ask, 0.0) > 0
    await RedisPacer(redis).hold(limit, 5.0)
    assert await RedisPacer(redis).take(claims_of((limit,), "telegram", "", 1)) > 4


async def test_a_limiter_out_of_reach_lets_nothing_through() -> None:
    nobody = Redis.from_url("redis://127.0.0.1:1", socket_connect_timeout=0.2)
    pacer = RedisPacer(nobody)
    assert await pacer.take(claims_of((THIRTY,), "telegram", "", 1)) == UNREACHABLE_S
    await pacer.hold(THIRTY, 1.0)
    await pacer.debit(claims_of((THIRTY,), "telegram", "", 1))
    await nobody.aclose()


async def test_who_is_late_is_not_followed_at_once_and_costs_those_behind_her_nothing() -> None:
    clock = Seconds()
    pacer = LocalPacer(clock)
    chance = random.Random(3)
    left: list[float] = []
    for n in range(600):  # each has a turn, to which a busy machine comes late
        turn = clock.now + await pacer.take(claims_of((THIRTY,), "telegram", str(n), 1), 10.0)
        clock.now = max(clock.now, turn) + chance.choice([0, 0, 0.001, 0.004, 0.09])
        while wait := await pacer.take(departures_of((THIRTY, EACH), "telegram", 1)):
            clock.now += wait
        left.append(clock.now)
    assert max(bisect_left(left, at + 1) - n for n, at in enumerate(left)) <= 30


async def test_departures_are_nobodys_turns() -> None:
    [(limit, address, units)] = departures_of((THIRTY, EACH), "telegram", 2)
    assert (limit.name, address, units) == ("all:left", "", 2)
    assert spacing_s(limit, 1) == spacing_s(THIRTY, 1)
