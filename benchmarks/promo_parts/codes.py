"""Making personal codes: 100,000 drawn, checked and stored, on Postgres and on SQLite."""

import argparse
import tempfile
import time
from pathlib import Path

from app.database import database
from benchmarks.harness import Report, fresh_database, median
from loyalty.clock import SystemClock
from loyalty.promo_campaigns import Campaign, Generated, PromoCampaigns
from loyalty.rules.promo import Kind, Terms

CODES = 100_000
AIM_S = "< 10"


async def run(report: Report, arguments: argparse.Namespace) -> None:
    count = CODES // 10 if arguments.quick else CODES
    async with fresh_database() as url, database(url):
        await _measure(report, "Postgres", count, arguments.rounds)
    with tempfile.TemporaryDirectory() as folder:
        async with database(f"sqlite://{Path(folder) / 'codes.sqlite3'}"):
            await _measure(report, "SQLite", count, arguments.rounds)


async def _measure(report: Report, name: str, count: int, rounds: int) -> None:
    campaigns = PromoCampaigns(SystemClock())
    campaign = await campaigns.create("bench", "Bench", Terms(kind=Kind.PERCENT, permille=100))
    assert isinstance(campaign, Campaign)
    seconds = []
    for round_ in range(rounds):
        started = time.perf_counter()
        made = await campaigns.generate(campaign.id, count, f"round {round_}")
        seconds.append(time.perf_counter() - started)
        assert isinstance(made, Generated)
        assert made.made == count
    report.figure(f"{name}, codes/s", count / median(seconds))
    report.aim(f"{count:,} codes on {name}, s", median(seconds), AIM_S)
