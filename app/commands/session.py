"""What every command needs: settings, an open database, a table or JSON, one line for an error."""

import asyncio
import functools
import json
import sys
from collections.abc import Callable, Coroutine, Iterator, Sequence
from contextlib import contextmanager
from typing import Annotated, Any, NoReturn, ParamSpec

import typer
from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn
from rich.table import Table

from app.errors import ForeseenError, SettingsError

P = ParamSpec("P")
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON instead of a table.")]

out = Console(highlight=False)
err = Console(stderr=True, highlight=False)
overrides: dict[str, str] = {}
"""Settings given as options of `kapsula` itself; they come before the environment."""


class CommandError(Exception):
    """What was asked cannot be done. The text is the whole answer."""


def no(text: str) -> NoReturn:
    raise CommandError(text)


@contextmanager
def errors_in_one_line() -> Iterator[None]:
    """Turn foreseen troubles into a line and an exit code: 2 asked wrongly, 1 not possible now."""
    try:
        yield
    except SettingsError as error:
        _fail(str(error), 2)
    except (CommandError, ForeseenError) as error:
        _fail(str(error), 1)
    except KeyboardInterrupt:
        _fail("stopped", 130)


def _fail(text: str, code: int) -> NoReturn:
    err.print(f"[red]kapsula:[/] {escape(text)}", soft_wrap=True)
    raise typer.Exit(code)


def on_database(command: Callable[P, Coroutine[Any, Any, None]]) -> Callable[P, None]:
    """A command that runs on the open database of the settings, at its latest schema."""

    @functools.wraps(command)
    def run(*args: P.args, **kwargs: P.kwargs) -> None:
        with errors_in_one_line():
            asyncio.run(_opened(lambda: command(*args, **kwargs)))

    return run


async def _opened(command: Callable[[], Coroutine[Any, Any, None]]) -> None:
    from app.collector import spare_the_collector  # noqa: PLC0415
    from app.database import database, pending_migrations  # noqa: PLC0415
    from app.settings import load_settings  # noqa: PLC0415

    settings = load_settings(**overrides)
    on_sqlite = settings.database_url.startswith("sqlite:")
    async with database(
        settings.database_url, pool_max=settings.database_pool_max, migrate=on_sqlite
    ):
        if await pending_migrations():
            no("the database is not of the latest schema: run `kapsula db migrate` first")
        spare_the_collector()
        await command()


def show(
    as_json: bool, records: Sequence[dict[str, Any]], *, title: str = "", empty: str = "Nothing."
) -> None:
    """Records with the same keys, as JSON or as a table."""
    if as_json:
        show_json(list(records))
        return
    if not records:
        out.print(empty)
        return
    table = Table(title=title or None, title_justify="left")
    for name, value in records[0].items():
        number = isinstance(value, int) and not name.endswith("id")
        table.add_column(name.replace("_", " "), justify="right" if number else "left")
    for record in records:
        table.add_row(*(_cell(value) for value in record.values()))
    out.print(table)


def show_json(value: object) -> None:
    sys.stdout.write(json.dumps(value, ensure_ascii=False, default=str, indent=2) + "\n")


def _cell(value: object) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    if value is None:
        return "–"
    return f"{value:,}" if isinstance(value, int) else escape(str(value))


def progress_bar(as_json: bool) -> Progress:
    """On stderr, so that what is printed can be piped; not at all beside JSON."""
    return Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        console=err,
        disable=as_json,
    )
