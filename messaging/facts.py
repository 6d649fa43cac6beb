"""What the decisions about a batch of messages stand on, loaded in a few queries.

Everything binds late: addresses, consents and contacts are those of the moment of sending.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from loyalty.database import dialect, query
from loyalty.rules.consents import Consents, standing
from messaging import suppressions
from messaging.outbox import Claimed
from messaging.policy.caps import Contact
from messaging.policy.fronts import Front
from messaging.policy.verdicts import Why
from messaging.records import as_list, listed


@dataclass(frozen=True, slots=True)
class Person:
    """What is known of a customer when a message to her is about to go."""

    language: str
    timezone: str
    erased: bool
    fronts: Sequence[Front]
    consents: Consents = field(default_factory=dict)
    contacts: Sequence[tuple[int, Contact]] = ()
    """By message, what the caps may count; loaded only when a message to her may be capped."""
    weekly_max: int | None = None


@dataclass(frozen=True, slots=True)
class Facts:
    people: Mapping[int, Person] = field(default_factory=dict)
    refused: Mapping[int, Mapping[tuple[str, str], str]] = field(default_factory=dict)
    """By message: the addresses that have refused it for good, and with which words."""
    suppressed: Mapping[tuple[str, str], Mapping[str, str]] = field(default_factory=dict)
    """By address: the topics ("": all) that it gets no more, and why."""

    def stopped(self, message: Claimed, front: Front) -> str | None:
        """Why this address is closed to this message, if it is."""
        if reason := self.refused.get(message.id, {}).get((front.kind, front.value)):
            return reason
        topics = self.suppressed.get((front.kind, front.value), {})
        reason = topics.get("") or topics.get(message.topic)
        return Why.SUPPRESSED.of(reason) if reason else None


_LOCK = listed("SELECT id FROM customer WHERE id IN {list} ORDER BY id FOR NO KEY UPDATE")[0]


async def lock_customers(messages: Sequence[Claimed]) -> None:
    """Let nobody else reserve contacts of these customers before this transaction ends.

    Service messages press upon nobody. On SQLite the transaction itself is the only writer.
    """
    ids = _customers(messages, pressing=True)
    if ids and dialect() == "postgres":
        await query(_LOCK, None, as_list(ids))


def _customers(messages: Sequence[Claimed], *, pressing: bool = False) -> list[int]:
    return sorted(
        {
            message.customer_id
            for message in messages
            if message.customer_id is not None and not (pressing and message.topic == "service")
        }
    )


_PEOPLE = listed(
    """
    SELECT c.id, c.language, c.timezone, c.erased_at, p.weekly_max
    FROM customer c LEFT JOIN preference p ON p.customer_id = c.id WHERE c.id IN {list}
    """
)
_FRONTS = listed(
    """
    SELECT customer_id, kind, value FROM identity
    WHERE customer_id IN {list} AND kind IN ('telegram', 'webchat') AND ended_at IS NULL
    """
)
_CONSENTS = listed(
    """
    SELECT customer_id, purpose, channel, granted FROM consent_fact
    WHERE customer_id IN {list} ORDER BY at, id
    """
)
_CONTACTS = listed(
    """
    SELECT customer_id, message_id, topic, channel, kind, at FROM contact
    WHERE customer_id IN {list} AND at > $2
    """
)
_SEEN = listed("SELECT id, seen_at FROM chat_thread WHERE id IN {list}")
_REFUSED = listed(
    """
    SELECT message_id, address_kind, address, error FROM attempt
    WHERE message_id IN {list} AND state = 'failed' AND error LIKE 'permanent:%'
    """
)


async def load_facts(messages: Sequence[Claimed], *, at: int, horizon: int) -> Facts:
    """Read what concerns these messages: at an instant, with contacts as far back as `horizon`.

    Both in microseconds.
    """
    ids, pressing = _customers(messages), _customers(messages, pressing=True)
    people = await _people(ids, pressing, at - horizon) if ids else {}
    addresses = [(f.kind, f.value) for person in people.values() for f in person.fronts]
    addresses += [(m.address_kind, m.address) for m in messages if m.customer_id is None]
    suppressed: dict[tuple[str, str], dict[str, str]] = {}
    for entry in await suppressions.standing(addresses, at=at):
        suppressed.setdefault((entry.address_kind, entry.address), {})[entry.topic] = entry.reason
    return Facts(people, await _refusals([m.id for m in messages if m.tries > 1]), suppressed)


async def _people(ids: Sequence[int], pressing: Sequence[int], since: int) -> dict[int, Person]:
    fronts = await _open_fronts(ids)
    consents = await _grouped(_CONSENTS, pressing)
    contacts = await _grouped(_CONTACTS, pressing, since)
    return {
        row["id"]: Person(
            language=row["language"],
            timezone=row["timezone"],
            erased=row["erased_at"] is not None,
            fronts=fronts.get(row["id"], []),
            consents=standing((p, c, bool(yes)) for p, c, yes in consents.get(row["id"], ())),
            contacts=[(m, Contact(*rest)) for m, *rest in contacts.get(row["id"], ())],
            weekly_max=row["weekly_max"],
        )
        for row in await query(*_PEOPLE, as_list(ids))
    }


async def _grouped(
    text: tuple[str, str], customers: Sequence[int], *args: int
) -> dict[int, list[tuple[Any, ...]]]:
    """The rows of each customer, without her id."""
    grouped: dict[int, list[tuple[Any, ...]]] = {}
    if customers:
        for row in await query(*text, as_list(customers), *args):
            customer_id, *rest = tuple(row)
            grouped.setdefault(customer_id, []).append(tuple(rest))
    return grouped


async def _open_fronts(customer_ids: Sequence[int]) -> dict[int, list[Front]]:
    rows = await query(*_FRONTS, as_list(customer_ids))
    threads = [int(row["value"]) for row in rows if row["kind"] == "webchat"]
    seen = {row["id"]: row["seen_at"] for row in await query(*_SEEN, as_list(threads))}
    fronts: dict[int, list[Front]] = {}
    for row in rows:
        at = seen.get(int(row["value"]), 0) if row["kind"] == "webchat" else 0
        fronts.setdefault(row["customer_id"], []).append(Front(row["kind"], row["value"], at))
    return fronts


async def _refusals(repeated: Sequence[int]) -> dict[int, dict[tuple[str, str], str]]:
    refused: dict[int, dict[tuple[str, str], str]] = {}
    if repeated:
        for row in await query(*_REFUSED, as_list(repeated)):
            address = (row["address_kind"], row["address"])
            refused.setdefault(row["message_id"], {})[address] = _reason_in(row["error"])
    return refused


def _reason_in(error: str) -> str:
    """`permanent: blocked (Forbidden: …)` is `blocked`."""
    return error.removeprefix("permanent: ").split(" (")[0]
