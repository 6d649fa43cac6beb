"""`kapsula staff`: accounts of the people who work here."""

from typing import Annotated

import typer

from admin.auth import (
    PASSWORD_LENGTH_MAX,
    PASSWORD_LENGTH_MIN,
    ROLES,
    StaffDoor,
    create_staff,
    hash_password,
)
from app.commands.session import AsJson, no, on_database, out, show
from loyalty.clock import SystemClock
from loyalty.models import Shop, StaffMember
from loyalty.refusals import Refusal
from messaging.i18n import DEFAULT_LANGUAGE

staff = typer.Typer(no_args_is_help=True, help="Accounts of the people who work here.")

_Password = Annotated[
    str,
    typer.Option(
        prompt=True, hide_input=True, confirmation_prompt=True, envvar="KAPSULA_NEW_PASSWORD"
    ),
]


@staff.command("add")
@on_database
async def add(
    *,
    login: str,
    password: _Password,
    role: Annotated[str, typer.Option(help=f"One of {', '.join(sorted(ROLES))}.")],
    name: Annotated[str, typer.Option(help="As colleagues know her.")] = "",
    shop: Annotated[str | None, typer.Option(help="Code of her shop; a cashier needs one.")] = None,
    language: Annotated[str, typer.Option(help="ru or en")] = DEFAULT_LANGUAGE,
) -> None:
    """Open an account."""
    if role == "cashier" and shop is None:
        no("--shop: a cashier works in a shop")
    place = None if shop is None else await Shop.get_or_none(code=shop)
    if shop is not None and place is None:
        no(f"there is no shop {shop!r}; `kapsula shops list` shows them")
    made = await create_staff(
        clock=SystemClock(),
        login=login,
        password=password,
        name=name or login,
        role=role,
        shop_id=place.id if place else None,
        language=language,
    )
    if isinstance(made, Refusal):
        data = ", ".join(f"{key} {value}" for key, value in made.data.items())
        no(f"refused: {made.code}" + (f" ({data})" if data else ""))
    out.print(f"Opened: {made.login}, {made.role}.")


@staff.command("password")
@on_database
async def password(login: str, password: _Password) -> None:
    """Set a new password; whoever is signed in is signed out."""
    member = await _member(login)
    if not PASSWORD_LENGTH_MIN <= len(password) <= PASSWORD_LENGTH_MAX:
        no(f"the password needs {PASSWORD_LENGTH_MIN} to {PASSWORD_LENGTH_MAX} characters")
    member.password_hash = await hash_password(password)
    await member.save(update_fields=["password_hash"])
    await StaffDoor(SystemClock()).end_sessions(member.id)
    out.print(f"The password of {member.login} is new.")


@staff.command("disable")
@on_database
async def disable(login: str) -> None:
    """Close an account; its history stays."""
    member = await _member(login)
    clock = SystemClock()
    member.disabled_at = member.disabled_at or clock.now()
    await member.save(update_fields=["disabled_at"])
    await StaffDoor(clock).end_sessions(member.id)
    out.print(f"Closed: {member.login}.")


@staff.command("list")
@on_database
async def list_staff(as_json: AsJson = False) -> None:
    """Every account."""
    rows = [
        {
            "login": member.login,
            "name": member.name,
            "role": member.role,
            "shop": member.shop.code if member.shop else None,
            "open": member.disabled_at is None,
        }
        for member in await StaffMember.all().select_related("shop").order_by("login")
    ]
    show(as_json, rows, empty="No accounts yet: kapsula staff add")


async def _member(login: str) -> StaffMember:
    member = await StaffMember.get_or_none(login=login.strip().lower())
    if member is None:
        no(f"there is no account {login!r}; `kapsula staff list` shows them")
    return member
