"""The daily checks, by the receivers' own logs: they ask none of the code that they check.

Caps, quiet hours, consent and steps of journeys are judged by what has arrived where people look;
the ledger by its proof; every message has to tell why it went or did not; and over the year
nobody's birthday may have been passed over.
"""

import re
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

from app.demo.catalogue import goods
from app.simulation.afterwards import look_back
from app.simulation.findings import Findings
from app.simulation.people import Life
from app.simulation.receivers import Arrival
from app.simulation.world import Told, World
from loyalty.database import query
from loyalty.instants import to_micros
from loyalty.ledger.verify import verify
from messaging.story import Story, story

_DAY = timedelta(days=1)


@dataclass(frozen=True, slots=True)
class Promise:
    """At most `limit` messages in any `window` to one person: what SPEC says to customers."""

    name: str
    limit: int
    window: timedelta
    topic: str = ""
    kind: str = ""


PROMISES = (
    Promise("marketing, a day", 1, _DAY, topic="marketing"),
    Promise("marketing, a week", 2, 7 * _DAY, topic="marketing"),
    Promise("marketing, 30 days", 5, 30 * _DAY, topic="marketing"),
    Promise("NPS, 90 days", 1, 90 * _DAY, kind="nps"),
)
_WEEK = 7 * _DAY
_WORD = re.compile(r"[^\W\d_]{4,}")


def _first_words(prescribed: bool) -> frozenset[str]:
    """Of the products' names: what a medicine is called."""
    words = (_WORD.search(good.name.casefold()) for good in goods()
             if good.prescription_only == prescribed)  # fmt: skip
    return frozenset(found[0] for found in words if found)


PRESCRIBED = _first_words(True) - _first_words(False)
"""What only medicines on prescription are called."""


@dataclass(slots=True)
class _Got:
    """What one person got: instants by promise, messages with the addresses they came to."""

    by_promise: dict[str, list[datetime]] = field(default_factory=lambda: defaultdict(list))
    messages: dict[int, set[str]] = field(default_factory=lambda: defaultdict(set))
    steps: dict[str, int] = field(default_factory=dict)


class Auditor:
    """Hears of every arrival, and comes once a day."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._lives: list[Life] = []
        self._joined: dict[int, datetime] = {}
        self._got: dict[int, _Got] = defaultdict(_Got)
        self._closed_until = 0
        self.findings = Findings()

    def meet(self, life: Life) -> None:
        """Somebody has become a customer."""
        self._lives.append(life)
        self._joined[life.number] = self._world.now

    # at each arrival

    def arrived(self, life: Life | None, arrival: Arrival, told: Told | None) -> None:
        """Somebody got something. `told` is the message that claims to be it."""
        self.findings.checked["arrivals"] += 1
        where = f"{arrival.address_kind} {arrival.address} at {arrival.at:%Y-%m-%d %H:%M}"
        if told is None:
            self.findings.add("came from nowhere", where)
            return
        if life is None:
            if told.topic != "service":
                self.findings.add("went to a stranger", f"{where}: message {told.message_id}")
            return
        got = self._got[life.number]
        self._check_once(got, arrival, told, where)
        self._check_quiet(life, arrival, told, where)
        self._check_drugs(arrival, told, where)
        if told.topic == "service":
            return
        self._check_wish(life, arrival, told, where)
        if len(got.messages[told.message_id]) == 1:
            self._check_promises(life, got, arrival.at, told)

    def _check_once(self, got: _Got, arrival: Arrival, told: Told, where: str) -> None:
        """A message comes to an address once, a step of a journey in one message."""
        place = f"{arrival.address_kind}:{arrival.address}"
        if place in got.messages[told.message_id]:
            self.findings.add("came twice", f"{where}: message {told.message_id}")
        got.messages[told.message_id].add(place)
        if told.dedupe_key.startswith("journey:"):
            self.findings.checked["journey steps"] += 1
            if got.steps.setdefault(told.dedupe_key, told.message_id) != told.message_id:
                self.findings.add("journey step twice", f"{where}: {told.dedupe_key}")

    def _check_promises(self, life: Life, got: _Got, at: datetime, told: Told) -> None:
        for promise in PROMISES:
            if promise.topic not in ("", told.topic) or promise.kind not in ("", told.kind):
                continue
            recent = [each for each in got.by_promise[promise.name] if each > at - promise.window]
            got.by_promise[promise.name] = [*recent, at]
            self.findings.checked["caps"] += 1
            if len(recent) >= promise.limit:
                detail = f"customer {life.number} at {at:%Y-%m-%d %H:%M}, {told.dedupe_key}"
                self.findings.add(f"cap violated ({promise.name})", detail)
        pressing = [each for each in got.by_promise["her own"] if each > at - _WEEK]
        got.by_promise["her own"] = [*pressing, at]
        if life.weekly_max is not None:
            self.findings.checked["caps of her own"] += 1
            if len(pressing) >= life.weekly_max:
                self.findings.add("cap violated (her own)", f"customer {life.number} at {at}")

    def _check_quiet(self, life: Life, arrival: Arrival, told: Told, where: str) -> None:
        """Urgent service messages alone may come at her quiet hours."""
        if told.urgent and told.topic == "service":
            return
        self.findings.checked["quiet hours"] += 1
        local, (begin, end) = arrival.at.astimezone(ZoneInfo(self._zone(life))), life.quiet
        minute = local.hour * 60 + local.minute
        if (begin <= minute < end) if begin <= end else (minute >= begin or minute < end):
            self.findings.add("woke somebody", f"{where}: {told.dedupe_key}")

    def _check_drugs(self, arrival: Arrival, told: Told, where: str) -> None:
        """Prescription medicines are not advertised, nor named where others may read it."""
        if told.topic != "marketing" and arrival.address_kind != "phone":
            return
        self.findings.checked["medicines unnamed"] += 1
        if named := PRESCRIBED & set(_WORD.findall(arrival.text.casefold())):
            self.findings.add("named a medicine", f"{where}: {min(named)}, {told.dedupe_key}")

    def _zone(self, life: Life) -> str:
        """Signed up at the till: that of the shop; in a chat: the programme's."""
        if life.front == "none":
            return life.person.shop.timezone
        return self._world.house.programme.rules.timezone

    def _check_wish(self, life: Life, arrival: Arrival, told: Told, where: str) -> None:
        """No advertising to who has not agreed, or has stopped it."""
        if told.topic != "marketing":
            return
        self.findings.checked["consent"] += 1
        channel = {"phone": "sms", "email": "email"}.get(arrival.address_kind, "messenger")
        if not life.agreed:
            self.findings.add("advertised without consent", f"{where}: {told.dedupe_key}")
        stopped = min(life.stopped.get(name, 1 << 62) for name in ("", channel))
        if to_micros(arrival.at) > stopped:
            self.findings.add("advertised after she had left", f"{where}: {told.dedupe_key}")
        if life.blocked and arrival.address_kind == "telegram":
            self.findings.add("came through a blocked bot", where)

    # once a day

    async def day(self) -> None:
        await self._check_ledger()
        await self._check_stories()
        self.findings.checked["days"] += 1

    async def _check_ledger(self) -> None:
        report = await verify()
        self.findings.checked["transactions verified"] += report.transactions
        for found in report.findings:
            self.findings.add(f"ledger: {found.what}", f"{found.account_id}: {found.detail}")

    async def _check_stories(self) -> None:
        """Every message that has ended since yesterday tells the whole of it."""
        now = to_micros(self._world.now)
        rows = await query(_CLOSED, None, self._closed_until, now)
        for row in rows:
            told = await story(row["id"])
            assert told is not None
            self.findings.checked["stories"] += 1
            for missing in incomplete(told):
                self.findings.add("does not explain itself", f"{told.dedupe_key}: {missing}")
        self._closed_until = now
        for row in await query(_OVERDUE, None, to_micros(self._world.now - _DAY)):
            self.findings.add("forgotten in the outbox", row["dedupe_key"])

    async def year(self) -> None:
        """What only the whole of it shows."""
        await look_back(self.findings, self._lives, self._joined, self._world.now)


def incomplete(told: Story) -> Sequence[str]:
    """What a message does not say of itself."""
    whats = [moment.what for moment in told.moments]
    missing = []
    if not told.dedupe_key:
        missing.append("what called for it")
    if not any(what.startswith("decided:") for what in whats):
        missing.append("any decision")
    if told.state == "sent" and "answered: sent" not in whats and "tried" not in whats:
        missing.append("the try by which it went")
    if told.state in ("skipped", "failed", "unknown") and not told.reason:
        missing.append(f"why it was {told.state}")
    if any(m.what in ("decided: wait", "decided: skip") and not m.reason for m in told.moments):
        missing.append("why it waited")
    return missing


_CLOSED = """
    SELECT id FROM message WHERE closed_at > $1 AND closed_at <= $2 ORDER BY id
"""
_OVERDUE = """
    SELECT dedupe_key FROM message WHERE state IN ('queued', 'sending') AND not_before < $1
"""
