"""Telegram without a network: a bot whose messages arrive on telephones in memory.

People act by the updates that Telegram would send, and what the handlers answer, or the messenger
channel sends, stands on their telephones. For simulations; the tests have a stricter Telegram.
"""

import itertools
from collections import OrderedDict
from collections.abc import AsyncGenerator, Iterator
from dataclasses import dataclass, field
from typing import Any, cast

import structlog
from aiogram import Bot, Dispatcher
from aiogram.client.default import DefaultBotProperties
from aiogram.client.session.base import BaseSession
from aiogram.enums import ParseMode
from aiogram.exceptions import TelegramAPIError, TelegramBadRequest, TelegramForbiddenError
from aiogram.methods import Response, TelegramMethod
from aiogram.methods.base import TelegramType
from aiogram.types import Update

from bot.calls import Call, call_of
from loyalty.clock import Clock
from messaging.channels.messenger import MAILING

REHEARSAL_TOKEN = "2:telegram-of-a-simulation-has-no-token"  # noqa: S105 - aiogram wants a form
BOT_USER: Call = {
    "id": 2, "is_bot": True, "first_name": "Kapsula", "username": "kapsula_rehearsal_bot",
}  # fmt: skip
KEPT = 20
"""Messages that a telephone keeps: nobody scrolls further up."""

log = structlog.get_logger(__name__)


@dataclass(slots=True)
class Telephone:
    """One person's private chat with the bot. `rows` is the keyboard below it."""

    user: Call
    messages: OrderedDict[int, Call] = field(default_factory=OrderedDict)
    rows: list[list[str]] = field(default_factory=list)
    blocked: bool = False

    def shown(self) -> Iterator[Call]:
        """What the bot has said, the latest first."""
        for message in reversed(self.messages.values()):
            if message["from"]["is_bot"]:
                yield message

    def keep(self, message: Call) -> None:
        self.messages[message["message_id"]] = message
        while len(self.messages) > KEPT:
            self.messages.popitem(last=False)


@dataclass(frozen=True, slots=True)
class Mailed:
    """A message that came by itself, not as the answer to what somebody did."""

    user_id: int
    number: int
    message: Call


class Telephones:
    """All telephones, and the bot that they talk with. Give it the `dispatcher` before use."""

    dispatcher: Dispatcher

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._phones: dict[int, Telephone] = {}
        self._numbers = itertools.count(1)
        self.mailed: list[Mailed] = []
        self.bot = Bot(
            REHEARSAL_TOKEN,
            session=_Session(self),
            default=DefaultBotProperties(parse_mode=ParseMode.HTML),
        )

    def meet(self, user_id: int, name: str, language: str) -> Telephone:
        """The telephone of this person; a new one at the first time."""
        user = {"id": user_id, "is_bot": False, "first_name": name, "language_code": language}
        return self._phones.setdefault(user_id, Telephone(user))

    # what people do

    async def say(self, user_id: int, text: str) -> None:
        await self._message(user_id, {"text": text})

    async def share_contact(self, user_id: int, phone: str) -> None:
        contact = {"phone_number": phone, "first_name": "", "user_id": user_id}
        await self._message(user_id, {"contact": contact})

    async def click(self, user_id: int, number: int, data: str) -> None:
        """Press the button that carries `data` on a message that the telephone still shows."""
        phone = self._phones[user_id]
        query = {
            "id": str(next(self._numbers)),
            "from": phone.user,
            "chat_instance": str(user_id),
            "message": phone.messages[number],
            "data": data,
        }
        await self._feed({"callback_query": query})

    async def block(self, user_id: int, *, stops: bool) -> None:
        """Stop the bot, or start it again."""
        phone = self._phones[user_id]
        phone.blocked = stops
        member = {"status": "member", "user": BOT_USER}
        kicked = {"status": "kicked", "user": BOT_USER, "until_date": 0}
        changed = {
            "chat": {"id": user_id, "type": "private"},
            "from": phone.user,
            "date": self._date(),
            "old_chat_member": member if stops else kicked,
            "new_chat_member": kicked if stops else member,
        }
        await self._feed({"my_chat_member": changed})

    async def _message(self, user_id: int, content: Call) -> None:
        phone = self._phones[user_id]
        message = self._new(user_id, phone.user) | content
        phone.keep(message)
        await self._feed({"message": message})

    async def _feed(self, update: Call) -> None:
        update["update_id"] = next(self._numbers)
        parsed = Update.model_validate(update, context={"bot": self.bot})
        answer = await self.dispatcher.feed_update(self.bot, parsed)
        if not isinstance(answer, TelegramMethod):
            return
        try:
            await self.bot(answer)
        except TelegramAPIError as error:
            log.warning("rehearsal_refused", method=type(answer).__name__, error=str(error))

    # what the bot does

    def carry_out(self, method: TelegramMethod[Any]) -> Any:
        """The result of a method of the Bot API. Raises what Telegram would answer."""
        call, _files = call_of(self.bot, method)
        name = method.__api_method__
        if name == "getMe":
            return BOT_USER
        if name in ("answerCallbackQuery", "sendChatAction"):
            return True
        phone = self._phones.get(int(call["chat_id"]))
        if phone is None:
            raise TelegramBadRequest(method=method, message="Bad Request: chat not found")
        if phone.blocked:
            raise TelegramForbiddenError(
                method=method, message="Forbidden: bot was blocked by the user"
            )
        if name in ("sendMessage", "sendPhoto"):
            return self._arrives(phone, call)
        return self._edits(phone, call, method)

    def _arrives(self, phone: Telephone, call: Call) -> Call:
        message = self._new(phone.user["id"], BOT_USER) | _content(call)
        markup = call.get("reply_markup") or {}
        if "keyboard" in markup:
            phone.rows = [[button["text"] for button in row] for row in markup["keyboard"]]
        phone.keep(message)
        if MAILING.get():
            self.mailed.append(Mailed(phone.user["id"], message["message_id"], message))
        return message

    def _edits(self, phone: Telephone, call: Call, method: TelegramMethod[Any]) -> Call:
        old = phone.messages.get(int(call.get("message_id", 0)))
        if old is None:
            raise TelegramBadRequest(method=method, message="Bad Request: message not found")
        kept = {name: value for name, value in old.items() if name != "reply_markup"}
        new = phone.messages[old["message_id"]] = kept | _content(call)
        return new

    def _new(self, user_id: int, sender: Call) -> Call:
        return {
            "message_id": next(self._numbers),
            "date": self._date(),
            "chat": {"id": user_id, "type": "private"},
            "from": sender,
        }

    def _date(self) -> int:
        return int(self._clock.now().timestamp())


def _content(call: Call) -> Call:
    """What a method puts into the message: its words and its own buttons."""
    content: Call = {}
    media = call.get("media") or call
    if "photo" in call or media.get("type") == "photo":
        picture = {"file_id": "picture", "file_unique_id": "picture", "width": 1, "height": 1}
        content = {"photo": [picture], "caption": media.get("caption", "")}
    elif "text" in call:
        content = {"text": call["text"]}
    if inline := (call.get("reply_markup") or {}).get("inline_keyboard"):
        content["reply_markup"] = {"inline_keyboard": inline}
    return content


class _Session(BaseSession):
    """Hands the methods of the Bot API to the telephones."""

    def __init__(self, telephones: Telephones) -> None:
        super().__init__()
        self._telephones = telephones

    async def close(self) -> None:
        """Nothing is open."""

    async def make_request(
        self, bot: Bot, method: TelegramMethod[TelegramType], timeout: int | None = None
    ) -> TelegramType:
        result = self._telephones.carry_out(method)
        kind = Response[method.__returning__]  # type: ignore[name-defined]
        response = kind.model_validate({"ok": True, "result": result}, context={"bot": bot})
        return cast(TelegramType, response.result)

    def stream_content(
        self, *_args: Any, **_kwargs: Any
    ) -> AsyncGenerator[bytes, None]:  # pragma: no cover - nobody downloads anything here
        raise NotImplementedError
