"""The frames of the web chat's socket: what a browser may say, and what it is told. JSON objects.

Everything that comes in is read here and nowhere else, into frozen records; whatever is wrong with
a frame is a FrameError with a name, never a row and never a stack trace.
"""

import json
import re
from dataclasses import dataclass
from typing import Any, NoReturn

from pydantic_core import to_json

from bot.webchat.markup import runs
from bot.webchat.transcript import Row
from messaging.i18n import DEFAULT_LANGUAGE, supported

FRAME_BYTES_MAX = 8192
TEXT_MAX = 4096
CALLBACK_BYTES_MAX = 64
_CLIENT_ID = re.compile(r"[A-Za-z0-9_-]{8,40}")
_SECRET = re.compile(r"[A-Za-z0-9_-]{20,64}")
_BASE64URL = re.compile(r"[A-Za-z0-9_-]{16,100}={0,2}")
_ENDPOINT = re.compile(r"https?://[!-~]{1,1016}")
_START = re.compile(r"[A-Za-z0-9_-]{0,64}")
_SITE = re.compile(r"kps_[A-Za-z0-9_-]{8,60}")
_VISITOR = re.compile(r"[A-Za-z0-9_-]{16,64}")
_ORIGIN = re.compile(r"https?://[A-Za-z0-9.:-]{1,250}")
_LANGUAGE = re.compile(r"[A-Za-z]{2,3}([-_][A-Za-z0-9]{2,8}){0,3}")
_CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f\u2028\u2029]")
_SURROGATE = re.compile(r"[\ud800-\udfff]")


class FrameError(ValueError):
    """A frame that cannot be taken. `code` is a name for the browser and the tests."""

    def __init__(self, code: str) -> None:
        super().__init__(code)
        self.code = code


@dataclass(frozen=True, slots=True)
class Hello:
    """The first frame. Without a (known) secret a new thread begins."""

    secret: str | None
    language: str
    start: str


@dataclass(frozen=True, slots=True)
class Text:
    id: str
    text: str


@dataclass(frozen=True, slots=True)
class Click:
    """An inline button: the message it stands on and its callback data."""

    id: str
    message: int
    data: str


@dataclass(frozen=True, slots=True)
class Earlier:
    """More of the transcript, from before this message."""

    before: int


@dataclass(frozen=True, slots=True)
class PushOn:
    """Notify this browser while the chat is closed: its subscription at a push service."""

    endpoint: str
    p256dh: str
    auth: str


@dataclass(frozen=True, slots=True)
class PushOff:
    """Notify it no more."""


@dataclass(frozen=True, slots=True)
class Seen:
    """Every message up to this one has stood before her eyes."""

    upto: int


@dataclass(frozen=True, slots=True)
class OnSite:
    """The page around the chat: its site's public key, its origin, and its id of this browser."""

    site: str
    visitor: str
    origin: str


Frame = Hello | Text | Click | Earlier | Seen | PushOn | PushOff | OnSite


def read(raw: str) -> Frame:
    """Read one frame; raises FrameError."""
    value = _object(raw)
    match value.get("kind"):
        case "hello":
            secret = value.get("secret")
            return Hello(
                secret=None if secret is None else _matching(secret, _SECRET, "bad_secret"),
                language=_matching(
                    value.get("language", DEFAULT_LANGUAGE), _LANGUAGE, "bad_language"
                ),
                start=_matching(value.get("start", ""), _START, "bad_start"),
            )
        case "text":
            return Text(_client_id(value), _text(value.get("text")))
        case "click":
            data = value.get("data")
            if not isinstance(data, str) or not 0 < len(data.encode("utf-8", "replace")) <= (
                CALLBACK_BYTES_MAX
            ):
                raise FrameError("bad_data")
            return Click(_client_id(value), _message_id(value.get("message")), data)
        case "earlier":
            return Earlier(_message_id(value.get("before")))
        case "push_on":
            return PushOn(
                endpoint=_matching(value.get("endpoint"), _ENDPOINT, "bad_subscription"),
                p256dh=_matching(value.get("p256dh"), _BASE64URL, "bad_subscription"),
                auth=_matching(value.get("auth"), _BASE64URL, "bad_subscription"),
            )
        case "push_off":
            return PushOff()
        case "seen":
            return Seen(_message_id(value.get("upto")))
        case "visitor":
            return OnSite(
                site=_matching(value.get("site"), _SITE, "bad_visitor"),
                visitor=_matching(value.get("visitor"), _VISITOR, "bad_visitor"),
                origin=_matching(value.get("origin"), _ORIGIN, "bad_visitor"),
            )
    raise FrameError("unknown_kind")


def _object(raw: str) -> dict[str, Any]:
    if len(raw) > FRAME_BYTES_MAX:
        raise FrameError("too_long")
    try:
        value = _JSON.decode(raw)
    except (ValueError, RecursionError) as error:
        raise FrameError("bad_json") from error
    if not isinstance(value, dict):
        raise FrameError("bad_json")
    return value


def _no_constant(name: str) -> NoReturn:
    raise ValueError(name)


def _no_repeats(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    value = dict(pairs)
    if len(value) != len(pairs):
        raise ValueError("a key stands twice")
    return value


_JSON = json.JSONDecoder(parse_constant=_no_constant, object_pairs_hook=_no_repeats)


def _matching(value: object, pattern: re.Pattern[str], code: str) -> str:
    if not isinstance(value, str) or not pattern.fullmatch(value):
        raise FrameError(code)
    return value


def _client_id(value: dict[str, Any]) -> str:
    return _matching(value.get("id"), _CLIENT_ID, "bad_id")


def _message_id(value: object) -> int:
    if type(value) is not int or not 0 < value < 1 << 53:
        raise FrameError("bad_message")
    return value


def _text(value: object) -> str:
    """What was typed, fit to be stored: no control characters, no halves of characters."""
    if not isinstance(value, str):
        raise FrameError("bad_text")
    text = _SURROGATE.sub("\ufffd", _CONTROL.sub("", value.replace("\r\n", "\n"))).strip()
    if not text:
        raise FrameError("empty_text")
    if len(text) > TEXT_MAX:
        raise FrameError("too_long")
    return text


def write(kind: str, **fields: Any) -> str:
    """One outgoing frame."""
    return to_json({"kind": kind, **fields}).decode()


def message(row: Row, keyboard_text: str | None = None) -> str:
    """A new or changed message; with the reply keyboard when that changes with it."""
    if keyboard_text is None:
        return write("message", message=shown(row))
    return write("message", message=shown(row), keyboard=keyboard(keyboard_text))


def keyboard(text: str) -> dict[str, Any]:
    """The reply keyboard as the browser gets it; no rows and no hint when there is none."""
    value: dict[str, Any] = json.loads(text) if text else {"rows": []}
    return value


def language_of(tag: str) -> str:
    """Our language that fits a browser's tag."""
    return supported(tag)


def shown(row: Row) -> dict[str, Any]:
    """A message as the browser gets it: runs for entities, an address for a file id."""
    body = row.body
    message: dict[str, Any] = {
        "id": row.message_id,
        "version": row.version,
        "from": "shop" if row.outgoing else "me",
        "at": int(row.at.timestamp() * 1000),
        "runs": runs(body.get("text", ""), body.get("entities", ())),
    }
    if row.client_id:
        message["client_id"] = row.client_id
    if photo := body.get("photo"):
        message["photo"] = {
            "path": f"files/{photo['file_id']}",
            "width": photo["width"],
            "height": photo["height"],
        }
    if buttons := body.get("buttons"):
        message["buttons"] = [[_button(button) for button in row_] for row_ in buttons]
    return message


def _button(button: dict[str, str]) -> dict[str, str]:
    if "url" in button:
        return {"text": button["text"], "url": button["url"]}
    return {"text": button["text"], "data": button["callback_data"]}
