"""Words, numbers and dates in the reader's language.

The catalogues `locales/*/LC_MESSAGES/kapsula.po` are compiled in memory once (about 25 ms for a
thousand messages), so that no compiled file has to be kept in step. Message ids are the English
sentences, with `{name}` where a value goes.
"""

import io
import re
from datetime import date, datetime
from decimal import Decimal
from functools import lru_cache
from gettext import GNUTranslations
from importlib.resources import files
from zoneinfo import ZoneInfo

from babel import Locale
from babel.dates import format_date, format_time
from babel.messages.mofile import write_mo
from babel.messages.pofile import read_po
from babel.numbers import (
    format_currency,
    get_currency_precision,
    get_currency_symbol,
    get_group_symbol,
)

from loyalty import customers

LANGUAGES = customers.LANGUAGES
DEFAULT_LANGUAGE = LANGUAGES[0]
LANGUAGE_NAMES = {"ru": "Русский", "en": "English"}
"""Each in itself."""
DOMAIN = "kapsula"
_STOPS = re.compile(r"(\bг\.(?:</\w+>)*)\.(?!\.)")


@lru_cache(maxsize=256)
def supported(language: str | None) -> str:
    """Our language that fits a client's tag: `ru-RU` is `ru`; an unknown one gives the default."""
    prefix = (language or "").replace("_", "-").split("-")[0].lower()
    return prefix if prefix in LANGUAGES else DEFAULT_LANGUAGE


@lru_cache(maxsize=len(LANGUAGES))
def catalogue(language: str) -> GNUTranslations:
    """The compiled catalogue of one of LANGUAGES."""
    source = files("locales").joinpath(language, "LC_MESSAGES", f"{DOMAIN}.po")
    compiled = io.BytesIO()
    with source.open("rb") as text:
        write_mo(compiled, read_po(text, locale=language, domain=DOMAIN))
    compiled.seek(0)
    return GNUTranslations(compiled)


def gettext(language: str, message: str, **params: object) -> str:
    """The sentence in `language`; one that nobody has translated comes out in English."""
    return one_full_stop(catalogue(supported(language)).gettext(message).format(**params))


def ngettext(language: str, one: str, many: str, n: int, **params: object) -> str:
    """The plural form that fits `n`, which `{count}` in the text shows with digits grouped."""
    chosen = catalogue(supported(language)).ngettext(one, many, abs(n))
    params.setdefault("count", number(language, n))
    return one_full_stop(chosen.format(**params))


def one_full_stop(text: str) -> str:
    """A Russian date ends in a full stop, `1 марта 2026 г.`, and so may a sentence: with one."""
    return _STOPS.sub(r"\1", text) if "г." in text else text


def points(language: str, n: int) -> str:
    """`1 234 бонуса`, `1 point`."""
    return ngettext(language, "{count} point", "{count} points", n)


@lru_cache(maxsize=len(LANGUAGES))
def locale(language: str) -> Locale:
    return Locale.parse(language)


@lru_cache(maxsize=len(LANGUAGES))
def plural_tags(language: str) -> tuple[str, ...]:
    """The plural forms of whole numbers, in the order of grammars: one, few, many (or other)."""
    rule = locale(supported(language)).plural_form
    used = {rule(n) for n in range(200)}
    return tuple(tag for tag in ("zero", "one", "two", "few", "many", "other") if tag in used)


def plural_tag(language: str, n: int) -> str:
    """Which of `plural_tags` fits the number."""
    return str(locale(supported(language)).plural_form(abs(n)))


def number(language: str, value: int) -> str:
    """As `format_decimal` of Babel writes a whole number, in a fiftieth of the time."""
    return f"{value:,}".replace(",", _thousands(supported(language)))


@lru_cache(maxsize=len(LANGUAGES))
def _thousands(language: str) -> str:
    return str(get_group_symbol(locale(language)))


@lru_cache(maxsize=4096)
def money(language: str, minor: int, currency: str) -> str:
    """`minor` units (kopecks, cents) as money; a whole sum is written without its `,00`."""
    digits = get_currency_precision(currency)
    amount = Decimal(minor).scaleb(-digits)
    whole = digits and amount == amount.to_integral_value()
    place = locale(supported(language))
    pattern = place.currency_formats["standard"].pattern
    if get_currency_symbol(currency, place)[-1:].isalpha():
        pattern = pattern.replace("¤#", "¤\u00a0#")  # "RUB 100", not "RUB100"
    if whole:
        pattern = pattern.replace(".00", "")
    return str(format_currency(amount, currency, pattern, locale=place, currency_digits=not whole))


def day(language: str, value: date | datetime, timezone: str = "UTC") -> str:
    """`22 ноября 2026 г.`; an instant is first taken to `timezone`."""
    if isinstance(value, datetime):
        value = value.astimezone(ZoneInfo(timezone)).date()
    return _long_date(language, value)


@lru_cache(maxsize=1024)
def _long_date(language: str, on: date) -> str:
    return str(format_date(on, format="long", locale=locale(supported(language))))


def moment(language: str, at: datetime, timezone: str) -> str:
    """Day and time of day, as the customer's clock shows it: `22 нояб. 2026 г., 09:35`."""
    place, here = locale(supported(language)), at.astimezone(ZoneInfo(timezone))
    return (
        f"{format_date(here, format='medium', locale=place)}, {clock_time(language, at, timezone)}"
    )


def clock_time(language: str, at: datetime, timezone: str) -> str:
    place = locale(supported(language))
    return str(format_time(at, format="short", tzinfo=ZoneInfo(timezone), locale=place))
