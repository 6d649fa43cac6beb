"""A customer's own rhythm: what it learns, what does not mislead it, and who has the last word."""

import pytest

from loyalty.rules.receipts import DAY
from loyalty.rules.refill import MILLI, Base, Course, Supply
from loyalty.rules.rhythm import Rhythm, Usual, rhythm_of, standing

USUAL = Usual()


def course(*bought: tuple[float, int], daily_milli: int = MILLI) -> Course:
    """Purchases as (day, units)."""
    return Course(
        daily_milli=daily_milli,
        supplies=[
            Supply(at=round((1000 + day) * DAY), units_milli=units * MILLI) for day, units in bought
        ],
    )


def learned(*bought: tuple[float, int], usual: Usual = USUAL) -> Rhythm:
    found = rhythm_of(course(*bought), usual)
    assert found is not None
    return found


def days(instant: int | None) -> float:
    assert instant is not None
    return instant / DAY - 1000


def test_who_buys_by_the_label_keeps_its_pace() -> None:
    found = learned(*((30 * n, 30) for n in range(6)))
    assert (found.pace_permille, found.intervals) == (1000, 5)
    assert days(found.run_out_at) == pytest.approx(180, abs=0.1)
    assert days(found.expected_at) == pytest.approx(180, abs=0.1)


def test_missed_doses_slow_the_pace_the_more_intervals_the_more() -> None:
    paces = [learned(*((36 * i, 30) for i in range(n))).pace_permille for n in (1, 2, 4, 8, 14)]
    assert paces == sorted(paces, reverse=True)
    assert paces[0] == 1000
    assert paces[-1] == pytest.approx(1000 * 30 / 36, abs=60)


def test_several_packs_are_one_longer_interval_of_the_same_pace() -> None:
    found = learned((0, 30), (30, 90), (120, 30), (150, 60), (210, 30))
    assert found.pace_permille == 1000
    assert days(found.expected_at) == pytest.approx(240, abs=0.1)


def test_a_pause_pulls_it_little() -> None:
    steady = [(30 * n, 30) for n in range(8)]
    after = [(day if day <= 90 else day + 60, units) for day, units in steady]
    assert learned(*after).pace_permille == pytest.approx(1000, abs=60)


def test_a_dose_that_has_changed_is_followed() -> None:
    found = learned((0, 30), (30, 30), (60, 30), (75, 30), (90, 30), (105, 30), (120, 30))
    assert 135 <= days(found.expected_at) < 142  # and no longer 150


def test_stock_at_home_puts_the_next_purchase_off() -> None:
    early = learned((0, 30), (30, 30), (60, 30), (90, 30), (100, 30))
    assert days(early.expected_at) > 132


def test_with_nothing_of_her_own_it_is_what_is_usual() -> None:
    found = learned((0, 30), usual=Usual(pace_permille=800, late_milli=2_000))
    assert found.pace_permille == 800
    assert days(found.run_out_at) == pytest.approx(37.5, abs=0.01)
    assert days(found.expected_at) == pytest.approx(39.5, abs=0.01)


def test_two_lines_of_a_day_are_one_purchase() -> None:
    assert learned((0, 30), (0.2, 30), (60, 30)).intervals == 1


def test_what_has_gone_back_teaches_nothing() -> None:
    bought = course((0, 30), (30, 30), (60, 30))
    gone = Supply(at=1010 * DAY, units_milli=30_000, back_milli=30_000)
    first, *rest = bought.supplies
    with_return = Course(daily_milli=MILLI, supplies=[first, gone, *rest])
    assert rhythm_of(with_return, USUAL) == rhythm_of(bought, USUAL)


def test_without_a_purchase_there_is_no_rhythm() -> None:
    assert rhythm_of(Course(daily_milli=MILLI, supplies=[]), USUAL) is None


def test_reminders_go_by_the_label_until_there_are_two_intervals() -> None:
    slow = ((0, 30), (40, 30), (80, 30), (120, 30))
    one = standing(course(*slow[:2]), USUAL, dose_told=False)
    assert one.due_at == one.run_out_at
    three = standing(course(*slow), USUAL, dose_told=False)
    assert days(three.run_out_at) == pytest.approx(150)
    assert days(three.due_at) > 154
    assert three.daily_milli < MILLI


def test_her_own_word_about_the_dose_goes_before_her_rhythm() -> None:
    slow = course((0, 30), (40, 30), (80, 30), (120, 30))
    told = standing(slow, USUAL, dose_told=True)
    assert told.due_at == told.run_out_at == told.expected_at
    assert (told.daily_milli, told.intervals) == (MILLI, 0)


def test_what_she_has_counted_goes_before_what_purchases_say() -> None:
    before = course((0, 30), (30, 30), (60, 30))
    settled = [
        Supply(at=each.at, units_milli=each.units_milli, settled=True) for each in before.supplies
    ]
    counted = Course(
        daily_milli=MILLI, supplies=settled, base=Base(1070 * DAY, 50 * MILLI, told=True)
    )
    assert days(standing(counted, USUAL, dose_told=False).due_at) == pytest.approx(120, abs=0.1)
