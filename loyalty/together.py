"""Questions of concurrent callers, asked together: one round trip answers all who wait.

A caller who finds nobody asking asks at once, for herself alone. Those who come meanwhile wait for
the next round trip. It begins after they came, so whatever was committed before a question is in
its answer.
"""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from typing import Generic, TypeVar

from loyalty.database import in_transaction

MOST = 64
"""Questions of one round trip at most."""

Question = TypeVar("Question")
Answer = TypeVar("Answer")


class Together(Generic[Question, Answer]):
    """`ask` takes questions and returns their answers in the same order. It only reads."""

    def __init__(self, ask: Callable[[Sequence[Question]], Awaitable[Sequence[Answer]]]) -> None:
        self._ask = ask
        self._waiting: list[tuple[Question, asyncio.Future[Answer]]] = []
        self._is_asking = False
        self._asker: asyncio.Task[None] | None = None

    async def answer(self, question: Question) -> Answer:
        """The answer to one question. Within a transaction it is asked there, alone."""
        if in_transaction():
            [answer] = await self._ask([question])
            return answer
        if self._is_asking:
            future: asyncio.Future[Answer] = asyncio.get_running_loop().create_future()
            self._waiting.append((question, future))
            return await future
        self._is_asking = True
        try:
            [answer] = await self._ask([question])
            return answer
        finally:
            self._go_on()

    def _go_on(self) -> None:
        """Ask for those who wait; a caller who gave up before her turn is not asked for."""
        self._waiting = [each for each in self._waiting if not each[1].done()]
        self._is_asking = bool(self._waiting)
        if self._waiting:
            self._asker = asyncio.create_task(self._ask_for_waiting())

    async def _ask_for_waiting(self) -> None:
        taken, self._waiting = self._waiting[:MOST], self._waiting[MOST:]
        try:
            await self._serve(taken)
        finally:
            self._go_on()

    async def _serve(self, taken: Sequence[tuple[Question, asyncio.Future[Answer]]]) -> None:
        try:
            answers = await self._ask([question for question, _ in taken])
        except Exception as error:
            if len(taken) > 1:  # one bad question must not spoil the others
                for each in taken:
                    await self._serve([each])
            elif not taken[0][1].done():
                taken[0][1].set_exception(error)
            return
        for (_, future), answer in zip(taken, answers, strict=True):
            if not future.done():
                future.set_result(answer)
