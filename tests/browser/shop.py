"""A shop with the chat on its site, as a browser sees it; and who comes to it."""

from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from datetime import datetime

from aiogram import Bot
from aiohttp import web
from playwright.async_api import BrowserContext

from app.database import database
from bot.assembly import build_dispatcher
from bot.storage import dialogue_memory
from bot.webchat.fanout import LocalFanout
from bot.webchat.server import WebchatOptions, add_webchat
from bot.webchat.session import make_webchat_bot
from bot.webchat.transcript import Transcript
from loyalty.clock import SystemClock
from loyalty.programme import Programme, build_programme
from loyalty.rules.programme import ProgrammeRules
from messaging.attention import Attention
from messaging.models import ChatThread
from tests.admin.people import SECRET
from tests.browser.customer import Customer
from tests.browser.server import Server

SITE = """<!doctype html><html lang="ru"><meta name="viewport" content="width=device-width">
<title>Аптека</title><h1>Аптека</h1><a href="#contacts">Контакты</a>
<p style="height: 2000px">Лекарства</p><script async src="{chat}/chat/widget.js"></script>"""


class Heard(Attention):
    """Remembers which message each chat told last to have stood on the screen."""

    upto = 0

    def seen(self, kind: str, address: str, upto: int, at: datetime) -> None:
        self.upto = upto


@dataclass
class Shop:
    """A site with the chat on it. `bot` is the shop's voice, `codes` what it sent to telephones."""

    server: Server
    bot: Bot
    codes: list[str]
    heard: Heard
    programme: Programme
    complaints: list[str] = field(default_factory=list)

    async def says(self, text: str) -> None:
        """To the only visitor there is."""
        await self.bot.send_message((await ChatThread.get()).id, text)


@asynccontextmanager
async def open_shop(
    database_url: str,
    options: WebchatOptions | None = None,
    app: web.Application | None = None,
    adorn: Callable[[web.Application, Programme], None] | None = None,
) -> AsyncIterator[Shop]:
    """A shop on a migrated database. `/` has the chat from its own address, `/abroad` from
    127.0.0.1, wherever the page itself comes from. `app` may have more on it, or get it by
    `adorn`."""
    clock, codes = SystemClock(), list[str]()

    async def send_code(_phone: str, code: str, _language: str) -> None:
        codes.append(code)

    async def site(request: web.Request) -> web.Response:
        chat = f"http://127.0.0.1:{request.url.port}" if request.path == "/abroad" else ""
        return web.Response(text=SITE.format(chat=chat), content_type="text/html")

    async with AsyncExitStack() as stack:
        await stack.enter_async_context(database(database_url, migrate=False))
        programme = build_programme(clock=clock, secret=SECRET, rules=ProgrammeRules())
        stack.push_async_callback(programme.stop)
        dispatcher = build_dispatcher(programme, memory=dialogue_memory(clock), send_code=send_code)
        bot = make_webchat_bot(Transcript(clock), LocalFanout())
        app = app or web.Application()
        app.router.add_get("/", site)
        app.router.add_get("/abroad", site)
        heard = Heard(clock)
        add_webchat(app, programme, dispatcher, bot, options, attention=heard)
        if adorn is not None:
            adorn(app, programme)
        runner = web.AppRunner(app, shutdown_timeout=1)
        await runner.setup()
        stack.push_async_callback(runner.cleanup)
        server = Server(runner)
        await server.connect()
        yield Shop(server, bot, codes, heard, programme)


async def visitor(context: BrowserContext, shop: Shop, url: str = "") -> Customer:
    """Somebody before the shop's site, or another that has its chat."""
    page = await context.new_page()
    page.on("pageerror", lambda error: shop.complaints.append(str(error)))
    page.on("dialog", lambda dialog: shop.complaints.append(dialog.message))

    async def code_sent() -> str:
        return shop.codes[-1]

    return Customer(page, url or shop.server.url, code_sent)
