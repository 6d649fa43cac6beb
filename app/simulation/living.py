"""The loop of a simulated year: everybody's next deeds in a queue, and a worker that comes round.

Between two rounds deeds happen at their own instants. At each round the outbox is emptied, and what
has come is looked at some time later. Once a day, at night, the auditor comes.
"""

import heapq
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import datetime, timedelta

from app.demo.history import Sold, visits_of
from app.simulation import acting, tills
from app.simulation.auditing import Auditor
from app.simulation.marketer import Marketer
from app.simulation.operator import Operator
from app.simulation.people import (
    ADDS_MEDICINE,
    BROUGHT,
    CANCELS,
    CHANGES_SETTINGS,
    DEAD_ADDRESS,
    GIVES_BACK,
    VISITS_SITE,
    Life,
)
from app.simulation.receivers import Arrival
from app.simulation.shop_site import ShopSite
from app.simulation.world import Told, World

AUDIT_HOUR_UTC = 0
SITE_DAYS = 15.0
"""About so many days from one visit of the site to the next."""
_HOUR = timedelta(hours=1)


@dataclass(frozen=True, slots=True, kw_only=True)
class Pace:
    """How often the worker comes round; every how many rounds it also looks who enters a journey,
    and does its other chores."""

    round_every: timedelta = timedelta(minutes=30)
    scan_rounds: int = 2
    tidy_rounds: int = 2


Deed = Callable[[], Awaitable[None]]


class Year:
    """Everything that is yet to happen, in the order of time."""

    def __init__(
        self,
        world: World,
        auditor: Auditor | None,
        *,
        days: float,
        pace: Pace = Pace(),
    ) -> None:
        self._world = world
        self._auditor = auditor
        self._pace = pace
        self._start = world.now
        self._end = world.now + timedelta(days=days)
        self._queue: list[tuple[datetime, int, Deed]] = []
        self._numbers = 0
        self._by_address: dict[tuple[str, str], Life] = {}
        self._inviters: list[Life] = []
        self._marketer = Marketer(world)
        self._operator = Operator(world)
        self._site: ShopSite | None = None

    async def run(self, progress: Callable[[int], None]) -> None:
        """Live it. `progress` gets the number of days that are over."""
        world, rounds = self._world, 0
        self._site = await ShopSite.open(world)
        for life in world.crowd:
            self._at(life.person.joined_at, self._joining(life))
        for at, deed in self._marketer.plan(self._start, self._end):
            self._at(at, deed)
        while world.now < self._end:
            await self._until(min(world.now + self._pace.round_every, self._end))
            rounds += 1
            await self._operator.work()
            if rounds % self._pace.tidy_rounds == 0:
                await world.house.programme.tidy()
            if rounds % self._pace.scan_rounds == 0:
                await world.house.journeys.scan()
            for arrival, told in await world.deliver():
                self._comes(arrival, told)
            if world.now.hour == AUDIT_HOUR_UTC and world.now.minute == 0:
                if self._auditor is not None:
                    await self._auditor.day()
                progress((world.now - self._start).days)

    async def _until(self, end: datetime) -> None:
        """All deeds up to then, each at its instant."""
        while self._queue and self._queue[0][0] <= end:
            at, _, deed = heapq.heappop(self._queue)
            self._world.clock.set(max(at, self._world.now))
            await deed()
        self._world.clock.set(end)

    def _at(self, at: datetime, deed: Deed) -> None:
        self._numbers += 1
        if at < self._end:
            heapq.heappush(self._queue, (at, self._numbers, deed))

    def _in(self, life: Life, days: float, deed: Deed) -> None:
        """About so many days from now, at an hour at which people are awake."""
        later = self._world.now + timedelta(days=life.dice.expovariate(1 / days))
        awake = later.replace(hour=6, minute=0) + life.dice.random() * 12 * _HOUR
        self._at(max(awake, self._world.now + timedelta(minutes=5)), deed)

    # deeds

    def _joining(self, life: Life) -> Deed:
        async def deed() -> None:
            world = self._world
            await acting.join(world, life, self._brought(life))
            self._is_known(life)
            for at, course in sorted(
                visits_of(life.person, life.dice, self._end), key=lambda visit: visit[0]
            ):
                self._at(at, self._visiting(life, course))
            if life.happens(VISITS_SITE):
                self._in(life, SITE_DAYS, self._browsing(life))
            if life.front == "none":
                return
            character = life.character
            if life.happens(character.gives_email):
                self._in(life, 6, lambda: acting.give_email(world, life))
            if life.happens(CHANGES_SETTINGS):
                self._in(life, 30, lambda: acting.choose_settings(world, life))
            if life.happens(ADDS_MEDICINE):
                self._in(life, 25, lambda: acting.add_medicine(world, life))
            if life.happens(character.invites):
                self._in(life, 20, self._inviting(life))

        return deed

    def _brought(self, life: Life) -> str:
        """What the link carries by which she comes."""
        if self._inviters and life.front != "none" and life.happens(BROUGHT):
            return f"ref_{life.dice.choice(self._inviters).referral_code}"
        return ""

    def _is_known(self, life: Life) -> None:
        person = life.person
        self._by_address["phone", person.phone] = life
        if person.email is not None:
            self._by_address["email", person.email] = life
        if life.front != "none":
            self._by_address[life.front, str(life.chat)] = life
        if life.happens(DEAD_ADDRESS):
            self._world.post.dead.add(person.email or person.phone)
        if self._auditor is not None:
            self._auditor.meet(life)

    def _inviting(self, life: Life) -> Deed:
        async def deed() -> None:
            if life.blocked:
                return
            await acting.ask_for_referral_code(self._world, life)
            if life.referral_code:
                self._inviters.append(life)

        return deed

    def _browsing(self, life: Life) -> Deed:
        async def deed() -> None:
            assert self._site is not None
            await self._site.visit(life)
            self._in(life, SITE_DAYS, self._browsing(life))

        return deed

    def _visiting(self, life: Life, course: Sold | None) -> Deed:
        async def deed() -> None:
            bought = await tills.buy(self._world, life, course)
            if bought is None:
                return
            if life.happens(CANCELS):
                soon = self._world.now + timedelta(minutes=life.dice.randrange(1, 15))
                self._at(soon, lambda: tills.cancel(self._world, bought, self._world.now))
            elif life.happens(GIVES_BACK):
                self._in(life, 4, lambda: tills.give_back(self._world, life, bought))

        return deed

    # what came

    def _comes(self, arrival: Arrival, told: Told | None) -> None:
        life = self._by_address.get((arrival.address_kind, arrival.address))
        if self._auditor is not None:
            self._auditor.arrived(life, arrival, told)
        if life is None or not life.happens(life.character.reads.get(arrival.address_kind, 0)):
            return
        later = self._world.now + timedelta(minutes=1 + life.dice.expovariate(1 / 90))

        async def deed() -> None:
            await acting.look(self._world, life, arrival, told)
            if told is not None and told.topic == "marketing":
                await self._is_advertised_to(life, arrival)

        self._at(later, deed)

    async def _is_advertised_to(self, life: Life, arrival: Arrival) -> None:
        """It brings her to the shop, or she has enough of it."""
        character = life.character
        if life.happens(character.buys):
            self._in(life, 1.5, self._visiting(life, None))
        if life.happens(character.tires) and not life.blocked:
            await acting.stop_advertising(self._world, life, arrival)
            if life.happens(character.returns):
                self._in(life, 40, lambda: acting.come_back(self._world, life))
