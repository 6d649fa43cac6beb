"""One open tab: its socket, from the greeting to the end.

What comes in is handled in order, one frame at a time; what goes out waits in a short queue. A tab
that reads too slowly is cut off and finds everything in the transcript when it comes back.
"""

import asyncio
import contextlib
import time
from collections.abc import Awaitable

import structlog
from aiogram import Bot, Dispatcher
from aiohttp import WSCloseCode, WSMsgType
from aiohttp.web import WebSocketResponse

from bot.fronts import WEBCHAT
from bot.webchat import frames
from bot.webchat.frames import (
    Click,
    Earlier,
    FrameError,
    Hello,
    OnSite,
    PushOff,
    PushOn,
    Seen,
    Text,
)
from bot.webchat.limits import WebchatLimits, Window
from bot.webchat.session import WebchatSession
from bot.webchat.transcript import Row, Thread
from bot.webchat.updates import click_update, feed, start_update, text_update
from loyalty.clock import Clock
from loyalty.site_events import SiteEvents
from messaging.attention import Attention
from messaging.push_subscriptions import PushDesk

REPLAYED_MAX = 40
OUTBOX_MAX = 200
HELLO_S = 15.0
SEEN_EVERY_S = 300.0
REFUSED_BEFORE_CLOSE = 30
"""A tab whose frames are refused so often in a row is no browser."""

log = structlog.get_logger(__name__)


class ChatRoom:
    """What all tabs of this process share."""

    def __init__(
        self,
        dispatcher: Dispatcher,
        bot: Bot,
        *,
        clock: Clock,
        limits: WebchatLimits,
        push: PushDesk | None = None,
        attention: Attention | None = None,
        site_events: SiteEvents | None = None,
    ) -> None:
        """`bot` is the one made by `make_webchat_bot`; its transcript and fan-out are used here."""
        session = bot.session
        if not isinstance(session, WebchatSession):
            raise TypeError("the chat room needs the web chat's own bot")
        self.dispatcher = dispatcher
        self.bot = bot
        self.transcript = session.transcript
        self.fanout = session.fanout
        self.clock = clock
        self.push = push
        self.attention = attention
        self.site_events = site_events
        self.frames = Window(limits.frames, limits.frames_s)
        self.new_threads = Window(limits.new_threads, limits.new_threads_s)
        self.tabs: set[Visitor] = set()

    async def close(self) -> None:
        """Send every tab away: it comes back by itself, to another process or after the restart."""
        for tab in list(self.tabs):
            tab.close()
        await asyncio.gather(*(tab.closed() for tab in list(self.tabs)), return_exceptions=True)


class Visitor:
    """A tab with its socket."""

    def __init__(self, room: ChatRoom, socket: WebSocketResponse, address: str) -> None:
        self._room = room
        self._socket = socket
        self._address = address
        self._outbox: asyncio.Queue[str] = asyncio.Queue(OUTBOX_MAX)
        self._refused = 0
        self._push_told = False
        self._on_site: OnSite | None = None
        self._closing: asyncio.Task[object] | None = None

    async def serve(self) -> None:
        """From the greeting to the close of the socket."""
        hello = await self._hello()
        if hello is None:
            return
        thread, secret = await self._thread_of(hello)
        if thread is None:
            return
        self._room.tabs.add(self)
        await self._room.fanout.subscribe(thread.id, self.receive)
        writer = asyncio.create_task(self._write())
        try:
            empty = await self._welcome(thread, secret)
            if empty:
                at = int(self._room.clock.now().timestamp())
                await self._guarded(self._feed(thread, start_update(thread, hello.start, at)))
            else:
                await self._guarded(self._tell_of_push(thread))
            await self._read(thread)
        finally:
            self._room.tabs.discard(self)
            await self._room.fanout.unsubscribe(thread.id, self.receive)
            writer.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await writer

    def receive(self, frame: str) -> None:
        """Take a frame for this tab; never waits."""
        try:
            self._outbox.put_nowait(frame)
        except asyncio.QueueFull:
            self.close(WSCloseCode.TRY_AGAIN_LATER)

    def close(self, code: int = WSCloseCode.GOING_AWAY) -> None:
        if self._closing is None:
            self._closing = asyncio.create_task(self._socket.close(code=code))

    async def closed(self) -> None:
        """Wait until the close that was begun is done."""
        if self._closing is not None:
            await self._closing

    # the greeting

    async def _hello(self) -> Hello | None:
        try:
            first = await self._socket.receive(timeout=HELLO_S)
            frame = frames.read(first.data) if first.type == WSMsgType.TEXT else None
        except (TimeoutError, FrameError):
            frame = None
        if isinstance(frame, Hello):
            return frame
        await self._socket.close(code=WSCloseCode.POLICY_VIOLATION, message=b"hello expected")
        return None

    async def _thread_of(self, hello: Hello) -> tuple[Thread | None, str | None]:
        """The visitor's thread, or a new one with its secret; neither for an address in a hurry."""
        room = self._room
        known = await room.transcript.thread_by_secret(hello.secret) if hello.secret else None
        if known is not None:
            return known, None
        wait_s = room.new_threads.take(self._address, time.monotonic())
        if wait_s:
            await self._socket.send_str(
                frames.write("refused", code="slow_down", wait_s=round(wait_s) + 1)
            )
            await self._socket.close(code=WSCloseCode.TRY_AGAIN_LATER)
            return None, None
        return await room.transcript.open_thread(frames.language_of(hello.language))

    async def _welcome(self, thread: Thread, secret: str | None) -> bool:
        """Replay the transcript; True when there is none yet. The tab already listens by now."""
        rows, more = await self._room.transcript.latest(thread.id, limit=REPLAYED_MAX)
        self.receive(
            frames.write(
                "welcome",
                messages=[frames.shown(row) for row in rows],
                more=more,
                keyboard=frames.keyboard(thread.keyboard),
                **({"secret": secret} if secret else {}),
            )
        )
        return not rows

    # reading and writing

    async def _write(self) -> None:
        with contextlib.suppress(ConnectionError):
            while True:
                await self._socket.send_str(await self._outbox.get())

    async def _read(self, thread: Thread) -> None:
        while True:
            try:
                message = await self._socket.receive(timeout=SEEN_EVERY_S)
            except TimeoutError:
                await self._guarded(self._room.transcript.seen(thread.id))
                continue
            if message.type != WSMsgType.TEXT:
                if message.type == WSMsgType.BINARY:
                    await self._socket.close(code=WSCloseCode.UNSUPPORTED_DATA)
                return
            await self._guarded(self._take(thread, message.data))
            if self._refused > REFUSED_BEFORE_CLOSE:
                await self._socket.close(code=WSCloseCode.POLICY_VIOLATION)
                return

    async def _guarded(self, step: Awaitable[None]) -> None:
        """One frame's trouble is that frame's alone."""
        try:
            await step
        except Exception:
            log.exception("webchat_frame_failed")
            self.receive(frames.write("refused", code="failed"))

    async def _take(self, thread: Thread, raw: str) -> None:
        wait_s = self._room.frames.take(thread.id, time.monotonic())
        try:
            frame = frames.read(raw)
        except FrameError as error:
            return self._refuse(error.code)
        name = getattr(frame, "id", "")
        if wait_s:
            return self._refuse("slow_down", id=name, wait_s=int(wait_s) + 1)
        self._refused = 0
        match frame:
            case Text():
                await self._text(thread, frame)
            case Click():
                await self._click(thread, frame)
            case Earlier():
                await self._earlier(thread, frame)
            case PushOn() | PushOff():
                await self._push(thread, frame)
            case Seen():
                self._seen(thread, frame)
            case OnSite():
                self._on_site = frame
                await self._join_site(thread)
            case Hello():
                self._refuse("unexpected_hello")
        return None

    def _refuse(self, code: str, **details: object) -> None:
        self._refused += 1
        self.receive(frames.write("refused", code=code, **details))

    # frames

    async def _text(self, thread: Thread, frame: Text) -> None:
        """Store, show in every tab, answer. A text that came before is only shown again."""
        room = self._room
        row = await room.transcript.add(
            thread.id, {"text": frame.text}, outgoing=False, client_id=frame.id
        )
        if row is None:
            known = await room.transcript.by_client_id(thread.id, frame.id)
            if known is not None:
                self.receive(frames.message(known))
            return
        await room.fanout.publish(thread.id, frames.message(row))
        await self._feed(thread, text_update(thread, row))

    async def _click(self, thread: Thread, frame: Click) -> None:
        """Only a button that stands on our own message, as stored, can be pressed."""
        row = await self._room.transcript.get(thread.id, frame.message)
        if row is None or not _has_button(row, frame.data):
            return self._refuse("button_gone", id=frame.id)
        return await self._feed(thread, click_update(thread, row, frame.id, frame.data))

    async def _earlier(self, thread: Thread, frame: Earlier) -> None:
        rows, more = await self._room.transcript.latest(
            thread.id, limit=REPLAYED_MAX, before=frame.before
        )
        self.receive(
            frames.write("earlier", messages=[frames.shown(row) for row in rows], more=more)
        )

    def _seen(self, thread: Thread, frame: Seen) -> None:
        if self._room.attention is not None:
            now = self._room.clock.now()
            self._room.attention.seen(WEBCHAT.kind, str(thread.id), frame.upto, now)

    async def _feed(self, thread: Thread, update: dict[str, object]) -> None:
        await feed(self._room.dispatcher, self._room.bot, update, address=self._address)
        await self._join_site(thread)
        await self._tell_of_push(thread)

    async def _join_site(self, thread: Thread) -> None:
        """Once she is a member, what this browser does on the site around us is known as hers."""
        told, events = self._on_site, self._room.site_events
        if told is None or events is None:
            return
        joined = await events.join_front(
            told.site, told.origin, told.visitor, kind=WEBCHAT.kind, value=str(thread.id)
        )
        if joined:
            self._on_site = None

    # notifications while the chat is closed

    async def _tell_of_push(self, thread: Thread) -> None:
        """Once she is a member, the browser learns with which key it may subscribe."""
        push = self._room.push
        if push is None or self._push_told or not await push.serves(thread.id):
            return
        self._push_told = True
        self.receive(frames.write("push", key=push.key))

    async def _push(self, thread: Thread, frame: PushOn | PushOff) -> None:
        """Every tab of the browser is told how it stands."""
        push = self._room.push
        if push is None:
            return self._refuse("push_off")
        if isinstance(frame, PushOff):
            await push.unsubscribe(thread.id)
        else:
            refused = await push.subscribe(
                thread.id, endpoint=frame.endpoint, p256dh=frame.p256dh, auth=frame.auth
            )
            if refused is not None:
                return self._refuse(refused)
        on = isinstance(frame, PushOn)
        await self._room.fanout.publish(thread.id, frames.write("push", on=on))
        return None


def _has_button(row: Row, data: str) -> bool:
    return row.outgoing and any(
        button.get("callback_data") == data
        for buttons in row.body.get("buttons", ())
        for button in buttons
    )
