"""`kapsula demo`: makes the pharmacy if it is not there yet, serves it, tells where."""

import asyncio
import shutil
import socket
from contextlib import suppress
from pathlib import Path

from pydantic import SecretStr
from rich.console import Console
from rich.panel import Panel
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn
from rich.table import Table

from app.assembly import House
from app.collector import collector_is_lazy
from app.database import database, refuse_if_served
from app.demo.chain import PASSWORD
from app.demo.lately import live_lately
from app.demo.pages import add_demo_pages
from app.demo.seed import Seeded, seed
from app.errors import SettingsError
from app.logs import configure_logs
from app.processes import serve
from app.secret import demo_push_key, demo_secret
from app.settings import EmailSettings, Settings, SmsSettings, load_settings
from loyalty.clock import SystemClock, VirtualClock

HOST = "127.0.0.1"
PORTS_TRIED = 50
POST = "post"
"""The folder of what was sent by SMS and e-mail."""
SENDER = "news@kapsula.example"
SMS_PRICE = "4.35"
_PUSH_SUBJECT = "mailto:demo@kapsula.example"
_WORDS = {
    "shops": "Shops, staff and goods",
    "customers": "Customers",
    "receipts": "A year of receipts and points",
    "tiers": "Tiers",
    "medicines": "Medicines",
    "weeks": "The last weeks, day by day",
}


def run_demo(console: Console, *, folder: Path, port: int, fresh: bool) -> None:
    """Serve the demo until Ctrl-C. Nothing outside this machine can reach it."""
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / "kapsula.sqlite3"
    chosen = free_port(port)
    settings = demo_settings(path, chosen)
    with (folder / "demo.log").open("a", encoding="utf-8") as log_file:
        configure_logs(settings.log_level, stream=log_file)
        refuse_if_served(f"sqlite://{path}")
        if fresh:
            _forget(path)
            shutil.rmtree(folder / POST, ignore_errors=True)
        if path.exists():
            console.print(f"The pharmacy is there already ([dim]{path}[/]): it lives on.")
        else:
            asyncio.run(_build(console, settings, path))
        if chosen != port:
            console.print(f"Port {port} is taken by another program, so this is {chosen}.")

        async def ready(house: House) -> None:
            console.print(_addresses(house.settings, folder))

        asyncio.run(
            serve(
                "all",
                settings,
                demo_secret(folder),
                adorn=add_demo_pages,
                ready=ready,
            )
        )
    console.print("Stopped. The pharmacy is kept: [bold]kapsula demo[/] continues it.")


def demo_settings(path: Path, port: int) -> Settings:
    """The programme's rules and Telegram come from the environment, the rest is the demo's own:
    web push works out of the box, since browsers take localhost for a safe place."""
    settings = load_settings(database_url=f"sqlite://{path}", redis_url=None)
    web = settings.web.model_copy(update={"host": HOST, "port": port, "public_url": ""})
    if settings.telegram.webhook_secret is not None:
        raise SettingsError(
            "KAPSULA_TELEGRAM__WEBHOOK_SECRET: the demo cannot be reached from outside; "
            "without it Telegram is polled"
        )
    webpush = settings.webpush
    if webpush.key is None:
        own = {"key": SecretStr(demo_push_key(path.parent)), "subject": _PUSH_SUBJECT}
        webpush = webpush.model_copy(update=own)
    post = path.parent / POST
    sms = SmsSettings(gateway="folder", folder=str(post / "sms"), price=SMS_PRICE)
    email = EmailSettings(folder=str(post / "mail"), sender=SENDER)
    return settings.model_copy(update={"web": web, "webpush": webpush, "sms": sms, "email": email})


def free_port(wanted: int) -> int:
    """`wanted`, or the next port of this machine on which nobody listens."""
    for port in range(wanted, min(wanted + PORTS_TRIED, 65_536)):
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            with suppress(OSError):
                probe.bind((HOST, port))
                return port
    raise SettingsError(f"--port: no free port from {wanted} on")


async def _build(console: Console, settings: Settings, path: Path) -> None:
    """Build beside and move into place: a demo that was broken off is begun anew."""
    building = path.with_suffix(".building")
    _forget(building)
    columns = (TextColumn("{task.description:<30}"), BarColumn(), MofNCompleteColumn(),
               TimeElapsedColumn())  # fmt: skip
    with collector_is_lazy(), Progress(*columns, console=console) as bars:
        tasks = {step: bars.add_task(words, total=None) for step, words in _WORDS.items()}

        def progress(step: str, done: int, total: int) -> None:
            bars.update(tasks[step], completed=done, total=total)

        now = SystemClock().now()
        async with database(f"sqlite://{building}"):
            seeded = await seed(VirtualClock(now), settings.rules(), progress)
        lived = settings.model_copy(update={"database_url": f"sqlite://{building}"})
        await live_lately(lived, demo_secret(path.parent), now, progress)
    building.rename(path)
    _forget(building)
    console.print(_story(seeded))


def _story(seeded: Seeded) -> str:
    return (
        f"{seeded.products:,} products, {seeded.shops} shops, {seeded.customers:,} customers, "
        f"{seeded.receipts:,} receipts; {seeded.expired_lots:,} lots of points have expired."
    )


def _forget(path: Path) -> None:
    for suffix in ("", "-wal", "-shm", ".lock"):
        Path(f"{path}{suffix}").unlink(missing_ok=True)


def _addresses(settings: Settings, folder: Path) -> Panel:
    base = settings.public_url
    table = Table.grid(padding=(0, 2))
    table.add_row("[bold]Start here[/]", f"[link={base}/]{base}/[/link]")
    table.add_row("Shop with the chat", f"{base}/shop")
    table.add_row("Telephone (SMS codes)", f"{base}/demo/phone")
    table.add_row("Mailbox", f"{base}/demo/mailbox")
    table.add_row("Till", f"{base}/till   login [bold]cashier[/]  password [bold]{PASSWORD}[/]")
    table.add_row("API documentation", f"{base}/api/v1/docs")
    table.add_row("", "")
    table.add_row("Other logins", "owner, marketer, operator: the same password")
    table.add_row("Log", str(folder / "demo.log"))
    telegram = "polled with your token" if settings.telegram.token else "off (no token)"
    table.add_row("Telegram", telegram)
    return Panel(table, title="Капсула", subtitle="Ctrl-C stops", expand=False)
