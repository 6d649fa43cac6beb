"""A marketer who does not count: more mailings than anybody may get, a promo code each season.

The product has to hold the line: what the caps let through is the daily checks' business.
"""

from collections.abc import Awaitable, Callable, Iterator, Sequence
from datetime import UTC, datetime, timedelta

from app.simulation.world import World
from loyalty.instants import to_micros
from loyalty.refusals import Refusal
from loyalty.rules.promo import Kind, Terms
from messaging.outbox import Draft, enqueue

MAILING_DAYS = (3, 4, 5, 18)
"""Days of the month: three in a row are one too many for a week."""
MAILING_HOUR_UTC = 7
LASTS = timedelta(days=5)
CHUNK = 500

_SEASONS = ("WINTER", "WINTER", "SPRING", "SPRING", "SPRING", "SUMMER", "SUMMER", "SUMMER",
            "AUTUMN", "AUTUMN", "AUTUMN", "WINTER")  # fmt: skip
_OFFERS = (
    ("Неделя витаминов", "Скидки на витамины и минералы для всей семьи."),
    ("Забота о сердце", "Тонометры и всё для давления дешевле до конца недели."),
    ("Для малышей", "Подгузники и уход за кожей: двойные бонусы."),
    ("Красота без лишнего", "Уходовая косметика по специальным ценам."),
)


class Marketer:
    """Plans the year."""

    def __init__(self, world: World) -> None:
        self._world = world

    def plan(
        self, start: datetime, end: datetime
    ) -> Iterator[tuple[datetime, Callable[[], Awaitable[None]]]]:
        """Every mailing, with its instant."""
        day = start.replace(hour=MAILING_HOUR_UTC, minute=0, second=0, microsecond=0)
        while day < end:
            if day.day in MAILING_DAYS and day > start:
                yield day, self._mailing(day)
            day += timedelta(days=1)

    def _mailing(self, day: datetime) -> Callable[[], Awaitable[None]]:
        async def deed() -> None:
            title, text = _OFFERS[MAILING_DAYS.index(day.day)]
            if day.day == MAILING_DAYS[0]:
                code = await self._promo_code(day)
                text = f"{text} Промокод {code}: скидка 10 %."
            await self._send(day, title, text)

        return deed

    async def _promo_code(self, day: datetime) -> str:
        """One for each season, for everybody, twice at most."""
        code = f"{_SEASONS[day.month - 1]}{day.year % 100}"
        until = datetime(day.year + day.month // 12, day.month % 12 + 1, 1, tzinfo=UTC)
        terms = Terms(
            kind=Kind.PERCENT,
            permille=100,
            per_customer_max=2,
            starts_at=0,
            ends_at=to_micros(until + timedelta(days=62)),
            min_total_minor=500_00,
        )
        campaigns = self._world.house.programme.campaigns
        if await campaigns.by_name(code) is None:
            made = await campaigns.create(code, code.title(), terms, shared_code=code)
            assert not isinstance(made, Refusal), made
        return code

    async def _send(self, day: datetime, title: str, text: str) -> None:
        now = self._world.now
        name = f"{day:%Y-%m-%d}"
        ids = sorted(life.id for life in self._world.crowd if life.id)
        for first in range(0, len(ids), CHUNK):
            await enqueue(self._drafts(name, ids[first : first + CHUNK], title, text), at=now)
        self._world.done["mailings"] += 1

    def _drafts(self, name: str, ids: Sequence[int], title: str, text: str) -> list[Draft]:
        context = {
            "programme": self._world.house.programme.rules.name,
            "title": title,
            "text": text,
            "link": "https://shop.example/offers",
        }
        return [
            Draft(
                dedupe_key=f"mailing:{name}:{customer_id}",
                source=f"mailing:{name}",
                mailing=name,
                topic="marketing",
                kind="offer",
                template="offer",
                customer_id=customer_id,
                context=context,
                cost_max=5_000_000,
                priority=6,
                expires_at=self._world.now + LASTS,
            )
            for customer_id in ids
        ]
