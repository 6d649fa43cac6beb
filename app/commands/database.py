"""`kapsula db`: the schema."""

import asyncio

import typer

from app.commands.session import errors_in_one_line, out, overrides
from app.database import database, pending_migrations
from app.settings import load_settings

db = typer.Typer(no_args_is_help=True, help="The database's schema.")


@db.command()
def migrate() -> None:
    """Bring the database to the latest schema. Rows stay."""
    with errors_in_one_line():
        asyncio.run(_migrate())


@db.command()
def check() -> None:
    """Say whether the database answers and is of the latest schema; exit code 1 if not."""
    with errors_in_one_line():
        missing = asyncio.run(_pending())
    if missing:
        out.print(f"Lacks {len(missing)}: {', '.join(missing)}. Run kapsula db migrate.")
        raise typer.Exit(1)
    out.print("The database answers and is of the latest schema.")


async def _migrate() -> None:
    url = load_settings(**overrides).database_url
    async with database(url, migrate=False):
        missing = await pending_migrations()
    async with database(url):
        out.print(f"Applied {', '.join(missing)}." if missing else "Nothing to do.")


async def _pending() -> list[str]:
    async with database(load_settings(**overrides).database_url, migrate=False):
        return await pending_migrations()
