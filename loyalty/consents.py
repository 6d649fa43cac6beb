"""What customers agreed to: append-only facts, and what they add up to (`rules.consents`)."""

from dataclasses import dataclass
from datetime import datetime

from loyalty.database import query
from loyalty.ids import next_id
from loyalty.instants import from_micros, to_micros
from loyalty.rules.consents import PURPOSES, Consents, standing

INSERT = """
INSERT INTO consent_fact (id, customer_id, purpose, channel, granted, at, source, wording)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8)
"""
# EXPLAIN: consent_fact's index on customer_id; a person has a handful of facts.
FACTS = """
SELECT purpose, channel, granted, at, source, wording FROM consent_fact
WHERE customer_id = $1 ORDER BY at, id
"""


@dataclass(frozen=True, slots=True)
class ConsentRecord:
    """One "yes" or "no": what for, in which channel, when, where, and to which wording."""

    purpose: str
    channel: str
    granted: bool
    at: datetime
    source: str
    wording: str


async def record(
    customer_id: int,
    at: datetime,
    *,
    purpose: str,
    channel: str,
    granted: bool,
    source: str,
    wording: str,
) -> None:
    """Add one fact. An unknown purpose is a bug and raises ValueError."""
    if purpose not in PURPOSES:
        raise ValueError(f"no such purpose of consent: {purpose!r}")
    row = (next_id(), customer_id, purpose, channel, granted, to_micros(at), source, wording)
    await query(INSERT, None, *row)


async def history(customer_id: int) -> list[ConsentRecord]:
    """All that was said, in order."""
    rows = await query(FACTS, None, customer_id)
    return [
        ConsentRecord(row[0], row[1], bool(row[2]), from_micros(row[3]), row[4], row[5])
        for row in rows
    ]


async def consents_of(customer_id: int) -> Consents:
    """What holds now; ask it with `rules.consents.is_granted`."""
    facts = await history(customer_id)
    return standing((fact.purpose, fact.channel, fact.granted) for fact in facts)
