"""What staff may set about a journey without publishing it anew, and who has set what when.

On or off; how long its waits last, which template its messages take, what its rewards give, by
which channels it writes. What is set holds at once, for those inside too: a journey that is off
takes nobody in, and those inside sleep on.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Any

from loyalty.conflicts import until_settled
from loyalty.database import dialect, query, transaction
from loyalty.ids import next_id
from loyalty.instants import to_micros
from loyalty.refusals import No, Refusal, refuse
from messaging.journeys.declaration import Journey, Reward, Send, Step, Wait
from messaging.templates import BOOK, CHANNELS, TemplateError

DELAY_S_MAX = 2 * 366 * 86_400
POINTS_MAX = 100_000
LIVE_DAYS_MAX = 3_650
REWARD_FIELDS: Mapping[str, int] = {
    "points": POINTS_MAX, "permille": 1_000, "amount_minor": 100_000_000,
    "live_days": LIVE_DAYS_MAX,
}  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class Switches:
    """By the name of a step: `delays` in seconds, `templates`, `rewards` by field.

    `channels` are all that the journey may use; none named: whatever its messages say.
    """

    is_on: bool = True
    delays: Mapping[str, int] = field(default_factory=dict)
    templates: Mapping[str, str] = field(default_factory=dict)
    rewards: Mapping[str, Mapping[str, int]] = field(default_factory=dict)
    channels: Sequence[str] = ()


AS_DECLARED = Switches()


def encode(switches: Switches) -> str:
    fields = {name: getattr(switches, name) for name in Switches.__dataclass_fields__}
    return json.dumps(fields, ensure_ascii=False, sort_keys=True)


def decode(text: str) -> Switches:
    fields = json.loads(text)
    known = {name: fields[name] for name in Switches.__dataclass_fields__ if name in fields}
    return Switches(**known)


def refusal_of(switches: Switches, journey: Journey) -> Refusal | None:
    """Refused: invalid_journey with the `field` that does not fit this journey."""
    for name, delay_s in switches.delays.items():
        if not isinstance(journey.step(name), Wait) or not 0 <= delay_s <= DELAY_S_MAX:
            return refuse(No.INVALID_JOURNEY, field=f"delay {name}")
    for name, template in switches.templates.items():
        step = journey.step(name)
        if not isinstance(step, Send) or not _fits(template, step):
            return refuse(No.INVALID_JOURNEY, field=f"template {name}")
    for name, reward in switches.rewards.items():
        step = journey.step(name)
        if not isinstance(step, Reward) or not _gives(step, reward):
            return refuse(No.INVALID_JOURNEY, field=f"reward {name}")
    if set(switches.channels) - set(CHANNELS):
        return refuse(No.INVALID_JOURNEY, field="channels")
    return None


def _fits(template: str, step: Send) -> bool:
    """It is known, and of the topic that the step was made for."""
    try:
        return BOOK.template(template).topic == step.topic
    except TemplateError:
        return False


def _gives(step: Reward, reward: Mapping[str, int]) -> bool:
    """Another amount of the same kind, or another life."""
    kinds = {name for name in REWARD_FIELDS if getattr(step, name)}
    return set(reward) <= kinds and all(
        1 <= amount <= REWARD_FIELDS[name] for name, amount in reward.items()
    )


def applied(journey: Journey, switches: Switches) -> Journey:
    """The journey as it runs. What names a step that it has not changes nothing."""
    if switches in (AS_DECLARED, replace(AS_DECLARED, is_on=False)):
        return journey
    return replace(journey, steps=tuple(_applied(step, switches) for step in journey.steps))


def _applied(step: Step, switches: Switches) -> Step:
    match step:
        case Wait() if step.name in switches.delays:
            lasts = timedelta(seconds=switches.delays[step.name])
            return replace(step, before=lasts) if step.until else replace(step, lasts=lasts)
        case Send():
            allowed = [c for c in step.channels if c in switches.channels]
            channels = step.channels
            if switches.channels:
                channels = allowed if step.channels else switches.channels
            template = switches.templates.get(step.name, step.template)
            return replace(step, template=template, channels=tuple(channels) or step.channels)
        case Reward() if step.name in switches.rewards:
            return replace(step, **dict[str, Any](switches.rewards[step.name]))
    return step


_LOCK = "SELECT pg_advisory_xact_lock(hashtextextended($1, 5))"
_ALL = "SELECT journey, document FROM journey_switch"
_ONE = "SELECT document FROM journey_switch WHERE journey = $1"
_SET = """
    INSERT INTO journey_switch (journey, document, changed_at) VALUES ($1, $2, $3)
    ON CONFLICT (journey) DO UPDATE SET document = excluded.document,
        changed_at = excluded.changed_at
"""
_CHANGED = """
    INSERT INTO journey_change (id, journey, at, author, before, after)
    VALUES ($1, $2, $3, $4, $5, $6)
"""
_CHANGES = """
    SELECT at, author, before, after FROM journey_change WHERE journey = $1
    ORDER BY id DESC LIMIT $2
"""


async def all_switches() -> dict[str, Switches]:
    """By journey, of those where staff have set something."""
    return {row["journey"]: decode(row["document"]) for row in await query(_ALL)}


async def set_switches(
    journey: Journey, changes: Mapping[str, Any], *, by: str, at: datetime
) -> Switches | Refusal:
    """Set these fields over what is set, and note who did it. Refused: invalid_journey.

    The same again changes nothing and notes nothing.
    """

    async def attempt() -> Switches | Refusal:
        async with transaction():
            if dialect() == "postgres":  # SQLite has one writer
                await query(_LOCK, None, f"journey_switch:{journey.name}")
            rows = await query(_ONE, None, journey.name)
            before = decode(rows[0]["document"]) if rows else AS_DECLARED
            after = replace(before, **changes)
            refusal = refusal_of(after, journey)
            if refusal is not None:
                return refusal
            if encode(after) == encode(before):
                return after
            now = to_micros(at)
            await query(_SET, None, journey.name, encode(after), now)
            note = (next_id(), journey.name, now, by, encode(before), encode(after))
            await query(_CHANGED, None, *note)
        return after

    return await until_settled(attempt)


async def changes_of(journey: str, *, limit: int = 20) -> list[Any]:
    """The latest changes of a journey's switches: at, author, before, after."""
    return await query(_CHANGES, None, journey, limit)
