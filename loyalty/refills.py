"""Refills: what customers take, what is left of it, and who is to be reminded.

Receipts, returns and cancels add to courses in their own transactions (`loyalty.sql.refills`);
the figures are reckoned here for each version (`rules.refill`, `rules.rhythm`), before anybody
reads them. What a customer says in the chat changes one course, under its lock.
"""

import json
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from loyalty.catalogue import catalogued
from loyalty.clock import Clock
from loyalty.conflicts import DeclinedError, until_settled
from loyalty.courses import (
    CourseView,
    Record,
    learn_usual,
    reckoned,
    record_of,
    settle_all,
    settled,
    supplies_of,
    view,
)
from loyalty.database import query, transaction
from loyalty.ids import next_id
from loyalty.instants import to_micros
from loyalty.refusals import No, Refusal, refuse
from loyalty.rules.receipts import DAY
from loyalty.rules.refill import (
    CONFIRMED_DAYS,
    LEAD_DAYS,
    MILLI,
    PACKS_MAX,
    SNOOZE_DAYS_MAX,
    STALE_DAYS,
    check_course,
)
from loyalty.sql import courses as sql

COURSES_MAX = 50
"""On one customer's list."""


@dataclass(frozen=True, slots=True)
class Noted:
    """What has become of a purchase that she has told of. `known`: a receipt had told it before."""

    course: CourseView
    known: bool = False


Change = Callable[[Record, int], Awaitable[Record]]
"""From the row as it stands and the instant to the row as it shall be, figures aside."""


class Refills:
    def __init__(self, clock: Clock) -> None:
        self._clock = clock

    def _now(self) -> int:
        return to_micros(self._clock.now())

    # -- reading ----------------------------------------------------------------------------------

    async def courses_of(self, customer_id: int) -> list[CourseView]:
        """Her medicines: active ones by their run-out, then those that she has stopped."""
        rows = await query(sql.COURSES_OF, None, customer_id)
        records = await settled([record_of(row) for row in rows])
        now, far = self._now(), float("inf")
        records.sort(key=lambda r: (r.state != "active", r.ends_at or far, r.name))
        return [view(record, now) for record in records]

    async def course(self, customer_id: int, course_id: int) -> CourseView | Refusal:
        """Refused: course_not_found."""
        rows = await query(sql.COURSE, None, course_id, customer_id)
        if not rows:
            return refuse(No.COURSE_NOT_FOUND)
        [record] = await settled([record_of(rows[0])])
        return view(record, self._now())

    async def courses(self, ids: Iterable[int]) -> dict[int, CourseView]:
        """Those of these courses that there are, by id."""
        rows = await query(*sql.COURSES, sorted(set(ids)))
        records, now = await settled([record_of(row) for row in rows]), self._now()
        return {record.id: view(record, now) for record in records}

    # -- what she says ----------------------------------------------------------------------------

    async def add(
        self,
        customer_id: int,
        *,
        name: str = "",
        sku: str = "",
        pack_units: int,
        daily_milli: int,
        stock_milli: int,
    ) -> CourseView | Refusal:
        """A medicine of the catalogue (`sku`) or any other (`name`), and what she has of it now.

        One that is on her list already is changed so. Refused: invalid_course, too_many_courses.
        """
        product = await catalogued(sku) if sku else None
        name = product.name if product else " ".join(name.split())
        refusal = check_course(
            name=name, pack_units=pack_units, daily_milli=daily_milli, stock_milli=stock_milli
        )
        if refusal is not None:
            return refusal
        item = product.item if product else f"own:{name.casefold()}"
        rx, now = bool(product and product.prescription_only), self._now()
        row = (
            next_id(), customer_id, item, sku if product else "", name, rx, pack_units, daily_milli,
            now,
        )  # fmt: skip

        async def told(record: Record, now: int) -> Record:
            record = replace(record, pack_units=pack_units, daily_milli=daily_milli,
                             daily_told=True, state="active", cycle=record.cycle + 1)  # fmt: skip
            return _based(record, now, stock_milli, told=True)

        async def attempt() -> CourseView | Refusal:
            async with transaction():
                if not await query(sql.COURSE_BY_ITEM, None, customer_id, item):
                    [[count]] = await query(sql.HOW_MANY, None, customer_id)
                    if count >= COURSES_MAX:
                        return refuse(No.TOO_MANY_COURSES, count_max=COURSES_MAX)
                    await query(sql.INSERT_COURSE, None, *row)
                rows = await query(*_locked(sql.COURSE_BY_ITEM), customer_id, item)
                return await self._write(record_of(rows[0]), told)

        return await until_settled(attempt)

    async def change_dose(
        self, customer_id: int, course_id: int, daily_milli: int
    ) -> CourseView | Refusal:
        """From now on she takes so much a day. Refused: course_not_found, invalid_course."""

        async def told(record: Record, now: int) -> Record:
            if record.daily_told and record.daily_milli == daily_milli:
                return record
            stock = record.stock_milli(now)
            record = replace(record, daily_milli=daily_milli, daily_told=True)
            return _based(record, now, stock, told=False)

        refusal = check_course(daily_milli=daily_milli)
        return refusal if refusal is not None else await self._change(customer_id, course_id, told)

    async def tell_stock(
        self, customer_id: int, course_id: int, stock_milli: int
    ) -> CourseView | Refusal:
        """So much is left by her own count. Refused: course_not_found, invalid_course."""

        async def told(record: Record, now: int) -> Record:
            return _based(record, now, stock_milli, told=True)

        refusal = check_course(stock_milli=stock_milli)
        return refusal if refusal is not None else await self._change(customer_id, course_id, told)

    async def bought(
        self, customer_id: int, course_id: int, cycle: int, packs: int = 1
    ) -> Noted | Refusal:
        """She has bought it, here or elsewhere. A receipt of the last days has said so already.

        Refused: course_not_found; course_changed: since `cycle` something else has happened.
        """
        known = False
        if not 1 <= packs <= PACKS_MAX:
            return refuse(No.INVALID_COURSE, field="packs")

        async def told(record: Record, now: int) -> Record:
            nonlocal known
            _check_cycle(record, cycle)
            supplies = (await supplies_of([record]))[record.id]
            since = now - CONFIRMED_DAYS * DAY
            known = any(s.at > since and s.kept_milli and not s.told for s in supplies)
            if not known:
                units = packs * record.pack_units * MILLI
                await query(sql.INSERT_TOLD, None, next_id(), record.id, record.pack_units, now,
                            units, record.regime)  # fmt: skip
            return replace(record, cycle=record.cycle + 1, snoozed_until=None, state="active")

        answer = await self._change(customer_id, course_id, told)
        return answer if isinstance(answer, Refusal) else Noted(answer, known)

    async def snooze(
        self, customer_id: int, course_id: int, cycle: int, days: int
    ) -> CourseView | Refusal:
        """Remind her again in so many days. Refused: as `bought`, and invalid_course."""
        if not 1 <= days <= SNOOZE_DAYS_MAX:
            return refuse(No.INVALID_COURSE, field="days")

        async def told(record: Record, now: int) -> Record:
            _check_cycle(record, cycle)
            return replace(record, snoozed_until=now + days * DAY, cycle=record.cycle + 1)

        return await self._change(customer_id, course_id, told)

    async def stop(self, customer_id: int, course_id: int) -> CourseView | Refusal:
        """No more reminders of this one. Refused: course_not_found."""

        async def told(record: Record, now: int) -> Record:
            return replace(record, state="stopped", snoozed_until=None)

        return await self._change(customer_id, course_id, told)

    async def resume(self, customer_id: int, course_id: int) -> CourseView | Refusal:
        """Reminders again. Refused: course_not_found."""

        async def told(record: Record, now: int) -> Record:
            if record.state == "active":
                return record
            return replace(record, state="active", cycle=record.cycle + 1)

        return await self._change(customer_id, course_id, told)

    async def _change(
        self, customer_id: int, course_id: int, change: Change
    ) -> CourseView | Refusal:
        async def attempt() -> CourseView | Refusal:
            async with transaction():
                rows = await query(*_locked(sql.COURSE), course_id, customer_id)
                if not rows:
                    return refuse(No.COURSE_NOT_FOUND)
                return await self._write(record_of(rows[0]), change)

        return await until_settled(attempt)

    async def _write(self, record: Record, change: Change) -> CourseView:
        """Change a course whose row is locked, and reckon it. Raises DeclinedError."""
        now = self._now()
        changed = await reckoned(await change(await reckoned(record), now))
        is_anew = changed.regime != record.regime and changed.cycle == record.cycle
        if is_anew and (changed.due_at or 0) > now + LEAD_DAYS * DAY:
            changed = replace(changed, cycle=record.cycle + 1)  # its reminder is yet to come
        changed = replace(changed, version=record.version + 1)
        await query(sql.CHANGE, None, changed.id, *(getattr(changed, n) for n in sql.CHANGED))
        return view(changed, now)

    # -- figures ----------------------------------------------------------------------------------

    async def tidy(self) -> None:
        """What any one process does now and then: reckon what has changed, learn once a day."""
        await settle_all()
        await learn_usual(self._now())

    # -- reminders --------------------------------------------------------------------------------

    async def due(
        self, at: datetime, limit: int, *, lead: timedelta = timedelta(days=LEAD_DAYS)
    ) -> list[CourseView]:
        """Courses to be reminded of: what runs out within `lead`, or has run out in the last week,
        is not snoozed, and was not reminded of in this cycle. See `told`."""
        await settle_all()
        now = to_micros(at)
        stale, oldest = now - STALE_DAYS * DAY, now - (STALE_DAYS + SNOOZE_DAYS_MAX) * DAY
        rows = await query(sql.DUE, None, now, to_micros(at + lead), limit, stale, oldest)
        return [view(record_of(row), now) for row in rows]

    async def told(self, reminded: Sequence[CourseView]) -> None:
        """These have been taken up, in the caller's transaction: no second time in their cycle."""
        if reminded:
            rows = [(course.id, course.cycle) for course in reminded]
            await query(*sql.TOLD, json.dumps(rows))


async def supplied(since: Mapping[int, datetime]) -> set[int]:
    """Of these courses those to which something has come since then, and has not gone back."""
    rows = [(course_id, to_micros(at)) for course_id, at in since.items()]
    return {row["course_id"] for row in await query(*sql.SUPPLIED, json.dumps(rows))}


def _based(record: Record, now: int, stock_milli: int, *, told: bool) -> Record:
    """A new base: what came before is a part of it."""
    return replace(
        record,
        base_at=now,
        base_milli=stock_milli,
        base_told=told,
        regime=record.regime + 1,
        snoozed_until=None,
    )


def _check_cycle(record: Record, cycle: int) -> None:
    if record.cycle != cycle:
        raise DeclinedError(refuse(No.COURSE_CHANGED))


def _locked(text: str) -> tuple[str, str]:
    return text + sql.LOCKED, text
