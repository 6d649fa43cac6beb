"""Forecasts of the next purchase, and how far off they are, each purchase from the ones before it.

Nothing of what is forecast, or of what comes after it, is known to who forecasts; what is usual for
a medicine is learned from other customers.
"""

import random
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from statistics import mean, median

from benchmarks.refill_parts.patients import Bought, History
from loyalty.rules.receipts import DAY
from loyalty.rules.refill import MILLI, Course, Supply
from loyalty.rules.rhythm import OWN_INTERVALS_MIN, Usual, rhythm_of

BEFORE_MIN = 3
"""Purchases that are known at least: two intervals, without which there is no median."""
LEARNED_MIN = 20
RESAMPLES = 1_000

Forecast = Callable[[History, Sequence[Bought]], float]
"""From a course and its purchases so far to the day of the next one."""


def median_interval(history: History, before: Sequence[Bought]) -> float:
    """The baseline: the plain median of the customer's own intervals."""
    return before[-1].day + median(b.day - a.day for a, b in pairwise(before))


def median_per_unit(history: History, before: Sequence[Bought]) -> float:
    """A stronger one: the median of the intervals for each unit bought, times the units."""
    days = median((b.day - a.day) / a.units for a, b in pairwise(before))
    return before[-1].day + days * before[-1].units


def by_the_label(history: History, before: Sequence[Bought]) -> float:
    """The run-out by the doses a day, with what is left carried over, and no rhythm."""
    run_out = _course(history, before).run_out_at()
    assert run_out is not None
    return run_out / DAY


@dataclass(frozen=True, slots=True)
class OwnRhythm:
    """What the programme does (`loyalty.rules.rhythm`)."""

    usual: Mapping[str, Usual]

    def __call__(self, history: History, before: Sequence[Bought]) -> float:
        usual = self.usual.get(history.item) or self.usual.get("") or Usual()
        rhythm = rhythm_of(_course(history, before), usual)
        assert rhythm is not None
        return rhythm.expected_at / DAY


def _course(history: History, before: Sequence[Bought]) -> Course:
    return Course(
        daily_milli=round(history.daily * MILLI),
        supplies=[
            Supply(at=round(each.day * DAY), units_milli=each.units * MILLI) for each in before
        ],
    )


def usual_of(histories: Iterable[History]) -> dict[str, Usual]:
    """What `refill_pace` would say of these: medians by medicine, and "" of all."""
    found: dict[str, list[tuple[int, int]]] = defaultdict(list)
    for history in histories:
        rhythm = rhythm_of(_course(history, history.bought), Usual())
        if rhythm is not None and rhythm.intervals >= OWN_INTERVALS_MIN:
            late = (rhythm.expected_at - rhythm.run_out_at) * MILLI // DAY
            for item in (history.item, ""):
                found[item].append((rhythm.pace_permille, late))
    return {
        item: Usual(round(median(p for p, _ in seen)), round(median(late for _, late in seen)))
        for item, seen in found.items()
        if len(seen) >= LEARNED_MIN
    }


@dataclass(frozen=True, slots=True)
class Errors:
    """Days off, by customer: each purchase that could be forecast."""

    days: Mapping[str, Sequence[Sequence[float]]]

    @property
    def purchases(self) -> int:
        return sum(len(each) for each in next(iter(self.days.values())))

    def mae(self, name: str) -> float:
        return mean(day for each in self.days[name] for day in each)

    def median(self, name: str) -> float:
        return median(day for each in self.days[name] for day in each)

    def better(self, name: str, than: str) -> float:
        """By what share of its error `name` is better."""
        return 1 - self.mae(name) / self.mae(than)

    def interval(self, name: str, than: str, seed: int = 1) -> tuple[float, float]:
        """95 % of `better` over resampled customers: their purchases are not independent."""
        chance = random.Random(seed)
        sums = [
            (sum(ours), sum(theirs))
            for ours, theirs in zip(self.days[name], self.days[than], strict=True)
        ]
        found = sorted(_ratio(chance.choices(sums, k=len(sums))) for _ in range(RESAMPLES))
        return found[RESAMPLES // 40], found[-RESAMPLES // 40]


def _ratio(sums: Sequence[tuple[float, float]]) -> float:
    return 1 - sum(ours for ours, _ in sums) / sum(theirs for _, theirs in sums)


def errors(histories: Iterable[History], forecasts: Mapping[str, Forecast]) -> Errors:
    """Every purchase from the fourth on, by every forecast."""
    days: dict[str, list[list[float]]] = {name: [] for name in forecasts}
    for history in histories:
        told = list(_cases(history))
        if told:
            for name, forecast in forecasts.items():
                days[name].append([_off(forecast, history, *case) for case in told])
    return Errors(days)


def _cases(history: History) -> Iterator[tuple[Sequence[Bought], float]]:
    for n in range(BEFORE_MIN, len(history.bought)):
        yield history.bought[:n], history.bought[n].day


def _off(forecast: Forecast, history: History, before: Sequence[Bought], day: float) -> float:
    """Nobody forecasts the past: the day after the last purchase is the earliest."""
    return abs(max(forecast(history, before), before[-1].day + 1) - day)
