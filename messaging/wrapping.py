"""A body whose links tell when they are followed: each becomes a click of ours. Pure.

No parser: templates write `<a href="…">` in one shape, messengers and SMS have bare addresses. A
link that looks otherwise stays as it is and works untold, as do `mailto:` and `tel:`.
"""

import html
import re
from collections.abc import Callable, Collection
from functools import lru_cache
from urllib.parse import urlsplit

from msgspec import Struct
from msgspec.structs import replace

from messaging.links import LINKS_MAX, TRAP_NTH, Links
from messaging.templates import Body
from messaging.templates.buttons import Button

TRACKED_TOPICS = frozenset({"marketing", "survey"})
"""A receipt or a code is nobody's campaign: its links stay what they are, unless asked for."""
URL_LENGTH_MAX = 2000

# Case counts: without letters to look for, a pattern is tried at every letter of a page.
_HREF = re.compile(r"""(<a\s(?:[^<>]*?\s)?href\s*=\s*)(?:"([^"<>]*)"|'([^'<>]*)')""")
_BARE_IN_HTML = re.compile(
    r"(<a\b[^<>]*>[^<]*(?:<(?!/?a\b)[^<]*)*</a\s*>|<[^<>]*>)|(https?://[^\s<>\"]+)"
)
_BARE = re.compile(r"https?://[^\s<>\"]+")
_TRAILING = ".,;:!?)]}'»“”…"


class LinkRow(Struct, frozen=True):
    """Where the click `nth` of an attempt leads."""

    attempt_id: int
    nth: int
    url: str


class Tracked(Struct, frozen=True):
    """What goes out instead, the rows to be kept with it, and the links to leave by.

    Both links are "" for service messages, and the second one for who is no customer.
    """

    body: Body
    rows: tuple[LinkRow, ...] = ()
    unsubscribe_url: str = ""
    preferences_url: str = ""


def track(
    body: Body,
    links: Links,
    *,
    attempt_id: int,
    channel: str,
    topic: str,
    customer_id: int | None = None,
    asked: bool = False,
    declared: Collection[str] | None = None,
) -> Tracked:
    """The body as it goes out in this attempt.

    Links are told of marketing and surveys, of service when `asked` for. With `declared`, links
    that are not among these stay as they are: words that came from outside may hold some.
    """
    leaves = topic != "service"
    unsubscribe_url = links.unsubscribe(attempt_id) if leaves else ""
    to_choose = leaves and customer_id is not None
    preferences_url = links.preferences(customer_id) if to_choose and customer_id else ""
    if topic not in TRACKED_TOPICS and not asked:
        return Tracked(body, (), unsubscribe_url, preferences_url)
    wrapping = _Wrapping(links, attempt_id, declared)
    wrapped = _WRITERS.get(channel, _as_text)(body, wrapping)
    return Tracked(wrapped, wrapping.rows(), unsubscribe_url, preferences_url)


class _Wrapping:
    """The links of one attempt, numbered in the order in which they were met."""

    def __init__(self, links: Links, attempt_id: int, declared: Collection[str] | None) -> None:
        self.links = links
        self.attempt_id = attempt_id
        self._declared = declared
        self._clicks: dict[str, str] = {}  # by target
        self._trapped = False

    def click(self, url: str) -> str | None:
        """Our link to `url`; None when it stays as it is."""
        known = self._clicks.get(url)
        if known is not None:
            return known
        if len(self._clicks) >= LINKS_MAX or not self._fits(url):
            return None
        click = self.links.click(self.attempt_id, len(self._clicks))
        self._clicks[url] = click
        return click

    def _fits(self, url: str) -> bool:
        return (
            len(url) <= URL_LENGTH_MAX
            and is_web_address(url)
            and not self.links.is_own(url)
            and (self._declared is None or url in self._declared)
        )

    def trap(self) -> str:
        """A link for machines alone; it leads to where the first one does."""
        self._trapped = True
        return self.links.click(self.attempt_id, TRAP_NTH)

    @property
    def found(self) -> bool:
        return bool(self._clicks)

    def rows(self) -> tuple[LinkRow, ...]:
        targets = list(self._clicks)
        rows = [LinkRow(self.attempt_id, nth, url) for nth, url in enumerate(targets)]
        if self._trapped:
            rows.append(LinkRow(self.attempt_id, TRAP_NTH, targets[0]))
        return tuple(rows)


@lru_cache(maxsize=4096)  # a mailing has the same few addresses in each of its messages
def is_web_address(url: str) -> bool:
    """Whether a browser may be sent there: http(s), a host, no name and password, one line."""
    if not url.isprintable() or " " in url or "\\" in url:
        return False
    try:
        parts = urlsplit(url)
        parts.port  # noqa: B018 - raises for a port that is none
    except ValueError:
        return False
    return parts.scheme in ("http", "https") and bool(parts.hostname) and "@" not in parts.netloc


def _as_mail(body: Body, wrapping: _Wrapping) -> Body:
    """The words of a page, which the channel puts around them, or a whole page with its end."""
    end = body.html.rfind("</body>")
    page = _linked(body.html, wrapping) if end < 0 else _hrefs(body.html, wrapping)
    text = _bare(body.text, wrapping)
    opened = wrapping.links.opened(wrapping.attempt_id)
    dot = f'<img src="{opened}" width="1" height="1" alt="" style="border:0">'
    if end < 0:
        return replace(body, html=page + dot, text=text)
    if wrapping.found:
        dot = (
            f'<div style="display:none"><a href="{wrapping.trap()}" tabindex="-1" '
            f'aria-hidden="true" rel="nofollow">&#8203;</a></div>{dot}'
        )
    end = page.rfind("</body>")
    return replace(body, html=page[:end] + dot + page[end:], text=text)


def _as_chat(body: Body, wrapping: _Wrapping) -> Body:
    html = _linked(body.html, wrapping)
    buttons = tuple(tuple(_pressed(one, wrapping) for one in row) for row in body.buttons)
    return replace(body, html=html, buttons=buttons)


def _pressed(button: Button, wrapping: _Wrapping) -> Button:
    click = wrapping.click(button.leads) if button.is_link else None
    return button if click is None else replace(button, leads=click)


def _as_text(body: Body, wrapping: _Wrapping) -> Body:
    """SMS, notifications: what stands there is all there is."""
    plain = body.plain
    return replace(body, text=_bare(plain, wrapping)) if "://" in plain else body


_WRITERS: dict[str, Callable[[Body, _Wrapping], Body]] = {
    "email": _as_mail,
    "messenger": _as_chat,
}


def _linked(markup: str, wrapping: _Wrapping) -> str:
    """Readers make links of bare addresses: the words stay, the link under them is ours."""
    if "://" not in markup:
        return markup

    def linked(found: re.Match[str]) -> str:
        if found[1]:
            return found[1]
        shown = _without_trailing(found[2])
        click = wrapping.click(html.unescape(shown))
        if click is None:
            return found[0]
        return f'<a href="{click}">{shown}</a>{found[2][len(shown) :]}'

    return _BARE_IN_HTML.sub(linked, _hrefs(markup, wrapping))


def _hrefs(markup: str, wrapping: _Wrapping) -> str:
    def ours(found: re.Match[str]) -> str:
        target = found[2] if found[2] is not None else found[3]
        click = wrapping.click(html.unescape(target).strip())
        return found[0] if click is None else f'{found[1]}"{click}"'

    return _HREF.sub(ours, markup)


def _bare(text: str, wrapping: _Wrapping) -> str:
    def ours(found: re.Match[str]) -> str:
        url = _without_trailing(found[0])
        click = wrapping.click(url)
        return found[0] if click is None else click + found[0][len(url) :]

    return _BARE.sub(ours, text)


def _without_trailing(url: str) -> str:
    """The address without the punctuation of its sentence; a bracket that it opened is its own."""
    bare = url.rstrip(_TRAILING)
    rest = url[len(bare) :]
    unclosed = bare.count("(") - bare.count(")")
    if unclosed > 0 and rest.startswith(")"):
        closing = len(rest) - len(rest.lstrip(")"))
        bare += ")" * min(unclosed, closing)
    return bare
