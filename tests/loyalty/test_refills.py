"""Courses: made and changed with receipts, returns and cancels, and by what a customer says."""

import asyncio
from collections.abc import AsyncIterator
from datetime import datetime, timedelta
from typing import Any

import pytest

from loyalty.catalogue import search
from loyalty.checkout import Back, Line, ReceiptAnswer
from loyalty.clock import VirtualClock
from loyalty.courses import CourseView, settle_all, take_in_history
from loyalty.customers import CustomerView
from loyalty.database import query
from loyalty.models import Product
from loyalty.programme import Programme
from loyalty.refills import COURSES_MAX, Noted
from loyalty.refusals import No, Refusal
from loyalty.rules.programme import ProgrammeRules
from loyalty.rules.refill import MILLI
from tests.loyalty.people import BORIS, joined
from tests.loyalty.tills import HERE, TillHand, open_shop

START = datetime.fromisoformat("2026-01-01T09:00:00+00:00")


@pytest.fixture
def rules() -> ProgrammeRules:
    return ProgrammeRules(welcome_points=0, offline_days_max=30)


@pytest.fixture
async def anna(programme: Programme) -> CustomerView:
    await open_shop()
    goods: dict[str, dict[str, Any]] = {
        "amlo30": {"units_per_pack": 30, "daily_milli": 1000, "medicine": "Амлодипин 5 мг"},
        "amlo90": {"units_per_pack": 90, "daily_milli": 1000, "medicine": "Амлодипин 5 мг"},
        "metf": {"units_per_pack": 60, "daily_milli": 2000, "prescription_only": True},
        "syrup": {"units_per_pack": 1, "daily_milli": 0},
    }
    for sku, facts in goods.items():
        name = {"amlo30": "Амлодипин 5 мг №30", "amlo90": "Амлодипин 5 мг №90"}.get(sku, sku)
        await Product.create(sku=sku, name=name, category="x", price_minor=100_00, **facts)
    return await joined(programme)


class Story:
    """One customer at one till; days are counted from the beginning."""

    def __init__(self, programme: Programme, clock: VirtualClock, her: CustomerView) -> None:
        self.programme, self.clock, self.her = programme, clock, her
        self.till = TillHand(programme)
        self.count = 0

    def day(self, day: float) -> None:
        self.clock.set(START + timedelta(days=day))

    async def buy(self, *goods: str, at: datetime | None = None) -> str:
        """`amlo30`, or `2xamlo30`: returns the receipt's number."""
        self.count += 1
        number = f"R{self.count}"
        answer = await self.programme.checkout.commit(
            till_id=HERE,
            key=number,
            card=self.her.card_number,
            receipt_number=number,
            lines=[_line(text) for text in goods],
            at=at,
        )
        assert isinstance(answer, ReceiptAnswer), answer
        return number

    async def give_back(self, number: str, *lines: Back) -> None:
        self.count += 1
        assert await self.till.take_back(number, f"B{self.count}", list(lines) or None)

    async def course(self) -> CourseView:
        [course] = await self.programme.refills.courses_of(self.her.id)
        return course

    async def ends(self) -> float | None:
        ends_at = (await self.course()).ends_at
        return None if ends_at is None else round((ends_at - START) / timedelta(days=1), 3)

    async def due(self, lead: int = 5) -> list[str]:
        found = await self.programme.refills.due(self.clock.now(), 100, lead=timedelta(days=lead))
        await self.programme.refills.told(found)
        return [course.name for course in found]


def _line(text: str) -> Line:
    packs, _, sku = text.rpartition("x") if text[0].isdigit() else ("1", "", text)
    milli = round(float(packs) * 1000)
    return Line(sku, sku, milli, 100_00, 100_00 * milli // 1000, "x")


@pytest.fixture
async def story(
    programme: Programme, clock: VirtualClock, anna: CustomerView
) -> AsyncIterator[Story]:
    yield Story(programme, clock, anna)
    await settle_all()
    rows = await query("SELECT COUNT(*) AS n FROM refill_course WHERE settled_version <> version")
    assert rows[0]["n"] == 0


# -- at the till


async def test_a_receipt_makes_a_course_of_what_is_taken_over_time(story: Story) -> None:
    await story.buy("amlo30", "syrup")
    course = await story.course()
    assert (course.name, course.pack_units, course.daily_milli) == ("Амлодипин 5 мг", 30, 1000)
    assert (course.daily_told, course.is_active, course.stock_milli) == (False, True, 30_000)
    assert await story.ends() == 30


async def test_packs_of_any_size_are_one_medicine_and_stock_carries_over(story: Story) -> None:
    await story.buy("2xamlo30")
    story.day(50)
    await story.buy("amlo90")
    assert await story.ends() == 150
    assert (await story.course()).pack_units == 90


async def test_one_receipt_may_have_several_lines_of_it(story: Story) -> None:
    await story.buy("amlo30", "amlo90", "amlo30", "metf")
    courses = await story.programme.refills.courses_of(story.her.id)
    assert [(c.name, (c.ends_at or START) - START) for c in courses] == [
        ("metf", timedelta(days=30)),
        ("Амлодипин 5 мг", timedelta(days=150)),
    ]
    assert [c.prescription_only for c in courses] == [True, False]


async def test_a_part_of_a_pack_counts_as_a_part(story: Story) -> None:
    await story.buy("0.5xamlo30")
    assert await story.ends() == 15


async def test_a_quote_makes_the_course_too(story: Story, programme: Programme) -> None:
    quote: Any = await programme.checkout.quote(
        till_id=HERE, key="q", card=story.her.card_number, receipt_number="Q1", spend=0,
        lines=[_line("amlo30")],
    )  # fmt: skip
    await story.till.commit(quote.quote_id, "Q1")
    await story.till.commit(quote.quote_id, "Q1", key="again")
    assert await story.ends() == 30


async def test_partial_returns_take_packs_away_one_by_one(story: Story) -> None:
    number = await story.buy("3xamlo30", "syrup")
    await story.give_back(number, Back(1, 1000))
    assert await story.ends() == 60
    await story.give_back(number, Back(1, 1000), Back(2))
    assert await story.ends() == 30
    assert not (await story.course()).is_asleep


async def test_after_a_return_of_the_goods_nobody_is_reminded(story: Story) -> None:
    await story.buy("amlo30")
    story.day(24)
    number = await story.buy("amlo30")
    await story.give_back(number)
    story.day(27)
    assert (await story.course()).is_asleep
    assert await story.ends() == 30
    assert await story.due() == []
    await story.buy("amlo30")
    assert not (await story.course()).is_asleep
    story.day(56)
    assert await story.due() == ["Амлодипин 5 мг"]


async def test_a_cancelled_receipt_was_never_bought(story: Story) -> None:
    number = await story.buy("amlo30", "metf")
    await story.till.cancel(number)
    courses = await story.programme.refills.courses_of(story.her.id)
    assert [(c.ends_at, c.stock_milli) for c in courses] == [(None, 0)] * 2
    story.day(27)
    assert await story.due() == []


async def test_a_slip_of_the_keyboard_breaks_no_list(story: Story) -> None:
    for n in range(4):
        story.day(n * 10)
        await story.buy("1000000xamlo90")
    assert (await story.course()).stock_milli > 0
    assert await story.due() == []


async def test_an_offline_receipt_counts_from_its_own_time(story: Story) -> None:
    story.day(10)
    await story.buy("amlo30")
    await story.buy("amlo30", at=START + timedelta(days=1))
    assert await story.ends() == 61


async def test_crowds_at_the_tills_lose_no_pack(story: Story, programme: Programme) -> None:
    async def till(n: int) -> None:
        other = Story(programme, story.clock, story.her)
        other.count = n * 100
        for _ in range(3):
            await other.buy("amlo30", "metf")

    await asyncio.gather(*(till(n) for n in range(4)))
    courses = await programme.refills.courses_of(story.her.id)
    assert {c.name: c.stock_milli for c in courses} == {"Амлодипин 5 мг": 360_000, "metf": 720_000}


# -- what she says


async def test_a_medicine_of_her_own_is_added_once(story: Story) -> None:
    refills, her = story.programme.refills, story.her.id
    first = await refills.add(
        her, name=" Травяной   сбор ", pack_units=20, daily_milli=500, stock_milli=10_000
    )
    again = await refills.add(
        her, name="травяной сбор", pack_units=20, daily_milli=2000, stock_milli=10_000
    )
    assert isinstance(first, CourseView)
    assert isinstance(again, CourseView)
    assert (first.id, first.name, again.id) == (again.id, "Травяной сбор", first.id)
    assert await story.ends() == 5


async def test_one_of_the_catalogue_goes_on_with_its_receipts(story: Story) -> None:
    refills = story.programme.refills
    [*found] = await search("АМЛОДИПИН")
    assert [(f.sku, f.pack_units, f.daily_milli) for f in found] == [
        ("amlo30", 30, 1000), ("amlo90", 90, 1000),
    ]  # fmt: skip
    await refills.add(
        story.her.id, sku="amlo30", pack_units=30, daily_milli=2000, stock_milli=4_000
    )
    assert await story.ends() == 2
    story.day(1)
    await story.buy("amlo30")
    assert await story.ends() == 17
    assert (await story.course()).daily_milli == 2000


async def test_too_many_medicines_are_refused(story: Story) -> None:
    for n in range(COURSES_MAX + 1):
        answer = await story.programme.refills.add(
            story.her.id, name=f"m{n}", pack_units=1, daily_milli=MILLI, stock_milli=0
        )
    assert isinstance(answer, Refusal)
    assert answer.code == No.TOO_MANY_COURSES


async def test_a_changed_dose_holds_from_now_on(story: Story) -> None:
    await story.buy("amlo30")
    story.day(10)
    course = await story.programme.refills.change_dose(
        story.her.id, (await story.course()).id, 2000
    )
    assert isinstance(course, CourseView)
    assert course.stock_milli == 20_000
    assert await story.ends() == 20
    await story.buy("amlo30")
    assert await story.ends() == 35


async def test_what_goes_back_goes_out_of_what_she_had_when_her_dose_changed(story: Story) -> None:
    number = await story.buy("2xamlo30")
    await story.programme.refills.change_dose(story.her.id, (await story.course()).id, 2000)
    await story.give_back(number, Back(1, 1000))
    assert await story.ends() == 15
    await story.give_back(number, Back(1, 1000))
    assert (await story.course()).stock_milli == 0
    assert (await story.course()).is_asleep


async def test_her_own_count_goes_before_what_was_reckoned(story: Story) -> None:
    await story.buy("amlo30")
    story.day(10)
    await story.programme.refills.tell_stock(story.her.id, (await story.course()).id, 5_000)
    assert await story.ends() == 15
    await story.buy("amlo30", at=START + timedelta(days=9))  # she has counted it already
    assert await story.ends() == 15
    await story.buy("amlo30")
    assert await story.ends() == 45


async def test_bought_elsewhere_is_one_pack_more_and_only_once(story: Story) -> None:
    await story.buy("amlo30")
    story.day(28)
    course, refills = await story.course(), story.programme.refills
    noted = await refills.bought(story.her.id, course.id, course.cycle)
    assert isinstance(noted, Noted)
    assert not noted.known
    assert await story.ends() == 60
    again = await refills.bought(story.her.id, course.id, course.cycle)
    assert isinstance(again, Refusal)
    assert again.code == No.COURSE_CHANGED
    assert await story.ends() == 60


async def test_bought_with_a_receipt_is_known_already_whichever_comes_first(story: Story) -> None:
    await story.buy("amlo30")
    story.day(28)
    course = await story.course()
    await story.programme.refills.bought(story.her.id, course.id, course.cycle)
    story.day(29)
    await story.buy("amlo30")
    assert await story.ends() == 60
    story.day(30)
    course = await story.course()
    noted = await story.programme.refills.bought(story.her.id, course.id, course.cycle)
    assert isinstance(noted, Noted)
    assert noted.known
    assert await story.ends() == 60


async def test_others_cannot_touch_it(story: Story) -> None:
    await story.buy("amlo30")
    course, refills = await story.course(), story.programme.refills
    boris = await joined(story.programme, phone=BORIS, front_value="2002")
    for answer in (
        await refills.course(boris.id, course.id),
        await refills.stop(boris.id, course.id),
        await refills.bought(boris.id, course.id, course.cycle),
        await refills.snooze(boris.id, course.id, course.cycle, 3),
        await refills.change_dose(boris.id, course.id, 2000),
    ):
        assert isinstance(answer, Refusal)
        assert answer.code == No.COURSE_NOT_FOUND


# -- reminders


async def test_reminded_once_some_days_before(story: Story) -> None:
    await story.buy("amlo30", "metf")
    story.day(24.9)
    assert await story.due() == []
    story.day(25)
    assert sorted(await story.due()) == ["metf", "Амлодипин 5 мг"]
    assert await story.due() == []
    story.day(28)
    await story.buy("amlo30")  # and the other one, for whatever reason, not
    story.day(56)
    assert await story.due() == ["Амлодипин 5 мг"]


async def test_what_ran_out_long_ago_is_nobodys_business_any_more(story: Story) -> None:
    await story.buy("amlo30")
    story.day(36.9)
    found = await story.programme.refills.due(story.clock.now(), 10)
    assert [course.name for course in found] == ["Амлодипин 5 мг"]
    story.day(37.1)
    assert await story.due() == []


async def test_later_is_later(story: Story) -> None:
    await story.buy("amlo30")
    story.day(26)
    assert len(await story.due()) == 1
    course, refills = await story.course(), story.programme.refills
    assert await refills.snooze(story.her.id, course.id, course.cycle, 14)
    assert isinstance(await refills.snooze(story.her.id, course.id, course.cycle, 14), Refusal)
    story.day(39)
    assert await story.due() == []
    story.day(40.1)
    assert len(await story.due()) == 1
    assert await story.due() == []


async def test_stopped_means_stopped_until_she_says_otherwise(story: Story) -> None:
    await story.buy("amlo30")
    course, refills = await story.course(), story.programme.refills
    await refills.stop(story.her.id, course.id)
    story.day(28)
    await story.buy("amlo30")
    story.day(58)
    assert await story.due() == []
    assert not (await story.course()).is_active
    await refills.resume(story.her.id, course.id)
    assert len(await story.due()) == 1


async def test_a_smaller_dose_puts_the_reminder_off_and_a_larger_one_repeats_none(
    story: Story,
) -> None:
    await story.buy("amlo30")
    story.day(26)
    assert len(await story.due()) == 1
    course, refills = await story.course(), story.programme.refills
    await refills.change_dose(story.her.id, course.id, 2000)
    assert await story.due() == []
    await refills.change_dose(story.her.id, course.id, 250)
    assert await story.ends() == 42
    assert await story.due() == []
    story.day(38)
    assert len(await story.due()) == 1


async def test_slow_customers_are_reminded_by_their_own_rhythm(story: Story) -> None:
    for day in (0, 40, 80, 120):
        story.day(day)
        await story.buy("amlo30")
    course = await story.course()
    assert course.is_learned
    assert await story.ends() is not None
    assert 154 < (await story.ends() or 0) < 161
    assert course.expected_at is not None
    story.day(146)
    assert await story.due() == []
    story.day(155)
    assert len(await story.due()) == 1


async def test_two_who_look_for_the_due_at_once_take_each_once(story: Story) -> None:
    await story.buy("amlo30")
    story.day(26)
    first = await story.programme.refills.due(story.clock.now(), 10)
    await story.programme.refills.told(first)
    await story.programme.refills.told(first)
    assert await story.due() == []


# -- what is usual, and the time before


async def test_what_is_usual_is_learned_from_all(story: Story, programme: Programme) -> None:
    for n in range(22):
        other = await joined(programme, phone=f"+790055566{n:02d}", front_value=f"9{n}")
        hers = Story(programme, story.clock, other)
        hers.count = 1000 + n * 10
        for day in (0, 36, 72, 108):
            story.day(day + n / 10)
            await hers.buy("amlo30")
    await programme.refills.tidy()
    rows = await query("SELECT item, courses, pace_permille FROM refill_pace ORDER BY item")
    learned_of = [(row["item"], row["courses"]) for row in rows]
    assert learned_of == [("", 22), ("medicine:Амлодипин 5 мг", 22)]
    assert 830 < rows[1]["pace_permille"] < 930
    story.day(200)
    await story.buy("amlo30")
    course = await story.course()
    assert await story.ends() == 230  # by the label, while she has no rhythm of her own
    assert course.expected_at is not None
    assert course.expected_at > (course.ends_at or START) + timedelta(days=2)


async def test_receipts_from_before_there_were_courses_are_taken_in_once(story: Story) -> None:
    first = await story.buy("2xamlo30")
    story.day(5)
    second = await story.buy("amlo90", "metf")
    await story.give_back(first, Back(1, 1000))
    await story.till.cancel(await story.buy("metf"))
    before = await story.programme.refills.courses_of(story.her.id)
    await query("DELETE FROM refill_supply")
    await query("DELETE FROM refill_course")
    for _ in range(2):
        await take_in_history()
        after = await story.programme.refills.courses_of(story.her.id)
        shown = [[(c.name, c.ends_at, c.stock_milli) for c in each] for each in (before, after)]
        assert shown[0] == shown[1]
    assert second
