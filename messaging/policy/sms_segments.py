"""How many short messages a text takes, and where it is cut. Pure.

Sources: 3GPP TS 23.038, 6.2.1 (the default alphabet and its extension table) and 6.2.3 (UCS2);
3GPP TS 23.040, 9.2.3.24.1 (concatenation: a user data header of six bytes in every part).
"""

from typing import Literal

from msgspec import Struct

Encoding = Literal["gsm7", "ucs2"]

GSM_BASIC = (
    "@£$¥èéùìòÇ\nØø\rÅåΔ_ΦΓΛΩΠΨΣΘΞÆæßÉ"
    " !\"#¤%&'()*+,-./0123456789:;<=>?"
    "¡ABCDEFGHIJKLMNOPQRSTUVWXYZÄÖÑÜ§"
    "¿abcdefghijklmnopqrstuvwxyzäöñüà"
)
"""The default alphabet in the order of its codes, without the escape (0x1B). One septet each."""

GSM_EXTENDED = "\f^{}\\[~]|€"
"""The extension table. Two septets each: the escape and a code."""

PARTS_MAX = 255
"""A longer message cannot be sent: the header counts parts in one byte."""

_BASIC = frozenset(GSM_BASIC)
_GSM = _BASIC | frozenset(GSM_EXTENDED)
_ALONE = {"gsm7": 160, "ucs2": 70}
_IN_PARTS = {"gsm7": 153, "ucs2": 67}
"""140 bytes hold 160 septets or 70 UTF-16 units; six bytes of header leave 153 or 67."""


class Segments(Struct, frozen=True):
    """`units` are septets (gsm7) or UTF-16 code units (ucs2); `parts` is what is paid for."""

    encoding: Encoding
    units: int
    parts: int


def segments(text: str) -> Segments:
    """How the text is sent and how many parts it takes. An empty text is still one message."""
    encoding = encoding_of(text)
    units = len(text) + sum(map(_pairs(text, encoding).__contains__, text))
    parts = 1 if units <= _ALONE[encoding] else len(split(text))
    return Segments(encoding, units, parts)


def split(text: str) -> list[str]:
    """The parts in order; joined they are the text. No escape or surrogate pair is torn apart.

    A pair that does not fit at the end of a part begins the next one, so a text may take a part
    more than its units divided by the room.
    """
    encoding = encoding_of(text)
    pairs = _pairs(text, encoding)
    if len(text) + sum(map(pairs.__contains__, text)) <= _ALONE[encoding]:
        return [text]
    room = _IN_PARTS[encoding]
    if not pairs:
        return [text[begins : begins + room] for begins in range(0, len(text), room)]
    parts, begins, used = [], 0, 0
    for at, character in enumerate(text):
        size = 2 if character in pairs else 1
        if used + size > room:
            parts.append(text[begins:at])
            begins, used = at, 0
        used += size
    return [*parts, text[begins:]]


def encoding_of(text: str) -> Encoding:
    """gsm7 when every character has a code there, else ucs2 for the whole text."""
    return "gsm7" if _GSM.issuperset(text) else "ucs2"


def ucs2_characters(text: str) -> list[str]:
    """The characters that force UCS-2, each once, in order: without them the text is shorter."""
    return [character for character in dict.fromkeys(text) if character not in _GSM]


def _pairs(text: str, encoding: Encoding) -> set[str]:
    """The characters of the text that take two units."""
    if encoding == "gsm7":
        return set(text) - _BASIC
    return {character for character in set(text) if character > "\uffff"}
