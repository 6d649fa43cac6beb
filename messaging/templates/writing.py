"""From a template and a context to the body for one channel."""

import html
from collections.abc import Mapping
from functools import partial

from messaging.i18n import supported
from messaging.policy.sms_segments import encoding_of
from messaging.templates.bodies import CHANNELS, Body, Channel, Context, Reader, TemplateError
from messaging.templates.buttons import ButtonsError, Rows, rows_of
from messaging.templates.definition import Place, Template
from messaging.templates.filters import short
from messaging.templates.markup import EMAIL, TELEGRAM
from messaging.templates.outline import Written
from messaging.templates.problems import Flaw
from messaging.templates.sandbox import Words, compiled, glued
from messaging.templates.urls import URL
from messaging.templates.values import Value, values_of

LENGTH_MAX: Mapping[tuple[Channel, str], int] = {
    ("messenger", "text"): 12_000,  # of HTML; MESSENGER_SHOWN_MAX is of what is seen
    ("messenger", "buttons"): 4_000,
    ("email", "subject"): 1_000,
    ("email", "html"): 100_000,
    ("email", "text"): 100_000,
    ("sms", "text"): 1_530,  # ten segments of Latin letters
    ("webpush", "title"): 5_000,
    ("webpush", "text"): 5_000,
    ("webpush", "link"): 1_000,
}
TITLE_LENGTH_MAX = 80
NOTIFICATION_LENGTH_MAX = 300
"""What screens show of a notification; the rest is cut off here, at a word."""
_SPACES = {0xA0: " ", 0x202F: " ", 0x2009: " ", 0x200A: " "}
_TYPOGRAPHY = str.maketrans({"–": "-", "—": "-", "−": "-", "…": "...", "“": '"', "”": '"', "„": '"',
                             "‘": "'", "’": "'", "«": '"', "»": '"', "•": "-"})  # fmt: skip
MESSENGER_SHOWN_MAX = 4_096
"""Bot API, sendMessage: characters after the entities are parsed."""


class Writer:
    """One template, ready to write. Its texts are compiled when they are first asked for."""

    def __init__(self, template: Template, *, revision: int = 0, source: str = "") -> None:
        self.template = template
        self.revision = revision
        self.source = source
        self._declared = {name: v.many for name, v in template.variables.items()}
        self._languages = template.languages
        self._parts: dict[tuple[str, str], tuple[Channel, frozenset[str]]] = {}
        self._compiled: dict[tuple[str, Channel, str], Words | TemplateError] = {}

    def write(self, context: Context, reader: Reader, channel: str = "messenger") -> Body:
        """The words for this channel, or for the messenger where it has none. TemplateError."""
        language = self.language(reader.language)
        values = values_of(self.template, context)
        if language != reader.language:
            reader = Reader(language, reader.timezone)
        known, written = self._written(language, channel)
        pieces = partial(self.pieces, language, known, values=values, reader=reader)

        def part(name: str) -> str:
            return glued(pieces(name))

        match known:
            case "messenger":
                words = self._in_chat(Written(pieces("text"), TELEGRAM))
                if channel != "messenger":
                    return _borrowed(Body(words), channel)
                buttons = self._buttons(part("buttons")) if "buttons" in written else ()
                return Body(words, buttons=buttons)
            case "email":
                page = self._checked(Written(pieces("html"), EMAIL))
                text = part("text") if "text" in written else page.text()
                return Body(page.markup, subject=one_line(part("subject")), text=text)
            case "sms":
                return _plain(cheap(part("text")))
            case "webpush":
                title = short(one_line(part("title")), TITLE_LENGTH_MAX)
                link = self._link(part("link")) if "link" in written else ""
                return _notification(title, short(part("text"), NOTIFICATION_LENGTH_MAX), link)

    def language(self, wanted: str) -> str:
        """The reader's, or the one that there is."""
        known = self._languages
        language = supported(wanted)
        return language if language in known or not known else known[0]

    def _written(self, language: str, channel: str) -> tuple[Channel, frozenset[str]]:
        """Whose words are taken, and which parts of them there are. Asked for each message."""
        found = self._parts.get((language, channel))
        if found is None:
            known: Channel = next((one for one in CHANNELS if one == channel), "messenger")
            if not self.template.has(language, known):
                known = "messenger"
            parts = frozenset(place.part for place in self.template.places(language, known))
            found = self._parts[language, channel] = known, parts
        return found

    def pieces(
        self,
        language: str,
        channel: Channel,
        part: str,
        *,
        values: Mapping[str, Value],
        reader: Reader,
    ) -> list[str]:
        """One part as it is written (`sandbox.Words.pieces`), unchecked. Raises TemplateError."""
        words = self._compiled.get((language, channel, part))
        if words is None:
            words = self._compile(Place(language, channel, part))
            self._compiled[language, channel, part] = words
        if isinstance(words, TemplateError):
            raise TemplateError(str(words))
        try:
            return words.pieces(values, reader)
        except Exception as error:  # a template can fail in any way; its message fails, no more
            raise self._broken(Place(language, channel, part), error) from error

    def _compile(self, place: Place) -> Words | TemplateError:
        source = self.template.words.get(place)
        if source is None:
            return TemplateError(f"{self.template.name} has no {place}")
        try:
            return compiled(
                source,
                self._declared,
                escapes=place.is_html,
                length_max=LENGTH_MAX[place.channel, place.part],
            )
        except Exception as error:
            return self._broken(place, error)

    def _broken(self, place: Place, error: Exception) -> TemplateError:
        why = str(error) or type(error).__name__
        return TemplateError(f"{self.template.name}, {place}: {one_line(why)[:120]}")

    def _link(self, link: str) -> str:
        """Where a notification leads; to the chat without one."""
        if link and not URL.fullmatch(link):
            raise TemplateError(f"{self.template.name}: {Flaw.LINK_REFUSED} {link[:60]}")
        return link

    def _buttons(self, text: str) -> Rows:
        try:
            return rows_of(text)
        except ButtonsError as error:
            raise TemplateError(f"{self.template.name}: {Flaw.NO_BUTTONS} {error}") from error

    def _checked(self, written: Written) -> Written:
        """What a provider would refuse, or a reader should not get, is not sent."""
        for flaw, detail, _ in written.faults():
            raise TemplateError(f"{self.template.name}: {flaw} {detail}")
        return written

    def _in_chat(self, written: Written) -> str:
        markup = self._checked(written).markup
        if len(markup) > MESSENGER_SHOWN_MAX:
            shown = len(Body(markup).plain)
            if shown > MESSENGER_SHOWN_MAX:
                raise TemplateError(f"{self.template.name}: {shown} characters are too long")
        return markup


def cheap(text: str) -> str:
    """The same SMS in fewer segments: a single fine space or quotation mark would double them."""
    spaced = text.translate(_SPACES)
    simple = spaced.translate(_TYPOGRAPHY)
    return simple if encoding_of(simple) == "gsm7" else spaced


def one_line(text: str) -> str:
    """A subject or title has no line breaks, so it can be no second header."""
    return " ".join(text.split())


def _borrowed(body: Body, channel: str) -> Body:
    """The messenger's words for a channel that has none of its own."""
    if channel == "sms":
        return Body(body.html, text=cheap(body.plain))
    if channel == "webpush":
        return Body(body.html, text=short(body.plain, NOTIFICATION_LENGTH_MAX))
    return body


def _plain(text: str) -> Body:
    return Body(html.escape(text), text=text)


def _notification(title: str, text: str, link: str) -> Body:
    words = html.escape(text)
    if link:
        words = f'<a href="{html.escape(link)}">{words}</a>'
    return Body(words, subject=title, text=text)
