"""The whole product on a virtual clock, with in-process channels, a chain of shops, and a crowd."""

import random
from collections import Counter
from collections.abc import AsyncIterator, Callable, Iterable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path

from app.assembly import House, Outside, open_house
from app.demo.chain import STAFF
from app.demo.people import people
from app.demo.programme import demo_document
from app.demo.seed import write_chain, write_goods
from app.demo.telling import Seat
from app.settings import Settings, load_settings
from app.simulation.people import Life, lives
from app.simulation.receivers import Arrival, Mailboxes, Post, SmsPhones
from app.simulation.repeatable import repeatable
from bot.rehearsal import Telephones
from loyalty.clock import VirtualClock
from loyalty.database import query
from loyalty.instants import from_micros, to_micros
from loyalty.refusals import Refusal
from messaging.channels.base import Channel
from messaging.pacing import Claim
from messaging.statuses import take_reports

SECRET = b"a simulation has no secrets at all"


class Unhurried:
    """No provider is out there whose limits, in real seconds, would have to be kept."""

    async def take(self, claims: Sequence[Claim], patience_s: float = 0.0) -> float:
        return 0.0

    async def debit(self, claims: Sequence[Claim]) -> None:
        """Nothing is counted."""

    async def hold(self, limit: object, seconds: float) -> None:
        """Nobody asks to be left alone."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Told:
    """The message that has arrived somewhere."""

    attempt_id: int
    message_id: int
    topic: str
    kind: str
    source: str
    template: str
    dedupe_key: str
    urgent: bool


def in_memory(post: Post) -> Iterable[Channel]:
    """SMS and e-mail that go nowhere but to who is written to."""
    return SmsPhones(post), Mailboxes(post)


@dataclass(slots=True)
class World:
    """`refusals` counts what the product said no to, by what was asked and its name."""

    seed: int
    clock: VirtualClock
    house: House
    telephones: Telephones
    post: Post
    seats: Mapping[tuple[str, int], Seat] = field(default_factory=dict)
    crowd: Sequence[Life] = ()
    refusals: Counter[tuple[str, str]] = field(default_factory=Counter)
    done: Counter[str] = field(default_factory=Counter)
    _transcript_read: int = 0

    @property
    def now(self) -> datetime:
        return self.clock.now()

    def refused(self, asked: str, refusal: Refusal) -> None:
        self.refusals[asked, str(refusal.code)] += 1

    async def deliver(self) -> list[tuple[Arrival, Told | None]]:
        """Let everything that is due go out; returns what has come to anybody, and which message
        it was (None: nobody knows)."""
        await self.house.attention.flush()
        await self._settle()
        await self._report()
        arrivals = [*self._from_telegram(), *await self._from_webchat(), *self.post.arrivals]
        self.telephones.mailed.clear()
        self.post.arrivals.clear()
        told = await messages_of(arrivals)
        return [(each, told.get((each.address, each.reference))) for each in arrivals]

    async def _settle(self) -> None:
        """Until nobody has anything to do at this instant."""
        while True:
            await self.house.dispatcher.drain()
            if not await self.house.journeys.drain():
                return

    async def _report(self) -> None:
        """Providers tell what became of SMS and mails."""
        while self.post.reports:
            reports = self.post.reports[:]
            self.post.reports.clear()
            await take_reports(reports)
            await self.house.dispatcher.drain()

    def _from_telegram(self) -> Iterable[Arrival]:
        for mailed in self.telephones.mailed:
            rows = mailed.message.get("reply_markup", {}).get("inline_keyboard", ())
            yield Arrival(
                at=datetime.fromtimestamp(mailed.message["date"], UTC),
                address_kind="telegram",
                address=str(mailed.user_id),
                reference=str(mailed.number),
                text=str(mailed.message.get("text", "")),
                buttons=[
                    (button["text"], button["callback_data"])
                    for row in rows
                    for button in row
                    if "callback_data" in button
                ],
            )

    async def _from_webchat(self) -> list[Arrival]:
        """New rows of the transcript that a try of the messenger channel has written."""
        rows = await query(_WEBCHAT, None, self._transcript_read)
        if rows:
            self._transcript_read = max(row["id"] for row in rows)
        return [
            Arrival(
                at=from_micros(row["at"]),
                address_kind="webchat",
                address=str(row["thread_id"]),
                reference=str(row["message_id"]),
                text=row["body"],
            )
            for row in rows
        ]


_MESSAGES = """
    SELECT a.address, a.provider_id, a.id AS attempt_id, m.id AS message_id, m.topic, m.kind,
        m.source, m.template, m.dedupe_key, m.urgent
    FROM attempt a JOIN message m ON m.id = a.message_id
    WHERE a.channel IN ('messenger', 'sms', 'email') AND a.finished_at >= $2
        AND a.address IN (SELECT value FROM json_each($1))
"""


async def messages_of(arrivals: Sequence[Arrival]) -> Mapping[tuple[str, str], Told]:
    """By address and reference: which message each of these is, of those just sent."""
    if not arrivals:
        return {}
    since = to_micros(min(each.at for each in arrivals))
    rows = await query("", _MESSAGES, sorted({each.address for each in arrivals}), since)
    return {
        (row["address"], row["provider_id"]): Told(
            **{name: row[name] for name in Told.__slots__ if name != "urgent"},
            urgent=bool(row["urgent"]),
        )
        for row in rows
    }


_WEBCHAT = """
    SELECT c.id, c.thread_id, c.message_id, c.body, c.at FROM chat_message c
    WHERE c.id > $1 AND c.outgoing = 1 AND EXISTS (
        SELECT 1 FROM attempt a WHERE a.channel = 'messenger'
        AND a.address = CAST(c.thread_id AS TEXT) AND a.address_kind = 'webchat'
        AND a.provider_id = CAST(c.message_id AS TEXT))
    ORDER BY c.id
"""


@asynccontextmanager
async def open_world(
    settings: Settings,
    *,
    seed: int,
    start: datetime,
    secret: bytes = SECRET,
    channels: Callable[[Post], Iterable[Channel]] = in_memory,
) -> AsyncIterator[World]:
    """The house on a virtual clock, with telephones and `channels`; nobody lives in it yet."""
    clock = VirtualClock(start)
    with repeatable(seed, clock):
        telephones, post = Telephones(clock), Post(clock)
        outside = Outside(telephones=telephones, pacer=Unhurried())
        async with open_house(
            settings, secret=secret, clock=clock, channels=channels(post), outside=outside
        ) as house:
            telephones.dispatcher = house.fronts.dispatcher
            yield World(seed, clock, house, telephones, post)


async def settle(world: World, *, customers: int, days: int) -> None:
    """Found a chain, and make the crowd that will come in so many days."""
    await write_goods()
    world.seats = await write_chain(world.now)
    await _save_rules(world.house)
    dice = random.Random(f"crowd:{world.seed}")
    end = world.now + timedelta(days=days)
    world.crowd = lives(people(customers, chance=dice, now=end, days=days), world.seed)


def simulation_settings(path: Path) -> Settings:
    """Those of the environment, but for the world outside: there is none."""
    settings = load_settings(database_url=f"sqlite://{path}", redis_url=None)
    web = settings.web.model_copy(update={"public_url": "https://kapsula.example"})
    none = {name: type(getattr(settings, name))() for name in ("telegram", "sms", "email")}
    webpush = settings.webpush.model_copy(update={"key": None})
    return settings.model_copy(update={"web": web, "webpush": webpush, **none})


async def _save_rules(house: House) -> None:
    saved = await house.programme.book.save(
        demo_document(house.programme.rules), by=STAFF[0].name, comment="simulation"
    )
    assert not isinstance(saved, Refusal), saved
