"""Asked by the dispatcher right before a message goes: does its journey still want it?"""

from collections.abc import Sequence, Set

from loyalty.database import query
from loyalty.sql.lists import listed
from messaging.journeys import stepping
from messaging.journeys.carrying import answers
from messaging.journeys.declaration import Check, Journey, Send
from messaging.journeys.registry import Around
from messaging.journeys.revisions import Shelf
from messaging.journeys.rows import COLUMNS, enrolled
from messaging.journeys.stepping import Enrolled, Known
from messaging.outbox import Claimed

_ENROLMENTS = listed(f"SELECT {COLUMNS}, ended_at FROM enrolment WHERE id IN {{list}}")  # noqa: S608


async def needless(messages: Sequence[Claimed], shelf: Shelf, around: Around) -> Set[int]:
    """Those (by id) whose enrolment has ended, reached its goal, or has no need of them now."""
    by_enrolment = {m.enrolment_id: m.id for m in messages if m.enrolment_id is not None}
    over: set[int] = set()
    asked: dict[int, tuple[Enrolled, Journey, Sequence[Check]]] = {}
    for row in await query(*_ENROLMENTS, sorted(by_enrolment)):
        found = shelf.of(row["journey"], row["revision"], row["step"])
        if row["ended_at"] is not None:
            over.add(by_enrolment[row["id"]])
        elif found is not None:
            who = enrolled(row, found[0])
            asked[who.id] = (who, found[1], _checks(who, found[1]))
    truth = await answers([(who, checks) for who, _, checks in asked.values()], around)
    for who, journey, _ in asked.values():
        if _is_over(who, journey, Known(truth[who.id])):
            over.add(by_enrolment[who.id])
    return over


def _checks(who: Enrolled, journey: Journey) -> Sequence[Check]:
    needed = _needed(who, journey)
    return (*stepping.ending_checks(journey), *(() if needed is None else (needed,)))


def _needed(who: Enrolled, journey: Journey) -> Check | None:
    step = journey.step(who.step)
    return step.needs if isinstance(step, Send) else None


def _is_over(who: Enrolled, journey: Journey, known: Known) -> bool:
    needed = _needed(who, journey)
    gone = needed is not None and not known.holds(needed)
    return gone or stepping.ends(journey, known) is not None
