"""From a message's context (JSON) to the values that its words are written with."""

import re
from collections.abc import Mapping
from datetime import UTC, date, datetime

from messaging.templates.bodies import Context, TemplateError
from messaging.templates.definition import Template, Variable
from messaging.templates.urls import URL

TEXT_LENGTH_MAX = 2_000
LIST_LENGTH_MAX = 50
NUMBER_MAX = 10**15
Value = str | int | date | None | list[str | int | date]
_NO_TEXT = re.compile("[\x00-\x08\x0b-\x1f\x7f\ud800-\udfff]")
"""Control characters and halves of characters, which no channel can carry."""
ID = re.compile(r"[A-Za-z0-9_-]{1,40}")
CURRENCY = re.compile(r"[A-Z]{3}")


def lacking(template: Template, context: Context) -> list[str]:
    """What the context has to have and has not, by name."""
    return sorted(
        name
        for name, variable in template.variables.items()
        if not variable.optional and context.get(name) is None
    )


def values_of(template: Template, context: Context) -> Mapping[str, Value]:
    """The declared variables alone. Raises TemplateError for what is missing or of a wrong kind."""
    for name, variable in template.variables.items():
        if context.get(name) is None and not variable.optional:
            raise TemplateError(f"{template.name} lacks {', '.join(lacking(template, context))}")
    try:
        return {
            name: converted(variable, context.get(name))
            for name, variable in template.variables.items()
        }
    except ValueError as error:
        raise TemplateError(f"{template.name}: {error}") from None


def converted(variable: Variable, value: object) -> Value:
    """Raises ValueError saying which variable does not fit."""
    if value is None and variable.optional:
        return [] if variable.many else None
    if not variable.many:
        return _one(variable, value)
    if not isinstance(value, list | tuple) or len(value) > LIST_LENGTH_MAX:
        raise _unfit(variable, f"is no list of at most {LIST_LENGTH_MAX}")
    return [_one(variable, one) for one in value]


def _one(variable: Variable, value: object) -> str | int | date:
    is_number = isinstance(value, int) and not isinstance(value, bool)
    match variable.kind:
        case "int" | "points" | "money":
            if isinstance(value, int) and is_number and -NUMBER_MAX <= value <= NUMBER_MAX:
                return value
            raise _unfit(variable, "is no whole number")
        case "text" | "medicine":
            if not isinstance(value, str) and not is_number:
                raise _unfit(variable, "is no text")
            if isinstance(value, str) and len(value) > TEXT_LENGTH_MAX:
                raise _unfit(variable, f"is longer than {TEXT_LENGTH_MAX} characters")
            return _NO_TEXT.sub("", str(value))
        case "date":
            return _date(variable, value)
        case "url":
            if isinstance(value, str) and len(value) <= TEXT_LENGTH_MAX and URL.fullmatch(value):
                return value
            raise _unfit(variable, "is no http(s) address")
        case "currency":
            if isinstance(value, str) and CURRENCY.fullmatch(value):
                return value
            raise _unfit(variable, "is no currency such as RUB")
        case "id":
            if isinstance(value, int | str) and ID.fullmatch(str(value)):
                return str(value)
            raise _unfit(variable, "is no id of Latin letters, digits, - and _")


def _date(variable: Variable, value: object) -> date:
    """A day, or an instant, which is of UTC unless it says otherwise."""
    try:
        text = str(value)
        if len(text) <= 10:  # 2026-03-01
            return date.fromisoformat(text)
        at = datetime.fromisoformat(text)
    except ValueError:
        raise _unfit(variable, "is no date such as 2026-03-01") from None
    return at if at.tzinfo else at.replace(tzinfo=UTC)


def _unfit(variable: Variable, why: str) -> ValueError:
    return ValueError(f"{variable.name} {why}")
