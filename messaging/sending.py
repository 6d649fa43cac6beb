"""Sends under way: each try in a task of its own, one at a time for a recipient."""

import asyncio
import random
import time
from collections.abc import Callable, Sequence, Set
from dataclasses import dataclass, field
from functools import partial

import structlog

from loyalty.clock import Clock
from loyalty.instants import to_micros
from messaging.attempts import Outcome
from messaging.channels.base import Failed, SendResult, Sent, Unknown
from messaging.decisions import Try
from messaging.delivery import dead_address, judge
from messaging.gates import Gates
from messaging.metrics import DELAY
from messaging.outbox import Recipient
from messaging.policy.retries import RetryRules
from messaging.suppressions import Suppressed

SHORT_HOLD_S = 1.0
"""A provider that says "not now" for no longer is waited for with the message in hand."""
LATE_S_MAX = 5.0
"""Who cannot leave for so long after her turn has come asks for another one."""

log = structlog.get_logger(__name__)


@dataclass(slots=True)
class Results:
    """What has come back and is not yet written down."""

    outcomes: list[Outcome] = field(default_factory=list)
    dead: list[Suppressed] = field(default_factory=list)
    """Addresses that have shown to be dead."""
    unasked: int = 0
    """For how many there was no room at their channel."""

    def __bool__(self) -> bool:
        return bool(self.outcomes or self.dead)


class Sending:
    """Starts tries and keeps what becomes of them.

    `ended` is called when there is something to record: after the first that has ended, when they
    are `many`, and when none is under way any more.
    """

    def __init__(
        self,
        clock: Clock,
        gates: Gates,
        ended: Callable[[], None],
        *,
        timeout_s: float,
        retries: RetryRules,
        many: int,
    ) -> None:
        self._clock = clock
        self._gates = gates
        self._ended = ended
        self._timeout_s = timeout_s
        self._retries = retries
        self._many = many
        self._since = 0.0  # monotonic, when the oldest of the results came
        self._tasks: dict[int, asyncio.Task[None]] = {}  # by message
        self._busy: dict[int, Recipient] = {}  # by message, until its outcome is written down
        self.results = Results()

    def __len__(self) -> int:
        return len(self._tasks)

    @property
    def recipients(self) -> Set[Recipient]:
        """Who is being written to just now, or was and it is not yet written down."""
        return set(self._busy.values())

    def start(self, chosen: Try, *, begun_at: int) -> None:
        """`begun_at`: when its contact was reserved (microseconds)."""
        message = chosen.message
        task = asyncio.create_task(self._send(chosen, begun_at))
        self._tasks[message.id] = task
        self._busy[message.id] = message.recipient
        task.add_done_callback(partial(self._done, message.id))

    def written_down(self, outcomes: Sequence[Outcome]) -> None:
        """These outcomes, the oldest ones of `results`, need not be kept any longer."""
        del self.results.outcomes[: len(outcomes)]
        self._since = time.monotonic()
        for outcome in outcomes:
            self._busy.pop(outcome.message_id, None)

    def pause_s(self, linger_s: float) -> float | None:
        """Seconds until what has come back is to be recorded: more may come meanwhile. None: there
        is nothing."""
        if not self.results:
            return None
        if not self._tasks or len(self.results.outcomes) >= self._many:
            return 0.0
        return max(0.0, self._since + linger_s - time.monotonic())

    async def finish(self, grace_s: float) -> None:
        """Let them end; those that take longer than `grace_s` seconds end as unknown."""
        if self._tasks:
            await asyncio.wait(self._tasks.values(), timeout=grace_s)
        late = list(self._tasks.values())
        for task in late:
            task.cancel()
        await asyncio.gather(*late, return_exceptions=True)

    def _done(self, message_id: int, _task: asyncio.Task[None]) -> None:
        del self._tasks[message_id]
        count = len(self.results.outcomes)
        if count == 1:
            self._since = time.monotonic()
        if count in (1, self._many) or not self._tasks:
            self._ended()

    async def _send(self, chosen: Try, begun_at: int) -> None:
        result: SendResult = Unknown("stopped_while_sending")
        try:
            bound = chosen.delay_s or chosen.channel.limits
            if bound and (held_s := await self._turn(chosen)):
                result = Failed("rate_limited", permanent=False, retry_after_s=held_s)
                return
            result = await self._answered(chosen)
            if isinstance(result, Failed):
                await self._gates.learn(chosen, result, to_micros(self._clock.now()))
            else:
                self._gates.answered(chosen)
        except Exception:
            log.exception(
                "channel_broke", message_id=chosen.message.id, channel=chosen.channel.name
            )
            result = Unknown("channel_broke")
        finally:  # also when this task is cancelled: the try has begun, so it has an outcome
            self.results.outcomes.append(self._judged(chosen, result, begun_at))
            self.results.unasked += isinstance(result, Failed) and result.unasked
            if dead := dead_address(chosen, result):
                self.results.dead.append(dead)

    async def _answered(self, chosen: Try) -> SendResult:
        """The channel's answer, if it comes in time.

        As `asyncio.timeout` would do it, with less ado.
        """
        task, late = self._tasks[chosen.message.id], False

        def too_late() -> None:
            nonlocal late
            late = True
            task.cancel()

        timer = asyncio.get_running_loop().call_later(self._timeout_s, too_late)
        try:
            return await chosen.channel.send(chosen.outgoing)
        except asyncio.CancelledError:
            if not late or task.uncancel() > 0:  # somebody else wants it to stop
                raise
            return Unknown("no_answer_in_time")
        except TimeoutError:
            return Unknown("no_answer_in_time")
        finally:
            timer.cancel()

    async def _turn(self, chosen: Try) -> float:
        """Wait for it. If the provider wants to be left alone for long: how long, in seconds."""
        if chosen.delay_s:
            await asyncio.sleep(chosen.delay_s)
            held_s = self._gates.held(chosen)
            if held_s > SHORT_HOLD_S:
                return held_s
            if held_s > 0:
                await asyncio.sleep(held_s + chosen.delay_s)  # as far apart as they were
        patient_until = time.monotonic() + LATE_S_MAX
        while (too_soon_s := await self._gates.leave(chosen)) > 0:
            if time.monotonic() > patient_until:
                return too_soon_s
            await asyncio.sleep(too_soon_s)
        return 0.0

    def _judged(self, chosen: Try, result: SendResult, begun_at: int) -> Outcome:
        now = self._clock.now()
        if isinstance(result, Sent):
            DELAY.observe(max(0, to_micros(now) - chosen.message.created_at) / 1_000_000)
        return judge(
            chosen,
            result,
            at=now,
            begun_at=begun_at,
            rules=self._retries,
            chance=random.random(),
        )
