"""A method of the Bot API as the values that it carries, and the files that go along."""

from typing import Any

from aiogram import Bot
from aiogram.methods import TelegramMethod
from aiogram.types import InputFile

Call = dict[str, Any]
Files = dict[str, InputFile]


def call_of(bot: Bot, method: TelegramMethod[Any]) -> tuple[Call, Files]:
    """The bot's defaults filled in, files replaced by `attach://NAME`, nothing that is None.

    A keyboard is taken as it is: it holds neither defaults nor files, and has many buttons.
    """
    files: Files = {}
    values = method.model_dump(warnings=False, exclude_none=True)
    keyboard = values.pop("reply_markup", None)
    prepare = bot.session.prepare_value
    call: Call = prepare(values, bot=bot, files=files, _dumps_json=False)
    return call if keyboard is None else call | {"reply_markup": keyboard}, files
