"""How a customer wants to be written to: one set of verbs for the page, the bot and the links.

Where she wants advertising is what she has agreed to (`loyalty.consents`), kept as facts. How
often, at which hours and which topics besides is a row of `preference`. Addresses that she left by
a link are suppressed, whoever shares them; asking for advertising there again lifts that.
"""

from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from msgspec import Struct

from loyalty import consents
from loyalty.database import dialect, query, transaction
from loyalty.instants import to_micros
from loyalty.sql.lists import listed
from messaging import suppressions
from messaging.policy.choices import ALL, PURPOSE, Choice, Fact, choice_of, resumed
from messaging.policy.consent import CONFIRMING_PROOFS, OptIn, Suppression
from messaging.push_subscriptions import subscriptions_of

CHANNEL_KINDS: Mapping[str, tuple[str, ...]] = {
    "messenger": ("telegram", "webchat"),
    "email": ("email",),
    "sms": ("phone",),
    "webpush": ("webpush",),
}
"""Every channel, with the kinds of address that it writes to."""
SURVEY = "survey"
TOPICS = (SURVEY,)
"""Those that she can turn off by themselves. Of advertising the channels speak, service goes on."""
OWN_WORDS = ("unsubscribed", "complained")
"""Suppressions that she has called for, and takes back by asking for advertising there again."""
WEEKLY_MAX = (1, 2, 3, 5)
"""What may be chosen; without a choice the programme's own caps hold alone."""
DAY_MINUTES = 24 * 60


@dataclass(frozen=True, slots=True)
class Said:
    """Where and when she said it, and to which wording: a consent is kept with all three."""

    source: str
    at: datetime
    wording: str


@dataclass(frozen=True, slots=True)
class ChannelChoice:
    """`gets`: advertising goes there; `wants`: it would if she had not stopped it everywhere."""

    name: str
    addresses: tuple[tuple[str, str], ...]
    wants: bool
    gets: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Preferences:
    """All that she can choose. `quiet` in minutes since her midnight; None: as the programme does.

    `channels` are those that she can be reached by. `pending_email` waits for her confirmation.
    `medicine_names`: SMS and locked screens may show what she takes.
    """

    customer_id: int
    name: str
    language: str
    timezone: str
    channels: Sequence[ChannelChoice]
    stopped: bool
    surveys: bool
    weekly_max: int | None
    quiet: tuple[int, int] | None
    email_opt_in: OptIn = OptIn.MISSING
    pending_email: str = ""
    medicine_names: bool = False

    def channel(self, name: str) -> ChannelChoice | None:
        return next((each for each in self.channels if each.name == name), None)

    @property
    def email(self) -> str:
        found = self.channel("email")
        return found.addresses[0][1] if found else ""


_CUSTOMER = """
    SELECT c.name, c.language, c.timezone, p.quiet_from, p.quiet_until, p.weekly_max, p.topics_off,
        p.medicine_names
    FROM customer c LEFT JOIN preference p ON p.customer_id = c.id
    WHERE c.id = $1 AND c.erased_at IS NULL
"""
_ADDRESSES = """
    SELECT kind, value, proof FROM identity
    WHERE customer_id = $1 AND COALESCE(ended_at, 0) = 0 AND kind <> 'card' ORDER BY id
"""
_OPT_INS = """
    SELECT address, confirmed_at FROM opt_in WHERE customer_id = $1 ORDER BY asked_at, id
"""


async def preferences_of(customer_id: int) -> Preferences | None:
    """What she has chosen, or None when there is no such customer."""
    rows = await query(_CUSTOMER, None, customer_id)
    if not rows:
        return None
    [row] = rows
    choice = choice_of(await facts_of(customer_id))
    identities = await query(_ADDRESSES, None, customer_id)
    addresses = [(each["kind"], each["value"]) for each in identities]
    addresses += await _browsers(customer_id)
    opt_ins = [tuple(each) for each in await query(_OPT_INS, None, customer_id)]
    emails = [(each["value"], each["proof"]) for each in identities if each["kind"] == "email"]
    email, proof = emails[0] if emails else ("", "")
    quiet = (row["quiet_from"], row["quiet_until"])
    return Preferences(
        customer_id=customer_id,
        name=row["name"],
        language=row["language"],
        timezone=row["timezone"],
        channels=_channels(addresses, choice),
        stopped=choice.stopped,
        surveys=SURVEY not in _topics_off(row["topics_off"]),
        weekly_max=row["weekly_max"],
        quiet=None if None in quiet else quiet,
        email_opt_in=_opt_in(email, proof, opt_ins),
        pending_email=_pending(email, opt_ins),
        medicine_names=bool(row["medicine_names"]),
    )


async def facts_of(customer_id: int) -> list[Fact]:
    """What she has said of advertising, in order."""
    facts = await consents.history(customer_id)
    return [(fact.channel, fact.granted) for fact in facts if fact.purpose == PURPOSE]


async def _addresses(customer_id: int) -> list[tuple[str, str]]:
    identities = await query(_ADDRESSES, None, customer_id)
    return [(row["kind"], row["value"]) for row in identities] + await _browsers(customer_id)


async def _browsers(customer_id: int) -> list[tuple[str, str]]:
    """Those that take notifications: they belong to her chats and are no identities."""
    subscriptions = await subscriptions_of([customer_id])
    return [(front.kind, front.value) for front in subscriptions.get(customer_id, ())]


def _channels(addresses: Sequence[tuple[str, str]], choice: Choice) -> list[ChannelChoice]:
    reachable = []
    for name, kinds in CHANNEL_KINDS.items():
        hers = tuple(address for address in addresses if address[0] in kinds)
        if hers:
            reachable.append(ChannelChoice(name, hers, choice.wants(name), choice.gets(name)))
    return reachable


def _opt_in(email: str, proof: str, opt_ins: Sequence[tuple[Any, ...]]) -> OptIn:
    if proof in CONFIRMING_PROOFS:
        return OptIn.CONFIRMED
    asked = any(address == email for address, _ in opt_ins)
    return OptIn.PENDING if asked else OptIn.MISSING


def _pending(email: str, opt_ins: Sequence[tuple[Any, ...]]) -> str:
    """The address of the last letter, when it has not been confirmed and is not hers already."""
    if not opt_ins or opt_ins[-1][1] is not None or opt_ins[-1][0] == email:
        return ""
    return str(opt_ins[-1][0])


def _topics_off(kept: str | None) -> frozenset[str]:
    return frozenset(filter(None, (kept or "").split(",")))


# -- what she changes ------------------------------------------------------------------------------


async def set_channel(customer_id: int, channel: str, wanted: bool, said: Said) -> bool:
    """Advertising in this channel, or none there; returns whether that is news."""
    if channel not in CHANNEL_KINDS:
        raise ValueError(f"no such channel: {channel!r}")
    async with alone(customer_id):
        choice = choice_of(await facts_of(customer_id))
        if wanted:
            await _lift(await _addresses(customer_id), (channel,), said.at)
        if choice.gets(channel) == wanted:
            return False
        await say(customer_id, [(channel, wanted)], said)
        return True


async def stop_advertising(customer_id: int, said: Said) -> bool:
    """No advertising anywhere; what she had chosen before is kept for `resume_advertising`."""
    async with alone(customer_id):
        choice = choice_of(await facts_of(customer_id))
        if choice.stopped:
            return False
        await say(customer_id, [(ALL, False)], said)
        return True


async def resume_advertising(customer_id: int, said: Said) -> bool:
    """Advertising again, where she had it before she stopped it."""
    async with alone(customer_id):
        choice = choice_of(await facts_of(customer_id))
        if not choice.stopped:
            return False
        facts = resumed(choice)
        await say(customer_id, facts, said)
        on = [name for name in CHANNEL_KINDS if choice_of(facts).gets(name)]
        await _lift(await _addresses(customer_id), on, said.at)
        return True


_SET = """
    INSERT INTO preference (customer_id, {column}, updated_at) VALUES ($1, $2, $3)
    ON CONFLICT (customer_id) DO UPDATE SET {column} = excluded.{column}, updated_at = $3
"""
_SET_WEEKLY_MAX = _SET.replace("{column}", "weekly_max")
_SET_TOPICS_OFF = _SET.replace("{column}", "topics_off")
_SET_MEDICINE_NAMES = _SET.replace("{column}", "medicine_names")
_SET_QUIET = """
    INSERT INTO preference (customer_id, quiet_from, quiet_until, updated_at)
    VALUES ($1, $2, $3, $4)
    ON CONFLICT (customer_id) DO UPDATE SET quiet_from = excluded.quiet_from,
        quiet_until = excluded.quiet_until, updated_at = excluded.updated_at
"""


async def set_surveys(customer_id: int, wanted: bool, at: datetime) -> None:
    """Whether she is asked how we did."""
    off = "" if wanted else SURVEY
    await query(_SET_TOPICS_OFF, None, customer_id, off, to_micros(at))


async def set_medicine_names(customer_id: int, shown: bool, at: datetime) -> None:
    """Whether SMS and locked screens, where others may read along, name what she takes."""
    await query(_SET_MEDICINE_NAMES, None, customer_id, shown, to_micros(at))


async def set_weekly_max(customer_id: int, most: int | None, at: datetime) -> None:
    """At most so many mailings and surveys in seven days; None: by the programme's caps alone."""
    if most is not None and most not in WEEKLY_MAX:
        raise ValueError(f"no such choice: {most}")
    await query(_SET_WEEKLY_MAX, None, customer_id, most, to_micros(at))


async def set_quiet(customer_id: int, quiet: tuple[int, int] | None, at: datetime) -> None:
    """From … until, minutes since her midnight; equal ones: never quiet; None: the default."""
    if quiet is not None and not all(0 <= minute < DAY_MINUTES for minute in quiet):
        raise ValueError(f"no minutes of a day: {quiet}")
    begin, end = quiet or (None, None)
    await query(_SET_QUIET, None, customer_id, begin, end, to_micros(at))


@asynccontextmanager
async def alone(customer_id: int | None) -> AsyncIterator[None]:
    """A transaction in which nobody else changes the choices of this customer."""
    async with transaction():
        if customer_id is not None and dialect() == "postgres":  # SQLite has one writer anyway
            await query(_LOCK, None, customer_id)
        yield


_LOCK = "SELECT id FROM customer WHERE id = $1 FOR NO KEY UPDATE"


async def say(customer_id: int, facts: Sequence[Fact], said: Said) -> None:
    """Keep these as consents of hers; within `alone`."""
    for channel, granted in facts:
        await consents.record(
            customer_id,
            said.at,
            purpose=PURPOSE,
            channel=channel,
            granted=granted,
            source=said.source,
            wording=said.wording,
        )


async def _lift(
    addresses: Sequence[tuple[str, str]], channels: Sequence[str], at: datetime
) -> None:
    kinds = {kind for channel in channels for kind in CHANNEL_KINDS[channel]}
    for kind, value in addresses:
        if kind in kinds:
            for reason in OWN_WORDS:
                await suppressions.lift(kind, value, reason=reason, at=at)


# -- for the dispatcher ----------------------------------------------------------------------------


class Wishes(Struct, frozen=True):
    """What the dispatcher asks of a customer; None: by the programme's rules."""

    weekly_max: int | None = None
    quiet: tuple[int, int] | None = None
    suppressions: tuple[Suppression, ...] = ()


_NAMES_SHOWN = listed(
    "SELECT customer_id FROM preference WHERE customer_id IN {list} AND medicine_names"
)


async def medicine_names_shown(customer_ids: Sequence[int]) -> set[int]:
    """Who lets SMS and locked screens name her medicines."""
    rows = await query(*_NAMES_SHOWN, sorted(set(customer_ids)))
    return {row["customer_id"] for row in rows}


WISHES = "p.weekly_max, p.quiet_from, p.quiet_until, p.topics_off"
"""The columns of `preference p` that `wishes` reads."""
_NONE = Wishes()


def wishes(row: Any) -> Wishes:
    """From a row with WISHES, all of them NULL where she has expressed none."""
    if row["topics_off"] is None:
        return _NONE
    quiet = (row["quiet_from"], row["quiet_until"])
    off = sorted(_topics_off(row["topics_off"]))
    return Wishes(
        row["weekly_max"],
        None if None in quiet else quiet,
        tuple(Suppression(reason="unsubscribed", topic=topic) for topic in off),
    )
