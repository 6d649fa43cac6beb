"""What a template can do to a value: numbers, money and days as the reader writes them."""

from collections.abc import Callable, Mapping
from datetime import date
from typing import Any

from jinja2.utils import pass_context

from messaging import i18n
from messaging.templates.bodies import Reader
from messaging.templates.values import CURRENCY

READER = "@reader"
"""Where filters find the reader: no name that a template could spell."""
TEXT_LENGTH_MAX = 10_000


def short(text: str, length: int) -> str:
    """`text`, or as many of its words as `length` letters hold, and an ellipsis."""
    if len(text) <= length:
        return text
    return text[: max(length - 1, 0)].rsplit(" ", 1)[0].rstrip(" ,.;:") + "…"


def reader_of(context: Any) -> Reader:
    found = context[READER]
    assert isinstance(found, Reader)
    return found


def _number(value: object) -> int:
    if isinstance(value, int) and not isinstance(value, bool):
        return value
    raise ValueError("a whole number is needed")


def _text(value: object) -> str:
    """Bounded, so that filters one behind the other stay cheap."""
    if isinstance(value, str) and len(value) <= TEXT_LENGTH_MAX:
        return str(value)
    raise ValueError("a text of bounded length is needed")


@pass_context
def _points(context: Any, value: object) -> str:
    """`21 бонус`, `1,234 points`"""
    return i18n.points(reader_of(context).language, _number(value))


@pass_context
def _grouped(context: Any, value: object) -> str:
    """`1 234`"""
    return i18n.number(reader_of(context).language, _number(value))


@pass_context
def _money(context: Any, value: object, currency: object) -> str:
    """Minor units as money: `{{ total|money("RUB") }}`"""
    code = _text(currency)
    if not CURRENCY.fullmatch(code):
        raise ValueError("money needs a currency such as RUB")
    return i18n.money(reader_of(context).language, _number(value), code)


@pass_context
def _day(context: Any, value: object) -> str:
    """`1 марта 2026 г.`, by the reader's calendar"""
    if not isinstance(value, date):
        raise ValueError("a date is needed")
    reader = reader_of(context)
    return i18n.day(reader.language, value, reader.timezone)


@pass_context
def _plural(context: Any, value: object, *forms: object) -> str:
    """The word that fits the number: `{{ n|plural("пачка", "пачки", "пачек") }}`"""
    tag = i18n.plural_tag(reader_of(context).language, _number(value))
    tags = i18n.plural_tags(reader_of(context).language)
    if len(forms) != len(tags):
        raise ValueError(f"plural needs {len(tags)} forms")
    return _text(forms[tags.index(tag)])


def _short(value: object, length: object) -> str:
    """At most so many letters, cut at a word."""
    return short(_text(value), _number(length))


def _join(value: object, between: object = ", ") -> str:
    """A list of texts as one text"""
    if not isinstance(value, list):
        raise ValueError("a list is needed")
    return _text(_text(between).join(_text(item) for item in value))


def _length(value: object) -> int:
    if isinstance(value, str | list):
        return len(value)
    raise ValueError("a text or a list is needed")


def _default(value: object, other: object = "") -> object:
    """`other` when the value is absent, empty or zero"""
    return value or other


def _capitalised(value: object) -> str:
    text = _text(value)
    return text[:1].upper() + text[1:]


FILTERS: Mapping[str, Callable[..., Any]] = {
    "points": _points,
    "number": _grouped,
    "money": _money,
    "day": _day,
    "plural": _plural,
    "short": _short,
    "join": _join,
    "length": _length,
    "default": _default,
    "upper": lambda value: _text(value).upper(),
    "lower": lambda value: _text(value).lower(),
    "capitalize": _capitalised,
    "trim": lambda value: _text(value).strip(),
}
