"""The worker of the outbox: events become messages, messages that are due are claimed and sent.

Its hands work side by side. One keeps the leases alive, takes back what dead workers left and turns
events into messages. Some decide, each about a batch of its own: claim as many as there is room
for, decide about them and write their tries down in one transaction, start them; while one waits
for the database another one thinks. One records what has come back. Sending is concurrent up to a
bound; messages to one recipient go one after the other.
"""

import asyncio
import secrets
import time
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence, Set
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Protocol

import structlog
from msgspec.structs import asdict, astuple, replace

from loyalty.clock import Clock
from loyalty.database import dialect, transaction
from loyalty.instants import to_micros
from messaging import attempts, mailings, outbox
from messaging.attempts import Outcome
from messaging.breaker import BreakerRules
from messaging.channels.base import Channel
from messaging.decisions import Held, Policies, Try, World, decide_all
from messaging.delivery import beginning, verdict
from messaging.facts import Locked, load_base, load_facts, lock_customers
from messaging.gates import PATIENCE_S, Gates
from messaging.hands import AT_ONCE, Crew, Hand
from messaging.links import Links
from messaging.metrics import IN_FLIGHT, MESSAGES
from messaging.notices import Listener, Notices, handle_events
from messaging.outbox import Claimed, Recipient
from messaging.pacing import LocalPacer, Pacer
from messaging.policy.habits import Record
from messaging.policy.retries import RetryRules
from messaging.room import Room
from messaging.sending import Sending
from messaging.suppressions import suppress
from messaging.tracking import keep_links
from messaging.wakeups import Wakeups

_LONG_AGO = datetime.min.replace(tzinfo=UTC)
BASE_LIVES = timedelta(minutes=10)
"""How long what all customers together see is taken for what they see now."""

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class DispatcherRules:
    """Bounds of one dispatcher. A worker renews its leases, so that only the dead lose theirs.

    It holds up to `concurrency` messages. Up to `batch` of them are decided at a time, in as many
    `lanes` side by side (one alone on SQLite, which has one writer). What has come back is recorded
    when it is half a batch, or after `linger_s`, or when nothing else is on its way.
    """

    concurrency: int = 2048
    batch: int = 512
    lanes: int = 2
    linger_s: float = 0.05
    lease_s: float = 60.0
    send_timeout_s: float = 20.0
    poll_s: float = 1.0
    stop_grace_s: float = 10.0
    retries: RetryRules = field(default_factory=RetryRules)


class Journeying(Listener, Protocol):
    """What the dispatcher asks of the journeys."""

    async def needless(self, messages: Sequence[Claimed]) -> Set[int]:
        """Of these messages, those (by id) of which their journey has no need any more."""


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
        links: Links | None = None,
        journeys: Journeying | None = None,
        rules: DispatcherRules | None = None,
    ) -> None:
        self._clock = clock
        channels = list(channels)
        self._channels = {kind: channel for channel in channels for kind in channel.address_kinds}
        self._gates = Gates(channels, pacer or LocalPacer(), BreakerRules())
        self._notices = notices
        self._wakeups = wakeups or Wakeups()
        self._policies = policies or Policies()
        self._links = links
        self._journeys = journeys
        self._rules = rules or DispatcherRules()
        self._room = Room(self._rules.concurrency)
        self._owner = secrets.token_hex(8)
        self._keeping, self._recording = Hand(self._keep), Hand(self._record)
        self._lanes = [Hand(self._claim_and_begin) for _ in range(self._rules.lanes)]
        self._claiming = asyncio.Lock()
        self._waiting: list[Claimed] = []  # claimed, their try has not begun
        self._decided: set[Recipient] = set()  # whose messages some lane is deciding about
        self._sending = Sending(
            clock,
            self._gates,
            self._recording.call,
            timeout_s=self._rules.send_timeout_s,
            retries=self._rules.retries,
            many=self._rules.batch // 2,
        )
        self._turns: dict[int, float] = {}  # by message, when its provider may take it (monotonic)
        self._beat_at = self._base_until = self._look_at = _LONG_AGO
        self._base: Mapping[str, Record] = {}

    def wake(self) -> None:
        """There may be something to do: call it after a commit."""
        self._wakeups.wake()

    async def run(self, stop: asyncio.Event) -> None:
        """Work until `stop` is set; then let the tries under way end, and give the rest back.

        Troubles with the database are logged and waited out: the rows are safe where they are.
        """
        crew = self._crew()
        waker = asyncio.create_task(self._wake_on(stop))
        foreman = asyncio.create_task(self._pass_calls_on(stop, crew))
        try:
            await crew.work(stop, trouble_s=self._rules.poll_s)
        finally:
            waker.cancel()
            foreman.cancel()
            await self._finish()

    async def drain(self) -> None:
        """Work until nothing is due and nothing is under way. For tests and simulations."""
        self._look_at = _LONG_AGO
        await self._crew().until_idle(self._is_idle)

    def _crew(self) -> Crew:
        lanes = self._lanes[:1] if dialect() == "sqlite" else self._lanes  # it has one writer
        return Crew([self._keeping, self._recording, *lanes])

    def _is_idle(self) -> bool:
        return not (self._sending or self._sending.results or self._waiting)

    async def _wake_on(self, stop: asyncio.Event) -> None:
        await stop.wait()
        self._wakeups.nudge()

    async def _pass_calls_on(self, stop: asyncio.Event, crew: Crew) -> None:
        """Also what nobody has called about is found, once in a while."""
        while not stop.is_set():
            await self._wakeups.wait(self._rules.poll_s)
            self._keeping.call()
            self._call_a_lane()
        crew.call()

    def _call_a_lane(self) -> None:
        """One that has nothing to do, if there is one; otherwise the first that comes back."""
        idle = next((lane for lane in self._lanes if lane.is_idle), None)
        for lane in self._lanes if idle is None else [idle]:
            lane.call()

    # ---- keeping ----

    async def _keep(self) -> float | None:
        now = self._clock.now()
        queued = await self._beat(now)
        queued |= await self._look_for_fallbacks(now)
        events = await handle_events(self._notices, at=now, listener=self._journeys)
        if queued or events:
            self._call_a_lane()
        return AT_ONCE if events else None

    async def _beat(self, now: datetime) -> bool:
        """Four times in the life of a lease: renew one's own, look for those of the dead.

        Returns whether something is queued again.
        """
        if now < self._beat_at:
            return False
        lease = timedelta(seconds=self._rules.lease_s)
        self._beat_at = now + lease / 4
        before = {m.id for m in self._waiting if m.recipient not in self._decided}
        own = await outbox.renew(self._owner, at=now, lease_until=now + lease)
        lost = before - own
        self._waiting = [message for message in self._waiting if message.id not in lost]
        recovered = await outbox.recover(at=now, tries_max=self._rules.retries.tries_max)
        if any(astuple(recovered)):
            log.warning("lapsed_leases", **asdict(recovered))
        return bool(recovered.requeued)

    async def _look_for_fallbacks(self, now: datetime) -> bool:
        """As often as the queue is polled, for deadlines are hours away. Whether it has looked."""
        if now < self._look_at:
            return False
        self._look_at = now + timedelta(seconds=self._rules.poll_s)
        await outbox.queue_fallbacks(at=now)
        return True

    # ---- deciding ----

    async def _claim_and_begin(self) -> float | None:
        """One batch: begin the tries of those whose recipient is not being written to just now.

        The lanes claim one after the other: whoever has a customer's message has her other ones
        too, so that the caps choose among all.
        """
        async with AsyncExitStack() as alone:
            await alone.enter_async_context(self._claiming)
            claimed = await self._claim()
            chosen = self._choose()
            if not chosen:
                return AT_ONCE if claimed else self._until_the_next_turn()
            recipients = {message.recipient for message in chosen}
            self._decided |= recipients
            try:
                await self._begin(chosen, alone)
            finally:
                self._decided -= recipients
        self._recording.call()
        return AT_ONCE

    async def _claim(self) -> int:
        under_way = len(self._sending) + len(self._sending.results.outcomes) + len(self._waiting)
        room = min(self._room.now - under_way, self._rules.batch)
        if room <= 0:
            return 0
        now = self._clock.now()
        claimed = await outbox.claim(
            self._owner, limit=room, at=now, lease_until=self._lease_from(now)
        )
        self._waiting += claimed
        if len(claimed) == room == self._rules.batch:
            self._call_a_lane()  # there may be more
        return len(claimed)

    def _lease_from(self, now: datetime) -> datetime:
        return now + timedelta(seconds=self._rules.lease_s)

    async def _begin(self, chosen: Sequence[Claimed], alone: AsyncExitStack) -> None:
        """Decide about them and start the tries. Others may claim once `alone` is closed."""
        now = self._clock.now()
        await self._learn_base(now)
        async with transaction():
            locked = await lock_customers(chosen)
            rivals = await outbox.claim_rivals(
                self._owner, locked.ids, at=now, lease_until=self._lease_from(now)
            )
            await alone.aclose()
            settled, tries = await self._decide([*chosen, *rivals], locked, now)
            shared = await mailings.take((each.message, each.to) for each in tries)
            tries = [each for each in tries if each.message.id not in shared]  # decided anew
            begun = await attempts.begin(self._owner, [beginning(t) for t in tries], at=now)
            await keep_links([row for each in tries for row in each.links])
            told = [*map(verdict, settled), *map(verdict, tries)]
            await attempts.tell(told, at=now)
        self._waiting += rivals
        self._keep_those_that_wait(settled, tries)
        for each in tries:
            if each.outgoing.attempt_id in begun:
                self._sending.start(each, begun_at=to_micros(now))

    async def _decide(
        self, messages: Sequence[Claimed], locked: Locked, now: datetime
    ) -> tuple[list[Held], list[Try]]:
        """What is settled without a try, and the tries that may be made at once."""
        at = to_micros(now)
        facts = await load_facts(
            messages,
            locked,
            at=at,
            horizon=self._policies.horizon,
            kinds=self._kinds_of(messages),
        )
        if self._journeys is not None and any(m.enrolment_id is not None for m in messages):
            facts = replace(facts, needless=await self._journeys.needless(messages))
        world = World(
            policies=self._policies,
            channels=self._channels,
            shut=self._gates.shut(at),
            base=self._base,
            now=at,
            links=self._links,
        )
        decided = await decide_all(messages, facts, world)
        first: dict[Recipient, Try] = {}
        for each in decided:
            if isinstance(each, Try):
                first.setdefault(each.message.recipient, each)
        waits = await self._gates.admit(list(first.values()), at)
        tries = []
        for each, wait in zip(first.values(), waits, strict=True):
            if wait <= PATIENCE_S:
                tries.append(replace(each, delay_s=wait) if wait else each)
            else:
                self._turns[each.message.id] = time.monotonic() + wait
        return [each for each in decided if isinstance(each, Held)], tries

    def _kinds_of(self, messages: Sequence[Claimed]) -> list[str]:
        """The kinds of addresses that these messages may go to."""
        named = {name for message in messages for name in message.channels}
        any_channel = not all(message.channels for message in messages)
        return [
            kind for kind, channel in self._channels.items() if any_channel or channel.name in named
        ]

    def _keep_those_that_wait(self, settled: Sequence[Held], tries: Sequence[Try]) -> None:
        """Everything claimed but not decided stays: for its provider or its recipient's turn."""
        over = {held.outcome.message_id for held in settled} | {t.message.id for t in tries}
        self._waiting = [message for message in self._waiting if message.id not in over]
        self._sending.results.outcomes += [held.outcome for held in settled]

    async def _learn_base(self, now: datetime) -> None:
        if now >= self._base_until:
            self._base, self._base_until = await load_base(), now + BASE_LIVES

    def _choose(self) -> list[Claimed]:
        """Waiting messages of those who are not being written to: all of them, to be ranked."""
        now, turns = time.monotonic(), self._turns
        # A turn that has come is over, even if its recipient is busy: that is waited for otherwise.
        self._turns = {m.id: turns[m.id] for m in self._waiting if turns.get(m.id, 0.0) > now}
        taken = {*self._sending.recipients, *self._decided}
        taken.update(message.recipient for message in self._waiting if message.id in self._turns)
        return [message for message in self._waiting if message.recipient not in taken]

    def _until_the_next_turn(self) -> float | None:
        """Seconds, if anybody waits for a provider's limit."""
        turn = min(self._turns.values(), default=None)
        return None if turn is None else max(turn - time.monotonic(), 0.001)

    # ---- recording ----

    async def _record(self) -> float | None:
        IN_FLIGHT.set(len(self._sending))
        results = self._sending.results
        pause_s = self._sending.pause_s(self._rules.linger_s)
        if pause_s is None or pause_s > 0:
            return pause_s
        batch, dead = results.outcomes[:], results.dead[:]
        self._room.learn(len(batch), unserved=results.unasked)
        results.unasked = 0
        now = self._clock.now()
        async with transaction():
            own = await attempts.record(self._owner, batch, at=now)
            await suppress(dead, at=now)
        self._sending.written_down(batch)
        del results.dead[: len(dead)]
        _count(batch, own)
        self._call_a_lane()
        return AT_ONCE

    async def _finish(self) -> None:
        await self._sending.finish(self._rules.stop_grace_s)
        try:
            while self._sending.results:
                await self._record()
            await outbox.give_back(self._owner, [message.id for message in self._waiting])
        except Exception:  # the leases will lapse and another worker takes over
            log.exception("dispatcher_could_not_settle")
        self._waiting.clear()


def _count(outcomes: Iterable[Outcome], own: Set[int]) -> None:
    """Tell the metrics what has ended. `own`: the messages that were still this worker's."""
    closed: Counter[tuple[str, str]] = Counter()
    for outcome in outcomes:
        if outcome.message_id not in own:
            log.warning("outcome_came_after_lease", message_id=outcome.message_id)
        elif outcome.state != "queued":
            closed[outcome.state, outcome.reason.split(":")[0]] += 1
    for labels, count in closed.items():
        MESSAGES.labels(*labels).inc(count)
