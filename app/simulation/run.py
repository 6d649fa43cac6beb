"""One simulated year from its beginning to its report."""

import tempfile
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

from app.simulation.auditing import Auditor
from app.simulation.living import Year
from app.simulation.mishaps import overheard
from app.simulation.report import YearReport, report_of
from app.simulation.world import open_world, settle, simulation_settings

START = datetime(2027, 6, 1, tzinfo=UTC)
"""A year from here has a 29 February."""


async def simulate(
    *,
    customers: int,
    days: int,
    seed: int,
    start: datetime = START,
    keep: Path | None = None,
    progress: Callable[[int], None] = lambda _days: None,
) -> YearReport:
    """Live the year in a database of its own, at `keep` or nowhere that lasts."""
    with tempfile.TemporaryDirectory(prefix="kapsula-year-") as folder:
        path = keep or Path(folder) / "year.sqlite3"
        async with open_world(simulation_settings(path), seed=seed, start=start) as world:
            await settle(world, customers=customers, days=days)
            auditor = Auditor(world)
            with overheard(auditor.findings):
                await Year(world, auditor, days=days).run(progress)
            await auditor.year()
            return await report_of(world, auditor.findings, days=days, start=start)
