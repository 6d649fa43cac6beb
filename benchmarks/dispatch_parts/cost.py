"""What it costs to reach people whose habits are known: the route, a fixed order, SMS alone.

A base of customers, of several kinds: who reads the messenger, who her mail, who notifications, and
who hardly anything; each lacks some addresses. In a warm-up everybody gets the same messages over
all free or cheap channels that she has, and what she saw becomes her habit. Then one advertisement
is sent in three ways. Whether she would see it over a channel is drawn once for all three.

    sms    to everybody who has a telephone
    fixed  messenger, then e-mail, then SMS: the next one when the one before was not seen
    route  what the dispatcher itself decides (`messaging.decisions`), asked for a certain reach

Nothing but the clock and the draws is made up here: prices are of one mail and one segment as in
life, the decisions are those of the worker, without its database. The route is asked for ever more
reach until it has reached as many people as the one it is compared with.
"""

import json
import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from msgspec.structs import replace

from benchmarks.dispatch_parts.base import DAY_US
from benchmarks.harness import Report
from messaging.channels.base import Limit, Outgoing, SendResult, Sent, Status, Words
from messaging.decisions import Policies, Try, World, decide
from messaging.facts import NO_QUIET, Before, Facts, Person
from messaging.outbox import Claimed
from messaging.policy.consent import OptIn
from messaging.policy.fronts import Front
from messaging.policy.habits import Record
from messaging.policy.sms_segments import segments
from messaging.templates import Body

SEED = 20_260_101
WARM_UP = 10
"""Messages that everybody has got over each channel that tells of reading."""
MILLION = 1_000_000
SMS_PRICE = 4_350_000
MAIL_PRICE = 10_000
START = 1_767_225_600 * MILLION
ASKED = (500, 600, 700, 750, 800, 850, 900, 940, 970, 1000)
"""The reaches that the route is asked for, in thousandths."""

KINDS: Mapping[str, tuple[int, Mapping[str, float]]] = {
    "of the messenger": (45, {"messenger": 0.9, "webpush": 0.3, "email": 0.15, "sms": 0.9}),
    "of mail": (20, {"messenger": 0.25, "webpush": 0.1, "email": 0.75, "sms": 0.9}),
    "of notifications": (10, {"messenger": 0.4, "webpush": 0.7, "email": 0.1, "sms": 0.9}),
    "of everything": (10, {"messenger": 0.7, "webpush": 0.5, "email": 0.6, "sms": 0.95}),
    "of nothing": (15, {"messenger": 0.05, "webpush": 0.02, "email": 0.03, "sms": 0.85}),
}
"""Kinds of readers: how many in a hundred, and the chance that one sees a message there."""
HAS = {"messenger": 0.65, "webpush": 0.3, "email": 0.7, "sms": 0.95}
ADDRESS = {"messenger": "telegram", "webpush": "webpush", "email": "email", "sms": "phone"}
FIXED = ("messenger", "email", "sms")


class Priced:
    """A channel as the decisions see it; it sends nothing."""

    keeps_body = False
    limits: Sequence[Limit] = ()

    def __init__(self, name: str, price: int, *reports: Status) -> None:
        self.name = name
        self.address_kinds = (ADDRESS[name],)
        self.reports = reports
        self._price = price

    def units(self, body: Body) -> int:
        return segments(body.plain).parts if self.name == "sms" else 1

    def price(self, words: Words, address: str) -> int:
        return self._price * self.units(words())

    async def send(self, outgoing: Outgoing) -> SendResult:
        return Sent()


CHANNELS = (
    Priced("messenger", 0, Status.READ),
    Priced("webpush", 0, Status.READ),
    Priced("email", MAIL_PRICE, Status.READ),
    Priced("sms", SMS_PRICE, Status.DELIVERED),
)


@dataclass(frozen=True, slots=True)
class Reader:
    """A customer: where she has addresses, what she saw in the warm-up, where she would see it."""

    has: frozenset[str]
    habits: Mapping[str, Record]
    would_see: frozenset[str]


@dataclass(slots=True)
class Bill:
    """Millionths of the currency, and people who have seen the message."""

    cost: int = 0
    reached: int = 0
    sends: dict[str, int] = field(default_factory=dict)

    def sent(self, channel: str, price: int) -> None:
        self.cost += price
        self.sends[channel] = self.sends.get(channel, 0) + 1

    @property
    def per_reached(self) -> float:
        return self.cost / MILLION / max(self.reached, 1)


def readers(count: int) -> list[Reader]:
    """The base, always the same one."""
    chance = random.Random(SEED)
    weights = [weight for weight, _ in KINDS.values()]
    kinds = [sees for _, sees in KINDS.values()]
    return [_reader(sees, chance) for sees in chance.choices(kinds, weights, k=count)]


def _reader(sees: Mapping[str, float], chance: random.Random) -> Reader:
    has = frozenset(name for name, share in HAS.items() if chance.random() < share)
    habits = {
        name: Record(WARM_UP, sum(chance.random() < sees[name] for _ in range(WARM_UP)))
        for name in sorted(has - {"sms"})
    }
    return Reader(has, habits, frozenset(n for n in sorted(sees) if chance.random() < sees[n]))


def by_order(base: Sequence[Reader], order: Sequence[str], prices: Mapping[str, int]) -> Bill:
    """Each channel of the order that she has, until she has seen it."""
    bill = Bill()
    for her in base:
        for channel in order:
            if channel in her.has:
                bill.sent(channel, prices[channel])
                if channel in her.would_see:
                    bill.reached += 1
                    break
    return bill


class Route:
    """What the worker would do with a message to each of the base."""

    def __init__(self, base: Sequence[Reader]) -> None:
        self._base = base
        self._before: dict[int, list[Before]] = {}
        self._facts = Facts(
            people={n: _person(n, her) for n, her in enumerate(base)},
            before=self._before,
            opt_ins={f"{n}@mail.example": OptIn.CONFIRMED for n in range(len(base))},
        )
        totals: dict[str, Record] = {}
        for her in base:
            for name, own in her.habits.items():
                sofar = totals.get(name, Record())
                totals[name] = Record(sofar.sent + own.sent, sofar.seen + own.seen)
        self._world = World(
            policies=Policies(),
            channels={kind: c for c in CHANNELS for kind in c.address_kinds},
            shut={},
            base=totals,
            now=START,
        )

    def run(self, reach_permille: int) -> Bill:
        bill = Bill()
        for n, her in enumerate(self._base):
            self._one(_message(n, reach_permille), her, bill)
        self._before.clear()
        return bill

    def _one(self, message: Claimed, her: Reader, bill: Bill) -> None:
        world = self._world
        tries = self._before[message.id] = []
        while isinstance(decided := decide(message, self._facts, world), Try):
            channel, to = decided.channel.name, decided.outgoing
            bill.sent(channel, decided.cost)
            if channel in her.would_see:
                bill.reached += 1
                return
            if decided.fallback_after_us is None:
                return
            place = (to.address_kind, to.address)
            tries.append(Before(channel, place, "sent", "", "", decided.cost))
            world = replace(world, now=world.now + decided.fallback_after_us)


def _person(n: int, her: Reader) -> Person:
    values = {"email": f"{n}@mail.example"}
    return Person(
        language="ru",
        timezone="Europe/Moscow",
        addresses=[Front(ADDRESS[name], values.get(name, str(n))) for name in sorted(her.has)],
        consents={("marketing", ""): True},
        habits=her.habits,
        quiet=NO_QUIET,
    )


def _message(n: int, reach_permille: int) -> Claimed:
    fields: dict[str, Any] = {
        "id": n + 1, "customer_id": n, "address_kind": "", "address": "", "topic": "marketing",
        "kind": "", "mailing": "", "template": "welcome",
        "context": {"programme": "Аптека", "points": 100},
        "language": "", "priority": 5, "value": 0, "urgent": False, "channels": frozenset(),
        "wants": "read", "reach_permille": reach_permille, "cost_max": None, "goal": "",
        "enrolment_id": None,
        "created_at": START, "expires_at": START + 14 * DAY_US, "tries": 1,
        "lease_until": START + DAY_US,
    }  # fmt: skip
    return Claimed(**fields)


async def cost(report: Report, *, rounds: int, scale: float) -> None:
    """Fill in this part of the report. The same every time: it has no rounds."""
    base = readers(int(20_000 * scale))
    prices = {"messenger": 0, "email": MAIL_PRICE, "sms": SMS_PRICE}
    sms = by_order(base, ("sms",), prices)
    fixed = by_order(base, FIXED, prices)
    pushed = by_order(base, ("webpush", *FIXED), prices | {"webpush": 0})
    route = Route(base)
    runs = {asked: route.run(asked) for asked in ASKED}
    _tell("sms alone", sms)
    _tell("messenger > e-mail > SMS", fixed)
    _tell("notifications first, then so", pushed)
    for asked, bill in runs.items():
        _tell(f"route, asked for {asked / 1000:.0%}", bill)
    for name, other in (("SMS alone", sms), ("fixed order", fixed)):
        asked, ours = enough(runs, other.reached)
        report.figure(f"cost: {name}: people reached", other.reached)
        report.figure(f"cost: {name}: spent", other.cost / MILLION)
        report.figure(f"cost: {name}: per person reached", other.per_reached)
        report.figure(f"cost: route for as many as {name}: asked for, permille", asked)
        report.figure(f"cost: route for as many as {name}: people reached", ours.reached)
        report.figure(f"cost: route for as many as {name}: spent", ours.cost / MILLION)
        report.figure(f"cost: route for as many as {name}: per person", ours.per_reached)
        report.aim(f"cost: route against {name}", ours.cost / other.cost, "< 1")
        report.aim(f"cost: reached, against {name}", ours.reached / other.reached, ">= 1")
    _, ours = enough(runs, pushed.reached)  # the order gets a channel more: how much is that alone?
    report.figure("cost: route against notifications, then the order", ours.cost / pushed.cost)
    report.figure("cost: reached, against that", ours.reached / pushed.reached)


def enough(runs: Mapping[int, Bill], people: int) -> tuple[int, Bill]:
    """The least asked-for reach with which so many were reached, else the greatest there is."""
    for asked, bill in runs.items():
        if bill.reached >= people:
            return asked, bill
    return max(runs.items(), key=lambda run: run[1].reached)


def _tell(name: str, bill: Bill) -> None:
    sends = json.dumps(dict(sorted(bill.sends.items())))
    print(
        f"  {name:<28} {bill.reached:>7} reached {bill.cost / MILLION:>10.2f} spent "
        f"{bill.per_reached:>8.4f} each  {sends}"
    )
