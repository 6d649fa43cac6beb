"""The words of an HTML mail for readers without HTML: links keep their addresses, lists a dash."""

import html
import re
from collections.abc import Sequence

from msgspec import Struct

_UNSEEN = re.compile(
    r"<(?:!--|(head|style|script|title)\b|(div|span)\b[^<>]*\bdisplay\s*:\s*none[^<>]*>)",
    re.IGNORECASE,
)
_ENDS = {
    name: re.compile(rf"</{name}\s*>", re.IGNORECASE)
    for name in ("head", "style", "script", "title", "div", "span")
} | {"": re.compile("-->")}
TAG = re.compile(r"<(/?(?:[a-zA-Z][a-zA-Z0-9-]*|!))([^<>]*)>")
_ODD_SPACES = ("  ", "\t", "\r", "\f", "\v", "\xa0")
_SPACES = re.compile(r"[ \t\r\f\v\xa0]+")
_EMPTY_LINES = re.compile(r"\n{3,}")
_ATTRIBUTE = r"""\b{name}\s*=\s*(?:"([^"]*)"|'([^']*)'|([^\s"'>]+))"""
HREF = re.compile(_ATTRIBUTE.format(name="href"), re.IGNORECASE)
ALT = re.compile(_ATTRIBUTE.format(name="alt"), re.IGNORECASE)
_PARAGRAPHS = frozenset({"p", "h1", "h2", "h3", "h4", "h5", "h6", "ul", "ol", "blockquote", "pre"})
_LINES = frozenset({"div", "table", "section", "article", "header", "footer", "dt", "dd"})
_COMES_TO = {
    **{slash + name: "\n\n" for name in _PARAGRAPHS for slash in ("", "/")},
    **{slash + name: "\n" for name in _LINES for slash in ("", "/")},
    "br": "\n",
    "hr": "\n---\n",
    "li": "\n- ",
    "/td": " ",
    "/th": " ",
    "/tr": "\n",
}
"""What tags are to a reader; others are nothing, but for links and images."""
_SCHEMES = ("http://", "https://", "mailto:", "tel:")


class Layout(Struct, frozen=True):
    """What a sequence of tags is to a reader.

    `between`: what each tag comes to. `images`: which tags are. `links`: where they begin and end.
    """

    between: Sequence[str]
    images: Sequence[int]
    links: Sequence[tuple[int, int]]


def plain_text(markup: str, *, breaks_kept: bool = False) -> str:
    """`markup` as text. `breaks_kept`: a line break in it is one (Telegram's HTML), not a space."""
    if not breaks_kept:
        markup = " ".join(_seen(markup).split())
    parts = TAG.split(markup)
    words, names, attributes = parts[::3], parts[1::3], parts[2::3]
    layout = laid_out(names)
    pieces = [""] * (len(words) + len(names))
    pieces[::2] = map(html.unescape, words) if "&" in markup else words
    pieces[1::2] = layout.between
    for image in layout.images:
        pieces[2 * image + 1] = attribute_of(ALT, attributes[image])
    for begin, end in layout.links:
        label = "".join(pieces[2 * begin + 2 : 2 * end + 1]).strip()
        pieces[2 * end + 1] = link_note(attribute_of(HREF, attributes[begin]), label)
    return tidy("".join(pieces))


def laid_out(names: Sequence[str]) -> Layout:
    """`names` of tags, those that close one with a slash."""
    lower = [name.lower() for name in names]
    images = [i for i, name in enumerate(lower) if name in ("img", "/img")]
    links: list[tuple[int, int]] = []
    open_link: int | None = None
    for i, name in enumerate(lower):
        if name == "a":
            open_link = i  # a link has none within it
        elif name == "/a" and open_link is not None:
            links.append((open_link, i))
            open_link = None
    return Layout([_COMES_TO.get(name, "") for name in lower], images, links)


def tidy(text: str) -> str:
    """Without spaces and empty lines that nobody needs."""
    if any(odd in text for odd in _ODD_SPACES):
        text = _SPACES.sub(" ", text)
    text = text.replace(" \n", "\n").replace("\n ", "\n")
    if "\n\n\n" in text:
        text = _EMPTY_LINES.sub("\n\n", text)
    return text.strip()


def _seen(markup: str) -> str:
    """Without what a reader would not see. What is never closed lasts to the end."""
    kept, start = [], 0
    while found := _UNSEEN.search(markup, start):
        kept.append(markup[start : found.start()])
        name = (found[1] or found[2] or "").lower()
        end = _ENDS[name].search(markup, found.end())
        if end is None:
            return "".join(kept)
        start = end.end()
    return "".join([*kept, markup[start:]])


def link_note(address: str, label: str) -> str:
    """What comes after the label of a link: where it leads, unless that has been said."""
    bare = address.removeprefix("mailto:").removeprefix("tel:")
    if not address.lower().startswith(_SCHEMES) or label in (address, bare):
        return ""
    return f" ({address})" if label else address


def attribute_of(pattern: re.Pattern[str], attributes: str) -> str:
    """The value of HREF or ALT among a tag's attributes, or nothing."""
    found = pattern.search(attributes)
    return html.unescape(next(filter(None, found.groups()), "")) if found else ""
