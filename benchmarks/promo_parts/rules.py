"""A receipt of 30 lines under 50 rules of a marketer: less than a millisecond is the aim."""

import argparse
import random
import statistics
import time
from datetime import datetime

from benchmarks.harness import Report
from loyalty.rules.earning import Goods
from loyalty.rules.earning_rules import (
    Combine,
    EarningCaps,
    EarningRules,
    Multiplier,
    Selection,
    When,
)
from loyalty.rules.occasions import Occasion
from loyalty.rules.programme import ProgrammeRules
from loyalty.rules.tiers import Tier, TierRules

LINES, RULES = 30, 50
CATEGORIES = 40
RECEIPTS = 2_000
NOON = datetime(2026, 3, 7, 12)  # noqa: DTZ001 - the clock on the wall


def marketers_rules(combine: Combine = Combine.ADD) -> ProgrammeRules:
    """Fifty multipliers of every kind, tiers, caps and exclusions: more than anybody wants."""
    conditions = (
        When(),
        When(weekdays=frozenset({6, 7})),
        When(hours=(9 * 60, 21 * 60)),
        When(shops=frozenset({"bench"}), tiers=frozenset({"gold", "silver"})),
        When(birthday=(7, 7)),
    )
    return ProgrammeRules(
        earn_permille=30,
        earning=EarningRules(
            combine=combine,
            multipliers=tuple(
                Multiplier(
                    code=f"rule-{n}",
                    times_percent=110 + n,
                    goods=Selection(categories=frozenset({f"c{n % CATEGORIES}", f"c{n + 7}"})),
                    when=conditions[n % len(conditions)],
                )
                for n in range(RULES)
            ),
            caps=EarningCaps(receipt=5_000, day=10_000, month=50_000),
            not_earning=Selection(categories=frozenset({"c3"}), prescription=True),
            not_payable=Selection(categories=frozenset({"c3"})),
        ),
        tiers=TierRules(
            levels=(
                Tier(code="base", from_minor=0),
                Tier(code="silver", from_minor=15_000_00, earn_permille=50),
                Tier(code="gold", from_minor=40_000_00, earn_permille=70),
            )
        ),
    )


async def run(report: Report, arguments: argparse.Namespace) -> None:
    """Rules are compiled once, over many receipts."""
    chance = random.Random(1)
    pricing = marketers_rules().pricing
    occasion = Occasion(
        shop="bench",
        local=NOON,
        born_on=NOON.date(),
        tier="gold",
    )
    took = []
    for _ in range(RECEIPTS // 10 if arguments.quick else RECEIPTS):
        goods = [
            Goods(
                chance.randrange(50_00, 2_000_00),
                sku=f"s{chance.randrange(300)}",
                category=f"c{chance.randrange(CATEGORIES)}",
            )
            for _ in range(LINES)
        ]
        spend = pricing.limit(goods) // 2
        started = time.perf_counter()
        pricing.limit(goods)
        pricing.price(goods, spend, occasion)
        took.append(time.perf_counter() - started)
    report.aim("rules: ms for 30 lines under 50 rules", statistics.median(took) * 1000, "< 1")
    report.figure("rules: ms, the slowest of 100", statistics.quantiles(took, n=100)[98] * 1000)
