"""`kapsula sites`: the shop's sites, whose pages and servers tell what happens on them."""

from typing import Annotated

import typer

from app.commands.session import AsJson, no, on_database, out, overrides, show
from app.secret import production_secret
from app.settings import load_settings
from loyalty.clock import SystemClock
from loyalty.models import Site
from loyalty.refusals import Refusal
from loyalty.sites import Sites

sites = typer.Typer(no_args_is_help=True, help="Sites that tell what happens on them.")
Name = Annotated[str, typer.Argument(help="As `kapsula sites list` shows it.")]


def _sites() -> Sites:
    return Sites(SystemClock(), production_secret(load_settings(**overrides)))


@sites.command("add")
@on_database
async def add(
    name: Annotated[str, typer.Argument(help="Short and unique: shop")],
    origin: Annotated[list[str], typer.Option(help="https://shop.example; may be repeated.")],
) -> None:
    """Add a site. Its secret key is shown this once; the public one stands in its pages."""
    keys = await _sites().add(name, origin)
    if isinstance(keys, Refusal):
        no(f"{keys.code}: {keys.data['field']}")
    out.print(f"public key  {keys.public}", soft_wrap=True)
    out.print(f"secret key  {keys.secret}", soft_wrap=True)


@sites.command("rotate")
@on_database
async def rotate(name: Name) -> None:
    """Make a new secret key; the old one and the tokens signed with it are good no more."""
    key = await _sites().rotate(name)
    if isinstance(key, Refusal):
        no(f"there is no open site {name!r}")
    out.print(key, soft_wrap=True)


@sites.command("close")
@on_database
async def close(name: Name) -> None:
    """End a site: its keys stop working within seconds."""
    if await _sites().close(name) is not None:
        no(f"there is no open site {name!r}")
    out.print(f"Closed: {name}.", markup=False)


@sites.command("list")
@on_database
async def list_sites(as_json: AsJson = False) -> None:
    """Every site with its public key."""
    rows = [
        {
            "name": site.name,
            "public_key": site.public_key,
            "origins": site.origins,
            "works": site.closed_at is None,
        }
        for site in await Site.all().order_by("name")
    ]
    show(as_json, rows, empty="No sites yet: kapsula sites add")
