"""Every text in every language: none missing, none left over, all plural forms, the same blanks."""

import ast
import re
from collections.abc import Iterator
from functools import lru_cache
from pathlib import Path

import pytest
from babel.messages.catalog import Catalog
from babel.messages.pofile import read_po

from messaging.i18n import DOMAIN, LANGUAGES

ROOT = Path(__file__).parents[2]
FOLDERS = ("app", "bot", "admin", "messaging")
CALLS = {"_", "N_", "gettext", "ngettext", "several"}
IN_PAGES = re.compile(r"""\b_\(\s*(?:"((?:[^"\\]|\\.)*)"|'((?:[^'\\]|\\.)*)')""")
IN_SCRIPTS = re.compile(r'\bt\(\s*"((?:[^"\\]|\\.)*)"')
BLANK = re.compile(r"\{(\w+)\}")


def files(suffix: str) -> Iterator[Path]:
    for folder in FOLDERS:
        yield from sorted((ROOT / folder).rglob(f"*{suffix}"))


def in_python(path: Path) -> Iterator[tuple[str, bool]]:
    """String literals of a module, and whether each is handed to a translating call."""
    tree = ast.parse(path.read_text())
    for node in ast.walk(tree):
        if isinstance(node, ast.Constant) and isinstance(node.value, str):
            yield node.value, False
        if isinstance(node, ast.Call):
            name = getattr(node.func, "id", getattr(node.func, "attr", ""))
            for argument in node.args if name in CALLS else ():
                if isinstance(argument, ast.Constant) and isinstance(argument.value, str):
                    yield argument.value, True


@lru_cache(maxsize=1)
def spoken() -> tuple[dict[str, str], set[str]]:
    """Texts that the code translates, with a place of each; and every literal that could be one."""
    asked: dict[str, str] = {}
    literals: set[str] = set()
    for path in files(".py"):
        for text, translated in in_python(path):
            literals.add(text)
            if translated:
                asked.setdefault(text, str(path.relative_to(ROOT)))
    for suffix, pattern in ((".html", IN_PAGES), (".js", IN_SCRIPTS)):
        for path in files(suffix):
            for found in pattern.finditer(path.read_text()):
                text = next(filter(None, found.groups()), "").replace('\\"', '"')
                asked.setdefault(text, str(path.relative_to(ROOT)))
    return asked, literals | asked.keys()


@lru_cache(maxsize=len(LANGUAGES))
def catalogue(language: str) -> Catalog:
    path = ROOT / "locales" / language / "LC_MESSAGES" / f"{DOMAIN}.po"
    with path.open("rb") as text:
        return read_po(text, locale=language, abort_invalid=True)


def entries(language: str) -> list[tuple[tuple[str, ...], tuple[str, ...]]]:
    """Each message: its id (and plural id), its translation (or all forms of it)."""

    def many(value: object) -> tuple[str, ...]:
        return tuple(value) if isinstance(value, (list, tuple)) else (str(value),)

    return [(many(each.id), many(each.string)) for each in catalogue(language) if each.id]


@pytest.mark.parametrize("language", LANGUAGES)
def test_nothing_is_missing(language: str) -> None:
    known = {text for ids, _ in entries(language) for text in ids}
    asked, _ = spoken()
    assert [f"{place}: {text}" for text, place in asked.items() if text not in known] == []


@pytest.mark.parametrize("language", LANGUAGES)
def test_nothing_is_left_over(language: str) -> None:
    _, literals = spoken()
    assert [ids for ids, _ in entries(language) if ids[0] not in literals] == []


@pytest.mark.parametrize("language", LANGUAGES)
def test_everything_is_translated_with_all_plural_forms(language: str) -> None:
    forms = catalogue(language).num_plurals
    for ids, texts in entries(language):
        assert len(texts) == (forms if len(ids) > 1 else 1), ids
        assert all(texts), ids
    assert [each.id for each in catalogue(language) if each.id and each.fuzzy] == []


@pytest.mark.parametrize("language", LANGUAGES)
def test_the_blanks_are_those_of_the_id(language: str) -> None:
    for ids, texts in entries(language):
        blanks = {name for text in ids for name in BLANK.findall(text)}
        for text in texts:
            assert set(BLANK.findall(text)) == blanks, ids


@pytest.mark.parametrize("language", LANGUAGES)
def test_no_message_stands_twice(language: str) -> None:
    path = ROOT / "locales" / language / "LC_MESSAGES" / f"{DOMAIN}.po"
    ids = re.findall(r'^msgid ((?:".*"\n?)+)', path.read_text(), re.MULTILINE)
    assert sorted(ids) == sorted(set(ids))


def test_both_languages_have_the_same_messages() -> None:
    russian, english = ({ids for ids, _ in entries(language)} for language in ("ru", "en"))
    assert russian == english
