"""Whatever is bought, returned, cancelled, told and taken otherwise: the stock is the auditor's.

Hypothesis invents histories of one customer: receipts of one or several packs, at the time or
late, partial and whole returns, cancels, other doses, counts of her own, purchases elsewhere. The
auditor takes tablets out of a box, a thousandth of a day at a time, and knows no formula.
"""

import itertools
import os
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from fractions import Fraction
from typing import Any

import pytest
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from loyalty.checkout import Back, Line, ReceiptAnswer, ReturnAnswer, SoldAt
from loyalty.clock import VirtualClock
from loyalty.courses import CourseView
from loyalty.database import query
from loyalty.models import Product, Shop
from loyalty.programme import build_programme
from loyalty.refills import Noted
from loyalty.refusals import Refusal
from loyalty.rules.programme import ProgrammeRules
from tests.conftest import SECRET
from tests.loyalty.ledger.test_model import play_histories
from tests.loyalty.people import joined
from tests.loyalty.tills import HERE, open_shop

EXAMPLES = int(os.environ.get("KAPSULA_TEST_EXAMPLES", "40")) // 2
START = datetime(2026, 1, 1, tzinfo=UTC)
PACK = 30
NEAR_DAYS = 3
_people = itertools.count(1)


@dataclass
class Box:
    """A purchase as the auditor writes it down: days since the beginning, units."""

    day: Fraction
    bought: Fraction
    number: str = ""
    back: Fraction = Fraction(0)
    back_on: Fraction = Fraction(0)
    in_count: bool = False

    @property
    def kept(self) -> Fraction:
        return self.bought - self.back


class CoursesAgainstAuditor(RuleBasedStateMachine):
    run: Callable[..., Any]
    """Runs a coroutine on the loop and database of the test."""

    @initialize(daily=st.sampled_from([250, 500, 1000, 2000, 3000]))
    def open(self, daily: int) -> None:
        self.clock = VirtualClock(START)
        rules = ProgrammeRules(welcome_points=0, offline_days_max=30)
        self.programme = build_programme(clock=self.clock, secret=SECRET, rules=rules)
        self.nth = next(_people)
        self.count = itertools.count(1)
        self.sku = f"m{self.nth}"
        self.her = self.run(self._join(daily))
        self.daily = Fraction(daily, 1000)
        self.boxes: list[Box] = []
        self.base: tuple[Fraction, Fraction, bool] | None = None
        self.back_on: Fraction | None = None

    async def _join(self, daily: int) -> Any:
        if not await Shop.exists():
            await open_shop()
        await Product.create(
            sku=self.sku, name=self.sku, category="x", price_minor=1, units_per_pack=PACK,
            daily_milli=daily,
        )  # fmt: skip
        phone = f"+7900{self.nth:07d}"
        return await joined(self.programme, phone=phone, front_value=str(self.nth))

    @property
    def day(self) -> Fraction:
        return Fraction((self.clock.now() - START) // timedelta(seconds=1), 86_400)

    def course(self) -> CourseView | None:
        found = self.run(self.programme.refills.courses_of(self.her.id))
        return found[0] if found else None

    # -- what happens

    @rule(packs=st.integers(1, 8), late_h=st.sampled_from([0, 0, 0, 30]))
    def buy(self, packs: int, late_h: int) -> None:
        """Half packs: 1 is a half, 8 are four whole ones."""
        number = f"{self.nth}.{next(self.count)}"
        at = self.clock.now() - timedelta(hours=late_h)
        if at < START:
            return
        answer = self.run(
            self.programme.checkout.commit(
                till_id=HERE, key=number, card=self.her.card_number, receipt_number=number,
                lines=[Line(self.sku, "x", packs * 500, 1, packs * 500)], at=at,
            )
        )  # fmt: skip
        assert isinstance(answer, ReceiptAnswer), answer
        day = Fraction((at - START) // timedelta(seconds=1), 86_400)
        is_old = self.base is not None and self.base[2] and day < self.base[0]
        units = Fraction(packs * PACK, 2)
        self.boxes.append(Box(day, units, number, in_count=is_old))

    def _receipts(self) -> list[Box]:
        return [box for box in self.boxes if box.number and not box.back]

    @precondition(lambda self: self._receipts())
    @rule(data=st.data(), share=st.sampled_from([Fraction(1, 2), Fraction(1)]))
    def take_back(self, data: st.DataObject, share: Fraction) -> None:
        box = data.draw(st.sampled_from(self._receipts()))
        units = box.bought * share
        answer = self.run(
            self.programme.checkout.return_(
                till_id=HERE, key=f"b{box.number}", receipt_number=box.number,
                return_number=f"b{box.number}", sold_at=SoldAt(),
                lines=[Back(1, int(units * 1000 / PACK))],
            )
        )  # fmt: skip
        assert isinstance(answer, ReturnAnswer), answer
        self._gone(box, units)

    @precondition(lambda self: self._receipts())
    @rule(data=st.data())
    def cancel(self, data: st.DataObject) -> None:
        box = data.draw(st.sampled_from(self._receipts()))
        answer = self.run(
            self.programme.checkout.cancel(
                till_id=HERE, key=f"c{box.number}", receipt_number=box.number
            )
        )
        assert isinstance(answer, ReceiptAnswer), answer
        self._gone(box, box.bought)

    def _gone(self, box: Box, units: Fraction) -> None:
        box.back += units
        box.back_on = self.day
        if box.in_count and self.base is not None:
            at, left, told = self.base
            self.base = (at, max(Fraction(0), left - units), told)
        if box is self._latest():
            self.back_on = self.day

    @precondition(lambda self: self.boxes)
    @rule(daily=st.sampled_from([300, 500, 1000, 1500, 4000]))
    def take_otherwise(self, daily: int) -> None:
        course = self.course()
        assert course is not None
        self.run(self.programme.refills.change_dose(self.her.id, course.id, daily))
        if not (course.daily_told and course.daily_milli == daily):
            self._count(Fraction(course.stock_milli, 1000), told=False)
        self.daily = Fraction(daily, 1000)

    @precondition(lambda self: self.boxes)
    @rule(units=st.integers(0, 100))
    def count_tablets(self, units: int) -> None:
        course = self.course()
        assert course is not None
        self.run(self.programme.refills.tell_stock(self.her.id, course.id, units * 1000))
        self._count(Fraction(units), told=True)

    def _count(self, units: Fraction, *, told: bool) -> None:
        self.base = (self.day, units, told)
        for box in self.boxes:
            box.in_count = True

    @precondition(lambda self: self.boxes)
    @rule(packs=st.integers(1, 3))
    def buy_elsewhere(self, packs: int) -> None:
        course = self.course()
        assert course is not None
        noted = self.run(self.programme.refills.bought(self.her.id, course.id, course.cycle, packs))
        assert isinstance(noted, Noted)
        near = any(box.number and box.kept and box.day > self.day - NEAR_DAYS for box in self.boxes)
        assert noted.known == near
        if not near:
            self.boxes.append(Box(self.day, Fraction(packs * PACK)))
        stale = self.run(self.programme.refills.bought(self.her.id, course.id, course.cycle, packs))
        assert isinstance(stale, Refusal)

    @rule(hours=st.integers(1, 24 * 40))
    def wait(self, hours: int) -> None:
        self.clock.advance(timedelta(hours=hours))

    @rule()
    def settle(self) -> None:
        self.run(self.programme.refills.tidy())

    # -- what the auditor finds

    def _latest(self) -> Box:
        return max(enumerate(self.boxes), key=lambda each: (each[1].day, each[0]))[1]

    def _run_out(self) -> Fraction | None:
        """Box after box is opened when the one before is empty."""
        empty_on: Fraction | None = None
        arrivals = [] if self.base is None else [(self.base[0], -1, self.base[1])]
        for n, box in enumerate(self.boxes):
            doubled = not box.number and any(
                other.number
                and abs(other.day - box.day) <= NEAR_DAYS
                and (other.kept or other.back_on > box.day)
                for other in self.boxes
            )
            if not box.in_count and box.kept and not doubled:
                begins = box.day if self.base is None else max(box.day, self.base[0])
                arrivals.append((begins, n, box.kept))
        for day, _, units in sorted(arrivals):
            opened = day if empty_on is None or empty_on < day else empty_on
            empty_on = opened + units / self.daily
        return empty_on

    @invariant()
    def the_run_out_is_the_auditors(self) -> None:
        if not self.boxes:
            assert self.course() is None
            return
        course = self.course()
        assert course is not None
        expected = self._run_out()
        kept = self.run(self._run_out_kept(course.id))
        assert (kept is None) == (expected is None)
        if expected is not None:
            off = Fraction(kept - int(START.timestamp() * 10**6), 86_400 * 10**6) - expected
            assert abs(off) < Fraction(1, 86_400), (float(expected), float(off))

    async def _run_out_kept(self, course_id: int) -> int | None:
        rows = await query("SELECT run_out_at FROM refill_course WHERE id = $1", None, course_id)
        return rows[0]["run_out_at"]  # type: ignore[no-any-return]

    @invariant()
    def stock_is_never_negative_nor_more_than_was_there(self) -> None:
        course = self.course()
        if course is not None:
            counted = self.base[1] if self.base is not None else Fraction(0)
            there = counted + sum(box.bought for box in self.boxes)
            assert 0 <= course.stock_milli <= there * 1000

    @invariant()
    def who_returned_the_last_goods_is_not_reminded(self) -> None:
        course = self.course()
        if course is None or self._latest().kept:
            return
        if self.base is None or not self.base[2] or self.base[0] < (self.back_on or 0):
            due = self.run(
                self.programme.refills.due(self.clock.now(), 10_000, lead=timedelta(days=10_000))
            )
            assert course.id not in [each.id for each in due]


@pytest.mark.timeout(600)
def test_every_history_of_a_medicine_agrees_with_the_auditor(db_url: str) -> None:
    play_histories(db_url, examples=EXAMPLES, steps=25, of=CoursesAgainstAuditor)
