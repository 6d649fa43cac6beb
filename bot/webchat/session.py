"""The web chat as an aiogram `Bot`: a session that turns Bot API methods into rows and frames.

Handlers and the messenger channel send through it exactly as through Telegram. A message is stored
first and then shown in the visitor's open tabs; whether anybody was there is told by `reached`, and
nobody being there is no error: she reads it when she comes back.
"""

from collections.abc import AsyncGenerator, Awaitable, Callable
from typing import Any, cast

import structlog
from aiogram import Bot
from aiogram.client.default import DefaultBotProperties
from aiogram.client.session.base import BaseSession
from aiogram.enums import ParseMode
from aiogram.exceptions import TelegramAPIError, TelegramBadRequest, TelegramForbiddenError
from aiogram.methods import Response, TelegramMethod
from aiogram.methods.base import TelegramType
from aiogram.types import Message

from bot.calls import Call, Files, call_of
from bot.webchat import frames
from bot.webchat.buttons import ButtonError, inline_buttons, reply_keyboard
from bot.webchat.fanout import Fanout
from bot.webchat.markup import Marked, MarkupError, parse, safe_link
from bot.webchat.pictures import PictureError, picture_size
from bot.webchat.transcript import Body, Row, Transcript

WEBCHAT_TOKEN = "1:the-web-chat-needs-no-token"  # noqa: S105 - aiogram wants `digits:text`
WEBCHAT_BOT_ID = 1
TEXT_MAX, CAPTION_MAX = 4096, 1024
_REACHED = "webchat_reached"

log = structlog.get_logger(__name__)


class _BadRequestError(Exception):
    """What the method asks for cannot be; the text says why."""


class _NoSuchChatError(Exception):
    """The thread has been forgotten, or never was."""


def reached(message: Message) -> bool:
    """Whether a message sent through the web chat was shown in an open tab; False: offline."""
    return bool((message.model_extra or {}).get(_REACHED, False))


def make_webchat_bot(transcript: Transcript, fanout: Fanout) -> Bot:
    """The web chat as a Bot. Chat ids are the numbers of threads; texts are HTML as on Telegram."""
    return Bot(
        WEBCHAT_TOKEN,
        session=WebchatSession(transcript, fanout),
        default=DefaultBotProperties(parse_mode=ParseMode.HTML),
    )


class WebchatSession(BaseSession):
    def __init__(self, transcript: Transcript, fanout: Fanout) -> None:
        super().__init__()
        self.transcript = transcript
        self.fanout = fanout
        self._methods: dict[str, Callable[[Call, Files], Awaitable[Any]]] = {
            "sendMessage": self._send_message,
            "sendPhoto": self._send_photo,
            "editMessageText": self._edit_text,
            "editMessageCaption": self._edit_caption,
            "editMessageMedia": self._edit_media,
            "editMessageReplyMarkup": self._edit_buttons,
            "deleteMessage": self._delete_message,
            "answerCallbackQuery": self._answer_callback,
            "sendChatAction": self._chat_action,
            "getMe": self._get_me,
            "getFile": self._get_file,
        }

    async def close(self) -> None:
        """Nothing to close: the transcript and the fan-out belong to who made them."""

    async def make_request(
        self,
        bot: Bot,
        method: TelegramMethod[TelegramType],
        timeout: int | None = None,
    ) -> TelegramType:
        """Carry out one Bot API method; TelegramBadRequest for what the web chat does not have."""
        result = await self._carry_out(bot, method)
        kind = Response[method.__returning__]  # type: ignore[name-defined]
        response = kind.model_validate({"ok": True, "result": result}, context={"bot": bot})
        return cast(TelegramType, response.result)

    async def answer(self, bot: Bot, method: TelegramMethod[Any]) -> None:
        """Carry out what a handler has returned. As with a webhook's answer, nobody waits for the
        result, so that no `Message` is made of it, and what cannot be done is logged."""
        try:
            await self._carry_out(bot, method)
        except TelegramAPIError as error:
            log.warning("webchat_refused", method=type(method).__name__, error=str(error))

    async def _carry_out(self, bot: Bot, method: TelegramMethod[Any]) -> Any:
        call, files = call_of(bot, method)
        action = self._methods.get(method.__api_method__)
        if action is None:
            raise TelegramBadRequest(method, f"the web chat has no {method.__api_method__}")
        try:
            return await action(call, files)
        except _NoSuchChatError:
            raise TelegramForbiddenError(method, "the visitor's thread is gone") from None
        except (_BadRequestError, MarkupError, ButtonError, PictureError) as error:
            raise TelegramBadRequest(method, str(error)) from None

    async def stream_content(
        self,
        url: str,
        headers: dict[str, Any] | None = None,
        timeout: int = 30,
        chunk_size: int = 65536,
        raise_for_status: bool = True,
    ) -> AsyncGenerator[bytes, None]:
        """The content of a file of ours (`Bot.download`), by the last part of its address."""
        file = await self.transcript.file(url.rsplit("/", 1)[-1])
        content = file.content if file else b""
        for start in range(0, len(content), chunk_size):
            yield content[start : start + chunk_size]

    # sending

    async def _send_message(self, call: Call, _files: Files) -> Call:
        return await self._send(call, _text(call))

    async def _send_photo(self, call: Call, files: Files) -> Call:
        return await self._send(call, _caption(call) | await self._photo(call["photo"], files))

    async def _send(self, call: Call, body: Body) -> Call:
        thread_id = _thread_id(call)
        markup = call.get("reply_markup") or {}
        if buttons := inline_buttons(markup):
            body["buttons"] = buttons
        keyboard = reply_keyboard(markup)
        row = await self.transcript.add(thread_id, body, outgoing=True, keyboard=keyboard)
        if row is None:
            raise _NoSuchChatError
        there = await self.fanout.publish(thread_id, frames.message(row, keyboard))
        return api_message(thread_id, row) | {_REACHED: there}

    async def _photo(self, photo: str, files: Files) -> Body:
        """Keep an uploaded picture, or take one that we have by its file id."""
        if not photo.startswith("attach://"):
            known = await self.transcript.file(photo)
            if known is None:
                raise _BadRequestError("the web chat shows its own and uploaded pictures only")
            width, height, _ = picture_size(known.content)
            file_id = photo
        else:
            upload = files[photo.removeprefix("attach://")]
            content = b"".join([chunk async for chunk in upload.read(cast(Bot, None))])
            width, height, media_type = picture_size(content)
            file_id = await self.transcript.save_file(content, media_type)
        return {"photo": {"file_id": file_id, "width": width, "height": height}}

    # editing

    async def _edit_text(self, call: Call, _files: Files) -> Call:
        return await self._edit(call, _text(call))

    async def _edit_caption(self, call: Call, _files: Files) -> Call:
        return await self._edit(call, _caption(call))

    async def _edit_media(self, call: Call, files: Files) -> Call:
        media = call["media"]
        if media.get("type") != "photo":
            raise _BadRequestError("the web chat shows pictures only")
        return await self._edit(call, _caption(media) | await self._photo(media["media"], files))

    async def _edit_buttons(self, call: Call, _files: Files) -> Call:
        return await self._edit(call, {})

    async def _edit(self, call: Call, changed: Body) -> Call:
        """Change a message that we sent. As on Telegram, buttons not given again are gone."""
        thread_id, row = await self._our_message(call)
        kept = {key: value for key, value in row.body.items() if key != "buttons"}
        body = kept | changed
        if buttons := inline_buttons(call.get("reply_markup") or {}):
            body["buttons"] = buttons
        if body == row.body:
            raise _BadRequestError("message is not modified")
        version = await self.transcript.edit(thread_id, row.message_id, body)
        if version is None:
            raise _BadRequestError("message to edit not found")
        edited = Row(row.message_id, True, body, row.at, version)
        there = await self.fanout.publish(thread_id, frames.message(edited))
        return api_message(thread_id, edited) | {_REACHED: there}

    async def _our_message(self, call: Call) -> tuple[int, Row]:
        thread_id = _thread_id(call)
        row = await self.transcript.get(thread_id, int(call["message_id"]))
        if row is None or not row.outgoing:
            raise _BadRequestError("message to edit not found")
        return thread_id, row

    async def _delete_message(self, call: Call, _files: Files) -> bool:
        thread_id, message_id = _thread_id(call), int(call["message_id"])
        if not await self.transcript.delete(thread_id, message_id):
            raise _BadRequestError("message to delete not found")
        await self.fanout.publish(thread_id, frames.write("deleted", id=message_id))
        return True

    # the rest

    async def _answer_callback(self, call: Call, _files: Files) -> bool:
        thread, _, click = str(call["callback_query_id"]).partition("-")
        if not thread.isdecimal():
            raise _BadRequestError("query id is invalid")
        url = call.get("url")
        if url is not None and safe_link(url) is None:
            raise _BadRequestError("the link cannot be opened from a chat")
        await self.fanout.publish(
            int(thread),
            frames.write(
                "clicked",
                id=click,
                text=call.get("text", ""),
                alert=bool(call.get("show_alert", False)),
            ),
        )
        return True

    async def _chat_action(self, call: Call, _files: Files) -> bool:
        await self.fanout.publish(_thread_id(call), frames.write("typing"))
        return True

    async def _get_me(self, _call: Call, _files: Files) -> Call:
        return BOT_USER

    async def _get_file(self, call: Call, _files: Files) -> Call:
        file_id = str(call["file_id"])
        file = await self.transcript.file(file_id)
        if file is None:
            raise _BadRequestError("there is no such file")
        size = len(file.content)
        return {
            "file_id": file_id,
            "file_unique_id": file_id,
            "file_size": size,
            "file_path": file_id,
        }


BOT_USER: Call = {
    "id": WEBCHAT_BOT_ID,
    "is_bot": True,
    "first_name": "Kapsula",
    "username": "web_chat",
}


def api_chat(thread_id: int) -> Call:
    return {"id": thread_id, "type": "private"}


def api_visitor(thread_id: int, language: str) -> Call:
    return {"id": thread_id, "is_bot": False, "first_name": "", "language_code": language}


def api_message(thread_id: int, row: Row, visitor: Call | None = None) -> Call:
    """A transcript row as a Message of the Bot API."""
    body = row.body
    message: Call = {
        "message_id": row.message_id,
        "date": int(row.at.timestamp()),
        "chat": api_chat(thread_id),
        "from": BOT_USER if row.outgoing else visitor or api_visitor(thread_id, ""),
    }
    text, entities = body.get("text", ""), body.get("entities", [])
    if photo := body.get("photo"):
        message["photo"] = [{**photo, "file_unique_id": photo["file_id"]}]
        message |= {"caption": text, "caption_entities": entities}
    else:
        message |= {"text": text, "entities": entities}
    if buttons := body.get("buttons"):
        message["reply_markup"] = {"inline_keyboard": buttons}
    return message


def _thread_id(call: Call) -> int:
    """The thread; chat ids come as int or, from an identity's value, as digits."""
    chat_id = str(call.get("chat_id", ""))
    if not chat_id.isdecimal() or int(chat_id) >= 1 << 63:
        raise _BadRequestError("chat not found")
    return int(chat_id)


def _text(call: Call) -> Body:
    marked = _marked(call, "text", TEXT_MAX)
    if not marked.text:
        raise _BadRequestError("message text is empty")
    return {"text": marked.text, "entities": marked.entities}


def _caption(call: Call) -> Body:
    """Of a picture, which may have none."""
    marked = _marked(call, "caption", CAPTION_MAX)
    return {"text": marked.text, "entities": marked.entities}


def _marked(call: Call, field: str, length_max: int) -> Marked:
    """Text or caption with its entities, whether given as HTML or apart."""
    text = str(call.get(field, ""))
    entities = call.get("entities" if field == "text" else "caption_entities")
    mode: str = (call.get("parse_mode") or "").upper()  # may be an enum, which str() would spell
    if entities or not mode:
        marked = Marked(text, list(entities or []))
    elif mode == "HTML":
        marked = parse(text)
    else:
        raise _BadRequestError("the web chat understands HTML only")
    if len(marked.text) > length_max:
        raise _BadRequestError(f"{field} is too long")
    return marked
