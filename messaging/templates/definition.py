"""A template as data: what it needs to be told, and its words per language, channel and part."""

import keyword
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from messaging.templates.bodies import Channel

Kind = Literal["text", "int", "points", "money", "currency", "date", "url", "medicine", "id"]
KINDS: tuple[Kind, ...] = (
    "text", "int", "points", "money", "currency", "date", "url", "medicine", "id",
)  # fmt: skip
"""What a variable can be. money is in minor units; a medicine stays out of SMS and lock
screens; an id is what buttons carry."""

Topic = Literal["service", "marketing", "survey"]
TOPICS: tuple[Topic, ...] = ("service", "marketing", "survey")
PARTS: Mapping[Channel, tuple[str, ...]] = {
    "messenger": ("text", "buttons"),
    "email": ("subject", "html", "text"),
    "sms": ("text",),
    "webpush": ("title", "text", "link"),
}
OPTIONAL_PARTS = frozenset({("messenger", "buttons"), ("email", "text"), ("webpush", "link")})
HTML_PARTS = frozenset({("messenger", "text"), ("email", "html")})
ONE_LINE_PARTS = frozenset({("email", "subject"), ("webpush", "title"), ("webpush", "link")})
IN_SIGHT = frozenset({("sms", "text"), ("webpush", "title"), ("webpush", "text"),
                      ("email", "subject")})  # fmt: skip
"""What shows on a locked screen, or goes where nobody knows who reads it."""

NAME = re.compile(r"[a-z][a-z0-9_]{0,63}")
VARIABLE_NAME = re.compile(r"[a-z][a-z0-9_]{0,39}")
RESERVED = frozenset({"loop", "true", "false", "none", *keyword.kwlist})


@dataclass(frozen=True, slots=True)
class Variable:
    """`many`: a list of such values. `optional`: the context may lack it, and it is none then.

    `sample` may be a value for each language.
    """

    name: str
    kind: Kind
    many: bool = False
    optional: bool = False
    sample: Any = None

    def sample_in(self, language: str) -> Any:
        return self.sample.get(language) if isinstance(self.sample, dict) else self.sample


@dataclass(frozen=True, slots=True)
class Place:
    """Of one text in the file."""

    language: str
    channel: Channel
    part: str

    @property
    def is_html(self) -> bool:
        return (self.channel, self.part) in HTML_PARTS

    @property
    def is_line(self) -> bool:
        return (self.channel, self.part) in ONE_LINE_PARTS

    @property
    def is_in_sight(self) -> bool:
        return (self.channel, self.part) in IN_SIGHT

    def __str__(self) -> str:
        return f"{self.language}.{self.channel}.{self.part}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Template:
    """`words` are sources in the templates' language (see `sandbox`)."""

    name: str
    topic: Topic
    kind: str = ""
    about: Mapping[str, str] = field(default_factory=dict)
    variables: Mapping[str, Variable] = field(default_factory=dict)
    words: Mapping[Place, str] = field(default_factory=dict)

    def title(self, language: str) -> str:
        """What it is about, for staff."""
        return self.about.get(language) or next(iter(self.about.values()), "") or self.name

    def has(self, language: str, channel: Channel) -> bool:
        """Whether the channel has words of its own in this language."""
        return Place(language, channel, PARTS[channel][0]) in self.words

    @property
    def languages(self) -> tuple[str, ...]:
        return tuple(dict.fromkeys(place.language for place in self.words))

    def places(self, language: str, channel: Channel) -> Iterator[Place]:
        """Those of its parts that are written down."""
        for part in PARTS[channel]:
            if (place := Place(language, channel, part)) in self.words:
                yield place
