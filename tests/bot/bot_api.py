"""A Bot API server that is stricter than Telegram's, over real HTTP.

It knows the methods that the bot uses, each with its parameters; whatever Telegram would refuse is
refused with the same words, and noted in `refused` so that a test fails on it unless it meant to
provoke it. People act through `say`, `click` and `share`; updates reach the bot by long polling
or by webhook.
"""

import asyncio
import json
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from html.parser import HTMLParser
from io import BytesIO
from typing import Any

import aiohttp
from aiohttp import web
from aiohttp.test_utils import TestServer
from PIL import Image

TOKEN = "4242424242:a-token-of-the-tests-of-thirty-five-c"
BOT = {"id": 4242424242, "is_bot": True, "first_name": "Kapsula", "username": "kapsula_bot"}

Params = dict[str, Any]


class RefusedError(Exception):
    def __init__(self, status: int, description: str) -> None:
        super().__init__(description)
        self.status = status


def bad(description: str) -> RefusedError:
    return RefusedError(400, f"Bad Request: {description}")


@dataclass
class Chat:
    """A private chat as Telegram's server keeps it."""

    user: dict[str, Any]
    messages: dict[int, dict[str, Any]] = field(default_factory=dict)
    keyboard: dict[str, Any] | None = None
    toasts: list[str] = field(default_factory=list)
    changed: list[int] = field(default_factory=list)
    blocked: bool = False


REQUIRED: dict[str, set[str]] = {
    "getMe": set(),
    "getUpdates": set(),
    "setWebhook": {"url"},
    "deleteWebhook": set(),
    "setMyCommands": {"commands"},
    "sendMessage": {"chat_id", "text"},
    "sendPhoto": {"chat_id", "photo"},
    "editMessageText": {"chat_id", "message_id", "text"},
    "editMessageMedia": {"chat_id", "message_id", "media"},
    "editMessageReplyMarkup": {"chat_id", "message_id"},
    "answerCallbackQuery": {"callback_query_id"},
    "sendChatAction": {"chat_id", "action"},
}
OPTIONAL: dict[str, set[str]] = {
    "getUpdates": {"offset", "limit", "timeout", "allowed_updates"},
    "setWebhook": {"secret_token", "allowed_updates", "drop_pending_updates", "max_connections"},
    "deleteWebhook": {"drop_pending_updates"},
    "setMyCommands": {"scope", "language_code"},
    "sendMessage": {"parse_mode", "reply_markup", "link_preview_options", "disable_notification",
                    "disable_web_page_preview"},
    "sendPhoto": {"caption", "parse_mode", "reply_markup"},
    "editMessageText": {"parse_mode", "reply_markup", "link_preview_options"},
    "editMessageMedia": {"reply_markup"},
    "editMessageReplyMarkup": {"reply_markup"},
    "answerCallbackQuery": {"text", "show_alert", "url", "cache_time"},
}  # fmt: skip
JSON_PARAMS = {"reply_markup", "commands", "scope", "media", "allowed_updates"}


class BotApi:
    def __init__(self) -> None:
        self.chats: dict[int, Chat] = {}
        self.files: dict[str, bytes] = {}
        self.commands: dict[str, list[dict[str, str]]] = {}
        self.calls: list[tuple[str, Params]] = []
        self.refused: list[str] = []
        self.webhook: Params = {}
        self._pending: list[dict[str, Any]] = []
        self._arrived = asyncio.Event()
        self._queries: dict[str, int] = {}
        self._next_update = 1000
        self._next_message = 1
        self._http: aiohttp.ClientSession | None = None
        app = web.Application(client_max_size=20_000_000)
        app.router.add_route("*", "/bot{token}/{method}", self._handle)
        self.server = TestServer(app, host="127.0.0.1")

    async def start(self) -> None:
        await self.server.start_server()
        self._http = aiohttp.ClientSession()

    async def stop(self) -> None:
        if self._http:
            await self._http.close()
        await self.server.close()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server.port}"

    # people

    def meet(self, user_id: int, first_name: str = "Анна", language: str = "ru") -> Chat:
        user = {"id": user_id, "is_bot": False, "first_name": first_name, "language_code": language}
        return self.chats.setdefault(user_id, Chat(user))

    async def say(self, user_id: int, text: str) -> None:
        await self.deliver({"message": self._from_person(user_id) | {"text": text}})

    async def share(self, user_id: int, phone: str, contact_of: int | None) -> None:
        contact = {"phone_number": phone, "first_name": "Анна"}
        if contact_of is not None:
            contact["user_id"] = contact_of
        await self.deliver({"message": self._from_person(user_id) | {"contact": contact}})

    async def stop_or_start(self, user_id: int, *, stops: bool) -> None:
        """She blocks the bot, or unblocks it."""
        person, bot = (
            self.chats[user_id].user,
            {"id": int(TOKEN.split(":", maxsplit=1)[0]), "is_bot": True, "first_name": "K"},
        )
        member = {"status": "member", "user": bot}
        kicked = {"status": "kicked", "user": bot, "until_date": 0}
        await self.deliver(
            {
                "my_chat_member": {
                    "chat": {"id": user_id, "type": "private", "first_name": "Анна"},
                    "from": person,
                    "date": 1_767_225_600,
                    "old_chat_member": member if stops else kicked,
                    "new_chat_member": kicked if stops else member,
                }
            }
        )

    async def click(self, user_id: int, message_id: int, data: str) -> None:
        chat = self.chats[user_id]
        query_id = f"q{self._next_update}"
        self._queries[query_id] = user_id
        await self.deliver(
            {
                "callback_query": {
                    "id": query_id,
                    "from": chat.user,
                    "chat_instance": "1",
                    "data": data,
                    "message": chat.messages[message_id],
                }
            }
        )

    def _from_person(self, user_id: int) -> dict[str, Any]:
        chat = self.chats[user_id]
        message = {
            "message_id": self._number(),
            "date": int(time.time()),
            "chat": {"id": user_id, "type": "private"},
            "from": chat.user,
        }
        chat.messages[message["message_id"]] = message
        return message

    async def deliver(self, update: dict[str, Any]) -> None:
        """Hand an update to the bot: post it when a webhook is set, else keep it for polling."""
        self._next_update += 1
        update["update_id"] = self._next_update
        if not self.webhook:
            self._pending.append(update)
            self._arrived.set()
            return
        assert self._http
        headers = {"X-Telegram-Bot-Api-Secret-Token": self.webhook.get("secret_token", "")}
        async with self._http.post(self.webhook["url"], json=update, headers=headers) as answer:
            assert answer.status == 200, await answer.text()
            if answer.content_type == "application/json":
                call = await answer.json()
                if call:
                    await self._answered(call)

    async def _answered(self, call: Params) -> None:
        """A method given as the answer to a webhook; what fails there nobody is told."""
        method = call.pop("method")
        try:
            await self._call(method, call, {})
        except RefusedError as error:
            self.refused.append(f"{method}: {error}")

    # the server

    async def _handle(self, request: web.Request) -> web.Response:
        try:
            if request.match_info["token"] != TOKEN:
                raise RefusedError(401, "Unauthorized")
            params, files = await self._params(request)
            result = await self._call(request.match_info["method"], params, files)
        except RefusedError as error:
            self.refused.append(f"{request.match_info['method']}: {error}")
            body = {"ok": False, "error_code": error.status, "description": str(error)}
            return web.json_response(body, status=error.status)
        return web.json_response({"ok": True, "result": result})

    async def _params(self, request: web.Request) -> tuple[Params, dict[str, bytes]]:
        if request.content_type == "application/json":  # "except for uploading files"
            given = json.loads(await request.read())
            if not isinstance(given, dict):
                raise bad("object expected as request")
            return given, {}
        params: Params = {}
        files: dict[str, bytes] = {}
        for name, value in (await request.post()).items():
            if isinstance(value, web.FileField):
                files[name] = value.file.read()
            elif isinstance(value, (bytes, bytearray)):
                files[name] = bytes(value)
            else:
                params[name] = json.loads(value) if name in JSON_PARAMS else value
        return params, files

    async def _call(self, method: str, params: Params, files: dict[str, bytes]) -> Any:
        if method not in REQUIRED:
            raise RefusedError(404, "Not Found: method not found")
        if missing := REQUIRED[method] - params.keys():
            raise bad(f"parameter {min(missing)} is required")
        if unknown := params.keys() - REQUIRED[method] - OPTIONAL.get(method, set()):
            raise bad(f"unknown parameter {min(unknown)}")
        self.calls.append((method, params))
        action: Callable[..., Any] = getattr(self, f"_{method}")
        return await action(params, files)

    async def _getMe(self, _p: Params, _f: Any) -> Any:
        return BOT

    async def _getUpdates(self, p: Params, _f: Any) -> Any:
        if self.webhook:
            raise RefusedError(409, "Conflict: can't use getUpdates method while webhook is active")
        offset = int(p.get("offset", 0))
        self._pending = [u for u in self._pending if u["update_id"] >= offset]
        if not self._pending:
            self._arrived.clear()
            try:
                await asyncio.wait_for(self._arrived.wait(), min(float(p.get("timeout", 0)), 0.5))
            except TimeoutError:
                return []
        return self._pending[: int(p.get("limit", 100))]

    async def _setWebhook(self, p: Params, _f: Any) -> Any:
        secret = p.get("secret_token", "")
        if (
            not secret
            or len(secret) > 256
            or not secret.replace("-", "").replace("_", "").isalnum()
        ):
            raise bad("secret token contains unallowed characters")
        self.webhook = p
        return True

    async def _deleteWebhook(self, _p: Params, _f: Any) -> Any:
        self.webhook = {}
        return True

    async def _setMyCommands(self, p: Params, _f: Any) -> Any:
        for command in p["commands"]:
            name, text = command["command"], command["description"]
            if not (1 <= len(name) <= 32 and name.islower() and 1 <= len(text) <= 256):
                raise bad("command is invalid")
        self.commands[p.get("language_code", "")] = p["commands"]
        return True

    async def _sendMessage(self, p: Params, _f: Any) -> Any:
        return self._post(p, {"text": plain(p, "text", 4096)})

    async def _sendPhoto(self, p: Params, files: dict[str, bytes]) -> Any:
        caption = plain(p, "caption", 1024) if p.get("caption") else ""
        return self._post(p, {"photo": self._photo(p["photo"], files), "caption": caption})

    async def _editMessageText(self, p: Params, _f: Any) -> Any:
        return self._edit(p, {"text": plain(p, "text", 4096)})

    async def _editMessageMedia(self, p: Params, files: dict[str, bytes]) -> Any:
        media = p["media"]
        if media.get("type") != "photo":
            raise bad("unknown media type")
        caption = plain(media, "caption", 1024) if media.get("caption") else ""
        return self._edit(p, {"photo": self._photo(media["media"], files), "caption": caption})

    async def _editMessageReplyMarkup(self, p: Params, _f: Any) -> Any:
        return self._edit(p, {})

    async def _answerCallbackQuery(self, p: Params, _f: Any) -> Any:
        user_id = self._queries.pop(p["callback_query_id"], None)
        if user_id is None:
            raise bad("query is too old and response timeout expired or query ID is invalid")
        if len(p.get("text") or "") > 200:
            raise bad("MESSAGE_TOO_LONG")
        if p.get("text"):
            self.chats[user_id].toasts.append(p["text"])
        return True

    async def _sendChatAction(self, p: Params, _f: Any) -> Any:
        self._chat(p)
        return True

    # messages

    def _chat(self, p: Params) -> Chat:
        chat = self.chats.get(int(p["chat_id"]))
        if chat is None:
            raise bad("chat not found")
        if chat.blocked:
            raise RefusedError(403, "Forbidden: bot was blocked by the user")
        return chat

    def _number(self) -> int:
        self._next_message += 1
        return self._next_message

    def _post(self, p: Params, body: dict[str, Any]) -> dict[str, Any]:
        chat = self._chat(p)
        markup = p.get("reply_markup") or {}
        message = {
            "message_id": self._number(),
            "date": int(time.time()),
            "chat": {"id": chat.user["id"], "type": "private"},
            "from": BOT,
            **body,
        }
        if "inline_keyboard" in markup:
            message["reply_markup"] = check_inline(markup)
        elif markup:
            chat.keyboard = check_reply(markup)
        chat.messages[message["message_id"]] = message
        chat.changed.append(message["message_id"])
        return message

    def _edit(self, p: Params, body: dict[str, Any]) -> dict[str, Any]:
        chat = self._chat(p)
        old = chat.messages.get(int(p["message_id"]))
        if old is None or old["from"]["id"] != BOT["id"]:
            raise bad("message to edit not found")
        if "text" in body and "text" not in old:
            raise bad("there is no text in the message to edit")
        new = {key: value for key, value in old.items() if key != "reply_markup"} | body
        markup = p.get("reply_markup") or {}
        if markup and "inline_keyboard" not in markup:
            raise bad("inline keyboard expected")
        if markup.get("inline_keyboard"):
            new["reply_markup"] = check_inline(markup)
        if new == old:
            raise bad(
                "message is not modified: specified new message content and reply markup are "
                "exactly the same as a current content and reply markup of the message"
            )
        chat.messages[old["message_id"]] = new
        chat.changed.append(old["message_id"])
        return new

    def _photo(self, photo: str, files: dict[str, bytes]) -> list[dict[str, Any]]:
        if not photo.startswith("attach://"):
            raise bad("wrong file identifier/HTTP URL specified")
        content = files.get(photo.removeprefix("attach://"))
        if not content:
            raise bad("there is no file in the request")
        with Image.open(BytesIO(content)) as image:
            width, height = image.size
        if width + height > 10_000 or len(content) > 10_000_000:
            raise bad("PHOTO_INVALID_DIMENSIONS")
        file_id = f"file{len(self.files)}"
        self.files[file_id] = content
        return [{"file_id": file_id, "file_unique_id": file_id, "width": width, "height": height}]


def check_inline(markup: dict[str, Any]) -> dict[str, Any]:
    """Rows of buttons, each with a text and exactly one thing to do."""
    for row in markup["inline_keyboard"]:
        for button in row:
            if not button.get("text"):
                raise bad("text buttons are not allowed in the inline keyboard")
            actions = set(button) - {"text"}
            if len(actions) != 1 or not actions <= {"callback_data", "url"}:
                raise bad(f"inline button has actions {sorted(actions)}")
            if not 1 <= len(button.get("callback_data", "x").encode()) <= 64:
                raise bad("BUTTON_DATA_INVALID")
            if "url" in button and not button["url"].startswith("https://"):
                raise bad("inline keyboard button URL is invalid: Wrong HTTP URL")
    return markup


def check_reply(markup: dict[str, Any]) -> dict[str, Any]:
    if markup.get("remove_keyboard") is True or markup.get("force_reply") is True:
        return markup
    if not markup.get("keyboard") or not all(markup["keyboard"]):
        raise bad("reply keyboard has an empty row")
    for row in markup["keyboard"]:
        for button in row:
            if not button.get("text") or set(button) - {"text", "request_contact"}:
                raise bad("reply keyboard button is invalid")
    return markup


TAGS = {"b", "i", "u", "s", "code", "pre", "a", "blockquote", "tg-spoiler", "strong", "em"}


class _Plain(HTMLParser):
    """Telegram's HTML: known tags, well nested; returns the text."""

    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.text = ""
        self.open: list[str] = []

    def handle_starttag(self, tag: str, attrs: Any) -> None:
        if tag not in TAGS:
            raise bad(f'can\'t parse entities: Unsupported start tag "{tag}"')
        self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        if not self.open or self.open.pop() != tag:
            raise bad(f'can\'t parse entities: Unmatched end tag "{tag}"')

    def handle_data(self, data: str) -> None:
        self.text += data


def plain(p: Params, name: str, length_max: int) -> str:
    """What is shown of a text with its markup, within its length."""
    text: str = p[name]
    if p.get("parse_mode") == "HTML":
        parser = _Plain()
        parser.feed(text)
        parser.close()
        if parser.open:
            raise bad("can't parse entities: Can't find end tag")
        text = parser.text
    elif p.get("parse_mode"):
        raise bad("unsupported parse_mode")
    text = text.strip()
    if not text:
        raise bad("message text is empty")
    if len(text.encode("utf-16-le")) // 2 > length_max:
        raise bad("message is too long")
    return text
