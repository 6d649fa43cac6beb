"""The HTML subset of the Bot API: parsed into text and entities, and cut into runs for the browser.

The browser never sees HTML. It gets runs (a piece of text and its styles) and makes elements of
them itself, so that nothing in a text can become markup.
"""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from html import unescape
from html.parser import HTMLParser
from itertools import pairwise
from typing import Any
from urllib.parse import urlsplit

Entity = dict[str, Any]

STYLES = {
    "b": "bold",
    "strong": "bold",
    "i": "italic",
    "em": "italic",
    "u": "underline",
    "ins": "underline",
    "s": "strikethrough",
    "strike": "strikethrough",
    "del": "strikethrough",
    "tg-spoiler": "spoiler",
    "code": "code",
    "pre": "pre",
    "blockquote": "blockquote",
}
LINK_SCHEMES = ("http", "https", "tel", "mailto")
_ALLOWED_ENTITIES = re.compile(r"&(?!lt;|gt;|amp;|quot;|#\d{1,7};|#x[0-9a-fA-F]{1,6};)")
_BARE_LINK = re.compile(r"https?://[^\s<>\"'«»]+[^\s<>\"'«».,:;!?)\]]")


class MarkupError(ValueError):
    """The text is not of the HTML subset; the message says what is wrong."""


@dataclass(frozen=True, slots=True)
class Marked:
    """Plain text, and its entities with offsets in UTF-16 units as the Bot API counts them."""

    text: str
    entities: list[Entity]


def utf16_length(text: str) -> int:
    """Units of UTF-16; astral characters count as two."""
    return len(text.encode("utf-16-le", "surrogatepass")) // 2


def parse(html: str) -> Marked:
    """Read the HTML subset; raises MarkupError for unknown tags, bad nesting or a bare `&`."""
    if _ALLOWED_ENTITIES.search(html):
        raise MarkupError("only &lt; &gt; &amp; &quot; and numeric entities are understood")
    reader = _Reader()
    reader.feed(html)
    reader.close()
    return reader.result()


class _Reader(HTMLParser):
    def __init__(self) -> None:
        super().__init__(convert_charrefs=False)
        self._parts: list[str] = []
        self._length = 0
        self._open: list[tuple[str, Entity]] = []
        self._entities: list[Entity] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        entity: Entity = {"offset": self._length, **_entity_of(tag, dict(attrs))}
        self._open.append((tag, entity))

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        raise MarkupError(f"<{tag}/> is not understood")

    def handle_endtag(self, tag: str) -> None:
        if not self._open or self._open[-1][0] != tag:
            raise MarkupError(f"</{tag}> closes nothing")
        _, entity = self._open.pop()
        entity["length"] = self._length - entity["offset"]
        if entity["length"]:
            self._entities.append(entity)

    def handle_data(self, data: str) -> None:
        self._parts.append(data)
        self._length += utf16_length(data)

    def handle_entityref(self, name: str) -> None:
        self.handle_data(unescape(f"&{name};"))

    def handle_charref(self, name: str) -> None:
        self.handle_data(unescape(f"&#{name};"))

    def handle_comment(self, data: str) -> None:
        raise MarkupError("comments are not understood")

    def handle_decl(self, decl: str) -> None:
        raise MarkupError("declarations are not understood")

    def handle_pi(self, data: str) -> None:
        raise MarkupError("processing instructions are not understood")

    def unknown_decl(self, data: str) -> None:
        raise MarkupError("declarations are not understood")

    def result(self) -> Marked:
        if self._open:
            raise MarkupError(f"<{self._open[-1][0]}> is not closed")
        ordered = sorted(self._entities, key=lambda e: (e["offset"], -e["length"]))
        return _stripped("".join(self._parts), ordered)


def _entity_of(tag: str, attributes: Mapping[str, str | None]) -> Entity:
    if tag == "a":
        return {"type": "text_link", "url": attributes.get("href") or ""}
    if tag == "span" and attributes.get("class") == "tg-spoiler":
        return {"type": "spoiler"}
    if tag not in STYLES:
        raise MarkupError(f"<{tag}> is not understood")
    return {"type": STYLES[tag]}


def _stripped(text: str, entities: list[Entity]) -> Marked:
    """Without white space around it, as Telegram shows it; entities move along and are cut."""
    shown = text.strip()
    skipped = utf16_length(text[: len(text) - len(text.lstrip())])
    end = utf16_length(shown)
    kept = []
    for entity in entities:
        start = max(entity["offset"] - skipped, 0)
        stop = min(entity["offset"] - skipped + entity["length"], end)
        if stop > start:
            kept.append({**entity, "offset": start, "length": stop - start})
    return Marked(shown, kept)


def safe_link(url: str) -> str | None:
    """`url` when its scheme is one that may be opened from a chat, else None."""
    try:
        scheme = urlsplit(url.strip()).scheme.lower()
    except ValueError:
        return None
    return url.strip() if scheme in LINK_SCHEMES else None


def runs(text: str, entities: Iterable[Entity]) -> list[dict[str, Any]]:
    """Cut the text where styles begin or end: `[{"text": …, "styles": […], "href": …}]`.

    Bare web addresses become links as they do in Telegram. Links with other schemes stay text.
    """
    spans = [(entity["offset"], entity["offset"] + entity["length"], entity) for entity in entities]
    linked = [(start, stop) for start, stop, entity in spans if entity["type"] in _NO_BARE_LINKS]
    units = text.encode("utf-16-le", "replace")
    for found in _BARE_LINK.finditer(text):
        start = utf16_length(text[: found.start()])
        stop = start + utf16_length(found.group())
        if not any(start < b and a < stop for a, b in linked):
            spans.append((start, stop, {"type": "text_link", "url": found.group()}))
    cuts = sorted({0, len(units) // 2, *(a for a, _, _ in spans), *(b for _, b, _ in spans)})
    return [
        _run(units[2 * a : 2 * b].decode("utf-16-le", "replace"), a, spans)
        for a, b in pairwise(cuts)
    ]


_NO_BARE_LINKS = ("text_link", "code", "pre")


def _run(piece: str, at: int, spans: list[tuple[int, int, Entity]]) -> dict[str, Any]:
    here = [entity for start, stop, entity in spans if start <= at < stop]
    run: dict[str, Any] = {"text": piece}
    if styles := [entity["type"] for entity in here if entity["type"] in _SHOWN]:
        run["styles"] = styles
    links = [safe_link(str(entity.get("url", ""))) for entity in here]
    if href := next((link for link in links if link), None):
        run["href"] = href
    return run


_SHOWN = frozenset(STYLES.values())
