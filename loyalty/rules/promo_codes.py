"""Promo codes as people and scanners write them: the alphabet, the check character, the spellings.

A code of ours is Crockford's base32 (no I, L, O, U) with one check character at its end. The check
is a sum over the field of 32 elements, each place with a weight of its own: every single wrong
character and every two that changed places are found, up to `LENGTH_MAX`. Pure; chance comes in as
a number.
"""

import re
import unicodedata

ALPHABET = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
PAYLOAD = 11
"""Characters before the check: 55 bits, of which ten million codes are one in three billion."""
SHORT_PAYLOAD = 7
"""For a code that is told from mouth to mouth and opens nothing by itself."""
LENGTH_MAX = 31
"""The weights repeat after so many places."""
TEXT_LENGTH_MAX = 64
KEPT_LENGTH_MIN, KEPT_LENGTH_MAX = 3, 32

_BITS = 5
_POLYNOMIAL = 0b100101  # x⁵ + x² + 1 is primitive: the powers of x are all 31 elements but zero
_VALUES = {letter: value for value, letter in enumerate(ALPHABET)}


def _weights() -> list[list[int]]:
    """At [place from the end][value]: the value times x to the power of the place."""
    row, rows = list(range(len(ALPHABET))), []
    for _ in range(LENGTH_MAX):
        rows.append(row)
        row = [value << 1 ^ (_POLYNOMIAL if value & 0b10000 else 0) for value in row]
    return rows


_TIMES = _weights()


def code_of(number: int, payload: int = PAYLOAD) -> str:
    """The code with this number: `payload` characters and the check. Higher bits are dropped."""
    letters, check = [""] * (payload + 1), 0
    for place in range(1, payload + 1):
        value = number & 0b11111
        number >>= _BITS
        letters[payload - place] = ALPHABET[value]
        check ^= _TIMES[place][value]
    letters[payload] = ALPHABET[check]
    return "".join(letters)


def is_intact(code: str) -> bool:
    """Whether these are letters of ours and the check agrees."""
    if not 1 < len(code) <= LENGTH_MAX:
        return False
    check = 0
    for place, letter in enumerate(reversed(code)):
        value = _VALUES.get(letter)
        if value is None:
            return False
        check ^= _TIMES[place][value]
    return check == 0


def grouped(code: str) -> str:
    """As it is shown: our own by fours, `7K3M-9QZR-1B2D`; anybody else's as it is."""
    if not is_intact(code) or len(code) % 4:
        return code
    return "-".join(code[first : first + 4] for first in range(0, len(code), 4))


# Letters that look alike, and the keys on which a scanner types while the keyboard is Russian.
_LOOKS = str.maketrans("АВЕКМНОРСТХУЗ", "ABEKMHOPCTXY3")
_READS = str.maketrans("OIL", "011")
_RUSSIAN_KEYS = "ЙЦУКЕНГШЩЗФЫВАПРОЛДЯЧСМИТЬ"
_LATIN_KEYS = "QWERTYUIOPASDFGHJKLZXCVBNM"
_TO_LATIN = str.maketrans(_RUSSIAN_KEYS, _LATIN_KEYS)
_TO_RUSSIAN = str.maketrans(_LATIN_KEYS, _RUSSIAN_KEYS)
_SEPARATORS = re.compile(r"[\s\-‐-―_.]+")
_KEPT = re.compile(r"[0-9A-ZА-ЯЁ]+")


def normal(text: str) -> str | None:
    """The one spelling under which a code is kept: capitals and digits; None if it cannot be one.

    Latin and Russian letters, 3 to 32 of them; spaces and dashes do not count.
    """
    if len(text) > TEXT_LENGTH_MAX:
        return None
    plain = _SEPARATORS.sub("", unicodedata.normalize("NFKC", text)).upper()
    is_fit = KEPT_LENGTH_MIN <= len(plain) <= KEPT_LENGTH_MAX and _KEPT.fullmatch(plain)
    return plain if is_fit else None


def spellings(text: str) -> tuple[str, ...]:
    """The kept spellings that may be meant by what was typed or scanned, the likeliest first."""
    plain = normal(text)
    if plain is None:
        return ()
    latin = plain.translate(_TO_LATIN)
    looks = plain.translate(_LOOKS)
    ours = (looks.translate(_READS), latin.translate(_READS))
    intact = [code for code in ours if is_intact(code)]
    return tuple(dict.fromkeys([plain, *intact, looks, latin, plain.translate(_TO_RUSSIAN)]))


def is_own_code(text: str) -> bool:
    """Whether somebody has typed or pasted a code of our own making, however it is spelt."""
    return any(len(each) == PAYLOAD + 1 and is_intact(each) for each in spellings(text))
