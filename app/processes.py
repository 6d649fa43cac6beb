"""What each kind of process does with the house, and how it stops.

    web      the web chat, the till, the API, Telegram's webhook
    bot      Telegram by polling
    worker   the outbox and the chores
    all      everything in one process: the only kind that SQLite allows

Every kind answers /healthz, /readyz and /metrics on its port.
"""

import asyncio
import signal
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine, Iterable, Iterator
from contextlib import asynccontextmanager, contextmanager, suppress
from typing import Any

import structlog
from aiohttp import web

from app.assembly import WEBHOOK_PATH, House, open_house
from app.chores import run_chores
from app.collector import spare_the_collector
from app.errors import PortBusyError, SettingsError
from app.settings import Kind, Settings
from app.sms import sms_inquiries
from bot.telegram import introduce, poll, set_webhook
from messaging.channels.base import Channel
from messaging.templates import BOOK

Adorn = Callable[[House, web.Application], None]
"""Adds more pages to the web application: the demo's."""

SHUTDOWN_S = 10.0
"""How long requests under way may take once the process is told to stop."""
_TELEGRAM_AGAIN_S = 15.0

log = structlog.get_logger(__name__)


async def serve(
    kind: Kind,
    settings: Settings,
    secret: bytes,
    *,
    channels: Iterable[Channel] = (),
    adorn: Adorn | None = None,
    ready: Callable[[House], Awaitable[None]] | None = None,
) -> None:
    """Run a process of this kind until SIGTERM or SIGINT; then finish what is under way.

    `ready` is called once everything listens. A service that breaks stops the process, which its
    supervisor starts anew: half a process is worse than none.
    """
    _check_kind(kind, settings)
    stop = asyncio.Event()
    with _stopping_on_signals(stop):
        async with open_house(settings, secret=secret, channels=channels) as house:
            app = house.web_application() if kind in ("web", "all") else house.health_application()
            if adorn is not None:
                adorn(house, app)
            async with _listening(app, settings), asyncio.TaskGroup() as nursery:
                for service in _services(kind, house, stop):
                    nursery.create_task(_watched(service, stop))
                spare_the_collector()
                if ready is not None:
                    await ready(house)
                log.info("process_started", kind=kind, url=settings.public_url)
                await stop.wait()
                house.health.stopping = True
                log.info("process_stopping", kind=kind)
    log.info("process_stopped", kind=kind)


def _check_kind(kind: Kind, settings: Settings) -> None:
    if kind != "all" and settings.database_url.startswith("sqlite:"):
        raise SettingsError(
            "KAPSULA_DATABASE_URL: SQLite serves one process only; use `kapsula serve all`, "
            "or Postgres for several processes"
        )
    if kind == "bot" and settings.telegram.token is None:
        raise SettingsError("KAPSULA_TELEGRAM__TOKEN: the bot process needs it")


def _services(kind: Kind, house: House, stop: asyncio.Event) -> list[Callable[[], Awaitable[None]]]:
    """What runs beside the web application, each until `stop`."""
    works, polls = kind in ("worker", "all"), kind in ("bot", "all")
    services: list[Callable[[], Awaitable[None]]] = [lambda: house.programme.book.watch(stop)]
    if works:
        services += [
            lambda: house.dispatcher.run(stop),
            lambda: house.journeys.run(stop),
            lambda: run_chores(house.programme, stop),
            lambda: BOOK.follow(stop),
            lambda: _until(stop, house.wakeups.serve()),
        ]
        if house.sms is not None:
            services.append(house.sms.open)  # to hear reports before anything is sent
        if (inquiries := sms_inquiries(house.sms, house.clock)) is not None:
            services.append(lambda: inquiries.run(stop))
        if house.mail is not None and (reader := house.mail.reader) is not None:
            services.append(lambda: reader.run(stop))
    else:
        services.append(lambda: _until(stop, house.wakeups.tell()))
    if kind != "worker":  # people talk to this process
        services.append(lambda: house.attention.run(stop))
    if house.fronts.telegram is not None:
        by_webhook = house.settings.telegram.webhook_secret is not None
        if polls and not by_webhook:
            services.append(lambda: _poll_telegram(house, stop))
        if by_webhook and kind in ("web", "all"):
            services.append(lambda: _announce_webhook(house, stop))
    return services


async def _poll_telegram(house: House, stop: asyncio.Event) -> None:
    """Telegram out of reach is waited out: the rest of the process has its own work."""
    bot = house.fronts.telegram
    assert bot is not None
    while not stop.is_set():
        try:
            await introduce(bot)
            await poll(house.fronts.dispatcher, bot, stop)
        except Exception as error:
            log.warning("telegram_out_of_reach", error=str(error))
            await _pause(stop, _TELEGRAM_AGAIN_S)


async def _announce_webhook(house: House, stop: asyncio.Event) -> None:
    bot, secret = house.fronts.telegram, house.settings.telegram.webhook_secret
    assert bot is not None
    assert secret is not None
    url = house.settings.public_url + WEBHOOK_PATH
    while not stop.is_set():
        try:
            await introduce(bot)
            await set_webhook(house.fronts.dispatcher, bot, url, secret.get_secret_value())
            return
        except Exception as error:
            log.warning("telegram_out_of_reach", error=str(error))
            await _pause(stop, _TELEGRAM_AGAIN_S)


async def _pause(stop: asyncio.Event, seconds: float) -> None:
    with suppress(TimeoutError):
        async with asyncio.timeout(seconds):
            await stop.wait()


async def _until(stop: asyncio.Event, endless: Coroutine[Any, Any, None]) -> None:
    """Run something that never ends by itself until `stop`."""
    task, stopping = asyncio.ensure_future(endless), asyncio.ensure_future(stop.wait())
    try:
        await asyncio.wait({task, stopping}, return_when=asyncio.FIRST_COMPLETED)
        if task.done():
            task.result()
            await stopping
    finally:
        task.cancel()
        stopping.cancel()
        await asyncio.gather(task, stopping, return_exceptions=True)


async def _watched(service: Callable[[], Awaitable[None]], stop: asyncio.Event) -> None:
    try:
        await service()
    except Exception:
        stop.set()
        raise


@asynccontextmanager
async def _listening(app: web.Application, settings: Settings) -> AsyncIterator[None]:
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=SHUTDOWN_S)
    await runner.setup()
    try:
        try:
            await web.TCPSite(runner, settings.web.host, settings.web.port).start()
        except OSError as error:
            raise PortBusyError(
                f"cannot listen on {settings.web.host}:{settings.web.port}: {error.strerror}"
            ) from None
        yield
    finally:
        await runner.cleanup()


@contextmanager
def _stopping_on_signals(stop: asyncio.Event) -> Iterator[None]:
    """While in the block SIGTERM and SIGINT set `stop`; a second one ends the process at once."""
    loop = asyncio.get_running_loop()
    signals = (signal.SIGTERM, signal.SIGINT)

    def hear() -> None:
        stop.set()
        for number in signals:
            loop.remove_signal_handler(number)

    for number in signals:
        loop.add_signal_handler(number, hear)
    try:
        yield
    finally:
        for number in signals:
            loop.remove_signal_handler(number)
