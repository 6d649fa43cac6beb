"""The web chat's routes: the widget for any site, its frame, the socket, pictures, the live card.

GET /chat/widget.js            the one script tag
GET /chat/frame                the chat itself, shown by the widget in an iframe
GET /chat/ws                   the socket
GET /chat/files/{id}           a picture that the bot has sent
GET /chat/static/{version}/…   styles and modules of the frame and of the card page
GET /chat/sw.js                the service worker, which shows notifications
GET /card/{token}              the live card (`bot.webchat.card_page`)
"""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from urllib.parse import urlsplit

import structlog
from aiogram import Bot, Dispatcher
from aiohttp import web

from bot.webchat import assets
from bot.webchat.card_page import add_card_page
from bot.webchat.frames import FRAME_BYTES_MAX
from bot.webchat.limits import WebchatLimits
from bot.webchat.visitors import ChatRoom, Visitor
from loyalty.programme import Programme
from messaging.attention import Attention
from messaging.i18n import supported
from messaging.push_subscriptions import PushDesk, end_of_nobody

HEARTBEAT_S = 25.0
FILES_LIVE = timedelta(days=7)
SWEEP_S = 3600.0

log = structlog.get_logger(__name__)


def remote_address(request: web.Request) -> str:
    """Who asks, for the limits. Behind a proxy the application gives a function that knows it."""
    return request.remote or ""


@dataclass(frozen=True, slots=True, kw_only=True)
class WebchatOptions:
    """`sites` are the origins (`https://shop.example`) whose pages may show the chat, besides our
    own; `("*",)` lets any site. `public_url` is our own address as the outside sees it. `push` is
    where browsers subscribe to notifications, if they may."""

    sites: Sequence[str] = ()
    public_url: str = ""
    limits: WebchatLimits = field(default_factory=WebchatLimits)
    address_of: Callable[[web.Request], str] = remote_address
    push: PushDesk | None = None


def add_webchat(
    app: web.Application,
    programme: Programme,
    dispatcher: Dispatcher,
    bot: Bot,
    options: WebchatOptions | None = None,
    *,
    attention: Attention | None = None,
) -> ChatRoom:
    """Add the routes to `app`; `bot` is the one made by `make_webchat_bot`.

    Sockets are closed on the application's shutdown; old pictures are swept once an hour while it
    runs. `attention` hears which messages she has seen. The database has to be open in the context
    in which the application is started.
    """
    chosen = options or WebchatOptions()
    room = ChatRoom(
        dispatcher,
        bot,
        clock=programme.clock,
        limits=chosen.limits,
        push=chosen.push,
        attention=attention,
        site_events=programme.site_events,
    )
    routes = _Routes(room, programme, chosen)
    app.router.add_get("/chat/widget.js", routes.widget)
    app.router.add_get("/chat/frame", routes.frame)
    app.router.add_get("/chat/ws", routes.socket)
    app.router.add_get("/chat/files/{file_id}", routes.file)
    app.router.add_get("/chat/static/{version}/{name}", assets.static)
    app.router.add_get("/chat/sw.js", routes.service_worker)
    add_card_page(app, programme)
    app.on_shutdown.append(routes.shut)
    app.cleanup_ctx.append(routes.sweeping)
    return room


class _Routes:
    def __init__(self, room: ChatRoom, programme: Programme, options: WebchatOptions) -> None:
        self._room = room
        self._programme = programme
        self._options = options

    async def widget(self, request: web.Request) -> web.Response:
        return assets.widget_script()

    async def service_worker(self, request: web.Request) -> web.Response:
        """There even without a key, so that browsers which have it learn what is new."""
        return assets.service_worker()

    async def frame(self, request: web.Request) -> web.Response:
        language = supported(request.query.get("language"))
        ancestors = " ".join(("'self'", *self._options.sites))
        return assets.frame_page(
            language=language,
            title=request.query.get("title", "")[:60] or self._programme.rules.name,
            socket_origin=self._socket_origin(request),
            ancestors="*" if "*" in self._options.sites else ancestors,
        )

    def _socket_origin(self, request: web.Request) -> str:
        """Older browsers do not take the socket's address for 'self'."""
        own = urlsplit(self._options.public_url or str(request.url.origin()))
        return f"{'wss' if own.scheme == 'https' else 'ws'}://{own.netloc}"

    async def socket(self, request: web.Request) -> web.StreamResponse:
        if not self._is_own_origin(request):
            return web.Response(status=403, text="origin_not_allowed\n")
        socket = web.WebSocketResponse(
            heartbeat=HEARTBEAT_S, max_msg_size=FRAME_BYTES_MAX, compress=False
        )
        await socket.prepare(request)
        await Visitor(self._room, socket, self._options.address_of(request)).serve()
        return socket

    def _is_own_origin(self, request: web.Request) -> bool:
        """The frame is ours: its socket comes from our own origin, wherever it is shown."""
        origin = request.headers.get("Origin", "")
        own = {request.headers.get("Host", ""), urlsplit(self._options.public_url).netloc} - {""}
        return urlsplit(origin).netloc in own

    async def file(self, request: web.Request) -> web.Response:
        file = await self._room.transcript.file(request.match_info["file_id"])
        if file is None:
            raise web.HTTPNotFound(text="picture_gone\n")
        return web.Response(
            body=file.content,
            content_type=file.media_type,
            headers={
                "Cache-Control": "private, max-age=86400, immutable",
                "X-Content-Type-Options": "nosniff",
                "Content-Security-Policy": "default-src 'none'; sandbox",
                "Referrer-Policy": "no-referrer",
            },
        )

    async def shut(self, _app: web.Application) -> None:
        await self._room.close()

    async def sweeping(self, _app: web.Application) -> AsyncIterator[None]:
        task = asyncio.create_task(self._sweep())
        yield
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await task

    async def _sweep(self) -> None:
        while True:
            await asyncio.sleep(SWEEP_S)
            try:
                now = self._programme.clock.now()
                await self._room.transcript.forget_files(now - FILES_LIVE)
                await end_of_nobody(at=now)
            except Exception:
                log.exception("webchat_sweep_failed")
