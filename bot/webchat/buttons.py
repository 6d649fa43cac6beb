"""Buttons of the Bot API as the web chat keeps them: inline buttons and the reply keyboard."""

import json
from typing import Any

from bot.webchat.frames import CALLBACK_BYTES_MAX
from bot.webchat.markup import safe_link

Markup = dict[str, Any]


class ButtonError(ValueError):
    """A button that the web chat does not have; the text says which."""


def inline_buttons(markup: Markup) -> list[list[dict[str, str]]]:
    """Rows of inline buttons: callback data or a link. Empty when the markup has none."""
    return [
        [_inline_button(button) for button in row] for row in markup.get("inline_keyboard") or ()
    ]


def _inline_button(button: Markup) -> dict[str, str]:
    text = button["text"]
    if url := button.get("url"):
        link = safe_link(url)
        if link is None:
            raise ButtonError(f"the button {text!r} has a link that cannot be opened from a chat")
        return {"text": text, "url": link}
    data = button.get("callback_data")
    if not data:
        raise ButtonError(f"the button {text!r} is of a kind that the web chat does not have")
    if len(data.encode()) > CALLBACK_BYTES_MAX:
        raise ButtonError(f"the button {text!r} has more than {CALLBACK_BYTES_MAX} bytes of data")
    return {"text": text, "callback_data": data}


def reply_keyboard(markup: Markup) -> str | None:
    """The reply keyboard as JSON; "" takes it away, None leaves the one that stands."""
    if markup.get("remove_keyboard"):
        return ""
    if markup.get("force_reply"):
        return _keyboard([], markup)
    rows = markup.get("keyboard")
    if rows is None:
        return None
    return _keyboard([[_reply_button(button) for button in row] for row in rows], markup)


def _keyboard(rows: list[list[str]], markup: Markup) -> str:
    keyboard: Markup = {"rows": rows}
    if hint := markup.get("input_field_placeholder"):
        keyboard["hint"] = hint
    if markup.get("one_time_keyboard"):
        keyboard["once"] = True
    return json.dumps(keyboard, ensure_ascii=False, separators=(",", ":"))


def _reply_button(button: Markup) -> str:
    if extra := {"request_contact", "request_location", "web_app", "request_poll"} & set(button):
        raise ButtonError(f"the web chat has no {min(extra)} button")
    return str(button["text"])
