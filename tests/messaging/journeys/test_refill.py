"""Refills lived through: a reminder in time for each medicine, and never after a return."""

from datetime import timedelta

import pytest

from loyalty.checkout import Back, Line, SoldAt
from loyalty.courses import CourseView
from loyalty.models import Product
from loyalty.programme import Programme
from loyalty.refills import Refills
from loyalty.rules.programme import ProgrammeRules
from messaging import preferences
from messaging.templates import Reader, render
from tests.loyalty.tills import HERE, open_shop
from tests.messaging.journeys.stage import HOUR, Stage

DAY = timedelta(days=1)
PHONE = "+79001234567"


@pytest.fixture
def rules() -> ProgrammeRules:
    return ProgrammeRules(welcome_points=0)


@pytest.fixture
async def anna(stage: Stage) -> int:
    await open_shop()
    for sku, units, rx in (("amlo", 30, True), ("d3", 30, False)):
        await Product.create(
            sku=sku, name={"amlo": "Амлодипин 5 мг", "d3": "Витамин D3"}[sku], category="x",
            price_minor=100_00, units_per_pack=units, daily_milli=1000, prescription_only=rx,
        )  # fmt: skip
    return await stage.join(PHONE)


async def buys(stage: Stage, number: str, *goods: str) -> None:
    answer = await stage.programme.checkout.commit(
        till_id=HERE, key=number, card=PHONE, receipt_number=number,
        lines=[Line(sku, sku, 1000, 100_00, 100_00) for sku in goods],
    )  # fmt: skip
    assert answer, answer


async def live(stage: Stage, days: float) -> None:
    await stage.live(timedelta(days=days), step=6 * HOUR)


async def course(programme: Programme, her: int) -> CourseView:
    [found] = await programme.refills.courses_of(her)
    return found


async def test_she_is_reminded_some_days_before_with_four_answers(stage: Stage, anna: int) -> None:
    await buys(stage, "R1", "amlo")
    await live(stage, 24.9)
    assert await stage.sent("refill") == []
    await stage.live(8 * HOUR)
    assert await stage.sent("refill") == ["refill"]
    body = stage.channel.got[-1].body
    assert "Амлодипин 5 мг" in body.plain
    assert "Понадобится рецепт" in body.plain
    hers = await course(stage.programme, anna)
    assert [each.leads for row in body.buttons for each in row] == [
        f"med:{what}:{hers.id}:{hers.cycle}" for what in ("bought", "later", "dose", "stop")
    ]
    await live(stage, 20)
    assert await stage.sent("refill") == ["refill"], "once"


async def test_each_medicine_for_itself(stage: Stage, anna: int) -> None:
    await buys(stage, "R1", "amlo")
    await live(stage, 10)
    await buys(stage, "R2", "d3")
    await live(stage, 16)
    assert await stage.sent("refill") == ["refill"]
    await live(stage, 10)
    assert await stage.sent("refill") == ["refill", "refill"]
    assert "Витамин D3" in stage.channel.texts[-1]
    assert "рецепт" not in stage.channel.texts[-1]


async def test_who_buys_in_time_is_not_reminded_and_the_next_pack_counts(
    stage: Stage, anna: int
) -> None:
    await buys(stage, "R1", "amlo")
    await live(stage, 20)
    await buys(stage, "R2", "amlo")
    await live(stage, 34)
    assert await stage.sent("refill") == []
    await live(stage, 2)
    assert await stage.sent("refill") == ["refill"]


async def test_the_purchase_is_the_goal(stage: Stage, anna: int) -> None:
    await buys(stage, "R1", "amlo")
    await live(stage, 26)
    await buys(stage, "R2", "amlo")
    await live(stage, 1)
    assert await stage.outcomes("refill") == ["goal"]


async def test_never_after_the_goods_were_returned(stage: Stage, anna: int) -> None:
    await buys(stage, "R1", "amlo")
    await live(stage, 24)
    await stage.programme.checkout.return_(
        till_id=HERE, key="b", receipt_number="R1", return_number="B1", sold_at=SoldAt(),
        lines=[Back(1)],
    )  # fmt: skip
    await live(stage, 20)
    assert await stage.sent("refill") == []


async def test_a_reminder_that_waits_for_the_morning_is_dropped_when_she_returns_or_answers(
    stage: Stage, anna: int
) -> None:
    stage.clock.advance(9.5 * HOUR)  # half past nine in the evening, in Moscow
    await buys(stage, "R1", "amlo", "d3")
    await live(stage, 24.9)
    await stage.live(4 * HOUR)
    assert (await stage.outcomes("refill")).count("") == 2
    assert await stage.sent("refill") == []
    courses = await stage.programme.refills.courses_of(anna)
    amlo, d3 = sorted(courses, key=lambda each: each.name)
    await stage.programme.refills.bought(anna, amlo.id, amlo.cycle)
    await stage.programme.refills.stop(anna, d3.id)
    await live(stage, 3)
    assert await stage.sent("refill") == []


async def test_put_off_is_reminded_again_and_only_then(stage: Stage, anna: int) -> None:
    await buys(stage, "R1", "amlo")
    await live(stage, 25.5)
    hers = await course(stage.programme, anna)
    await stage.programme.refills.snooze(anna, hers.id, hers.cycle, 3)
    await live(stage, 2.5)
    assert await stage.sent("refill") == ["refill"]
    await live(stage, 1)
    assert await stage.sent("refill") == ["refill", "refill"]


async def test_after_a_week_without_a_worker_what_is_too_late_is_not_said(
    stage: Stage, anna: int
) -> None:
    await buys(stage, "R1", "amlo")
    await stage.settle()
    stage.clock.advance(40 * DAY)
    await live(stage, 2)
    assert await stage.sent("refill") == []
    await buys(stage, "R2", "d3")
    await stage.settle()
    stage.clock.advance(28 * DAY)
    await live(stage, 1)
    assert await stage.sent("refill") == ["refill"]


async def test_a_look_that_dies_after_it_has_taken_her_in_reminds_her_once(
    stage: Stage, anna: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def dies(*_: object) -> None:
        raise RuntimeError("killed between two commits")

    await buys(stage, "R1", "amlo")
    await live(stage, 24.9)
    with monkeypatch.context() as patch:
        patch.setattr(Refills, "told", dies)
        await stage.live(8 * HOUR)
    assert await stage.sent("refill") == ["refill"]
    await live(stage, 3)
    assert await stage.sent("refill") == ["refill"]
    assert await stage.outcomes("refill") == [""]


CONTEXT = {
    "programme": "Капсула", "medicine": "Амлодипин 5 мг", "days": 5, "ends": "2026-03-01",
    "prescription": 1, "course": 1, "cycle": 2,
}  # fmt: skip


@pytest.mark.parametrize("language", ["ru", "en"])
@pytest.mark.parametrize("days", [0, 1, 5])
def test_sms_and_locked_screens_name_it_only_if_she_lets_them(language: str, days: int) -> None:
    told = CONTEXT | {"days": days}
    for channel in ("sms", "webpush"):
        for shown in (None, "Амлодипин 5 мг"):
            body = render("refill", told | {"shown": shown}, Reader(language), channel=channel)
            assert ("Амлодипин" in f"{body.subject} {body.plain}") == bool(shown)
    for shown in (None, "Амлодипин 5 мг"):
        chat = render("refill", told | {"shown": shown}, Reader(language))
        assert ("<tg-spoiler>Амлодипин 5 мг</tg-spoiler>" in chat.html) == (shown is None)
    mail = render("refill", told | {"shown": "Амлодипин 5 мг"}, Reader(language), channel="email")
    assert "Амлодипин" not in mail.subject
    assert "Амлодипин" in mail.plain


async def test_her_choice_is_asked_when_the_words_are_written(stage: Stage, anna: int) -> None:
    assert await preferences.medicine_names_shown([anna]) == set()
    await preferences.set_medicine_names(anna, True, stage.clock.now())
    assert await preferences.medicine_names_shown([anna, 5]) == {anna}
    await preferences.set_medicine_names(anna, False, stage.clock.now())
    assert await preferences.medicine_names_shown([anna]) == set()
