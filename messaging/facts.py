"""What the decisions about a batch of messages stand on, loaded in a few queries.

Everything binds late: addresses, language and suppressions are those of the moment of sending.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from loyalty.database import query
from messaging import suppressions
from messaging.outbox import Claimed
from messaging.policy.fronts import Front
from messaging.records import as_list, listed


@dataclass(frozen=True, slots=True)
class Person:
    """What is known of a customer when a message to her is about to go."""

    language: str
    timezone: str
    erased: bool
    fronts: Sequence[Front]


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
        return f"suppressed: {reason}" if reason else None


_PEOPLE = listed(
    "SELECT id, language, timezone, erased_at FROM customer WHERE id IN {list}",
)
_FRONTS = listed(
    """
    SELECT customer_id, kind, value FROM identity
    WHERE customer_id IN {list} AND kind IN ('telegram', 'webchat') AND ended_at IS NULL
    """
)
_SEEN = listed("SELECT id, seen_at FROM chat_thread WHERE id IN {list}")
_REFUSED = listed(
    """
    SELECT message_id, address_kind, address, error FROM attempt
    WHERE message_id IN {list} AND state = 'failed' AND error LIKE 'permanent:%'
    """
)


async def load_facts(messages: Sequence[Claimed], *, at: int) -> Facts:
    """Read what concerns these messages; `at` in microseconds."""
    ids = sorted({m.customer_id for m in messages if m.customer_id is not None})
    people = await _people(ids) if ids else {}
    addresses = [(f.kind, f.value) for person in people.values() for f in person.fronts]
    addresses += [(m.address_kind, m.address) for m in messages if m.customer_id is None]
    suppressed: dict[tuple[str, str], dict[str, str]] = {}
    for entry in await suppressions.standing(addresses, at=at):
        suppressed.setdefault((entry.address_kind, entry.address), {})[entry.topic] = entry.reason
    return Facts(people, await _refusals([m.id for m in messages if m.tries > 1]), suppressed)


async def _people(ids: Sequence[int]) -> dict[int, Person]:
    fronts = await _open_fronts(ids)
    return {
        row["id"]: Person(
            language=row["language"],
            timezone=row["timezone"],
            erased=row["erased_at"] is not None,
            fronts=fronts.get(row["id"], []),
        )
        for row in await query(*_PEOPLE, as_list(ids))
    }


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
