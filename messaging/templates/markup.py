"""Which HTML a message may hold: Telegram's subset in a chat, simple HTML in a mail.

Checked in what a template says and again in everything that is written with it: what is not of the
subset is not sent.
"""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import lru_cache

from messaging.templates.problems import Flaw

LINK = re.compile(r"(?:https?://[^\s/]|mailto:[^\s@]|tel:\+?\d)[^\s]*", re.IGNORECASE)
_TAG = re.compile(r"<(/?)([a-zA-Z][a-zA-Z0-9-]*)((?:\s+[a-zA-Z-]+=\"[^\"<>]*\")*)\s*(/?)>")
ATTRIBUTE = re.compile(r"([a-zA-Z-]+)=\"([^\"<>]*)\"")
_ENTITY = re.compile(r"&(?:[a-zA-Z][a-zA-Z0-9]{1,30}|#\d{1,7}|#x[0-9a-fA-F]{1,6});")
_TELEGRAM_ENTITY = re.compile(r"&(?:lt|gt|amp|quot|#\d{1,7}|#x[0-9a-fA-F]{1,6});")
_LOOKS_LIKE_MARKUP = re.compile(r"</?[a-zA-Z][^<>]*>|&(?:[a-zA-Z]{2,10}|#\d{1,6});")
_SHOWN = 30


@dataclass(frozen=True, slots=True, eq=False)
class Subset:
    """Allowed tags, each with what its attributes may be. `void` tags are never closed."""

    tags: Mapping[str, Mapping[str, re.Pattern[str]]]
    entity: re.Pattern[str]
    void: frozenset[str] = frozenset()


_PLAIN: Mapping[str, re.Pattern[str]] = {}
_CELL = {"align": re.compile("left|right|center"), "colspan": re.compile(r"[1-9]")}
_PIXELS = re.compile(r"[1-9]\d{0,3}")
TELEGRAM = Subset(
    {
        **dict.fromkeys(
            ("b", "strong", "i", "em", "u", "ins", "s", "strike", "del", "code", "pre",
             "blockquote", "tg-spoiler"),
            _PLAIN,
        ),
        "span": {"class": re.compile("tg-spoiler")},
        "a": {"href": LINK},
    },
    _TELEGRAM_ENTITY,
)  # fmt: skip
EMAIL = Subset(
    {
        **dict.fromkeys(
            ("b", "strong", "i", "em", "u", "s", "code", "p", "br", "hr", "h1", "h2", "h3", "ul",
             "ol", "li", "blockquote", "table", "tr"),
            _PLAIN,
        ),
        "td": _CELL,
        "th": _CELL,
        "a": {"href": LINK, "class": re.compile("button")},
        "img": {"src": re.compile(r"https://\S+"), "alt": re.compile(".*", re.DOTALL),
                "width": _PIXELS, "height": _PIXELS},
    },
    _ENTITY,
    frozenset({"br", "hr", "img"}),
)  # fmt: skip
REQUIRED = {"a": "href", "img": "src", "span": "class"}

Fault = tuple[Flaw, str, int]
"""What is wrong, with which words, and how many lines above it."""


def faults(markup: str, subset: Subset, *, balanced: bool = True) -> Iterator[Fault]:
    """All that is not of the subset. `balanced` false: the text is of branches side by side."""
    open_tags: list[str] = []
    end = 0
    tags = list(_TAG.finditer(markup))
    has_bare = len(tags) < markup.count("<") or _has_bare_ampersand(markup, subset)
    for found in tags:
        if has_bare:
            yield from _bare(markup, end, found.start(), subset)
        end = found.end()
        for flaw, detail in _of_tag(found[0], subset):
            yield flaw, detail, markup.count("\n", 0, found.start())
        name = found[2].lower()
        if not balanced or name in subset.void or name not in subset.tags:
            continue
        if not found[1]:
            open_tags.append(name)
        elif open_tags and open_tags[-1] == name:
            open_tags.pop()
        else:
            yield Flaw.TAG_UNBALANCED, f"/{name}", markup.count("\n", 0, found.start())
    if has_bare:
        yield from _bare(markup, end, len(markup), subset)
    for name in open_tags:
        yield Flaw.TAG_UNBALANCED, name, markup.count("\n")


@lru_cache(maxsize=4096)
def _of_tag(tag: str, subset: Subset) -> tuple[tuple[Flaw, str], ...]:
    """What is wrong with one tag by itself. The same few come back in every message."""
    found = _TAG.fullmatch(tag)
    if found is None:
        return ((Flaw.BARE_CHARACTER, tag[:_SHOWN]),)
    name = found[2].lower()
    void = name in subset.void
    if name not in subset.tags or (found[4] and not void) or (found[1] and (void or found[3])):
        return ((Flaw.TAG_REFUSED, found[1] + name),)
    return () if found[1] else tuple(_attributes(name, found[3], subset))


def _bare(markup: str, start: int, end: int, subset: Subset) -> Iterator[Fault]:
    if (at := markup.find("<", start, end)) >= 0:
        yield Flaw.BARE_CHARACTER, _near(markup, at), markup.count("\n", 0, at)
    at = markup.find("&", start, end)
    while at >= 0:
        if not subset.entity.match(markup, at):
            yield Flaw.BARE_CHARACTER, _near(markup, at), markup.count("\n", 0, at)
            return
        at = markup.find("&", at + 1, end)


def _has_bare_ampersand(markup: str, subset: Subset) -> bool:
    """Also one in a tag, where it is none of a text's."""
    entities = subset.entity.findall(markup) if "&" in markup else ()
    return len(entities) < markup.count("&")


def _near(markup: str, at: int) -> str:
    return markup[at : at + _SHOWN].partition("\n")[0]


def _attributes(name: str, text: str, subset: Subset) -> Iterator[tuple[Flaw, str]]:
    found = [(key.lower(), value) for key, value in ATTRIBUTE.findall(text)]
    allowed = subset.tags[name]
    keys = [key for key, _ in found]
    if (needed := REQUIRED.get(name)) and needed not in keys:
        yield Flaw.ATTRIBUTE_REFUSED, f"{name} without {needed}"
    if len(set(keys)) < len(keys):
        yield Flaw.ATTRIBUTE_REFUSED, f"{name}: {keys[0]} twice"
    for key, value in found:
        if key not in allowed:
            yield Flaw.ATTRIBUTE_REFUSED, f"{name}: {key}"
        elif not allowed[key].fullmatch(value):
            flaw = Flaw.LINK_REFUSED if key in ("href", "src") else Flaw.ATTRIBUTE_REFUSED
            yield flaw, value[:_SHOWN]


def looks_like_markup(text: str) -> str:
    """The first piece of a plain text that somebody has meant as HTML, or nothing."""
    found = _LOOKS_LIKE_MARKUP.search(text)
    return found[0][:_SHOWN] if found else ""
