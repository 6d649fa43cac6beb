"""The words of an HTML mail for readers without HTML: links keep their addresses, lists a dash."""

import html
import re

_UNSEEN = re.compile(
    r"<!--|<(head|style|script|title)\b|<(div|span)\b[^<>]*\bdisplay\s*:\s*none[^<>]*>",
    re.IGNORECASE,
)
_ENDS = {
    name: re.compile(rf"</{name}\s*>", re.IGNORECASE)
    for name in ("head", "style", "script", "title", "div", "span")
} | {"": re.compile("-->")}
_TAG = re.compile(r"<(/?)([a-zA-Z][a-zA-Z0-9-]*|!)([^<>]*)>")
_ODD_SPACES = re.compile(r"  |[\t\r\f\v\xa0]")
_SPACES = re.compile(r"[ \t\r\f\v\xa0]+")
_EMPTY_LINES = re.compile(r"\n{3,}")
_ATTRIBUTE = r"""\b{name}\s*=\s*(?:"([^"]*)"|'([^']*)'|([^\s"'>]+))"""
_HREF = re.compile(_ATTRIBUTE.format(name="href"), re.IGNORECASE)
_ALT = re.compile(_ATTRIBUTE.format(name="alt"), re.IGNORECASE)
_PARAGRAPHS = frozenset({"p", "h1", "h2", "h3", "h4", "h5", "h6", "ul", "ol", "blockquote", "pre"})
_LINES = frozenset({"div", "table", "section", "article", "header", "footer", "dt", "dd"})
_CONSTANT = {
    **{(slash, name): "\n\n" for name in _PARAGRAPHS for slash in ("", "/")},
    **{(slash, name): "\n" for name in _LINES for slash in ("", "/")},
    ("", "br"): "\n",
    ("", "hr"): "\n---\n",
    ("", "li"): "\n- ",
    ("/", "td"): " ",
    ("/", "th"): " ",
    ("/", "tr"): "\n",
}
"""By slash and name, what most tags come to."""
_SILENT = frozenset({"b", "i", "u", "s", "strong", "em", "code", "span", "font", "tg-spoiler"})
_SCHEMES = ("http://", "https://", "mailto:", "tel:")


def plain_text(markup: str, *, breaks_kept: bool = False) -> str:
    """`markup` as text. `breaks_kept`: a line break in it is one (Telegram's HTML), not a space."""
    if not breaks_kept:
        markup = " ".join(_seen(markup).split())
    words, *tags = _TAG.split(markup)
    pieces = [html.unescape(words)]
    links: list[tuple[str, int]] = []  # the open one: where to, and which piece is its first
    for i in range(0, len(tags), 4):
        slash, name, attributes, words = tags[i : i + 4]
        constant = _CONSTANT.get((slash, name))
        if constant is not None:
            pieces.append(constant)
        elif name not in _SILENT:
            _add_tag(name.lower(), slash, attributes, pieces, links)
        if words:
            pieces.append(html.unescape(words))
    text = "".join(pieces)
    if _ODD_SPACES.search(text):
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


def _add_tag(
    name: str, slash: str, attributes: str, pieces: list[str], links: list[tuple[str, int]]
) -> None:
    if name == "a":
        if slash and links:
            _end_link(pieces, *links.pop())
        elif not slash:
            links[:] = [(_attribute(_HREF, attributes), len(pieces))]  # a link has none within it
    elif name == "img":
        pieces.append(_attribute(_ALT, attributes))
    else:  # spelled in capitals, or nothing to a reader
        pieces.append(_CONSTANT.get((slash, name), ""))


def _end_link(pieces: list[str], address: str, first: int) -> None:
    label = "".join(pieces[first:]).strip()
    bare = address.removeprefix("mailto:").removeprefix("tel:")
    if address.lower().startswith(_SCHEMES) and label not in (address, bare):
        pieces.append(f" ({address})" if label else address)


def _attribute(pattern: re.Pattern[str], attributes: str) -> str:
    found = pattern.search(attributes)
    return html.unescape(next(filter(None, found.groups()), "")) if found else ""
