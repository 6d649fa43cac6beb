"""Leaving by a link or by a mail: at once, for the address, and with a way back."""

from dataclasses import dataclass

from loyalty.database import query
from messaging import suppressions
from messaging.policy.choices import PURPOSE, choice_of
from messaging.preferences import Said, alone, facts_of, say
from messaging.suppressions import Suppressed, suppress

WORDING = "leaving-2026-11"
"""Version of what the page says, for the consents that it withdraws and gives back."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Letter:
    """A message as its links know it."""

    attempt_id: int
    channel: str
    address_kind: str
    address: str
    topic: str
    customer_id: int | None
    language: str
    left: bool


_LETTER = """
    SELECT a.channel, a.address_kind, a.address, m.topic, m.customer_id,
        CASE WHEN m.language <> '' THEN m.language ELSE COALESCE(c.language, '') END AS language,
        EXISTS (SELECT 1 FROM suppression s WHERE s.address_kind = a.address_kind
            AND s.address = a.address AND s.topic = m.topic AND s.reason = 'unsubscribed'
            AND s.lifted_at IS NULL) AS gone
    FROM attempt a JOIN message m ON m.id = a.message_id
    LEFT JOIN customer c ON c.id = m.customer_id AND c.erased_at IS NULL WHERE a.id = $1
"""


async def letter(attempt_id: int) -> Letter | None:
    """The message of a link to leave by; service messages have no such link."""
    rows = await query(_LETTER, None, attempt_id)
    if not rows or rows[0]["topic"] == "service":
        return None
    [row] = rows
    return Letter(
        attempt_id=attempt_id,
        channel=row["channel"],
        address_kind=row["address_kind"],
        address=row["address"],
        topic=row["topic"],
        customer_id=row["customer_id"],
        language=row["language"],
        left=bool(row["gone"]),
    )


async def leave(found: Letter, said: Said) -> None:
    """No more messages of this topic to this address, whoever shares it. Safe to repeat.

    Of advertising her consent in the channel is withdrawn too, so that another address of hers
    does not bring it back.
    """
    async with alone(found.customer_id):
        gone = Suppressed(
            address_kind=found.address_kind,
            address=found.address,
            topic=found.topic,
            reason="unsubscribed",
        )
        await suppress([gone], at=said.at)
        if found.customer_id is not None and found.topic == PURPOSE:
            choice = choice_of(await facts_of(found.customer_id))
            if choice.gets(found.channel):
                await say(found.customer_id, [(found.channel, False)], said)


async def come_back(found: Letter, said: Said) -> None:
    """Undo `leave`: who had agreed before has agreed again, and nobody else."""
    async with alone(found.customer_id):
        await suppressions.lift(
            found.address_kind,
            found.address,
            reason="unsubscribed",
            topic=found.topic,
            at=said.at,
        )
        if found.customer_id is not None and found.topic == PURPOSE:
            facts = await facts_of(found.customer_id)
            if facts and facts[-1] == (found.channel, False) and (
                choice_of(facts[:-1]).gets(found.channel)
            ):  # fmt: skip
                await say(found.customer_id, [(found.channel, True)], said)
