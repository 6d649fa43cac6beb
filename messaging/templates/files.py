"""A template as one TOML file, the same for those of the house and for one's own.

name = "offer"
topic = "marketing"

[variables]
title = "text"
until = { type = "optional date", sample = "2026-03-01" }

[ru.messenger]
text = "<b>{{ title }}</b>"
"""

import tomllib
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from messaging.i18n import DEFAULT_LANGUAGE, LANGUAGES
from messaging.templates.bodies import CHANNELS
from messaging.templates.definition import (
    KINDS,
    NAME,
    OPTIONAL_PARTS,
    PARTS,
    RESERVED,
    TOPICS,
    VARIABLE_NAME,
    Place,
    Template,
    Topic,
    Variable,
)
from messaging.templates.problems import Flaw, Problem
from messaging.templates.values import converted

FILE_LENGTH_MAX = 64_000
WORDS_LENGTH_MAX = 10_000
VARIABLES_MAX = 40
ABOUT_LENGTH_MAX = 300
_HEAD = ("name", "topic", "kind", "about", "variables")
_KIND_LENGTH_MAX = 32


def read(source: str) -> tuple[Template, list[Problem]]:
    """The template and all that is wrong with the file's form. What is wrong is left out."""
    problems: list[Problem] = []
    if len(source) > FILE_LENGTH_MAX:
        return _EMPTY, [Problem(Flaw.TOO_LONG, "", str(FILE_LENGTH_MAX))]
    try:
        told = tomllib.loads(source)
    except (tomllib.TOMLDecodeError, RecursionError) as error:
        return _EMPTY, [Problem(Flaw.UNREADABLE, "", str(error))]
    template = Template(
        name=_name(told, problems),
        topic=_topic(told, problems),
        kind=_kind(told, problems),
        about=_about(told.get("about", {}), problems),
        variables=_variables(told.get("variables", {}), problems),
        words=_words(told, problems),
    )
    return template, problems


_EMPTY = Template(name="", topic="service")


def _name(told: Mapping[str, Any], problems: list[Problem]) -> str:
    name = told.get("name")
    if isinstance(name, str) and NAME.fullmatch(name):
        return name
    problems.append(Problem(Flaw.BAD_NAME, "name", _shown(name)))
    return ""


def _topic(told: Mapping[str, Any], problems: list[Problem]) -> Topic:
    topic = told.get("topic")
    for known in TOPICS:
        if topic == known:
            return known
    problems.append(Problem(Flaw.BAD_TOPIC, "topic", _shown(topic)))
    return "marketing"  # the strictest


def _kind(told: Mapping[str, Any], problems: list[Problem]) -> str:
    kind = told.get("kind", "")
    if isinstance(kind, str) and len(kind) <= _KIND_LENGTH_MAX and (not kind or NAME.match(kind)):
        return kind
    problems.append(Problem(Flaw.BAD_KIND, "kind", _shown(kind)))
    return ""


def _about(told: object, problems: list[Problem]) -> dict[str, str]:
    """One sentence, or one for each language."""
    by_language = {DEFAULT_LANGUAGE: told} if isinstance(told, str) else told
    if isinstance(by_language, dict) and all(
        key in LANGUAGES and isinstance(text, str) and len(text) <= ABOUT_LENGTH_MAX
        for key, text in by_language.items()
    ):
        return by_language
    problems.append(Problem(Flaw.UNKNOWN_ENTRY, "about", _shown(told)))
    return {}


def _variables(told: object, problems: list[Problem]) -> dict[str, Variable]:
    if not isinstance(told, dict) or len(told) > VARIABLES_MAX:
        problems.append(Problem(Flaw.BAD_VARIABLE, "variables", _shown(told)))
        return {}
    found = {}
    for name, entry in told.items():
        where = f"variables.{name[:40]}"
        variable = _variable(name, entry)
        if variable is None:
            problems.append(Problem(Flaw.BAD_VARIABLE, where, _shown(entry)))
            continue
        if why := _sample_fault(variable):
            problems.append(Problem(Flaw.BAD_SAMPLE, where, why))
            variable = replace(variable, sample=None)
        found[name] = variable
    return found


def _sample_fault(variable: Variable) -> str:
    if isinstance(variable.sample, dict) and set(variable.sample) - set(LANGUAGES):
        return f"{variable.name}: {', '.join(LANGUAGES)}"
    for language in LANGUAGES:
        sample = variable.sample_in(language)
        try:
            if sample is not None:
                converted(variable, sample)
        except ValueError as error:
            return str(error)
    return ""


def _variable(name: str, entry: object) -> Variable | None:
    """Its kind is a word of KINDS, with `optional` and `list of` before it."""
    told = entry if isinstance(entry, dict) else {"type": entry}
    kind = told.get("type")
    if not isinstance(kind, str) or set(told) - {"type", "sample"}:
        return None
    if not VARIABLE_NAME.fullmatch(name) or name in RESERVED:
        return None
    words = kind.split()
    if optional := words[:1] == ["optional"]:
        words = words[1:]
    if many := words[:2] == ["list", "of"]:
        words = words[2:]
    known = [one for one in KINDS if [one] == words]
    return Variable(name, known[0], many, optional, told.get("sample")) if known else None


def _words(told: Mapping[str, Any], problems: list[Problem]) -> dict[Place, str]:
    found: dict[Place, str] = {}
    for name in sorted(told.keys() - {*_HEAD, *LANGUAGES}):
        problems.append(Problem(Flaw.UNKNOWN_ENTRY, "", _shown(name)))
    for language in LANGUAGES:
        section = told.get(language)
        if not isinstance(section, dict):
            problems.append(Problem(Flaw.MISSING_LANGUAGE, language, language))
            continue
        for name in sorted(section.keys() - set(CHANNELS)):
            problems.append(Problem(Flaw.UNKNOWN_ENTRY, language, _shown(name)))
        if "messenger" not in section:
            problems.append(Problem(Flaw.MISSING_CHANNEL, f"{language}.messenger"))
        for channel in CHANNELS:
            if channel in section:
                found |= _parts(language, channel, section[channel], problems)
    return found


def _parts(language: str, channel: Any, told: object, problems: list[Problem]) -> dict[Place, str]:
    found: dict[Place, str] = {}
    where = f"{language}.{channel}"
    if not isinstance(told, dict):
        problems.append(Problem(Flaw.UNKNOWN_ENTRY, language, _shown(told)))
        return found
    for name in sorted(told.keys() - set(PARTS[channel])):
        problems.append(Problem(Flaw.UNKNOWN_ENTRY, where, _shown(name)))
    for part in PARTS[channel]:
        text = told.get(part)
        if isinstance(text, str) and text.strip():
            if len(text) > WORDS_LENGTH_MAX:
                problems.append(Problem(Flaw.TOO_LONG, f"{where}.{part}", str(WORDS_LENGTH_MAX)))
            else:
                found[Place(language, channel, part)] = text.strip("\n")
        elif text is not None or (channel, part) not in OPTIONAL_PARTS:
            problems.append(Problem(Flaw.MISSING_PART, where, part))
    return found


def _shown(value: object) -> str:
    return " ".join(str("" if value is None else value).split())[:60]
