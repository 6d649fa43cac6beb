"""`kapsula simulate`: a year of the whole product, checked every day, and what happened in it."""

import asyncio
import logging
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import typer

from app.commands.session import (
    AsJson,
    errors_in_one_line,
    no,
    progress_bar,
    show_json,
)

CUSTOMERS_MAX = 100_000
DAYS_MAX = 3_700


def simulate(
    *,
    customers: Annotated[int, typer.Option(min=1, max=CUSTOMERS_MAX)] = 300,
    days: Annotated[int, typer.Option(min=1, max=DAYS_MAX)] = 120,
    seed: Annotated[int, typer.Option(help="The same seed gives the same year.")] = 1,
    start: Annotated[
        datetime, typer.Option(formats=["%Y-%m-%d"], help="The first day, UTC.")
    ] = datetime(2027, 6, 1),  # noqa: DTZ001 - typer makes it so from what is typed
    keep: Annotated[
        Path | None, typer.Option(help="Keep the database in this new file, to look into.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Live through the year of a chain whose customers behave, and print what happened.

    In a database of its own: nothing leaves this process. Exit code 1 when a daily check failed.
    """
    from app.collector import collector_is_lazy  # noqa: PLC0415
    from app.logs import configure_logs  # noqa: PLC0415
    from app.simulation.run import simulate as live  # noqa: PLC0415 - Faker is heavy

    with errors_in_one_line():
        if keep is not None and keep.exists():
            no(f"{keep} is there already: name a new file")
        configure_logs(logging.getLevelName(logging.WARNING))
        with collector_is_lazy(), progress_bar(as_json) as bar:
            task = bar.add_task("Days", total=days)
            report = asyncio.run(
                live(
                    customers=customers,
                    days=days,
                    seed=seed,
                    start=start.replace(tzinfo=UTC),
                    keep=keep,
                    progress=lambda done: bar.update(task, completed=done),
                )
            )
        if as_json:
            show_json(report.record())
        else:
            for line in report.lines():
                typer.echo(line)
        if not report.is_clean:
            raise typer.Exit(1)
