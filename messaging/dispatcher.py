"""The worker of the outbox: events become messages, messages that are due are claimed and sent.

A cycle is: record what has come back, take back what dead workers left, turn events into messages,
claim as many messages as there is room for, write down their tries, start them. Sending is
concurrent up to a bound; messages to one recipient go one after the other.
"""

import asyncio
import random
import secrets
from collections.abc import Iterable
from dataclasses import asdict, astuple, dataclass, field
from datetime import UTC, datetime, timedelta

import structlog

from loyalty.clock import Clock
from loyalty.database import transaction
from loyalty.instants import to_micros
from messaging import attempts, outbox
from messaging.attempts import Outcome
from messaging.breaker import BreakerRules
from messaging.channels.base import Channel, Outgoing, SendResult, Sent, Unknown
from messaging.delivery import Policies, beginning, dead_address, judge, plan, verdict
from messaging.facts import load_facts, lock_customers
from messaging.gates import Gates
from messaging.metrics import DELAY, IN_FLIGHT, MESSAGES
from messaging.notices import Notices, handle_events
from messaging.outbox import Claimed
from messaging.pacing import LocalPacer, Pacer
from messaging.policy.retries import RetryRules
from messaging.suppressions import Suppressed, suppress
from messaging.wakeups import Wakeups

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class DispatcherRules:
    """Bounds of one dispatcher. A lease outlives a send by far, so that only the dead lose it."""

    concurrency: int = 64
    lease_s: float = 60.0
    send_timeout_s: float = 20.0
    poll_s: float = 1.0
    stop_grace_s: float = 10.0
    retries: RetryRules = field(default_factory=RetryRules)


class Dispatcher:
    """One per process that sends; any number of them share a Postgres."""

    def __init__(
        self,
        clock: Clock,
        channels: Iterable[Channel],
        notices: Notices,
        *,
        wakeups: Wakeups | None = None,
        pacer: Pacer | None = None,
        policies: Policies | None = None,
        rules: DispatcherRules | None = None,
    ) -> None:
        self._clock = clock
        channels = list(channels)
        self._channels = {kind: channel for channel in channels for kind in channel.address_kinds}
        self._gates = Gates(channels, pacer or LocalPacer(), BreakerRules())
        self._notices = notices
        self._wakeups = wakeups or Wakeups()
        self._policies = policies or Policies()
        self._rules = rules or DispatcherRules()
        self._owner = secrets.token_hex(8)
        self._waiting: list[Claimed] = []  # claimed, their try has not begun
        self._sending: dict[asyncio.Task[None], tuple[str, str]] = {}  # by task, its recipient
        self._outcomes: list[Outcome] = []  # of finished tries, not yet written
        self._dead: list[Suppressed] = []  # addresses that they have shown to be dead
        self._look_after_s = self._rules.poll_s
        self._recover_at = datetime.min.replace(tzinfo=UTC)

    def wake(self) -> None:
        """There may be something to do: call it after a commit."""
        self._wakeups.wake()

    async def run(self, stop: asyncio.Event) -> None:
        """Work until `stop` is set; then let the tries under way end, and give the rest back.

        Troubles with the database are logged and waited out: the rows are safe where they are.
        """
        waker = asyncio.create_task(self._wake_on(stop))
        try:
            while not stop.is_set():
                try:
                    progress = await self._cycle()
                except Exception:
                    log.exception("dispatcher_cycle_failed")
                    progress = False
                if not progress:
                    await self._wakeups.wait(self._look_after_s)
        finally:
            waker.cancel()
            await self._finish()

    async def drain(self) -> None:
        """Work until nothing is due and nothing is under way. For tests and simulations."""
        while await self._cycle() or self._sending or self._waiting:
            if self._sending:
                await asyncio.wait(self._sending, return_when=asyncio.FIRST_COMPLETED)
            elif self._waiting:  # for the provider's limits
                await asyncio.sleep(self._look_after_s)

    async def _wake_on(self, stop: asyncio.Event) -> None:
        await stop.wait()
        self._wakeups.nudge()

    async def _cycle(self) -> bool:
        """One round; returns whether anything has moved."""
        recorded = await self._record()
        now = self._clock.now()
        await self._recover(now)
        await outbox.queue_fallbacks(at=now)
        events = await handle_events(self._notices, at=now)
        claimed = await self._claim()
        begun = await self._begin()
        return bool(recorded or events or claimed or begun)

    async def _recover(self, now: datetime) -> None:
        """Look for dead workers' leases four times in the life of a lease."""
        if now < self._recover_at:
            return
        self._recover_at = now + timedelta(seconds=self._rules.lease_s / 4)
        recovered = await outbox.recover(at=now, tries_max=self._rules.retries.tries_max)
        if any(astuple(recovered)):
            log.warning("lapsed_leases", **asdict(recovered))

    async def _claim(self) -> int:
        room = self._rules.concurrency - len(self._sending) - len(self._waiting)
        if room <= 0:
            return 0
        now = self._clock.now()
        until = now + timedelta(seconds=self._rules.lease_s)
        claimed = await outbox.claim(self._owner, limit=room, at=now, lease_until=until)
        self._waiting += claimed
        return len(claimed)

    async def _begin(self) -> int:
        """Begin the tries of those whose recipient is not being written to just now."""
        chosen = self._choose()
        self._look_after_s = self._rules.poll_s
        if not chosen:
            return 0
        now = self._clock.now()
        shut = self._gates.shut(to_micros(now))
        async with transaction():
            await lock_customers(chosen)
            facts = await load_facts(chosen, at=to_micros(now), horizon=self._policies.horizon)
            plans = [
                (m, plan(m, facts, self._policies, self._channels, shut, at=now)) for m in chosen
            ]
            plans = [(m, decided) for m, decided in plans if await self._admits(decided)]
            outgoing = [(m, decided) for m, decided in plans if isinstance(decided, Outgoing)]
            beginnings = [
                beginning(m, o, self._channels[o.address_kind], self._policies) for m, o in outgoing
            ]
            begun = await attempts.begin(self._owner, beginnings, at=now)
            await attempts.tell([verdict(d, self._channels) for _, d in plans], at=now)
        gone = {message.id for message, _ in plans}
        self._waiting = [m for m in self._waiting if m.id not in gone]
        self._outcomes += [decided for _, decided in plans if isinstance(decided, Outcome)]
        for message, decided in outgoing:
            if decided.attempt_id in begun:
                self._start(message, decided)
        return len(plans)

    async def _admits(self, decided: Outgoing | Outcome) -> bool:
        """Whether it need not wait for its provider; if it must, the worker's next look is then."""
        if isinstance(decided, Outcome):
            return True
        channel = self._channels[decided.address_kind]
        wait = await self._gates.admit(decided, channel, to_micros(self._clock.now()))
        if wait > 0:
            self._look_after_s = min(self._look_after_s, wait)
        return wait == 0

    def _choose(self) -> list[Claimed]:
        """Waiting messages, one per recipient, while their lease still covers a whole send."""
        last = to_micros(self._clock.now() + timedelta(seconds=self._rules.send_timeout_s))
        taken, chosen = set(self._sending.values()), []
        for message in self._waiting:
            if message.recipient not in taken and message.lease_until > last:
                taken.add(message.recipient)
                chosen.append(message)
        # A lease too short to begin with lapses by itself and the message is claimed anew.
        self._waiting = [m for m in self._waiting if m.lease_until > last]
        return chosen

    def _start(self, message: Claimed, outgoing: Outgoing) -> None:
        task = asyncio.create_task(self._send(message, outgoing))
        self._sending[task] = message.recipient
        IN_FLIGHT.inc()
        task.add_done_callback(self._ended)

    def _ended(self, task: asyncio.Task[None]) -> None:
        del self._sending[task]
        IN_FLIGHT.dec()
        self._wakeups.nudge()

    async def _send(self, message: Claimed, outgoing: Outgoing) -> None:
        result: SendResult = Unknown("stopped_while_sending")
        channel = self._channels[outgoing.address_kind]
        try:
            async with asyncio.timeout(self._rules.send_timeout_s):
                result = await channel.send(outgoing)
            await self._gates.learn(outgoing, channel, result, to_micros(self._clock.now()))
        except TimeoutError:
            result = Unknown("no_answer_in_time")
        except Exception:
            log.exception("channel_broke", message_id=message.id, channel=outgoing.address_kind)
            result = Unknown("channel_broke")
        finally:  # also when this task is cancelled: the try has begun, so it has an outcome
            self._outcomes.append(self._judge(message, outgoing, result))
            if dead := dead_address(outgoing, result):
                self._dead.append(dead)

    def _judge(self, message: Claimed, outgoing: Outgoing, result: SendResult) -> Outcome:
        now = self._clock.now()
        if isinstance(result, Sent):
            DELAY.observe(max(0, to_micros(now) - message.created_at) / 1_000_000)
        return judge(
            message,
            outgoing,
            self._channels[outgoing.address_kind],
            result,
            at=now,
            rules=self._rules.retries,
            chance=random.random(),
        )

    async def _record(self) -> int:
        batch, dead = self._outcomes[:], self._dead[:]
        if not batch:
            return 0
        now = self._clock.now()
        async with transaction():
            own = await attempts.record(self._owner, batch, at=now)
            await suppress(dead, at=now)
        del self._outcomes[: len(batch)], self._dead[: len(dead)]
        for outcome in batch:
            if outcome.message_id not in own:
                log.warning("outcome_came_after_lease", message_id=outcome.message_id)
            elif outcome.state != "queued":
                MESSAGES.labels(outcome.state, outcome.reason.split(":")[0]).inc()
        return len(batch)

    async def _finish(self) -> None:
        if self._sending:
            await asyncio.wait(self._sending, timeout=self._rules.stop_grace_s)
        late = list(self._sending)
        for task in late:
            task.cancel()
        await asyncio.gather(*late, return_exceptions=True)
        try:
            await self._record()
            await outbox.give_back(self._owner, [message.id for message in self._waiting])
        except Exception:  # the leases will lapse and another worker takes over
            log.exception("dispatcher_could_not_settle")
        self._waiting.clear()
