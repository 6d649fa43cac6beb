"""`kapsula webpush`: the key that notifications of the browser need."""

import typer

from app.commands.session import AsJson, out, show_json
from messaging.channels.webpush.vapid import VapidKey

webpush = typer.Typer(no_args_is_help=True, help="Notifications of the browser.")


@webpush.callback()
def group() -> None:
    """Notifications of the browser."""


@webpush.command("keys")
def keys(as_json: AsJson = False) -> None:
    """Make a key pair. Nothing is kept: who changes the key loses every subscription."""
    made = VapidKey.new()
    if as_json:
        show_json({"private": made.spelled, "public": made.public})
        return
    out.print("# Keep it safe, and the same everywhere: browsers subscribe for this key alone.")
    out.print(f"KAPSULA_WEBPUSH__KEY={made.spelled}", soft_wrap=True)
    out.print(f"# Its public half: {made.public}", soft_wrap=True)
