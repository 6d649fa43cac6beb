"""When a medicine runs out: stories as tables, one event a line, the run-out beside it."""

import pytest

from loyalty.refusals import No
from loyalty.rules.receipts import DAY
from loyalty.rules.refill import MILLI, Base, Course, Supply, check_course

STORIES = {
    "one pack": """
        day  0  buys 30              -> 30
    """,
    "stock carries over": """
        day  0  buys 30              -> 30
        day 25  buys 30              -> 60
    """,
    "a gap carries nothing over": """
        day  0  buys 30              -> 30
        day 40  buys 30              -> 70
    """,
    "several packs at once": """
        day  0  buys 90              -> 90
    """,
    "one of two packs comes back": """
        day  0  buys 60 returns 30   -> 30
    """,
    "all comes back: nothing to remind of, whatever was there": """
        day  0  buys 30              -> 30
        day 20  buys 30 returns 30   -> 30 asleep
    """,
    "an older purchase comes back": """
        day  0  buys 30 returns 30   -> never asleep
        day 20  buys 30              -> 50
    """,
    "by her own count": """
        day  0  buys 30 settled      -> never
        day 20  counts 4             -> 24
        day 22  buys 30              -> 54
    """,
    "a count after the return wakes it up": """
        day  0  buys 30 returns 30 settled  -> never asleep
        day  5  counts 8                    -> 13
    """,
    "what is told is counted once with its receipt": """
        day  0  says 30              -> 30
        day  2  buys 30              -> 32
    """,
    "what is told is another purchase when its receipt is far": """
        day  0  says 30              -> 30
        day 10  buys 30              -> 60
    """,
    "what is told goes with the receipt that goes back": """
        day  0  says 30              -> 30
        day  2  buys 30 returns 30   -> never asleep
    """,
    "what is told after the goods went back is another purchase": """
        day  0  buys 30 returns 30   -> never asleep
        day  1  says 30              -> 31
    """,
    "an earlier receipt that arrives late": """
        day  0  buys 30              -> 30
        day 10  buys 30              -> 60
        day 80  buys 30              -> 110
    """,
}


def _course(lines: list[str]) -> Course:
    supplies, base = [], None
    for line in lines:
        words = line.split("->")[0].split()
        at = int(words[1]) * DAY
        told = dict(zip(words[2::2], words[3::2], strict=False))
        if "counts" in told:
            base = Base(at, int(told["counts"]) * MILLI, told=True)
            continue
        back = int(told.get("returns", 0)) * MILLI
        supplies.append(
            Supply(
                at=at,
                units_milli=int(told.get("buys") or told["says"]) * MILLI,
                back_milli=back,
                back_at=at + 1 if back else None,
                told="says" in told,
                settled="settled" in words,
            )
        )
    return Course(daily_milli=MILLI, supplies=supplies, base=base)


@pytest.mark.parametrize("story", STORIES, ids=str)
def test_the_run_out_of_a_story(story: str) -> None:
    lines = [line.strip() for line in STORIES[story].strip().splitlines()]
    for n, line in enumerate(lines, 1):
        course = _course(lines[:n])
        expected, *asleep = line.split("->")[1].split()
        run_out = course.run_out_at()
        assert run_out == (None if expected == "never" else int(expected) * DAY), line
        assert course.is_asleep() == bool(asleep), line


@pytest.mark.parametrize(
    ("daily_milli", "units", "days"),
    [(500, 30, 60), (2000, 60, 30), (143, 4, 27.972), (3000, 10, 3.3333), (1500, 30, 20)],
)
def test_halves_and_weekly_doses(daily_milli: int, units: int, days: float) -> None:
    course = Course(daily_milli=daily_milli, supplies=[Supply(at=0, units_milli=units * MILLI)])
    run_out = course.run_out_at()
    assert run_out is not None
    assert run_out / DAY == pytest.approx(days, abs=0.001)


def test_what_is_left_on_a_day() -> None:
    supplies = [Supply(at=0, units_milli=30_000), Supply(at=25 * DAY, units_milli=30_000)]
    course = Course(daily_milli=MILLI, supplies=supplies)
    assert [course.stock_milli(day * DAY) for day in (0, 10, 24, 25, 59, 60, 90)] == [
        30_000, 20_000, 6_000, 35_000, 1_000, 0, 0,
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("facts", "field"),
    [
        ({"name": " "}, "name"),
        ({"name": "x" * 121}, "name"),
        ({"name": "a\u202eb"}, "name"),
        ({"pack_units": 0}, "pack_units"),
        ({"pack_units": 10_001}, "pack_units"),
        ({"daily_milli": 9}, "daily"),
        ({"daily_milli": 100_001}, "daily"),
        ({"stock_milli": -1}, "stock"),
        ({"stock_milli": 10**12}, "stock"),
    ],
)
def test_what_cannot_be_so_is_refused_by_its_field(facts: dict[str, object], field: str) -> None:
    refusal = check_course(**facts)  # type: ignore[arg-type]
    assert refusal is not None
    assert (refusal.code, refusal.data["field"]) == (No.INVALID_COURSE, field)


def test_a_sound_course_is_not_refused() -> None:
    assert check_course(name="Амлодипин", pack_units=30, daily_milli=10, stock_milli=0) is None
