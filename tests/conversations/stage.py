"""The bot on its feet for a test: one dispatcher, real servers, and a person on each front.

A `Chat` is somebody with a phone in her hand: she sends, clicks and shares, and sees what is on
the screen. The same conversation runs through Telegram (a strict Bot API server, updates by
webhook) and through the web chat (a real socket).
"""

import asyncio
import itertools
import json
import re
import secrets
from collections.abc import Awaitable
from dataclasses import dataclass, field
from typing import Any, Protocol

import aiohttp
from aiohttp import web
from aiohttp.test_utils import TestServer

from bot.assembly import build_dispatcher
from bot.storage import DialogueMemory
from bot.telegram import add_webhook, make_telegram_bot, set_webhook
from bot.webchat.fanout import Fanout, LocalFanout
from bot.webchat.limits import WebchatLimits
from bot.webchat.server import WebchatOptions, add_webchat
from bot.webchat.session import make_webchat_bot
from bot.webchat.transcript import Transcript
from loyalty.programme import Programme
from messaging.attention import Attention
from messaging.optin import OptIns
from messaging.wakeups import Wakeups
from tests.bot.bot_api import TOKEN, BotApi
from tests.messaging.letters import LINKS

SECRET_TOKEN = "a-secret-of-the-webhook"
_user_ids = itertools.count(500_000_001)


class Stage:
    """The bot's process: starts, stops, and can be started again on the same database."""

    def __init__(
        self,
        programme: Programme,
        memory: DialogueMemory,
        *,
        fanout: Fanout | None = None,
        limits: WebchatLimits | None = None,
        api: BotApi | None = None,
    ) -> None:
        self.programme = programme
        self.memory = memory
        self.limits = limits or WebchatLimits(frames=1000)
        self.codes: dict[str, str] = {}
        self.api = api or BotApi()
        self.fanout = fanout
        self.owns_api = api is None

    async def start(self) -> "Stage":
        if self.owns_api and self.api.server.port is None:
            await self.api.start()
        self.transcript = Transcript(self.programme.clock)
        self.attention = Attention(self.programme.clock)
        self.opt_ins = OptIns(
            self.programme.clock,
            self.programme.customers,
            LINKS,
            Wakeups(),
            programme_name=self.programme.rules.name,
        )
        self.webchat = make_webchat_bot(self.transcript, self.fanout or LocalFanout())
        self.telegram = make_telegram_bot(TOKEN, self.api.url)
        self.dispatcher = build_dispatcher(
            self.programme,
            memory=self.memory,
            send_code=self._send_code,
            public_url="https://kapsula.test",
            opt_ins=self.opt_ins,
            attention=self.attention,
        )
        app = web.Application()
        add_webhook(app, self.dispatcher, self.telegram, secret=SECRET_TOKEN)
        options = WebchatOptions(limits=self.limits)
        self.room = add_webchat(
            app, self.programme, self.dispatcher, self.webchat, options, attention=self.attention
        )
        self.server = TestServer(app, host="127.0.0.1")
        await self.server.start_server()
        self.http = aiohttp.ClientSession()
        url = str(self.server.make_url("/telegram/webhook"))
        await set_webhook(self.dispatcher, self.telegram, url, SECRET_TOKEN)
        return self

    async def stop(self) -> None:
        await self.http.close()
        await self.server.close()
        await self.telegram.session.close()

    async def restart(self) -> None:
        await self.stop()
        await self.start()

    async def close(self) -> None:
        await self.stop()
        if self.owns_api:
            await self.api.stop()

    async def _send_code(self, phone: str, code: str, language: str) -> None:
        self.codes[phone] = code


@dataclass
class Screen:
    """What came since she last did something."""

    texts: list[str] = field(default_factory=list)
    buttons: list[str] = field(default_factory=list)
    toasts: list[str] = field(default_factory=list)


class Chat(Protocol):
    front: str
    stage: Stage
    screen: Screen

    async def send(self, text: str) -> None: ...
    async def click(self, label: str) -> None: ...
    async def share_contact(self, phone: str) -> None: ...
    async def picture(self) -> bytes: ...
    async def watch(self, action: Awaitable[None]) -> None: ...
    async def restart(self) -> None: ...
    async def close(self) -> None: ...
    @property
    def identity(self) -> str: ...
    def sees(self, *texts: str, buttons: list[str] | None = None) -> None: ...


class _Sees:
    screen: Screen

    def sees(self, *texts: str, buttons: list[str] | None = None) -> None:
        """Each text stands in something that came; these buttons are on the screen, no others."""
        shown = "\n".join(self.screen.texts + self.screen.toasts)
        for text in texts:
            assert text in shown, f"{text!r} is not in what she sees:\n{shown}"
        if buttons is not None:
            assert self.screen.buttons == buttons

    def does_not_see(self, *texts: str) -> None:
        shown = "\n".join(self.screen.texts + self.screen.toasts)
        for text in texts:
            assert text not in shown, shown


class TelegramChat(_Sees):
    front = "telegram"

    def __init__(self, stage: Stage, *, name: str = "Анна", language: str = "ru") -> None:
        self.stage = stage
        self.user_id = next(_user_ids)
        self.chat = stage.api.meet(self.user_id, name, language)
        self.screen = Screen()

    @property
    def identity(self) -> str:
        return str(self.user_id)

    async def send(self, text: str) -> None:
        await self._act(self.stage.api.say(self.user_id, text))

    async def click(self, label: str) -> None:
        """Press the newest inline button with this label, else the button of the keyboard."""
        for message in sorted(self.chat.messages.values(), key=lambda m: -m["message_id"]):
            rows = message.get("reply_markup", {}).get("inline_keyboard", [])
            for button in itertools.chain(*rows):
                if button["text"] == label:
                    data = button["callback_data"]
                    await self._act(self.stage.api.click(self.user_id, message["message_id"], data))
                    return
        keys = itertools.chain(*(self.chat.keyboard or {}).get("keyboard", []))
        assert label in [key["text"] for key in keys], f"no button {label!r}"
        await self.send(label)

    async def click_data(self, message_id: int, data: str) -> None:
        await self._act(self.stage.api.click(self.user_id, message_id, data))

    async def share_contact(self, phone: str) -> None:
        keys = itertools.chain(*(self.chat.keyboard or {}).get("keyboard", []))
        assert any(key.get("request_contact") for key in keys), "no button to share a contact"
        await self._act(self.stage.api.share(self.user_id, phone, self.user_id))

    async def share_contact_of(self, phone: str, user_id: int | None) -> None:
        await self._act(self.stage.api.share(self.user_id, phone, user_id))

    async def picture(self) -> bytes:
        photos = [m["photo"] for m in self.chat.messages.values() if "photo" in m]
        return self.stage.api.files[photos[-1][0]["file_id"]]

    async def watch(self, action: Awaitable[None]) -> None:
        """See what comes of something that somebody else does."""
        await self._act(action)

    async def _act(self, action: Any) -> None:
        self.chat.changed.clear()
        self.chat.toasts.clear()
        await action
        self._look()

    def _look(self) -> None:
        messages = [self.chat.messages[number] for number in dict.fromkeys(self.chat.changed)]
        rows = [m.get("reply_markup", {}).get("inline_keyboard", []) for m in messages[-1:]]
        keys = (self.chat.keyboard or {}).get("keyboard", [])
        labels = [b["text"] for r in rows for line in r for b in line]
        self.screen = Screen(
            texts=[m.get("text") or m.get("caption") or "" for m in messages],
            buttons=labels or [b["text"] for line in keys for b in line],
            toasts=list(self.chat.toasts),
        )

    async def restart(self) -> None:
        await self.stage.restart()

    async def close(self) -> None: ...


class WebChat(_Sees):
    front = "webchat"

    def __init__(self, stage: Stage, *, language: str = "ru") -> None:
        self.stage = stage
        self.language = language
        self.secret: str | None = None
        self.screen = Screen()
        self.messages: dict[int, dict[str, Any]] = {}
        self.keyboard: dict[str, Any] = {"rows": []}
        self.refusals: list[dict[str, Any]] = []
        self._changed: list[int] = []
        self._fenced = asyncio.Event()
        self._toasts: list[str] = []

    async def open(self, origin: str | None = None) -> "WebChat":
        """Open a tab: greet, and wait until everything that comes of it is there."""
        url = str(self.stage.server.make_url("/chat/ws"))
        own = str(self.stage.server.make_url("")).rstrip("/")
        self.socket = await self.stage.http.ws_connect(url, origin=origin or own)
        hello = {"kind": "hello", "secret": self.secret, "language": self.language}
        await self.socket.send_str(json.dumps(hello))
        self._reader = asyncio.create_task(self._read())
        await self.settle()
        return self

    async def _read(self) -> None:
        async for message in self.socket:
            if message.type != aiohttp.WSMsgType.TEXT:
                break
            self._take(json.loads(message.data))

    def _take(self, frame: dict[str, Any]) -> None:
        match frame["kind"]:
            case "welcome":
                self.secret = frame.get("secret", self.secret)
                self.messages = {m["id"]: m for m in frame["messages"]}
                self.keyboard = frame["keyboard"]
                self._changed = list(self.messages)
            case "message":
                self._put(frame["message"])
                self.keyboard = frame.get("keyboard", self.keyboard)
            case "deleted":
                self.messages.pop(frame["id"], None)
            case "clicked" if frame["text"]:
                self._toasts.append(frame["text"])
            case "refused":
                self.refusals.append(frame)
            case "earlier":
                self._fenced.set()

    def _put(self, message: dict[str, Any]) -> None:
        known = self.messages.get(message["id"])
        if known is None or known["version"] < message["version"]:
            self.messages[message["id"]] = message
            self._changed.append(message["id"])

    async def settle(self) -> None:
        """Frames are handled in order: when the answer to this one is here, all others are."""
        self._fenced.clear()
        await self.socket.send_str('{"kind":"earlier","before":1}')
        await asyncio.wait_for(self._fenced.wait(), 20)
        self._look()

    async def frame(self, value: Any) -> None:
        """Any frame, as it is."""
        self._changed, self._toasts, self.refusals = [], [], []
        await self.socket.send_str(value if isinstance(value, str) else json.dumps(value))
        await self.settle()

    async def watch(self, action: Awaitable[None]) -> None:
        """See what comes of something that somebody else does."""
        self._changed, self._toasts, self.refusals = [], [], []
        await action
        await self.settle()

    @property
    def identity(self) -> str:
        raise NotImplementedError

    async def send(self, text: str, client_id: str | None = None) -> None:
        name = client_id or secrets.token_hex(8)
        await self.frame({"kind": "text", "id": name, "text": text})

    async def click(self, label: str) -> None:
        for number, message in sorted(self.messages.items(), reverse=True):
            for button in itertools.chain(*message.get("buttons", [])):
                if button["text"] == label:
                    await self.click_data(number, button["data"])
                    return
        assert label in list(itertools.chain(*self.keyboard["rows"])), f"no button {label!r}"
        await self.send(label)

    async def click_data(self, message_id: int, data: str) -> None:
        click = {"kind": "click", "id": secrets.token_hex(8), "message": message_id, "data": data}
        await self.frame(click)

    async def share_contact(self, phone: str) -> None:
        """Here a number is typed, and then the code that was sent to it."""
        await self.send(phone)
        await self.send(self.stage.codes[re.sub(r"[^\d+]", "", phone)])

    async def picture(self) -> bytes:
        path = [m["photo"]["path"] for m in self.messages.values() if "photo" in m][-1]
        async with self.stage.http.get(self.stage.server.make_url(f"/chat/{path}")) as answer:
            assert answer.status == 200
            return await answer.read()

    def _look(self) -> None:
        mine = [self.messages[n] for n in dict.fromkeys(self._changed) if n in self.messages]
        shown = [message for message in mine if message["from"] == "shop"]
        inline = [b["text"] for m in shown[-1:] for row in m.get("buttons", []) for b in row]
        self.screen = Screen(
            texts=["".join(run["text"] for run in message["runs"]) for message in shown],
            buttons=inline or list(itertools.chain(*self.keyboard["rows"])),
            toasts=list(self._toasts),
        )

    async def restart(self) -> None:
        """The server restarts; the widget comes back by itself with its secret."""
        await self.leave()
        await self.stage.restart()
        await self.open()

    async def leave(self) -> None:
        await self.socket.close()
        await self._reader

    async def close(self) -> None:
        await self.leave()
