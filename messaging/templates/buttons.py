"""Buttons under a message, as a template writes them: a row a line, `[Words](where it leads)`.

What is in the brackets is a link, or the data by which the chat knows the button (`nps:57:9`).
"""

import re

from msgspec import Struct

from messaging.templates.urls import URL

ROWS_MAX, IN_A_ROW_MAX = 12, 8  # Telegram breaks longer rows by itself, and shows no more
WORDS_MAX = 64
DATA_BYTES_MAX = 64
"""Bot API, InlineKeyboardButton.callback_data."""
_BUTTON = re.compile(r"\[([^\[\]]+)\]\(([^()\s]+)\)")
_DATA = re.compile(r"[\w:.-]+")


class Button(Struct, frozen=True):
    """`leads`: an address of the web, or data."""

    words: str
    leads: str

    @property
    def is_link(self) -> bool:
        return "://" in self.leads


Rows = tuple[tuple[Button, ...], ...]


class ButtonsError(ValueError):
    """The line that is no row of buttons."""


def rows_of(text: str) -> Rows:
    """The rows of what a template has written; empty lines are none. Raises ButtonsError."""
    lines = [line.strip() for line in text.splitlines()]
    rows = tuple(_row(line) for line in lines if line)
    if len(rows) > ROWS_MAX:
        raise ButtonsError(f"{len(rows)} > {ROWS_MAX}")
    return rows


def _row(line: str) -> tuple[Button, ...]:
    row = tuple(Button(*found.groups()) for found in _BUTTON.finditer(line))
    fits = 0 < len(row) <= IN_A_ROW_MAX and not _BUTTON.sub("", line).strip()
    if not fits or not all(map(_is_good, row)):
        raise ButtonsError(line[:60])
    return row


def _is_good(button: Button) -> bool:
    if not button.words.strip() or len(button.words) > WORDS_MAX:
        return False
    if button.is_link:
        return URL.fullmatch(button.leads) is not None
    return len(button.leads.encode()) <= DATA_BYTES_MAX and bool(_DATA.fullmatch(button.leads))
