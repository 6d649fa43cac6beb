"""Markup as a template writes it: the same pieces in each message, and other values between them.

Whether the markup is fit to be sent, and how it reads without its tags, is found out once for the
pieces. Of each message only what its values say in attributes is left to check.
"""

import html
import re
from collections.abc import Iterator, Sequence
from functools import lru_cache

from markupsafe import Markup
from msgspec import Struct

from messaging.templates.markup import ATTRIBUTE, Fault, Subset, faults
from messaging.templates.plain import ALT, HREF, TAG, attribute_of, laid_out, link_note, tidy
from messaging.templates.plain import plain_text as text_of
from messaging.templates.sandbox import glued

_PIECES_MAX = 400
"""What is written in more of them is looked at as a whole."""
_BEGIN, _END = (
    "\ue000",
    "\ue001",
)  # of a value's place; nobody writes these: they are for private use
_PLACE = re.compile(f"{_BEGIN}([0-9]+){_END}")
_SAMPLES = ("https://x.example", "1", "x")
_ODD_SPACE = re.compile(r"[^\S ]+")

Shape = tuple[str | None, ...]
"""Pieces in their order, None where a value stands."""
_Parts = tuple[str | int, ...]
"""Words, and numbers of values between them."""


class _Note(Struct, frozen=True):
    """After a link: where it leads. Its label begins with the step `first`."""

    first: int
    address: _Parts


class _Outline(Struct, frozen=True):
    """`checks`: what values say within an attribute, and what it may be. `tags`: how many.

    `steps` make the text, one after the other.
    """

    tags: int
    checks: Sequence[tuple[re.Pattern[str], _Parts]]
    steps: Sequence[str | int | _Note]

    def takes(self, markup: str, values: Sequence[str]) -> bool:
        """Whether these values leave it as fit as it is without them."""
        if markup.count("<") != self.tags:
            return False
        return all(may_be.fullmatch(_filled(parts, values)) for may_be, parts in self.checks)

    def text(self, values: Sequence[str]) -> str:
        said = [_plainly(value) for value in values]
        written: list[str] = []
        for step in self.steps:
            if isinstance(step, str):
                written.append(step)
            elif isinstance(step, int):
                written.append(said[step])
            else:
                label = "".join(written[step.first :]).strip()
                written.append(link_note(_filled(step.address, said), label))
        return tidy("".join(written))


class Written:
    """Markup in the pieces that a template has made of it; those that are values are escaped."""

    __slots__ = ("_outline", "_subset", "_values", "markup")

    def __init__(self, pieces: Sequence[str], subset: Subset) -> None:
        self.markup = glued(pieces)
        self._subset = subset
        self._values = [piece for piece in pieces if type(piece) is Markup]
        self._outline = None
        is_unchanged = self.markup == "".join(pieces).strip()
        if is_unchanged and len(pieces) <= _PIECES_MAX:
            shape = tuple([None if type(piece) is Markup else piece for piece in pieces])
            self._outline = _outlined(shape, subset)

    def faults(self) -> Iterator[Fault]:
        """What a provider would refuse, or a reader should not get."""
        if self._outline is None or not self._outline.takes(self.markup, self._values):
            self._outline = None
            yield from faults(self.markup, self._subset)

    def text(self) -> str:
        """The words of a page without faults, for readers without HTML."""
        if self._outline is None:
            return text_of(self.markup)
        return self._outline.text(self._values)


@lru_cache(maxsize=1024)
def _outlined(shape: Shape, subset: Subset) -> _Outline | None:
    """None when there is something wrong with it, or a value stands where nobody expects one."""
    pieces, count = [], 0
    for piece in shape:
        if piece is not None and (_BEGIN in piece or _END in piece):
            return None
        pieces.append(f"{_BEGIN}{count}{_END}" if piece is None else piece)
        count += piece is None
    markup = "".join(pieces)
    parts = TAG.split(markup)
    checks: list[tuple[re.Pattern[str], _Parts]] = []
    for i in range(1, len(parts), 3):
        name, rest = parts[i : i + 2]
        if _BEGIN in rest:
            rest = _with_samples(name, rest, subset, checks)
        parts[i : i + 2] = f"<{name}", f"{rest}>"
    if any(faults("".join(parts), subset)):
        return None
    return _Outline(markup.count("<"), checks, _steps(" ".join(markup.split())))


def _with_samples(
    name: str, attributes: str, subset: Subset, checks: list[tuple[re.Pattern[str], _Parts]]
) -> str:
    """The attributes with something fit in place of what values say, which is added to `checks`.

    A value that stands anywhere else stays, and is a fault.
    """

    def sampled(found: re.Match[str]) -> str:
        key, value = found.groups()
        may_be = subset.tags.get(name.lower(), {}).get(key.lower())
        if _BEGIN not in value or may_be is None:
            return found[0]
        checks.append((may_be, _in_parts(value)))
        return f'{key}="{next(filter(may_be.fullmatch, _SAMPLES), value)}"'

    return ATTRIBUTE.sub(sampled, attributes)


def _steps(markup: str) -> list[str | int | _Note]:
    """As `plain_text` would read it."""
    parts = TAG.split(markup)
    words, names, attributes = parts[::3], parts[1::3], parts[2::3]
    layout = laid_out(names)
    begun = {end: begin for begin, end in layout.links}
    steps: list[str | int | _Note] = list(_in_parts(html.unescape(words[0])))
    firsts: list[int] = []  # by tag, the step that follows it
    for i, between in enumerate(layout.between):
        if i in begun:
            address = attribute_of(HREF, attributes[begun[i]])
            steps.append(_Note(firsts[begun[i]], _in_parts(address)))
        elif i in layout.images:
            steps += _in_parts(attribute_of(ALT, attributes[i]))
        else:
            steps.append(between)
        firsts.append(len(steps))
        steps += _in_parts(html.unescape(words[i + 1]))
    return steps


def _in_parts(text: str) -> _Parts:
    parts: list[str | int] = list(_PLACE.split(text))
    parts[1::2] = map(int, parts[1::2])
    return tuple(parts)


def _filled(parts: _Parts, values: Sequence[str]) -> str:
    return "".join([values[part] if isinstance(part, int) else part for part in parts])


def _plainly(value: str) -> str:
    """A value as a reader sees it: what was escaped is so no more, and its lines have no ends."""
    if "&" in value:
        value = html.unescape(value)
    return _ODD_SPACE.sub(" ", value)
