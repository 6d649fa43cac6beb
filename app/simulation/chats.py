"""The two fronts as somebody with a thumb uses them: she writes, presses, sees what stands there.

Both feed the real dialogues. Telegram's telephones are in memory, the web chat is its transcript.
"""

from collections.abc import Sequence
from typing import Protocol

from app.assembly import House
from bot.rehearsal import Telephones
from bot.webchat.session import WebchatSession
from bot.webchat.updates import click_update, feed, start_update, text_update

Button = tuple[int, str, str]
"""Number of the message, label, data."""
LOOKED_AT = 6
"""Messages that she still sees."""


class Chat(Protocol):
    async def start(self, payload: str) -> None: ...
    async def say(self, text: str) -> None: ...
    async def press(self, number: int, data: str) -> None: ...
    async def buttons(self) -> Sequence[Button]: ...
    async def text(self) -> str: ...


class TelegramChat:
    """One telephone."""

    def __init__(self, telephones: Telephones, user_id: int, name: str, language: str) -> None:
        self._telephones = telephones
        self._user_id = user_id
        self._phone = telephones.meet(user_id, name, language)

    async def start(self, payload: str) -> None:
        await self.say(f"/start {payload}".strip())

    async def say(self, text: str) -> None:
        await self._telephones.say(self._user_id, text)

    async def share_contact(self, phone: str) -> None:
        await self._telephones.share_contact(self._user_id, phone)

    async def press(self, number: int, data: str) -> None:
        await self._telephones.click(self._user_id, number, data)

    async def block(self, *, stops: bool) -> None:
        await self._telephones.block(self._user_id, stops=stops)

    async def buttons(self) -> Sequence[Button]:
        """Of all messages, the newest first."""
        return [
            (message["message_id"], button["text"], button["callback_data"])
            for message in self._phone.shown()
            for row in message.get("reply_markup", {}).get("inline_keyboard", ())
            for button in row
            if "callback_data" in button
        ]

    async def text(self) -> str:
        """Of the newest message."""
        message = next(self._phone.shown(), {})
        return str(message.get("text") or message.get("caption") or "")


class WebChat:
    """One visitor's thread."""

    def __init__(self, house: House, thread_id: int) -> None:
        session = house.fronts.webchat.session
        assert isinstance(session, WebchatSession)
        self._house = house
        self._transcript = session.transcript
        self._thread_id = thread_id

    @classmethod
    async def open(cls, house: House, language: str) -> tuple["WebChat", int]:
        session = house.fronts.webchat.session
        assert isinstance(session, WebchatSession)
        thread, _secret = await session.transcript.open_thread(language)
        return cls(house, thread.id), thread.id

    async def start(self, payload: str) -> None:
        thread = await self._transcript.thread(self._thread_id)
        assert thread is not None
        at = int(self._house.clock.now().timestamp())
        await self._feed(start_update(thread, payload, at))

    async def say(self, text: str) -> None:
        thread = await self._transcript.thread(self._thread_id)
        row = await self._transcript.add(self._thread_id, {"text": text}, outgoing=False)
        assert thread is not None
        assert row is not None
        await self._feed(text_update(thread, row))

    async def press(self, number: int, data: str) -> None:
        thread = await self._transcript.thread(self._thread_id)
        row = await self._transcript.get(self._thread_id, number)
        assert thread is not None
        assert row is not None
        await self._feed(click_update(thread, row, str(number), data))

    async def look(self) -> None:
        """She opens the chat: all of it stands before her."""
        rows, _ = await self._transcript.latest(self._thread_id, limit=1)
        await self._transcript.seen(self._thread_id)
        for row in rows:
            now = self._house.clock.now()
            kind, address = "webchat", str(self._thread_id)
            self._house.attention.seen(kind, address, row.message_id, now)

    async def buttons(self) -> Sequence[Button]:
        """Of all messages, the newest first."""
        rows, _ = await self._transcript.latest(self._thread_id, limit=LOOKED_AT)
        return [
            (row.message_id, button["text"], button["callback_data"])
            for row in sorted(rows, key=lambda row: -row.message_id)
            for line in row.body.get("buttons", ())
            for button in line
            if row.outgoing and "callback_data" in button
        ]

    async def text(self) -> str:
        """Of the newest message."""
        rows, _ = await self._transcript.latest(self._thread_id, limit=LOOKED_AT)
        shown = [row for row in rows if row.outgoing]
        newest = max(shown, key=lambda row: row.message_id, default=None)
        return "" if newest is None else str(newest.body.get("text", ""))

    async def _feed(self, update: dict[str, object]) -> None:
        fronts = self._house.fronts
        await feed(fronts.dispatcher, fronts.webchat, update, address="127.0.0.1")
