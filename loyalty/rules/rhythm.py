"""How a customer really uses a medicine up, learned from her repeat purchases. Pure.

For each interval between purchases, its days over the days that the units bought at its beginning
should have lasted: 1.1 says that she takes a tenth less than the doses a day, or misses as much.
Several packs at once make one longer interval and the same ratio. Of their logarithms, newer ones
weighing more, a weighted median and from there Huber's mean (P. J. Huber, 1964) is taken, so that a
pause or a purchase made elsewhere pulls it little; then it is shrunk towards what is usual for the
medicine, as if that had been seen in two intervals more. Her pace is the reciprocal.

Of what should have been left at a purchase, half is believed to be there: what she has at home is
reckoned with, and an error in the pace does not add up from pack to pack. How long after (or
before) the run-out so reckoned she usually buys is a median, shrunk likewise.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from statistics import median

from loyalty.rules.receipts import DAY
from loyalty.rules.refill import LATEST, MILLI, Course, confirmed

NEWER_WEIGHS = 0.85
"""The weight of an interval, compared with the next one."""
HUBER_WIDTH = 0.3
"""Logarithms farther off than that are pulled in: a third more, or a quarter less."""
HUBER_STEPS = 5
USUAL_WEIGHS, USUAL_LATE_WEIGHS = 2.0, 3.0
"""What is usual for the medicine counts like so many intervals of her own."""
BELIEVED = 0.5
"""The share of the stock that should be left which is counted on."""
APART = 0.2
"""Purchases nearer than this share of the time that the former should last are one stocking up."""
LATE_DAYS_MAX = 20.0
PACE_MIN_PERMILLE, PACE_MAX_PERMILLE = 250, 4000
OWN_INTERVALS_MIN = 2
"""From so many intervals on reminders go by her own pace, and no longer by the doses a day."""


@dataclass(frozen=True, slots=True)
class Usual:
    """What is usual for a medicine: the pace compared with the doses a day, and thousandths of a
    day after the run-out at which one buys it again."""

    pace_permille: int = 1000
    late_milli: int = 0


@dataclass(frozen=True, slots=True)
class Rhythm:
    """Hers: `run_out_at` by her own pace, `expected_at` when she will probably buy again.

    `intervals` between purchases are what it was learned from. Instants in microseconds.
    """

    pace_permille: int
    intervals: int
    run_out_at: int
    expected_at: int


def rhythm_of(course: Course, usual: Usual) -> Rhythm | None:
    """None before the first purchase."""
    bought = _purchases(course, APART)
    if not bought:
        return None
    lasts = _lasting(bought, course.daily_milli, usual)
    pace = round(MILLI / lasts)
    pace = min(PACE_MAX_PERMILLE, max(PACE_MIN_PERMILLE, pace))
    ends, late = _walk(bought, course.daily_milli * pace / MILLI)
    weight = len(late) / (len(late) + USUAL_LATE_WEIGHS)
    own = max(-LATE_DAYS_MAX, min(LATE_DAYS_MAX, median(late))) if late else 0.0
    expected = ends + weight * own + (1 - weight) * usual.late_milli / MILLI
    latest = bought[-1][0]
    return Rhythm(
        pace_permille=pace,
        intervals=len(late),
        run_out_at=_instant(ends),
        expected_at=_instant(max(expected, latest + 1)),
    )


def _purchases(course: Course, apart: float) -> list[tuple[float, int]]:
    """Days since the epoch and units (thousandths); those within a day are one."""
    bought: list[tuple[float, int]] = []
    for supply in confirmed(course.supplies):
        if not supply.kept_milli:
            continue
        day = supply.at / DAY
        if bought and day - bought[-1][0] < max(1.0, apart * bought[-1][1] / course.daily_milli):
            bought[-1] = (bought[-1][0], bought[-1][1] + supply.kept_milli)
        else:
            bought.append((day, supply.kept_milli))
    return bought


def _lasting(bought: Sequence[tuple[float, int]], daily_milli: int, usual: Usual) -> float:
    """How much longer a unit lasts than the doses a day say."""
    seen = []
    for i, ((day, units), (next_day, _)) in enumerate(pairwise(bought)):
        weight = NEWER_WEIGHS ** (len(bought) - 2 - i)
        seen.append((math.log((next_day - day) * daily_milli / units), weight))
    before = math.log(MILLI / usual.pace_permille)
    weight = sum(weight for _, weight in seen)
    own = _robust_mean(seen) if seen else 0.0
    return math.exp((weight * own + USUAL_WEIGHS * before) / (weight + USUAL_WEIGHS))


def _robust_mean(seen: Sequence[tuple[float, float]]) -> float:
    """Huber's weighted mean, begun at the weighted median."""
    middle = _weighted_median(seen)
    for _ in range(HUBER_STEPS):
        pulled = [
            (value, weight * min(1.0, HUBER_WIDTH / max(abs(value - middle), HUBER_WIDTH)))
            for value, weight in seen
        ]
        middle = sum(value * weight for value, weight in pulled) / sum(w for _, w in pulled)
    return middle


def _weighted_median(seen: Sequence[tuple[float, float]]) -> float:
    half, reached = sum(weight for _, weight in seen) / 2, 0.0
    for value, weight in sorted(seen):
        reached += weight
        if reached >= half:
            return value
    raise AssertionError("the weights reach their half")


def _walk(bought: Sequence[tuple[float, int]], daily_milli: float) -> tuple[float, list[float]]:
    """The run-out after the last purchase, and how long after the run-out each other was made."""
    ends, late = bought[0][0], []
    for i, (day, units) in enumerate(bought):
        if i:
            late.append(day - ends)
        ends = day + BELIEVED * max(0.0, ends - day) + units / daily_milli
    return ends, late


def _instant(day: float) -> int:
    """To the second: no more is meant."""
    return min(round(day * 86_400) * (DAY // 86_400), LATEST)


@dataclass(frozen=True, slots=True, kw_only=True)
class Standing:
    """All figures of a course at one version; None: not to be said.

    `run_out_at` by the doses a day, `due_at` is what reminders go by, `daily_milli` what she really
    takes a day as far as it is known.
    """

    run_out_at: int | None
    due_at: int | None
    expected_at: int | None
    daily_milli: int
    pace_permille: int
    intervals: int


def standing(course: Course, usual: Usual, *, dose_told: bool) -> Standing:
    """Her own word about her dose (`dose_told`) goes before her rhythm, that before the label."""
    run_out_at = course.run_out_at()
    rhythm = rhythm_of(course, usual)
    if rhythm is None or dose_told:
        ends = run_out_at
        pace, intervals, expected = MILLI, 0, run_out_at
    else:
        pace, intervals, expected = rhythm.pace_permille, rhythm.intervals, rhythm.expected_at
        ends = _by_rhythm(course, rhythm) if intervals >= OWN_INTERVALS_MIN else run_out_at
    is_own = intervals >= OWN_INTERVALS_MIN
    return Standing(
        run_out_at=run_out_at,
        due_at=None if course.is_asleep() else ends,
        expected_at=expected,
        daily_milli=_paced(course.daily_milli, pace) if is_own else course.daily_milli,
        pace_permille=pace,
        intervals=intervals,
    )


def _by_rhythm(course: Course, rhythm: Rhythm) -> int | None:
    """What she has counted herself goes before what purchases say, until two more have come."""
    base = course.base
    if base is None or sum(1 for each in course.supplies if not each.settled) >= OWN_INTERVALS_MIN:
        return rhythm.run_out_at
    daily = _paced(course.daily_milli, rhythm.pace_permille)
    return Course(daily_milli=daily, supplies=course.supplies, base=base).run_out_at()


def _paced(daily_milli: int, pace_permille: int) -> int:
    return max(1, daily_milli * pace_permille // MILLI)
