"""Who enters a journey, and who inside one is woken by what has happened.

An enrolment is unique for its journey, customer and trigger key, so that whatever calls for it may
call again. The first step of what is found late is put off a little, each by its own hash.
"""

from collections.abc import Sequence
from typing import Any

import structlog

from loyalty.ids import next_id
from loyalty.instants import span_micros, to_micros
from loyalty.sql.lists import listed
from messaging.journeys.declaration import Check, Journey, OnEvent
from messaging.journeys.registry import ENTRIES, HEARD_BY, Around, Entry, checks_of
from messaging.journeys.revisions import Shelf
from messaging.journeys.stepping import LATE_NOTICED, SPREAD_MAX, spread
from messaging.notices import EventRow
from messaging.records import encoded, rowset

KEY_LENGTH_MAX = 120

log = structlog.get_logger(__name__)

_COLUMNS = {
    "id": "bigint", "journey": "text", "revision": "int", "customer_id": "bigint",
    "trigger_key": "text", "step": "text", "data": "text", "entered_at": "bigint",
    "due_at": "bigint", "wakes_at": "bigint",
}  # fmt: skip
_NAMES = ", ".join(_COLUMNS)
_ENROL = rowset(
    f"""
    INSERT INTO enrolment ({_NAMES}, begun, heard, outcome)
    SELECT {_NAMES}, FALSE, ',', '' FROM {{rows}} WHERE true
    ON CONFLICT (journey, customer_id, trigger_key) DO NOTHING RETURNING id
    """,  # noqa: S608 - glued from constants
    **_COLUMNS,
)


async def enrol(revision: int, journey: Journey, entries: Sequence[Entry], *, now: int) -> int:
    """Let them in; returns how many were not in before. Part of the caller's transaction."""
    if not entries:
        return 0
    rows = [_row(revision, journey, entry, now) for entry in entries]
    return len(await _ENROL.query(rows))


def _row(revision: int, journey: Journey, entry: Entry, now: int) -> dict[str, Any]:
    late = now - entry.due_at
    wakes_at = max(entry.due_at, now)
    if late > span_micros(LATE_NOTICED):
        span = min(late, span_micros(SPREAD_MAX))
        wakes_at += spread(span, journey.name, str(entry.customer_id))
    return {
        "id": next_id(),
        "journey": journey.name,
        "revision": revision,
        "customer_id": entry.customer_id,
        "trigger_key": entry.key[:KEY_LENGTH_MAX],
        "step": journey.first,
        "data": encoded(dict(entry.data)),
        "entered_at": entry.entered_at,
        # To have been spread is not to be late once more.
        "due_at": wakes_at,
        "wakes_at": wakes_at,
    }


async def enrol_from(happened: Sequence[EventRow], shelf: Shelf, around: Around) -> int:
    """Let in whom these events let in; returns how many. Part of the caller's transaction."""
    entered = 0
    for number, journey in shelf.all_running():
        trigger = journey.trigger
        if not isinstance(trigger, OnEvent):
            continue
        oldest = around.at - trigger.fresh_for
        fitting = [e for e in happened if e.kind in trigger.kinds and e.at > oldest]
        if fitting:
            entries = await ENTRIES[trigger.entry](fitting, around)
            later = [_after(entry, trigger) for entry in entries]
            entered += await enrol(number, journey, later, now=around.now)
    return entered


def _after(entry: Entry, trigger: OnEvent) -> Entry:
    return Entry(
        customer_id=entry.customer_id,
        key=entry.key,
        due_at=entry.due_at + span_micros(trigger.after),
        entered_at=entry.entered_at,
        data=entry.data,
    )


def heard_by(journey: Journey) -> frozenset[str]:
    """The kinds of events that may change what it asks: they wake those inside."""
    return frozenset(kind for check in checks_of(journey) for kind in _kinds(check))


def _kinds(check: Check) -> Sequence[str]:
    return (check.about,) if check.name == "heard" else HEARD_BY.get(check.name, ())


def words_of(event: EventRow) -> tuple[str, ...]:
    """What `heard` may ask for: the kind, and of a survey's answer which survey's."""
    survey = event.payload.get("survey")
    return (event.kind, f"{event.kind}:{survey}") if survey else (event.kind,)


# What an enrolment was started by, or what came before it, is no news to it.
_NUDGE = """
    UPDATE enrolment SET heard = enrolment.heard || f.kind || ',',
        wakes_at = CASE WHEN enrolment.wakes_at > $2 THEN $2 ELSE enrolment.wakes_at END
    FROM (SELECT e.id, r.kind FROM {rows} JOIN enrolment e ON e.customer_id = r.customer_id
        WHERE e.ended_at IS NULL AND e.entered_at < r.at AND e.journey IN {list}
        ORDER BY e.id LOCK) AS f
    WHERE enrolment.id = f.id RETURNING enrolment.id
"""
_POSTGRES, _SQLITE = listed(_NUDGE, "text", place="$3")
_NUDGE_THEM = rowset(
    _POSTGRES.replace("LOCK", "FOR UPDATE OF e"),
    _SQLITE.replace("LOCK", ""),
    customer_id="bigint",
    kind="text",
    at="bigint",
)


async def nudge(happened: Sequence[EventRow], shelf: Shelf, around: Around) -> int:
    """Wake those inside whose journey asks for what has happened, and note that it has."""
    woken = 0
    listeners = {journey.name: heard_by(journey) for _, journey in shelf.all_running()}
    latest: dict[str, dict[int, int]] = {}
    for event in happened:
        for word in words_of(event):
            hers = latest.setdefault(word, {})
            hers[event.customer_id] = max(to_micros(event.at), hers.get(event.customer_id, 0))
    for word, customers in sorted(latest.items()):
        journeys = sorted(name for name, kinds in listeners.items() if word in kinds)
        if journeys:
            rows = [{"customer_id": c, "kind": word, "at": at} for c, at in customers.items()]
            woken += len(await _NUDGE_THEM.query(rows, around.now, journeys))
    return woken
