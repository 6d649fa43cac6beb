"""`kapsula shops`: the shops and their tills."""

from typing import Annotated

import typer
from tortoise.exceptions import IntegrityError

from app.commands.session import AsJson, no, on_database, out, show
from loyalty.clock import SystemClock
from loyalty.models import Shop, Till
from loyalty.programme_basics import known_timezone

shops = typer.Typer(no_args_is_help=True, help="Shops and their tills.")


@shops.command("add")
@on_database
async def add(
    code: Annotated[str, typer.Argument(help="Short and unique: msk-1")],
    name: Annotated[str, typer.Option(help="As customers know it.")],
    city: str = "",
    address: str = "",
    timezone: Annotated[str, typer.Option(help="IANA name")] = "Europe/Moscow",
) -> None:
    """Add a shop."""
    if not known_timezone(timezone):
        no(f"--timezone: {timezone!r} is not known; an example is Europe/Moscow")
    if not 1 <= len(code) <= 32:
        no("the code needs 1 to 32 characters")
    try:
        shop = await Shop.create(
            code=code, name=name, city=city, address=address, timezone=timezone
        )
    except IntegrityError:
        no(f"there is a shop {code!r} already")
    out.print(f"Added: {shop.code}, {shop.name}. Next: kapsula shops till {shop.code} …")


@shops.command("till")
@on_database
async def add_till(
    shop: Annotated[str, typer.Argument(help="Code of the shop.")],
    code: Annotated[str, typer.Argument(help="Unique over the chain: msk-1-2")],
    name: Annotated[str, typer.Option(help="As the cashier sees it.")] = "",
) -> None:
    """Add a till to a shop."""
    place = await Shop.get_or_none(code=shop)
    if place is None:
        no(f"there is no shop {shop!r}; `kapsula shops list` shows them")
    if not 1 <= len(code) <= 32:
        no("the code needs 1 to 32 characters")
    try:
        till = await Till.create(shop=place, code=code, name=name or code)
    except IntegrityError:
        no(f"there is a till {code!r} already")
    out.print(
        f"Added: till {till.code} in {place.name}. A key for it: kapsula keys add {till.code}"
    )


@shops.command("close-till")
@on_database
async def close_till(code: str) -> None:
    """Close a till: nobody signs in at it any more, and its keys stop working."""
    closed = await Till.filter(code=code, closed_at=None).update(closed_at=SystemClock().now())
    if not closed:
        no(f"there is no open till {code!r}")
    out.print(f"Closed: till {code}.")


@shops.command("list")
@on_database
async def list_shops(as_json: AsJson = False) -> None:
    """Every shop and its open tills."""
    tills: dict[int, list[str]] = {}
    for till in await Till.filter(closed_at=None).select_related("shop").order_by("code"):
        tills.setdefault(till.shop.id, []).append(till.code)
    rows = [
        {
            "code": shop.code,
            "name": shop.name,
            "city": shop.city,
            "address": shop.address,
            "tills": ", ".join(tills.get(shop.id, [])),
        }
        for shop in await Shop.all().order_by("code")
    ]
    show(as_json, rows, empty="No shops yet: kapsula shops add")
