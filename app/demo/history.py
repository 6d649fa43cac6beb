"""A year at the tills: who bought what and when, what it earned, what was paid with points.

Pure but for the dice it is given. Balances are followed lot by lot, so that nobody spends what she
did not have at that moment: the ledger, told the same story, refuses none of it.
"""

import random
from bisect import insort
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from math import ceil

from app.demo.catalogue import Good, goods_by_need
from app.demo.people import Person
from loyalty.rules.earning import Goods, Priced
from loyalty.rules.programme import ProgrammeRules

_SEASONS = {  # how much of a need each month has, January first
    "cold": (1.9, 1.9, 1.4, 0.9, 0.6, 0.4, 0.3, 0.4, 1.0, 1.4, 1.6, 1.8),
    "child_cold": (1.8, 1.8, 1.3, 0.9, 0.6, 0.4, 0.3, 0.4, 1.1, 1.4, 1.6, 1.7),
    "allergy": (0.3, 0.4, 0.8, 1.8, 2.3, 2.0, 1.5, 1.2, 0.7, 0.4, 0.3, 0.3),
    "sun": (0.1, 0.1, 0.2, 0.5, 1.6, 2.6, 2.8, 2.0, 0.6, 0.2, 0.1, 0.1),
    "vitamins": (1.4, 1.3, 1.3, 1.0, 0.8, 0.6, 0.6, 0.7, 1.0, 1.3, 1.4, 1.3),
}
_MONTHS = (1.12, 1.08, 1.05, 0.98, 0.94, 0.86, 0.8, 0.84, 0.96, 1.04, 1.1, 1.2)
_WEEKDAYS = (1.1, 1.05, 1.0, 1.0, 1.12, 0.9, 0.72)
_HOURS = (8, 9, 10, 11, 12, 13, 14, 15, 16, 17, 18, 19, 20, 21)
_HOUR_WEIGHTS = (4, 6, 8, 8, 7, 6, 5, 6, 8, 10, 12, 11, 7, 3)
LINES_MAX = 8
_NEVER = 1e18


@dataclass(frozen=True, slots=True)
class Sold:
    good: Good
    quantity: int

    @property
    def amount_minor(self) -> int:
        return self.good.price_minor * self.quantity


@dataclass(frozen=True, slots=True)
class Sale:
    """One receipt. `person` is an index; the money and the points are in `priced`.

    `balance` is what she has right after it, `expiring` the points that go first and when.
    """

    person: int
    at: datetime
    till: int
    lines: Sequence[Sold]
    priced: Priced
    balance: int
    expiring: tuple[int, datetime] | None


@dataclass(slots=True)
class _Purse:
    """Points by expiry, soonest first: [expires_at, points]."""

    lots: list[list[float]] = field(default_factory=list)

    def give(self, points: int, expires_at: float) -> None:
        if points:
            insort(self.lots, [expires_at, points])

    def available(self, at: float) -> int:
        return int(sum(points for expires_at, points in self.lots if expires_at > at))

    def soonest(self) -> tuple[int, datetime] | None:
        """The points that expire first, of lots that do expire."""
        if not self.lots or self.lots[0][0] >= _NEVER:
            return None
        expires_at = self.lots[0][0]
        points = sum(points for at, points in self.lots if at == expires_at)
        return int(points), datetime.fromtimestamp(expires_at, UTC)

    def take(self, points: int, at: float) -> None:
        self.lots = [lot for lot in self.lots if lot[0] > at]
        for lot in self.lots:
            part = min(lot[1], points)
            lot[1] -= part
            points -= int(part)
        self.lots = [lot for lot in self.lots if lot[1]]


def history(
    crowd: Sequence[Person], *, chance: random.Random, now: datetime, rules: ProgrammeRules
) -> Iterator[Sale]:
    """Every receipt until `now`, in the order of time."""
    visits = [
        (at, i, reason)
        for i, person in enumerate(crowd)
        for at, reason in visits_of(person, chance, now)
    ]
    visits.sort(key=lambda visit: (visit[0], visit[1]))
    purses = [_Purse() for _ in crowd]
    lives = (
        timedelta(days=rules.points_live_days).total_seconds() if rules.points_live_days else _NEVER
    )
    gift = timedelta(days=rules.welcome_points_live_days).total_seconds() or _NEVER
    for purse, person in zip(purses, crowd, strict=True):
        purse.give(rules.welcome_points, person.joined_at.timestamp() + gift)
    for at, i, course in visits:
        person, purse = crowd[i], purses[i]
        instant, closing = at.timestamp(), recorded_at(at, now).timestamp()
        lines = basket_of(person, course, at, chance)
        goods = [Goods(line.amount_minor) for line in lines]
        spend = 0
        if chance.random() < person.saver:
            spend = min(rules.pricing.limit(goods), purse.available(closing))
            spend = spend if spend >= 20 else 0
        priced = rules.pricing.price(goods, spend)
        purse.take(spend, closing)
        purse.give(priced.earned, instant + lives)
        till = chance.randrange(person.shop.tills)
        yield Sale(i, at, till, lines, priced, purse.available(closing), purse.soonest())


def recorded_at(at: datetime, now: datetime) -> datetime:
    """When the ledger of the demo hears of something: at the end of its week."""
    midnight = at.replace(hour=0, minute=0, second=0, microsecond=0)
    return min(midnight + timedelta(days=7 - at.weekday()), now)


def visits_of(
    person: Person, chance: random.Random, now: datetime
) -> Iterator[tuple[datetime, Sold | None]]:
    """When she comes, and for how much of which standing medicine if for one. Never the same moment
    twice."""
    last = min(now - timedelta(minutes=5), person.left_at or now)
    yield from ((at, None) for at in (person.joined_at + timedelta(minutes=3),) if at < last)
    for course in person.courses:
        at = person.joined_at + timedelta(days=chance.uniform(0.5, course.days))
        while at < last:
            moment = _opening_hours(at, person, chance)
            packs = 2 if chance.random() < 0.18 else 1
            if person.joined_at < moment < last:
                yield moment, Sold(course.good, packs)
            # People buy a little before the last pack is empty, or a little after.
            lasts = chance.gauss(course.days * packs, course.days * 0.08)
            at += timedelta(days=max(7.0, lasts))
    days = max(0.0, (last - person.joined_at).total_seconds() / 86_400)
    for _ in range(int(days / 365 * person.visits + chance.random())):
        at = person.joined_at + timedelta(days=chance.random() * days)
        if chance.random() < _MONTHS[at.month - 1] * _WEEKDAYS[at.weekday()]:
            moment = _opening_hours(at, person, chance)
            if person.joined_at < moment < last:
                yield moment, None


def _opening_hours(at: datetime, person: Person, chance: random.Random) -> datetime:
    [hour] = chance.choices(_HOURS, _HOUR_WEIGHTS)
    local = at.replace(hour=hour, minute=chance.randrange(60), second=chance.randrange(60))
    return local - _UTC_OFFSETS[person.shop.timezone]


_UTC_OFFSETS = {
    "Europe/Moscow": timedelta(hours=3),
    "Europe/Samara": timedelta(hours=4),
    "Asia/Yekaterinburg": timedelta(hours=5),
    "Asia/Novosibirsk": timedelta(hours=7),
}


def basket_of(
    person: Person, course: Sold | None, at: datetime, chance: random.Random
) -> list[Sold]:
    count = min(LINES_MAX, 1 + ceil(chance.expovariate(0.9)) - (1 if course else 0))
    chosen: dict[str, Sold] = {}
    if course is not None:
        chosen[course.good.sku] = course
    by_need = goods_by_need()
    for _ in range(count * 3):
        if len(chosen) >= count:
            break
        need = chance.choice(person.needs)
        if chance.random() > _SEASONS.get(need, _EVEN)[at.month - 1] / 2:
            continue
        good = chance.choice(by_need[need])
        if good.price_minor > 120_000 and chance.random() < 0.7:
            continue  # a thing one buys seldom
        quantity = 1 if good.price_minor > 20_000 or chance.random() < 0.8 else 2
        chosen.setdefault(good.sku, Sold(good, quantity))
    if not chosen:
        good = chance.choice(by_need["first_aid"])
        chosen[good.sku] = Sold(good, 1)
    return list(chosen.values())


_EVEN = (1.0,) * 12
