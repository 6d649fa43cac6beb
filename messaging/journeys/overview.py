"""What staff see of journeys: who is inside, how it ends, which way the steps were taken."""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from loyalty.database import analysis, query


@dataclass(frozen=True, slots=True)
class Figures:
    """`asleep` by step, `taken` by (step, end), `ended` by outcome."""

    asleep: Mapping[str, int] = field(default_factory=dict)
    taken: Mapping[tuple[str, str], int] = field(default_factory=dict)
    ended: Mapping[str, int] = field(default_factory=dict)


_STANDING = """
    SELECT journey, step, outcome, COUNT(*) AS n FROM enrolment GROUP BY journey, step, outcome
"""
_TAKEN = """
    SELECT s.step, s.edge, COUNT(*) AS n FROM enrolment e
    JOIN enrolment_step s ON s.enrolment_id = e.id WHERE e.journey = $1 GROUP BY s.step, s.edge
"""


async def figures() -> dict[str, Figures]:
    """By journey, who sleeps where and what the others left with. Reads the whole table."""
    async with analysis():
        rows = await query(_STANDING)
    asleep: dict[str, Counter[str]] = {}
    ended: dict[str, Counter[str]] = {}
    for row in rows:
        journey = row["journey"]
        if row["outcome"]:
            ended.setdefault(journey, Counter())[row["outcome"]] += row["n"]
        else:
            asleep.setdefault(journey, Counter())[row["step"]] += row["n"]
    return {
        name: Figures(asleep.get(name, {}), {}, ended.get(name, {})) for name in {*asleep, *ended}
    }


async def ways_taken(journey: str) -> dict[tuple[str, str], int]:
    """How often each step of the journey has ended by each of its ends: the arrows of a map."""
    async with analysis():
        rows: list[Any] = await query(_TAKEN, None, journey)
    return {(row["step"], row["edge"]): row["n"] for row in rows}
