"""An operator who works through her tasks: she calls within the hour, and most answer."""

import random

from app.simulation.world import World
from loyalty.refusals import Refusal
from messaging import tasks
from messaging.tasks import Outcome

LOGIN = "operator"
TAKES = 0.7
"""Chance that she gets to a task in this round; at once taken, in the next one done."""
_OUTCOMES: tuple[Outcome, ...] = ("reached", "reached", "reached", "no_answer", "needless")
_ANSWER = "Мы поговорили с коллегами и всё исправили. Спасибо, что сказали!"


class Operator:
    """Comes at each round of the year."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._dice = random.Random(f"operator:{world.seed}")

    async def work(self) -> None:
        """Take what is new, finish what was taken."""
        for task in await tasks.waiting():
            if task.taken_by:
                await self._finish(task.id)
            elif self._dice.random() < TAKES:
                refused = await tasks.take(task.id, by=LOGIN, at=self._world.now)
                self._count("tasks taken", refused)

    async def _finish(self, task_id: int) -> None:
        outcome = self._dice.choice(_OUTCOMES)
        answer = _ANSWER if outcome == "reached" else ""
        refused = await tasks.done(
            task_id, by=LOGIN, outcome=outcome, at=self._world.now, answer=answer
        )
        self._count(f"tasks done ({outcome})", refused)

    def _count(self, what: str, refused: Refusal | None) -> None:
        if refused is None:
            self._world.done[what] += 1
        else:
            self._world.refused("task", refused)
