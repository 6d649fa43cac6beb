"""Hands: loops that work side by side, each while there is something for it to do.

A hand that has found nothing rests until it is called, or for as long as it has said itself. A call
that comes while it works is not lost: it looks once more before it rests.
"""

import asyncio
import contextlib
from collections.abc import Awaitable, Callable, Coroutine, Iterable, Sequence
from typing import Any

import structlog

AT_ONCE = 0.0
TROUBLE_S_MAX = 10.0
"""The longest rest after a failure."""

log = structlog.get_logger(__name__)

Work = Callable[[], Awaitable[float | None]]
"""One piece of work. Answers how many seconds to rest: AT_ONCE if something has moved, None until
somebody calls."""


class Hand:
    """One loop over one kind of work."""

    def __init__(self, work: Work) -> None:
        self._work = work
        self._called = asyncio.Event()
        self._rests = False

    def call(self) -> None:
        """There may be something to do. Callable from the event loop only."""
        self._called.set()

    @property
    def is_idle(self) -> bool:
        """It rests and nobody has called it since."""
        return self._rests and not self._called.is_set()

    async def once(self, rested: Callable[[], None]) -> None:
        """One piece of work and the rest after it, at whose beginning `rested` is told."""
        self._called.clear()
        pause_s = await self._work()
        if pause_s is None or pause_s > 0:
            await self.rest(pause_s, rested)

    async def rest(self, pause_s: float | None, rested: Callable[[], None]) -> None:
        self._rests = True
        try:
            rested()
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(pause_s):
                    await self._called.wait()
        finally:
            self._rests = False


class Crew:
    """Hands that share their work."""

    def __init__(self, hands: Sequence[Hand]) -> None:
        self._hands = hands

    def call(self) -> None:
        """Let every hand look."""
        for hand in self._hands:
            hand.call()

    async def work(self, stop: asyncio.Event, *, trouble_s: float) -> None:
        """Until `stop` is set and the crew called. What fails is logged, and tried again later.

        Later is after `trouble_s` seconds, and after more each time that it fails again.
        """

        async def loop(hand: Hand) -> None:
            failures = 0
            while not stop.is_set():
                try:
                    await hand.once(_nobody)
                    failures = 0
                except Exception as error:
                    failures += 1
                    log.error(
                        "work_failed", exc_info=error if failures == 1 else None, error=str(error)
                    )
                    pause_s = min(trouble_s * 2.0 ** (failures - 1), TROUBLE_S_MAX)
                    with contextlib.suppress(TimeoutError):
                        await asyncio.wait_for(stop.wait(), pause_s)

        await _together(loop(hand) for hand in self._hands)

    async def until_idle(self, is_done: Callable[[], bool]) -> None:
        """Until all of them rest uncalled and it is done. What fails is raised."""
        stop = asyncio.Event()

        def rested() -> None:
            if is_done() and all(hand.is_idle for hand in self._hands):
                stop.set()
                self.call()

        async def loop(hand: Hand) -> None:
            while not stop.is_set():
                await hand.once(rested)

        self.call()
        await _together(loop(hand) for hand in self._hands)


async def _together(loops: Iterable[Coroutine[Any, Any, None]]) -> None:
    """Each in a task of its own, until all have ended; the first failure ends the others."""
    tasks = [asyncio.create_task(each) for each in loops]
    try:
        await asyncio.gather(*tasks)
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


def _nobody() -> None:
    """Nobody wants to know."""
