"""The page that a mail's words stand on: MJML, compiled once, filled for each mail.

What is filled in goes between the pieces of the compiled page in one pass, so that no value can
be taken for a place to fill, and everything but the words themselves is escaped.
"""

import html
import re
from dataclasses import dataclass
from functools import lru_cache
from itertools import chain

import mrml

from messaging.i18n import gettext
from messaging.templates.plain import plain_text

_PLACE = re.compile(r"@@(subject|preview|content|unsubscribe|preferences)@@")
_PAGE_BEGINS = re.compile(r"<(?:!doctype|html)\b", re.IGNORECASE)
_BLOCKS = re.compile(r"<(?:p|div|table|ul|ol|br|h[1-6])\b", re.IGNORECASE)
_SPOILER = re.compile(r"<(/?)tg-spoiler>")
_SEAM = re.compile(r">(?=<(?:/?(?:table|tbody|tr|td|div|body|style|meta)|!--)\b)")
"""Where a line may end: no mail should have lines of thousands of letters."""
_PREVIEW_LENGTH = 110
_BARE_TAG = re.compile(
    r'<(h[1-3]|table|td|th(?![^<>]*\balign=)|a class="button"|(th))(?![^<>]*\bstyle=)(?=[ >])'
)
_CELL = "padding:6px 0"
_STYLES = {
    "h1": "line-height:1.25",
    "h2": "line-height:1.25",
    "h3": "line-height:1.25",
    "table": "width:100%;border-collapse:collapse",
    "td": f"{_CELL};border-bottom:1px solid #aab4b9",
    "th": f"{_CELL};text-align:left",
    'a class="button"': "display:inline-block;padding:12px 24px;border-radius:10px;"
    "background:#0b7a5b;color:#ffffff;font-weight:bold;text-decoration:none",
}
"""Of each tag by itself: many mail programs read no style sheet."""

_DARK = """
:root { color-scheme: light dark; }
a { color: #00796b; }
.page table { border-collapse: separate; }
.words { border-radius: 12px; }
@media (prefers-color-scheme: dark) {
  body, .page { background: #101314 !important; background-color: #101314 !important; }
  .words { background: #1b2022 !important; background-color: #1b2022 !important; }
  .words div { color: #e8eef0 !important; }
  .brand div, .foot div, .foot a { color: #9fb0b7 !important; }
  a:not(.button) { color: #4dd0b8 !important; }
}
"""
_PAGE = """
<mjml lang="{language}">
  <mj-head>
    <mj-title>@@subject@@</mj-title>
    <mj-preview>@@preview@@</mj-preview>
    <mj-raw>
      <meta name="color-scheme" content="light dark">
      <meta name="supported-color-schemes" content="light dark">
    </mj-raw>
    <mj-attributes>
      <mj-all font-family="Arial, Helvetica, sans-serif" />
      <mj-text font-size="16px" line-height="24px" color="#1c2b33" />
    </mj-attributes>
    <mj-style>{style}</mj-style>
  </mj-head>
  <mj-body background-color="#eef2f3" css-class="page" width="600px">
    <mj-section padding="24px 0">
      <mj-column>
        <mj-text align="center" font-weight="bold" color="#5b6b73" css-class="brand"
          padding="10px 25px 18px">{brand}</mj-text>
        <mj-text css-class="words" container-background-color="#ffffff" padding="30px 25px"
          >@@content@@</mj-text>
        <mj-text align="center" font-size="13px" line-height="20px" color="#5b6b73" css-class="foot"
          padding="18px 25px 10px">{footer}</mj-text>
      </mj-column>
    </mj-section>
  </mj-body>
</mjml>
"""


@dataclass(frozen=True, slots=True)
class _Page:
    """Pieces of HTML and the names of what goes between them, taking turns."""

    pieces: tuple[str, ...]
    places: tuple[str, ...]

    def filled(self, **values: str) -> str:
        between = [*(values[name] for name in self.places), ""]
        return "".join(chain.from_iterable(zip(self.pieces, between, strict=True)))


def is_document(markup: str) -> bool:
    """Whether it is a whole page already. Comments may come first."""
    rest = markup.lstrip()
    while rest.startswith(("<!--", "<?")):
        end = rest.find("-->" if rest.startswith("<!--") else ">")
        if end < 0:
            return False
        rest = rest[end:].lstrip("->").lstrip()
    return bool(_PAGE_BEGINS.match(rest))


def mail_document(
    subject: str,
    fragment: str,
    *,
    brand: str,
    language: str,
    preview: str = "",
    unsubscribe_url: str = "",
    preferences_url: str = "",
) -> str:
    """The whole page around `fragment`, which is safe HTML; the rest may be any text.

    The fragment may be Telegram's subset, whose line breaks count, or paragraphs and tables.
    """
    page = _page(brand, language, bool(unsubscribe_url), bool(preferences_url))
    shown = preview or plain_text(fragment, breaks_kept=True)
    return page.filled(
        subject=html.escape(subject),
        preview=html.escape(shown[:_PREVIEW_LENGTH].replace("\n", " ")),
        content=_in_mail(fragment),
        unsubscribe=html.escape(unsubscribe_url),
        preferences=html.escape(preferences_url),
    )


def _in_mail(fragment: str) -> str:
    if _BLOCKS.search(fragment):
        return _BARE_TAG.sub(_styled, fragment)
    words = fragment.strip("\n").replace("\n", "<br>\n")
    return _SPOILER.sub(r"<\1span>", words)


def _styled(tag: re.Match[str]) -> str:
    style = _CELL if tag[2] else _STYLES[tag[1]]  # a head that says itself where it stands
    return f'{tag[0]} style="{style}"'


@lru_cache(maxsize=64)
def _page(brand: str, language: str, unsubscribe: bool, preferences: bool) -> _Page:
    source = _PAGE.format(
        language=language,
        style=_DARK,
        brand=html.escape(_harmless(brand)),
        footer=_footer(brand, language, unsubscribe=unsubscribe, preferences=preferences),
    )
    options = mrml.RenderOptions(fonts={})  # no web fonts: nothing is fetched when it is read
    compiled = _SEAM.sub(">\n", mrml.to_html(source, render_options=options).content)
    pieces = _PLACE.split(compiled)
    return _Page(tuple(pieces[::2]), tuple(pieces[1::2]))


def _footer(brand: str, language: str, *, unsubscribe: bool, preferences: bool) -> str:
    why = gettext(language, "You get this mail as a member of {programme}.", programme=brand)
    links = []
    if preferences:
        choose = html.escape(gettext(language, "Choose what you get"))
        links.append(f'<a href="@@preferences@@">{choose}</a>')
    if unsubscribe:
        leave = html.escape(gettext(language, "Unsubscribe"))
        links.append(f'<a href="@@unsubscribe@@">{leave}</a>')
    below = f"<br />{' · '.join(links)}" if links else ""
    return html.escape(_harmless(why)) + below


def _harmless(text: str) -> str:
    """A brand that looks like a place to fill would be filled."""
    return text.replace("@@", "@ @")
