"""Hands work while there is something to do, rest until they are called, and lose no call."""

import asyncio
import time
from collections.abc import Awaitable, Callable

import pytest
from structlog.testing import capture_logs

from messaging.hands import AT_ONCE, Crew, Hand


def counting(
    answers: list[float | None],
) -> tuple[Callable[[], Awaitable[float | None]], list[int]]:
    """Work that gives these answers, then None for ever; and how often it was done."""
    done: list[int] = []

    async def work() -> float | None:
        done.append(len(done))
        await asyncio.sleep(0)
        return answers.pop(0) if answers else None

    return work, done


async def test_a_hand_goes_on_while_something_moves() -> None:
    work, done = counting([AT_ONCE, AT_ONCE, AT_ONCE])
    await Crew([Hand(work)]).until_idle(lambda: True)
    assert len(done) == 4


async def test_a_hand_comes_back_after_the_time_that_it_has_named() -> None:
    work, done = counting([0.02])
    await Crew([Hand(work)]).until_idle(lambda: len(done) == 2)
    assert len(done) == 2


async def test_a_call_while_it_works_makes_it_look_once_more() -> None:
    found = ["late"]
    looks: list[str] = []

    async def work() -> None:
        looks.append("look")
        if found:
            await asyncio.sleep(0)
            found.clear()
            hand.call()

    hand = Hand(work)
    await Crew([hand]).until_idle(lambda: True)
    assert looks == ["look", "look"]


async def test_idle_is_when_all_rest_and_it_is_done() -> None:
    """One hands work to the other; while that works the crew is not idle."""
    passed: list[int] = []
    taken: list[int] = []

    async def give() -> float | None:
        if len(passed) == 3:
            return None
        passed.append(len(passed))
        taker.call()
        return AT_ONCE

    async def take() -> float | None:
        await asyncio.sleep(0.01)
        if len(taken) == len(passed):
            return None
        taken.append(passed[len(taken)])
        return AT_ONCE

    giver, taker = Hand(give), Hand(take)
    await Crew([giver, taker]).until_idle(lambda: True)
    assert taken == [0, 1, 2]


async def test_what_fails_while_draining_is_raised_and_the_others_end() -> None:
    ended = asyncio.Event()

    async def fails() -> None:
        await asyncio.sleep(0.01)
        raise ZeroDivisionError

    async def goes_on() -> float:
        try:
            await asyncio.sleep(60)
        finally:
            ended.set()
        return AT_ONCE

    with pytest.raises(ZeroDivisionError):
        await Crew([Hand(fails), Hand(goes_on)]).until_idle(lambda: True)
    assert ended.is_set()


async def test_what_fails_in_life_is_tried_again_and_stops_when_it_is_told() -> None:
    tries: list[int] = []
    stop = asyncio.Event()

    async def work() -> None:
        tries.append(len(tries))
        if len(tries) == 1:
            raise ConnectionError
        stop.set()
        crew.call()

    crew = Crew([Hand(work)])
    async with asyncio.timeout(5):
        await crew.work(stop, trouble_s=0.01)
    assert tries == [0, 1]


async def test_lasting_trouble_is_tried_ever_more_rarely_and_told_in_full_once() -> None:
    tries: list[float] = []

    async def work() -> None:
        tries.append(time.monotonic())
        hand.call()  # calls do not make the trouble go away
        raise ConnectionError("gone")

    stop, hand = asyncio.Event(), Hand(work)
    with capture_logs() as logs:
        task = asyncio.create_task(Crew([hand]).work(stop, trouble_s=0.02))
        await asyncio.sleep(0.5)
        stop.set()
        await asyncio.wait_for(task, 5)
    assert 3 <= len(tries) <= 6  # after 0.02, 0.04, 0.08, 0.16 … seconds
    assert [bool(entry["exc_info"]) for entry in logs] == [True, *[False] * (len(logs) - 1)]


async def test_a_cancelled_crew_leaves_no_task_behind() -> None:
    async def rests() -> None:
        return None

    stop = asyncio.Event()
    task = asyncio.create_task(Crew([Hand(rests), Hand(rests)]).work(stop, trouble_s=1))
    await asyncio.sleep(0.01)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert asyncio.all_tasks() == {asyncio.current_task()}
