"""What comes out of a template: the words of one message for one channel."""

import html
import re
from collections.abc import Mapping
from typing import Any, Literal

from msgspec import Struct

from messaging.templates.buttons import Rows

Channel = Literal["messenger", "email", "sms", "webpush"]
CHANNELS: tuple[Channel, ...] = ("messenger", "email", "sms", "webpush")
Context = Mapping[str, Any]
"""The values of a template's variables, as JSON has them: they lie in the message's row."""

_TAG = re.compile(r"<[^>]+>")


class TemplateError(ValueError):
    """The template is unknown or broken, or its context lacks a variable. Says which."""


class Body(Struct, frozen=True):
    """The words of one message. `plain` is for what knows no formatting (SMS, notifications).

    `html` is Telegram's subset for messengers, and for e-mail simple HTML or a whole document.
    `subject` is a mail's, or the title of a notification; `text` are the words without HTML;
    `buttons` stand under a messenger's message.
    """

    html: str
    subject: str = ""
    text: str = ""
    buttons: Rows = ()

    @property
    def plain(self) -> str:
        return self.text or html.unescape(_TAG.sub("", self.html))


class Reader(Struct, frozen=True):
    """In whose words and by whose clock the message is written."""

    language: str
    timezone: str = "UTC"
