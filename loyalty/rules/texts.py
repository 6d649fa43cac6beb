"""Which strings may enter: printable, whole, of bounded length."""

import unicodedata

_REFUSED_CATEGORIES = {"Cc", "Cs", "Zl", "Zp"}
_DIRECTION_OVERRIDES = frozenset("\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069")


def is_plain(text: object, max_length: int) -> bool:
    """Whether `text` is a string to store and show: no NUL or control character, no lone surrogate,
    no override of the writing direction, at most `max_length` characters."""
    return (
        isinstance(text, str)
        and len(text) <= max_length
        and not any(
            unicodedata.category(char) in _REFUSED_CATEGORIES or char in _DIRECTION_OVERRIDES
            for char in text
        )
    )
