"""Journeys as they were published: revisions that never change, each a row.

The newest takes in whoever enters. Those inside an earlier one finish by theirs, unless a later one
was published to move them: then they go on by it from the step where they are, if it has that step.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import structlog

from loyalty.conflicts import until_settled
from loyalty.database import query, transaction
from loyalty.ids import next_id
from loyalty.instants import to_micros
from loyalty.refusals import No, Refusal, refuse
from messaging.journeys import documents
from messaging.journeys.declaration import Journey
from messaging.journeys.registry import unknown, unregistered
from messaging.journeys.switches import AS_DECLARED, Switches, all_switches, applied

HOUSE = "kapsula"
"""Who has published the journeys that come with Kapsula."""

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Revision:
    number: int
    journey: Journey
    moves_inside: bool
    author: str


_LATEST = """
    SELECT number, document, author FROM journey_revision WHERE journey = $1
    ORDER BY number DESC LIMIT 1
"""
_BY_KEY = "SELECT journey, number, document FROM journey_revision WHERE key = $1"
_PUBLISH = """
    INSERT INTO journey_revision (id, journey, number, document, moves_inside, author, key, at)
    VALUES ($1, $2, $3, $4, $5, $6, $7, $8)
"""
_ALL = """
    SELECT journey, number, document, moves_inside, author, at FROM journey_revision
    ORDER BY journey, number
"""
_VERSION = """
    SELECT (SELECT COUNT(*) FROM journey_revision) AS revisions,
        (SELECT COUNT(*) FROM journey_change) AS changes
"""


async def publish(
    journey: Journey, *, author: str, key: str, moves_inside: bool, at: datetime
) -> int | Refusal:
    """Make this the newest revision; returns its number. The same key again: the same number.

    Refused: key_reused (by another journey or document), invalid_journey (it has faults, or
    names what nobody knows).
    """
    text = documents.encode(journey)
    try:
        documents.decode(text)
    except documents.DocumentError as error:
        return refuse(No.INVALID_JOURNEY, field=str(error)[:200])
    if strange := unknown(journey):
        return refuse(No.INVALID_JOURNEY, field=strange[0][:200])

    async def attempt() -> int | Refusal:
        async with transaction():
            for row in await query(_BY_KEY, None, key):
                same = (row["journey"], row["document"]) == (journey.name, text)
                return int(row["number"]) if same else refuse(No.KEY_REUSED)
            rows = await query(_LATEST, None, journey.name)
            number = rows[0]["number"] + 1 if rows else 1
            row = (next_id(), journey.name, number, text, moves_inside, author, key, to_micros(at))
            await query(_PUBLISH, None, *row)
            return number

    return await until_settled(attempt)


async def publish_house(journeys: Sequence[Journey], *, at: datetime) -> int:
    """Publish those of the house that are new or have changed; returns how many.

    A journey that staff have published anew is theirs: the house leaves it alone.
    """
    published = 0
    for journey in journeys:
        rows = await query(_LATEST, None, journey.name)
        if rows and (
            rows[0]["author"] != HOUSE or rows[0]["document"] == documents.encode(journey)
        ):
            continue
        number = rows[0]["number"] + 1 if rows else 1
        done = await publish(
            journey, author=HOUSE, key=f"house:{journey.name}:{number}", moves_inside=False, at=at
        )
        if isinstance(done, Refusal):  # another process has just done so, of another version
            log.warning("journey_not_published", journey=journey.name, refusal=done.code)
        published += not isinstance(done, Refusal)
    return published


class Shelf:
    """What a process knows of journeys: their revisions with the switches laid over them."""

    def __init__(self) -> None:
        self._version: tuple[int, int] | None = None
        self._revisions: dict[str, list[Revision]] = {}
        self._switches: Mapping[str, Switches] = {}
        self._running: dict[tuple[str, int], Journey] = {}

    async def refresh(self) -> None:
        """Learn of what was published or switched since. One short query when nothing was."""
        [row] = await query(_VERSION)
        version = (row["revisions"], row["changes"])
        if version == self._version:
            return
        revisions: dict[str, list[Revision]] = {}
        for row in await query(_ALL):
            if revision := _revision(row):
                revisions.setdefault(row["journey"], []).append(revision)
        self._revisions, self._switches = revisions, await all_switches()
        self._running, self._version = {}, version

    @property
    def names(self) -> list[str]:
        return sorted(self._revisions)

    def revisions(self, journey: str) -> Sequence[Revision]:
        """All of them, the oldest first."""
        return self._revisions.get(journey, [])

    def switches(self, journey: str) -> Switches:
        return self._switches.get(journey, AS_DECLARED)

    def is_on(self, journey: str) -> bool:
        return journey in self._revisions and self.switches(journey).is_on

    def newest(self, journey: str) -> tuple[int, Journey] | None:
        """The revision that takes in whoever enters, as it runs."""
        found = self._revisions.get(journey)
        if not found:
            return None
        return found[-1].number, self._run(journey, found[-1])

    def of(self, journey: str, number: int, step: str) -> tuple[int, Journey] | None:
        """The revision by which an enrolment of this one goes on from this step; None: unknown."""
        found = self._revisions.get(journey, ())
        own = next((each for each in found if each.number == number), None)
        for later in reversed(found):
            moves = later.number > number and later.moves_inside
            if moves and later.journey.step(step) is not None:
                own = later
                break
        return None if own is None else (own.number, self._run(journey, own))

    def all_running(self) -> list[tuple[int, Journey]]:
        """The newest of each journey that is on."""
        return [found for name in self.names if self.is_on(name) and (found := self.newest(name))]

    def _run(self, journey: str, revision: Revision) -> Journey:
        key = (journey, revision.number)
        if key not in self._running:
            self._running[key] = applied(revision.journey, self.switches(journey))
        return self._running[key]


def _revision(row: Any) -> Revision | None:
    """A revision of a later version may be unreadable to this one: its enrolments sleep on."""
    try:
        journey = documents.decode(row["document"])
        if strange := unregistered(journey):
            raise documents.DocumentError(f"nobody knows {strange[0]}")
    except documents.DocumentError as error:
        log.error(
            "journey_unreadable", journey=row["journey"], number=row["number"], why=str(error)
        )
        return None
    return Revision(row["number"], journey, bool(row["moves_inside"]), row["author"])
