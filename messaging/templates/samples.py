"""Values to try a template with: what is usual, what is rare, and what is meant ill."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from messaging.templates.bodies import Context
from messaging.templates.definition import Template, Variable

NUMBERS = (0, 1, 2, 5, 21, 1_234_567)
"""Each plural form of either language, nothing, and a number whose digits are grouped."""
LONG_LENGTH = 300
HOSTILE = (
    "\"'><script>alert(1)</script> </b><b onclick=x> & &amp; {{ 7 * 7 }} {% if %}\r\n"
    "Bcc: everybody@example.com\r\n\r\njavascript:alert(1)"
)
SCRIPT_LINK = "javascript:alert(1)"
_USUAL: dict[str, Any] = {
    "text": "Пример", "medicine": "Лекарство", "int": 21, "points": 21, "money": 123_450,
    "id": "57", "currency": "RUB", "date": "2026-03-01", "url": "https://shop.example/a?b=1&c=2",
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Sample:
    """`name` says what is special about it; the usual one has none."""

    name: str
    context: Context


def usual(template: Template, language: str) -> Context:
    """Everything is there, with the file's own samples."""
    return {name: _usual(variable, language) for name, variable in template.variables.items()}


def samples(template: Template, language: str) -> Iterator[Sample]:
    """The usual values first, then each trouble by itself."""
    start = usual(template, language)
    variables = template.variables.values()
    yield Sample("", start)
    for n in NUMBERS:
        changed = {v.name: _all(v, n) for v in variables if v.kind in ("int", "points", "money")}
        if changed:
            yield Sample(f"numbers: {n}", {**start, **changed})
    optional = [v.name for v in variables if v.optional]
    for name in optional:
        yield Sample(f"without {name}", {**start, name: None})
    if len(optional) > 1:
        yield Sample("without what is optional", {**start, **dict.fromkeys(optional)})
    if lists := [v for v in variables if v.many]:
        for count in (0, 1, 3):
            changed = {v.name: [_one(v, language)] * count for v in lists}
            yield Sample(f"lists of {count}", {**start, **changed})
    texts = [v for v in variables if v.kind in ("text", "medicine")]
    for label, text in (
        ("empty texts", ""),
        ("long texts", "слово " * (LONG_LENGTH // 6)),
        ("texts that are meant ill", HOSTILE),
        ("a script for a link", SCRIPT_LINK),
    ):
        if texts:
            yield Sample(label, {**start, **{v.name: _all(v, text) for v in texts}})


def _usual(variable: Variable, language: str) -> Any:
    sample = variable.sample_in(language)
    return _all(variable, _USUAL[variable.kind]) if sample is None else plain(sample)


def _one(variable: Variable, language: str) -> Any:
    found = _usual(variable, language)
    return next(iter(found), _USUAL[variable.kind])


def _all(variable: Variable, value: Any) -> Any:
    return [value] * 3 if variable.many else value


def plain(value: Any) -> Any:
    """As JSON has it: TOML knows dates."""
    if isinstance(value, list):
        return [plain(one) for one in value]
    return value.isoformat() if hasattr(value, "isoformat") else value
