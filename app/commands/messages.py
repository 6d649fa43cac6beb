"""`kapsula messages`: what was sent to whom and why, what was not and why not."""

from collections.abc import Mapping
from typing import Annotated, Any

import typer
from rich.markup import escape

from app.commands.people import customer_id_of
from app.commands.session import AsJson, no, on_database, out, overrides, show, show_json
from app.settings import load_settings
from loyalty.clock import SystemClock
from loyalty.identities import FRONTS
from messaging.story import Moment, Story, messages_of
from messaging.story import story as story_of
from messaging.suppressions import LIFTABLE, Suppressed, lift, listing, suppress

messages = typer.Typer(no_args_is_help=True, help="What was sent to whom, and why.")
Kind = Annotated[str, typer.Argument(help="phone, email, telegram or webchat.")]
Address = Annotated[str, typer.Argument(help="As the list shows it.")]


@messages.command("list")
@on_database
async def list_messages(
    who: Annotated[str, typer.Argument(help="Customer id, telephone, card number or e-mail.")],
    limit: Annotated[int, typer.Option(min=1, max=1000, help="How many.")] = 20,
    as_json: AsJson = False,
) -> None:
    """The latest messages to a customer, sent or not."""
    region = load_settings(**overrides).programme.region
    lines = await messages_of(await customer_id_of(who, region), limit=limit)
    rows = [
        {
            "id": str(line.message_id),
            "at": line.created_at.strftime("%Y-%m-%d %H:%M"),
            "topic": line.topic,
            "template": line.template,
            "state": line.state,
            "reason": line.reason,
        }
        for line in lines
    ]
    show(as_json, rows, empty="No messages yet.")


@messages.command("explain")
@on_database
async def explain(
    message_id: Annotated[int, typer.Argument(help="As `kapsula messages list` shows it.")],
    as_json: AsJson = False,
) -> None:
    """The whole story of a message: each decision, each try, what the provider told later."""
    story = await story_of(message_id)
    if story is None:
        no(f"there is no message {message_id}")
    moments = [
        {
            "at": moment.at.strftime("%Y-%m-%d %H:%M:%S.%f")[:-3],
            "what": moment.what,
            "reason": moment.reason,
            "details": _details(moment),
        }
        for moment in story.moments
    ]
    if as_json:
        show_json({**_heading(story), "moments": moments})
        return
    for name, value in _heading(story).items():
        out.print(f"[dim]{name.replace('_', ' '):>12}[/]  {escape(str(value))}", soft_wrap=True)
    show(False, moments, empty="Nobody has looked at it yet.")


def _heading(story: Story) -> dict[str, object]:
    heading: dict[str, object] = {
        "message": str(story.message_id),
        "state": story.state + (f": {story.reason}" if story.reason else ""),
        "called_for_by": story.source or story.dedupe_key,
        "customer": str(story.customer_id or "–"),
        "topic": story.topic,
        "template": story.template,
        "created": story.created_at.isoformat(),
        "not_before": story.not_before.isoformat(),
        "expires": story.expires_at.isoformat() if story.expires_at else "never",
        "cost": _money(story.cost),
    }
    return heading


def _details(moment: Moment) -> str:
    """One line for each figure; a route with what it costs and how surely it reaches her."""
    lines = []
    for name, value in moment.details.items():
        if name == "routes":
            lines += [_route(route) for route in value]
        elif name == "closed":
            lines += [f"{channel} closed: {reason}" for channel, reason in value.items()]
        else:
            lines.append(f"{name}: {_money(value) if name == 'cost' else value}")
    return "\n".join(lines)


def _route(route: Mapping[str, Any]) -> str:
    expected, worst = _money(route["expected"]), _money(route["worst"])
    costs = expected if expected == worst else f"{expected}, at worst {worst}"
    return f"{route['route']}: {costs}, reaches {route['reach']:.0%} ({route['standing']})"


def _money(millionths: int) -> str:
    return f"{millionths / 1_000_000:.2f}"


@messages.command("suppressed")
@on_database
async def suppressed(
    address: Annotated[str, typer.Argument(help="One address; all without it.")] = "",
    as_json: AsJson = False,
) -> None:
    """Addresses that are not written to, and those that were lifted."""
    rows = [
        {
            "kind": entry.address_kind,
            "address": entry.address,
            "topic": entry.topic or "every",
            "reason": entry.reason,
            "since": entry.at.strftime("%Y-%m-%d"),
            "until": entry.until.strftime("%Y-%m-%d") if entry.until else None,
            "lifted": entry.lifted_at.strftime("%Y-%m-%d") if entry.lifted_at else None,
        }
        for entry in await listing(address)
    ]
    show(as_json, rows, empty="No address is suppressed.")


@messages.command("suppress")
@on_database
async def suppress_by_hand(kind: Kind, address: Address) -> None:
    """Write to this address no more, until it is lifted."""
    if kind not in ("phone", "email", *FRONTS):
        no(f"{kind!r} is no kind of address: phone, email, telegram or webchat")
    entry = Suppressed(address_kind=kind, address=address, reason="by_hand")
    await suppress([entry], at=SystemClock().now())
    out.print(f"Suppressed: {kind} {escape(address)}.")


@messages.command("lift")
@on_database
async def lift_suppression(kind: Kind, address: Address) -> None:
    """Write to this address again. What the reader herself has said is not lifted by hand."""
    now = SystemClock().now()
    lifted = [r for r in sorted(LIFTABLE) if await lift(kind, address, reason=r, at=now)]
    if not lifted:
        no(f"nothing that can be lifted stands against {kind} {address}")
    out.print(f"Lifted: {', '.join(lifted)}.")
