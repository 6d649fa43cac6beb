"""How far off the next purchase of a medicine is forecast. `python -m benchmarks.refill`

On invented patients (`refill_parts.patients` says what is assumed) and on the demo's year. What is
usual for a medicine is learned from one half of the customers, the other half is forecast: each
purchase from the fourth on, from the ones before it alone.
"""

import argparse
import random
import sys
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime

from app.demo.history import history as year_of
from app.demo.people import people
from app.demo.seed import DAYS, SEED
from benchmarks.harness import Report
from benchmarks.refill_parts.forecasts import (
    Forecast,
    OwnRhythm,
    by_the_label,
    errors,
    median_interval,
    median_per_unit,
    usual_of,
)
from benchmarks.refill_parts.patients import Bought, History, histories
from loyalty.rules.programme import ProgrammeRules

AIM = ">= 0.1"
PATIENTS = 4_000
CUSTOMERS = 3_000
TEST_SEED = 2_718
"""Not one of those that the constants of the rhythm were looked at with (1 to 9)."""
NOW = datetime(2026, 11, 1, tzinfo=UTC)


def measure(report: Report, name: str, courses: Sequence[History]) -> None:
    """Learn from every other course, forecast the rest."""
    forecasts: Mapping[str, Forecast] = {
        "own rhythm": OwnRhythm(usual_of(courses[::2])),
        "median interval": median_interval,
        "median per unit": median_per_unit,
        "by the label": by_the_label,
    }
    found = errors(courses[1::2], forecasts)
    report.figure(f"{name}: purchases forecast", found.purchases)
    for forecast in forecasts:
        report.figure(f"{name}: {forecast}, mean days off", found.mae(forecast))
        report.figure(f"{name}: {forecast}, median days off", found.median(forecast))
    low, high = found.interval("own rhythm", "median interval")
    report.figure(f"{name}: better than the median interval, 95 %", f"{low:.1%} to {high:.1%}")
    low, high = found.interval("own rhythm", "median per unit")
    report.figure(f"{name}: better than the median per unit, 95 %", f"{low:.1%} to {high:.1%}")
    report.aim(f"{name}: better than the median interval, share",
               found.better("own rhythm", "median interval"), AIM)  # fmt: skip


def demo_courses(customers: int) -> Iterator[History]:
    """What the demo's customers bought of medicines taken over time, whatever the pack."""
    chance = random.Random(SEED)
    crowd = people(customers, chance=chance, now=NOW, days=DAYS)
    bought: dict[tuple[int, str], list[Bought]] = defaultdict(list)
    daily: dict[str, float] = {}
    for sale in year_of(crowd, chance=chance, now=NOW, rules=ProgrammeRules()):
        for line in sale.lines:
            good = line.good
            if good.daily_milli:
                item = good.medicine
                daily[item] = good.daily_milli / 1000
                day = sale.at.timestamp() / 86_400
                units = line.quantity * good.units_per_pack
                bought[sale.person, item].append(Bought(day, units))
    for (_, item), purchases in sorted(bought.items()):
        yield History(item, daily[item], tuple(purchases))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seed", type=int, default=TEST_SEED)
    parser.add_argument("--quick", action="store_true", help="a tenth of the customers")
    arguments = parser.parse_args()
    share = 10 if arguments.quick else 1
    report = Report()
    report.conditions["seed"] = arguments.seed
    print("  invented patients …", file=sys.stderr, flush=True)
    measure(report, "patients", list(histories(PATIENTS // share, arguments.seed)))
    print("  the demo's year …", file=sys.stderr, flush=True)
    measure(report, "demo", list(demo_courses(CUSTOMERS // share)))
    report.print()


if __name__ == "__main__":
    main()
