"""Pages: messages that change in place, known by their buttons."""

from aiogram.methods import EditMessageText
from aiogram.types import CallbackQuery, InlineKeyboardMarkup, Message

Page = tuple[str, InlineKeyboardMarkup]


def turned(query: CallbackQuery, page: Page) -> EditMessageText | None:
    """The page in place of the one that stands; Telegram takes no edit that changes nothing."""
    text, markup = page
    if not isinstance(query.message, Message):
        return None
    stands = query.message.reply_markup
    if stands is not None and _labels(stands) == _labels(markup):
        return None
    return query.message.edit_text(text, reply_markup=markup)


def _labels(markup: InlineKeyboardMarkup) -> list[tuple[str, str | None]]:
    return [(each.text, each.callback_data) for row in markup.inline_keyboard for each in row]
