"""Translations for handlers: sentences and values in the language of the running update.

`_` takes the English sentence, which is the message id; `N_` only marks one that is translated
later. Numbers, money and dates come from `messaging.i18n`, so that a chat and a mailing agree.
"""

from collections.abc import Generator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from functools import lru_cache
from zoneinfo import ZoneInfo

from babel.numbers import format_decimal

from messaging import i18n as catalogues

_language: ContextVar[str] = ContextVar("language", default=catalogues.DEFAULT_LANGUAGE)


@contextmanager
def speaking(language: str) -> Generator[None, None, None]:
    """Within the block `_` speaks this language."""
    token = _language.set(catalogues.supported(language))
    try:
        yield
    finally:
        _language.reset(token)


def _(message: str) -> str:
    return catalogues.catalogue(_language.get()).gettext(message)


def N_(message: str) -> str:  # noqa: N802 - gettext's own name for a mark
    return message


# The same few numbers and days are written again and again; formatting one by the rules of a
# language costs some 50 µs.
_number = lru_cache(maxsize=8192)(catalogues.number)
_points = lru_cache(maxsize=8192)(catalogues.points)
_day = lru_cache(maxsize=4096)(catalogues.day)
_zone = lru_cache(maxsize=1024)(ZoneInfo)


@dataclass(frozen=True, slots=True)
class Words:
    """Values as this customer reads them: her language, her clock, the programme's currency."""

    language: str
    timezone: str
    currency: str

    def number(self, value: int) -> str:
        return _number(self.language, value)

    def decimal(self, value: int, places: int) -> str:
        """`value` tenths, hundredths … as a number: 50 with one place is `5`, 75 is `7,5`."""
        exact = Decimal(value).scaleb(-places)
        return str(format_decimal(exact, locale=catalogues.locale(self.language)))

    def points(self, count: int) -> str:
        return _points(self.language, count)

    def signed(self, count: int) -> str:
        """`+62` or `−30`, with a true minus."""
        return ("+" if count > 0 else "−") + self.number(abs(count))

    def money(self, amount_minor: int) -> str:
        return catalogues.money(self.language, amount_minor, self.currency)

    def day(self, at: datetime) -> str:
        return _day(self.language, at.astimezone(_zone(self.timezone)).date())

    def moment(self, at: datetime) -> str:
        return catalogues.moment(self.language, at, self.timezone)

    def time(self, at: datetime) -> str:
        return catalogues.clock_time(self.language, at, self.timezone)

    def several(self, one: str, many: str, count: int) -> str:
        """The plural form that fits; `{count}` in the text becomes the number."""
        return catalogues.ngettext(self.language, one, many, count)
