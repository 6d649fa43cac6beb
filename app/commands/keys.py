"""`kapsula keys`: keys of till programs."""

from typing import Annotated

import typer

from admin.api_keys import create_api_key, revoke_api_key
from app.commands.session import AsJson, no, on_database, out, show
from loyalty.clock import SystemClock
from loyalty.models import ApiKey, Till
from loyalty.refusals import Refusal

keys = typer.Typer(no_args_is_help=True, help="API keys of till programs.")


@keys.command("add")
@on_database
async def add(till: Annotated[str, typer.Argument(help="Code of the till it acts for.")]) -> None:
    """Make a key. It is shown this once: only its hash is kept."""
    place = await Till.get_or_none(code=till)
    if place is None:
        no(f"there is no till {till!r}; `kapsula shops list` shows them")
    made = await create_api_key(clock=SystemClock(), till_id=place.id)
    if isinstance(made, Refusal):
        no(f"refused: {made.code}")
    out.print(made.key, soft_wrap=True)


@keys.command("revoke")
@on_database
async def revoke(
    key_id: Annotated[int, typer.Argument(help="As `kapsula keys list` shows it.")],
) -> None:
    """End a key for ever; it stops working within seconds."""
    refused = await revoke_api_key(clock=SystemClock(), key_id=key_id)
    if isinstance(refused, Refusal):
        no(f"there is no key {key_id} that works")
    out.print(f"Revoked: {key_id}.")


@keys.command("list")
@on_database
async def list_keys(as_json: AsJson = False) -> None:
    """Every key, by the first letters of it."""
    rows = [
        {
            "id": str(key.id),
            "begins": key.hint,
            "till": key.till.code,
            "made": key.created_at.strftime("%Y-%m-%d"),
            "works": key.revoked_at is None,
        }
        for key in await ApiKey.all().select_related("till").order_by("id")
    ]
    show(as_json, rows, empty="No keys yet: kapsula keys add")
