"""Courses as their rows have them, with the figures that are reckoned, and as others see them."""

import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, fields, replace
from datetime import datetime
from typing import Any

from loyalty.database import query, transaction
from loyalty.instants import from_micros
from loyalty.rules import refill as rules
from loyalty.rules.receipts import DAY
from loyalty.rules.refill import MILLI, Base, Supply
from loyalty.rules.rhythm import OWN_INTERVALS_MIN, Usual, standing
from loyalty.sql import courses as sql


@dataclass(frozen=True, slots=True, kw_only=True)
class CourseView:
    """A medicine that a customer takes. `ends_at` is the run-out that she is told; None: nothing is
    known to be left. `stock_milli` are thousandths of a unit, now.

    `daily_milli` is the dose that holds, by her word (`daily_told`) or the label; `is_learned`: she
    is reminded by her own pace. `is_asleep`: what she bought last has gone back. `cycle` names the
    state of things that a button speaks of.
    """

    id: int
    customer_id: int
    name: str
    sku: str
    prescription_only: bool
    pack_units: int
    daily_milli: int
    daily_told: bool
    is_active: bool
    is_asleep: bool
    is_learned: bool
    snoozed_until: datetime | None
    cycle: int
    ends_at: datetime | None
    expected_at: datetime | None
    stock_milli: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Record:
    """The row. Instants in microseconds."""

    id: int
    customer_id: int
    item: str
    sku: str
    name: str
    prescription_only: bool
    pack_units: int
    daily_milli: int
    daily_told: bool
    base_at: int | None
    base_milli: int
    base_told: bool
    regime: int
    state: str
    snoozed_until: int | None
    cycle: int
    version: int
    settled_version: int
    run_out_at: int | None
    due_at: int | None
    expected_at: int | None
    pace_permille: int
    intervals: int
    created_at: int

    @property
    def is_learned(self) -> bool:
        return self.intervals >= OWN_INTERVALS_MIN and not self.daily_told

    @property
    def ends_at(self) -> int | None:
        """The run-out that she is told, whether or not she is reminded of it."""
        return self.run_out_at if self.due_at is None else self.due_at

    def stock_milli(self, now: int) -> int:
        daily = self.daily_milli
        if self.is_learned:
            daily = max(1, daily * self.pace_permille // MILLI)
        return (max(0, (self.ends_at or 0) - now) * daily + DAY // 2) // DAY

    def course(self, supplies: Sequence[Supply]) -> rules.Course:
        base = None
        if self.base_at is not None:
            base = Base(self.base_at, self.base_milli, self.base_told)
        return rules.Course(daily_milli=self.daily_milli, supplies=supplies, base=base)


_BOOLEANS = ("prescription_only", "daily_told", "base_told")
_NAMES = tuple(each.name for each in fields(Record))


def record_of(row: Any) -> Record:
    told = {name: row[name] for name in _NAMES}
    return Record(**told | {name: bool(told[name]) for name in _BOOLEANS})


def view(record: Record, now: int) -> CourseView:
    ends_at = record.ends_at
    return CourseView(
        id=record.id,
        customer_id=record.customer_id,
        name=record.name,
        sku=record.sku,
        prescription_only=record.prescription_only,
        pack_units=record.pack_units,
        daily_milli=record.daily_milli,
        daily_told=record.daily_told,
        is_active=record.state == "active",
        is_asleep=record.due_at is None and ends_at is not None,
        is_learned=record.is_learned,
        snoozed_until=_instant(record.snoozed_until),
        cycle=record.cycle,
        ends_at=_instant(ends_at),
        expected_at=_instant(record.expected_at),
        stock_milli=record.stock_milli(now),
    )


def _instant(at: int | None) -> datetime | None:
    return None if at is None else from_micros(at)


async def supplies_of(records: Iterable[Record]) -> Mapping[int, list[Supply]]:
    """What came to each course, in the order of time."""
    regimes = {record.id: record.regime for record in records}
    found: dict[int, list[Supply]] = {course_id: [] for course_id in regimes}
    for row in await query(*sql.SUPPLIES_OF, list(regimes)):
        supply = Supply(
            at=row["at"],
            units_milli=row["units_milli"],
            back_milli=row["back_milli"],
            back_at=row["back_at"],
            told=row["receipt_id"] is None,
            settled=row["regime"] < regimes[row["course_id"]],
        )
        found[row["course_id"]].append(supply)
    return found


async def usual_of(records: Iterable[Record]) -> Mapping[str, Usual]:
    """What is usual for their medicines; for those that few take, what is usual for all."""
    items = sorted({record.item for record in records})
    rows = await query(*sql.PACES, items)
    known = {row["item"]: Usual(row["pace_permille"], row["late_milli"]) for row in rows}
    return {item: known.get(item) or known.get("") or Usual() for item in items}


# -- figures ---------------------------------------------------------------------------------------

SETTLED_AT_ONCE = 200
LEARNED_EVERY = DAY
LEARNED_COURSES_MIN = 20
"""Of fewer customers nothing is concluded for the others."""
HISTORY_AT_ONCE = 500
"""Customers."""


async def reckoned(record: Record) -> Record:
    """A course with the figures that its row and supplies make now."""
    [found] = await _reckoned([record])
    return found


async def settled(records: list[Record]) -> list[Record]:
    """Courses, each with the figures of its version; those that were not reckoned are, and kept."""
    stale = [record for record in records if record.settled_version < record.version]
    if not stale:
        return records
    fresh = {record.id: record for record in await _reckoned(stale)}
    rows = [(r.id, r.version, *(getattr(r, name) for name in sql.FIGURES)) for r in fresh.values()]
    await query(*sql.SETTLE, json.dumps(rows))
    return [fresh.get(record.id, record) for record in records]


async def _reckoned(records: Sequence[Record]) -> list[Record]:
    supplies, usual = await supplies_of(records), await usual_of(records)
    return [_with_figures(record, supplies[record.id], usual[record.item]) for record in records]


def _with_figures(record: Record, supplies: Sequence[Supply], usual: Usual) -> Record:
    found = standing(record.course(supplies), usual, dose_told=record.daily_told)
    return replace(record, **{name: getattr(found, name) for name in sql.FIGURES})


async def settle_all() -> None:
    """Reckon every course to which something has happened."""
    while True:
        rows = await query(sql.UNSETTLED, None, SETTLED_AT_ONCE)
        await settled([record_of(row) for row in rows])
        if len(rows) < SETTLED_AT_ONCE:
            return


async def learn_usual(now: int) -> None:
    """What is usual for each medicine, anew, once a day: it reads all courses."""
    [[learned_at]] = await query(sql.LEARNED_AT)
    if learned_at is None or now - learned_at >= LEARNED_EVERY:
        await query(sql.LEARN, None, now, OWN_INTERVALS_MIN, LEARNED_COURSES_MIN)


async def take_in_history(progress: Callable[[int], None] | None = None) -> None:
    """Make courses of receipts from before there were courses, or before a product had its doses a
    day. Can be repeated, and goes on where it was broken off."""
    last, done = 0, 0
    while True:
        [[upto]] = await query(sql.NEXT_CUSTOMERS, None, last, HISTORY_AT_ONCE)
        if upto is None:
            return
        async with transaction():
            await query(sql.HISTORY_COURSES, None, last, upto)
            await query(sql.HISTORY_SUPPLIES, None, last, upto)
        await settle_all()
        last, done = upto, done + HISTORY_AT_ONCE
        if progress is not None:
            progress(done)
