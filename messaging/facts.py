"""What the decisions about a batch of messages stand on, loaded in a few queries.

Everything binds late: addresses, consents and contacts are those of the moment of sending.
"""

from collections import defaultdict
from collections.abc import Mapping, Sequence, Set
from typing import Any

from msgspec import Struct, field

from loyalty.database import analysis, query
from loyalty.instants import NEVER
from loyalty.rules.consents import Consents, standing
from loyalty.sql.lists import listed, looked_up
from messaging import suppressions
from messaging.mailings import Address, taken_of
from messaging.outbox import Claimed
from messaging.policy.caps import Contact
from messaging.policy.consent import CONFIRMING_PROOFS, OptIn, Suppression
from messaging.policy.fronts import Front
from messaging.policy.habits import Record
from messaging.policy.quiet_hours import QuietHours
from messaging.preferences import WISHES, wishes
from messaging.push_subscriptions import ADDRESS_KIND as BROWSER
from messaging.push_subscriptions import subscriptions_of

NO_QUIET = QuietHours(begin=0, end=0)


class Person(Struct, frozen=True):
    """What is known of a customer when a message to her is about to go."""

    language: str
    timezone: str
    erased: bool = False
    addresses: Sequence[Front] = ()
    consents: Consents = field(default_factory=dict)
    contacts: Sequence[tuple[int, Contact]] = ()
    """By message, what the caps may count; loaded only when a message to her may be capped."""
    habits: Mapping[str, Record] = field(default_factory=dict)
    weekly_max: int | None = None
    quiet: QuietHours | None = None
    stops: Sequence[Suppression] = ()
    """The topics that she does not want, at whatever address."""


class Before(Struct, frozen=True):
    """An earlier try of a message. `state` as in `Attempt`, `error` is a bare reason."""

    channel: str
    address: Address
    state: str
    status: str
    error: str
    cost: int

    @property
    def went(self) -> bool:
        """Whether it may have reached her."""
        return self.state in ("sent", "unknown")


class Facts(Struct, frozen=True):
    people: Mapping[int, Person] = field(default_factory=dict)
    before: Mapping[int, Sequence[Before]] = field(default_factory=dict)
    """By message, its earlier tries."""
    suppressed: Mapping[Address, Sequence[Suppression]] = field(default_factory=dict)
    opt_ins: Mapping[str, OptIn] = field(default_factory=dict)
    """By e-mail address."""
    taken: Mapping[int, Set[Address]] = field(default_factory=dict)
    """By message, the addresses that its mailing has been at already."""
    bought: Mapping[int, int] = field(default_factory=dict)
    """By customer, when she last bought something (microseconds), where a goal asks for it."""
    needless: Set[int] = frozenset()
    """Messages whose journey has no need of them any more."""

    def person(self, message: Claimed) -> Person | None:
        """Whom it is for; None if she is gone. A bare address has no habits and no nights."""
        if message.customer_id is None:
            front = Front(message.address_kind, message.address)
            return Person(message.language, "UTC", addresses=[front], quiet=NO_QUIET)
        person = self.people.get(message.customer_id)
        return None if person is None or person.erased else person

    def goal_reached(self, message: Claimed) -> bool:
        if message.id in self.needless:
            return True
        if message.goal != "purchase" or message.customer_id is None:
            return False
        return self.bought.get(message.customer_id, 0) > message.created_at


# ORDER BY: two workers wait for each other in one order.
_PEOPLE = listed(
    looked_up(
        f"""
        SELECT c.id, c.language, c.timezone, c.erased_at, {WISHES}
        FROM customer c LEFT JOIN {{p}} WHERE c.id IN {{list}} ORDER BY c.id
        """,  # noqa: S608 - glued from constants
        p=("preference", "p.customer_id = c.id"),
    )
)
_LOCKED = (_PEOPLE[0] + " FOR NO KEY UPDATE OF c", _PEOPLE[1])


class Locked(Struct, frozen=True):
    """Customers whose contacts nobody else reserves, and what their rows say."""

    ids: Sequence[int]
    rows: Sequence[Any]


async def lock_customers(messages: Sequence[Claimed]) -> Locked:
    """Let nobody else reserve contacts of these customers before this transaction ends.

    Service messages press upon nobody. On SQLite the transaction itself is the only writer.
    """
    ids = _customers(messages, pressing=True)
    return Locked(ids, await query(*_LOCKED, ids) if ids else ())


def _customers(messages: Sequence[Claimed], *, pressing: bool = False) -> list[int]:
    return sorted(
        {
            message.customer_id
            for message in messages
            if message.customer_id is not None and not (pressing and message.topic == "service")
        }
    )


# The newest address of a kind is the one she uses; the chat's threads tell when she was there.
# CASE: no planner turns another kind's value into a number. A subquery, and words that no index
# knows: no plan that is made over empty tables walks through all threads, or all open addresses.
_ADDRESSES = listed(
    listed(
        """
        SELECT i.customer_id, i.kind, i.value, i.proof, (
            SELECT t.seen_at FROM chat_thread t
            WHERE t.id = CASE WHEN i.kind = 'webchat' THEN CAST(i.value AS BIGINT) END) AS seen_at
        FROM identity i
        WHERE i.customer_id IN {list} AND i.kind || '' IN {kinds} AND COALESCE(i.ended_at, 0) = 0
        ORDER BY i.customer_id, i.id DESC
        """
    ),
    "text",
    place="$2",
    name="kinds",
)
_CONSENTS = listed(
    """
    SELECT customer_id, purpose, channel, granted FROM consent_fact
    WHERE customer_id IN {list} AND purpose <> 'processing' ORDER BY at, id
    """
)
_CONTACTS = listed(
    """
    SELECT customer_id, message_id, topic, channel, kind, at FROM contact
    WHERE customer_id IN {list} AND at > $2
    """
)
_HABITS = listed("SELECT customer_id, channel, sent, seen FROM habit WHERE customer_id IN {list}")
_BEFORE = listed(
    """
    SELECT id, message_id, channel, address_kind, address, state, status, error, cost FROM attempt
    WHERE message_id IN {list} ORDER BY id + 0
    """
)
_BOUGHT = listed(
    """
    SELECT customer_id, MAX(at) AS at FROM receipt
    WHERE customer_id IN {list} AND at > $2 AND state = 'committed' GROUP BY customer_id
    """
)


_BASE = "SELECT channel, SUM(sent) AS sent, SUM(seen) AS seen FROM habit GROUP BY channel"


async def load_base() -> dict[str, Record]:
    """What all customers together were sent and have seen, by channel. Reads a whole table."""
    async with analysis():
        rows = await query(_BASE)
    return {row["channel"]: Record(int(row["sent"]), int(row["seen"])) for row in rows}


async def load_facts(
    messages: Sequence[Claimed], locked: Locked, *, at: int, horizon: int, kinds: Sequence[str]
) -> Facts:
    """Read what concerns these messages: at an instant, with contacts as far back as `horizon`.

    Both in microseconds. Of the customers' addresses those of these `kinds`.
    """
    ids = _customers(messages)
    people, opt_ins = await _people(ids, locked, at - horizon, kinds) if ids else ({}, {})
    addresses = [(f.kind, f.value) for person in people.values() for f in person.addresses]
    addresses += [(m.address_kind, m.address) for m in messages if m.customer_id is None]
    mailed = [(m, _addresses_of(m, people)) for m in messages if m.mailing]
    return Facts(
        people,
        await _earlier_tries([m.id for m in messages if not m.is_first]),
        await _suppressions(addresses, at),
        opt_ins,
        await taken_of(mailed),
        await _purchases(messages),
    )


def _addresses_of(message: Claimed, people: Mapping[int, Person]) -> list[Address]:
    if message.customer_id is None:
        return [(message.address_kind, message.address)]
    person = people.get(message.customer_id)
    return [] if person is None else [(front.kind, front.value) for front in person.addresses]


async def _people(
    ids: Sequence[int], locked: Locked, since: int, kinds: Sequence[str]
) -> tuple[dict[int, Person], dict[str, OptIn]]:
    rows, rest = list(locked.rows), sorted({*ids}.difference(locked.ids))
    if rest:
        rows += await query(*_PEOPLE, rest)
    addresses, opt_ins = await _addresses(ids, kinds)
    if BROWSER in kinds:
        for customer_id, fronts in (await subscriptions_of(ids)).items():
            addresses.setdefault(customer_id, []).extend(fronts)
    contacts: dict[int, list[tuple[int, Contact]]] = defaultdict(list)
    for who, message_id, topic, channel, kind, at in await _rows(_CONTACTS, locked.ids, since):
        contacts[who].append((message_id, Contact(topic, channel, kind, at)))
    habits: dict[int, dict[str, Record]] = defaultdict(dict)
    for who, channel, sent, seen in await _rows(_HABITS, ids):
        habits[who][channel] = Record(sent, seen)
    consents: dict[int, list[tuple[str, str, bool]]] = defaultdict(list)
    for who, purpose, channel, granted in await _rows(_CONSENTS, locked.ids):
        consents[who].append((purpose, channel, bool(granted)))
    people = {}
    for row in rows:
        customer_id, hers = row["id"], wishes(row)
        people[customer_id] = Person(
            language=row["language"],
            timezone=row["timezone"],
            erased=row["erased_at"] is not None,
            addresses=addresses.get(customer_id, ()),
            consents=standing(consents.get(customer_id, ())),
            contacts=contacts.get(customer_id, ()),
            habits=habits.get(customer_id, {}),
            weekly_max=hers.weekly_max,
            quiet=None
            if hers.quiet is None
            else QuietHours(begin=hers.quiet[0], end=hers.quiet[1]),
            stops=hers.suppressions,
        )
    return people, opt_ins


async def _rows(text: tuple[str, str], customers: Sequence[int], *args: int) -> Sequence[Any]:
    """Of these customers, whose id comes first in each."""
    return await query(*text, customers, *args) if customers else ()


async def _addresses(
    ids: Sequence[int], kinds: Sequence[str]
) -> tuple[dict[int, list[Front]], dict[str, OptIn]]:
    addresses: dict[int, list[Front]] = defaultdict(list)
    opt_ins: dict[str, OptIn] = {}
    for customer_id, kind, value, proof, seen_at in await query(*_ADDRESSES, ids, kinds):
        addresses[customer_id].append(Front(kind, value, seen_at or 0))
        if kind == "email" and proof in CONFIRMING_PROOFS:
            opt_ins[value] = OptIn.CONFIRMED
    return addresses, opt_ins


async def _suppressions(addresses: Sequence[Address], at: int) -> dict[Address, list[Suppression]]:
    found: dict[Address, list[Suppression]] = {}
    for entry in await suppressions.standing(addresses, at=at):
        found.setdefault((entry.address_kind, entry.address), []).append(
            Suppression(
                reason=entry.reason,
                address_kind=entry.address_kind,
                address=entry.address,
                topic=entry.topic,
                until=None if entry.until == NEVER else entry.until,
            )
        )
    return found


async def _earlier_tries(repeated: Sequence[int]) -> dict[int, list[Before]]:
    before: dict[int, list[Before]] = {}
    if repeated:
        for row in await query(*_BEFORE, repeated):
            before.setdefault(row["message_id"], []).append(
                Before(
                    row["channel"],
                    (row["address_kind"], row["address"]),
                    row["state"],
                    row["status"],
                    row["error"],
                    row["cost"],
                )
            )
    return before


async def _purchases(messages: Sequence[Claimed]) -> dict[int, int]:
    asked = [m for m in messages if m.goal == "purchase" and m.customer_id is not None]
    if not asked:
        return {}
    since = min(message.created_at for message in asked)
    ids = sorted({message.customer_id for message in asked if message.customer_id})
    return {row["customer_id"]: row["at"] for row in await query(*_BOUGHT, ids, since)}
