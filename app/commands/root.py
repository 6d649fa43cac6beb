"""`kapsula` itself: demo, serve, settings, and the groups of commands."""

import asyncio
import sys
from importlib.metadata import version
from pathlib import Path
from typing import Annotated

import structlog
import typer

from app.commands.database import db
from app.commands.journeys import journeys
from app.commands.keys import keys
from app.commands.ledger import ledger
from app.commands.messages import messages
from app.commands.nps import nps
from app.commands.promo import promo
from app.commands.recommend import recommend
from app.commands.refills import refills
from app.commands.rules import rules
from app.commands.session import AsJson, errors_in_one_line, out, overrides, show
from app.commands.shops import shops
from app.commands.simulate import simulate
from app.commands.sites import sites
from app.commands.staff import staff
from app.commands.tasks import tasks
from app.commands.templates import templates
from app.commands.webpush import webpush
from app.settings import Kind, setting_rows

app = typer.Typer(
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    help="Kapsula: a loyalty programme and messaging with a chatbot at its centre.",
)
GROUPS = {
    "db": db,
    "ledger": ledger,
    "promo": promo,
    "messages": messages,
    "tasks": tasks,
    "nps": nps,
    "journeys": journeys,
    "templates": templates,
    "rules": rules,
    "refills": refills,
    "staff": staff,
    "keys": keys,
    "shops": shops,
    "sites": sites,
    "webpush": webpush,
}
for name, group in GROUPS.items():
    app.add_typer(group, name=name)
app.command("recommend")(recommend)


def _version(asked: bool) -> None:
    if asked:
        out.print(f"kapsula {version('kapsula')}")
        raise typer.Exit


@app.callback()
def kapsula(
    database: Annotated[
        str | None,
        typer.Option(
            metavar="URL", help="Instead of KAPSULA_DATABASE_URL: sqlite://PATH or postgres://…"
        ),
    ] = None,
    _version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Say and stop.")
    ] = False,
) -> None:
    if database is not None:
        overrides["database_url"] = database


@app.command()
def demo(
    fresh: Annotated[
        bool, typer.Option("--fresh", help="Forget the pharmacy and make a new one.")
    ] = False,
    port: Annotated[
        int, typer.Option(min=1, max=65_535, help="Or the next one that is free.")
    ] = 8080,
    folder: Annotated[Path, typer.Option("--dir", help="Where its files are.")] = Path("var/demo"),
) -> None:
    """A pharmacy chain with a year of life, on this machine alone: chat, till and API to try."""
    from app.demo.run import run_demo  # noqa: PLC0415 - Faker is heavy and the demo's alone

    with errors_in_one_line():
        run_demo(out, folder=folder, port=port, fresh=fresh)


@app.command()
def serve(
    kind: Annotated[
        Kind, typer.Argument(help="all on SQLite; on Postgres also one kind each.")
    ] = "all",
) -> None:
    """Serve in production: the settings come from the environment."""
    from app.logs import configure_logs  # noqa: PLC0415
    from app.processes import serve as serve_process  # noqa: PLC0415
    from app.secret import production_secret  # noqa: PLC0415
    from app.settings import load_settings  # noqa: PLC0415

    with errors_in_one_line():
        settings = load_settings(**overrides)
        configure_logs(settings.log_level, for_person=sys.stderr.isatty())
        try:
            asyncio.run(serve_process(kind, settings, production_secret(settings)))
        except ExceptionGroup:
            structlog.get_logger(__name__).exception("process_broke", kind=kind)
            raise typer.Exit(1) from None


app.command()(simulate)


@app.command()
def settings(as_json: AsJson = False) -> None:
    """Every setting: its environment variable, default and meaning."""
    rows = [{"name": r.name, "default": r.default, "meaning": r.meaning} for r in setting_rows()]
    show(as_json, rows)
