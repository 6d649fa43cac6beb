"""From a claimed message to one try: to whom now, in which words, and what its result means.

The decision binds late: addresses, language and erasure are those of the moment of sending.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from loyalty.database import query
from loyalty.ids import next_id
from loyalty.instants import to_micros
from messaging.attempts import Beginning, Outcome
from messaging.channels.base import Channel, Failed, Outgoing, SendResult, Sent
from messaging.i18n import supported
from messaging.outbox import Claimed
from messaging.policy.fronts import Front, in_order
from messaging.policy.retries import RetryRules, retry_delay_s
from messaging.records import as_list, listed
from messaging.templates import Reader, TemplateError, render


@dataclass(frozen=True, slots=True)
class Person:
    """What is known of a customer when a message to her is about to go."""

    language: str
    timezone: str
    erased: bool
    fronts: Sequence[Front]


@dataclass(frozen=True, slots=True)
class Facts:
    """What the decisions about a batch stand on, loaded in a few queries."""

    people: Mapping[int, Person] = field(default_factory=dict)
    refused: Mapping[int, Mapping[tuple[str, str], str]] = field(default_factory=dict)
    """By message: the addresses that have refused it for good, and with which words."""


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


async def load_facts(messages: Sequence[Claimed]) -> Facts:
    """Read what concerns these messages."""
    ids = sorted({m.customer_id for m in messages if m.customer_id is not None})
    people = {row["id"]: row for row in await query(*_PEOPLE, as_list(ids))} if ids else {}
    fronts = await _open_fronts(ids) if ids else {}
    repeated = [m.id for m in messages if m.tries > 1]
    refused: dict[int, dict[tuple[str, str], str]] = {}
    if repeated:
        for row in await query(*_REFUSED, as_list(repeated)):
            address = (row["address_kind"], row["address"])
            refused.setdefault(row["message_id"], {})[address] = _reason_in(row["error"])
    return Facts(
        people={
            i: Person(
                language=row["language"],
                timezone=row["timezone"],
                erased=row["erased_at"] is not None,
                fronts=fronts.get(i, []),
            )
            for i, row in people.items()
        },
        refused=refused,
    )


async def _open_fronts(customer_ids: Sequence[int]) -> dict[int, list[Front]]:
    rows = await query(*_FRONTS, as_list(customer_ids))
    threads = [int(row["value"]) for row in rows if row["kind"] == "webchat"]
    seen = {row["id"]: row["seen_at"] for row in await query(*_SEEN, as_list(threads))}
    fronts: dict[int, list[Front]] = {}
    for row in rows:
        at = seen.get(int(row["value"]), 0) if row["kind"] == "webchat" else 0
        fronts.setdefault(row["customer_id"], []).append(Front(row["kind"], row["value"], at))
    return fronts


def _reason_in(error: str) -> str:
    """`permanent: blocked (Forbidden: …)` is `blocked`."""
    return error.removeprefix("permanent: ").split(" (")[0]


def plan(
    message: Claimed, facts: Facts, channels: Mapping[str, Channel], *, at: datetime
) -> Outgoing | Outcome:
    """One try of the message, or the outcome that ends it without one. Reasons by name."""
    if to_micros(at) >= message.expires_at:
        return Outcome(message_id=message.id, state="skipped", reason="expired")
    reader = Reader(supported(message.language))
    fronts = [Front(message.address_kind, message.address)]
    if message.customer_id is not None:
        person = facts.people.get(message.customer_id)
        if person is None or person.erased:
            return Outcome(message_id=message.id, state="skipped", reason="customer_gone")
        reader = Reader(supported(message.language or person.language), person.timezone)
        fronts = in_order(
            person.fronts, at=to_micros(at), refused=facts.refused.get(message.id, ())
        )
    if not fronts:
        if refusals := sorted(set(facts.refused.get(message.id, {}).values())):
            return Outcome(message_id=message.id, state="failed", reason=", ".join(refusals))
        return Outcome(message_id=message.id, state="skipped", reason="no_address")
    served = [front for front in fronts if front.kind in channels]
    if not served:
        return Outcome(message_id=message.id, state="failed", reason="no_channel")
    try:
        body = render(message.template, message.context, reader)
    except TemplateError as error:
        return Outcome(message_id=message.id, state="failed", reason=f"template: {error}")
    return Outgoing(
        message_id=message.id,
        attempt_id=next_id(),
        address_kind=served[0].kind,
        address=served[0].value,
        body=body,
    )


def beginning(outgoing: Outgoing, channel: Channel) -> Beginning:
    return Beginning(
        attempt_id=outgoing.attempt_id,
        message_id=outgoing.message_id,
        channel=channel.name,
        address_kind=outgoing.address_kind,
        address=outgoing.address,
        body=outgoing.body.plain if channel.keeps_body else "",
    )


def judge(
    message: Claimed,
    outgoing: Outgoing,
    result: SendResult,
    *,
    at: datetime,
    rules: RetryRules,
    chance: float,
) -> Outcome:
    """What the channel's answer makes of the message: sent, tried again, failed, or unknown."""
    if isinstance(result, Sent):
        return Outcome(
            message_id=message.id,
            state="sent",
            attempt_id=outgoing.attempt_id,
            attempt_state="sent",
            provider_ids=(result.provider_id, *result.more_ids),
        )
    if isinstance(result, Failed):
        return _after_failure(message, outgoing, result, at=at, rules=rules, chance=chance)
    return Outcome(
        message_id=message.id,
        state="unknown",
        reason=result.reason,
        attempt_id=outgoing.attempt_id,
        attempt_state="unknown",
        error=result.reason,
    )


def _after_failure(
    message: Claimed,
    outgoing: Outgoing,
    failed: Failed,
    *,
    at: datetime,
    rules: RetryRules,
    chance: float,
) -> Outcome:
    kind = "permanent" if failed.permanent else "temporary"
    error = f"{kind}: {failed.reason}" + (f" ({failed.detail})" if failed.detail else "")
    again = message.tries < rules.tries_max
    delay_s = retry_delay_s(rules, message.tries, chance)
    if failed.permanent:
        # A customer may have another conversation open: it is looked for at once.
        again, delay_s = again and message.customer_id is not None, 0.0
    elif failed.retry_after_s is not None:
        delay_s = max(delay_s, failed.retry_after_s)
    return Outcome(
        message_id=message.id,
        state="queued" if again else "failed",
        reason="" if again else failed.reason,
        not_before=to_micros(at + timedelta(seconds=delay_s)) if again else None,
        attempt_id=outgoing.attempt_id,
        attempt_state="failed",
        error=error,
    )
