"""The digits a card shows: the static number, the picture's code, the live code. Pure.

Digits only, because a scanner types like a keyboard and the till's keyboard may be switched to
another alphabet. Keys, instants (seconds since 1970) and nonces are arguments.

    static    29 ssssssssss c                                    EAN-13, may only earn
    picture    9 ssssssssss tttttttttnnn mmmmmmmmmm              seconds since 2024, nonce, HMAC
    live       8 ssssssssss oooooooo                             RFC 6238, 8 digits, 30 s
    short        dddddd                                          stands beside the picture
"""

import hashlib
import hmac
import struct
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal

How = Literal["static", "picture", "live", "short", "phone"]

PICTURE_EPOCH_S = 1_704_067_200  # 2024-01-01T00:00:00Z
LIVE_STEP_S = 30
TEXT_LENGTH_MAX = 64

_SERIAL, _SECONDS, _NONCE, _MAC, _TOTP = 10, 9, 3, 10, 8
NONCES = 10**_NONCE
_STATIC_PREFIX, _PICTURE_PREFIX, _LIVE_PREFIX = "29", "9", "8"
_STATIC_LENGTH = len(_STATIC_PREFIX) + _SERIAL + 1
_PICTURE_LENGTH = 1 + _SERIAL + _SECONDS + _NONCE + _MAC
_LIVE_LENGTH = 1 + _SERIAL + _TOTP
SHORT_LENGTH = 6


@dataclass(frozen=True, slots=True)
class CardText:
    """What was scanned or typed, told apart by its form alone; nothing is proven yet."""

    how: How
    text: str


def recognise(text: str) -> CardText | None:
    """Tell the kinds of code apart; None when it is none of them.

    Whatever else might be a telephone number is taken for one: `identities` knows those.
    """
    if len(text) > TEXT_LENGTH_MAX:
        return None
    compact = "".join(char for char in text if char not in " \t\r\n\xa0-")
    if not (compact.isascii() and compact.isdigit()):
        return CardText("phone", text) if compact.startswith(("+", "(")) else None
    if len(compact) == _PICTURE_LENGTH and compact.startswith(_PICTURE_PREFIX):
        return CardText("picture", compact)
    if len(compact) == _LIVE_LENGTH and compact.startswith(_LIVE_PREFIX):
        return CardText("live", compact)
    if len(compact) == _STATIC_LENGTH and compact.startswith(_STATIC_PREFIX):
        return CardText("static", compact)
    if len(compact) == SHORT_LENGTH:
        return CardText("short", compact)
    return CardText("phone", compact)


# --- the static number ---------------------------------------------------------------------------


def ean13_check_digit(twelve: str) -> str:
    """The last digit of an EAN-13 (GS1 General Specifications 7.9.1: weights 1 and 3)."""
    total = sum(int(digit) * (3 if i % 2 else 1) for i, digit in enumerate(twelve))
    return str(-total % 10)


def card_number(serial: int) -> str:
    """The 13-digit number of a card with this serial (0 … 10^10 - 1)."""
    twelve = f"{_STATIC_PREFIX}{serial:0{_SERIAL}d}"
    return twelve + ean13_check_digit(twelve)


def is_card_number(text: str) -> bool:
    return (
        len(text) == _STATIC_LENGTH
        and text.isascii()
        and text.isdigit()
        and text.startswith(_STATIC_PREFIX)
        and ean13_check_digit(text[:-1]) == text[-1]
    )


def serial_of(number: str) -> str:
    """The ten digits that the rotating codes carry."""
    return number[len(_STATIC_PREFIX) : -1]


def number_of(code: CardText) -> str:
    """The card number that a picture or live code speaks of (proven or not)."""
    return card_number(int(code.text[1 : 1 + _SERIAL]))


def masked(number: str) -> str:
    """The number as a cashier may see it: the last four digits."""
    return "•" * (len(number) - 4) + number[-4:]


# --- the code in the picture ---------------------------------------------------------------------


def picture_code(key: bytes, number: str, at_s: int, nonce: int) -> str:
    """A code for the picture drawn at `at_s`; `nonce` (0 … 999) tells those of one second apart."""
    seconds = at_s - PICTURE_EPOCH_S
    body = f"{_PICTURE_PREFIX}{serial_of(number)}{seconds:0{_SECONDS}d}{nonce:0{_NONCE}d}"
    return body + _picture_mac(key, body)


def picture_drawn_at(key: bytes, code: str) -> int | None:
    """When the picture was drawn, in seconds since 1970, or None when the code is forged."""
    body, mac = code[:-_MAC], code[-_MAC:]
    if not hmac.compare_digest(_picture_mac(key, body), mac):
        return None
    return PICTURE_EPOCH_S + int(body[1 + _SERIAL : -_NONCE])


def _picture_mac(key: bytes, body: str) -> str:
    digest = hmac.digest(key, body.encode(), hashlib.sha256)
    return f"{int.from_bytes(digest[:16], 'big') % 10**_MAC:0{_MAC}d}"


# --- the live code -------------------------------------------------------------------------------


def live_code(key: bytes, number: str, at_s: int) -> str:
    """The code that the live card shows at `at_s`."""
    return _LIVE_PREFIX + serial_of(number) + totp(live_secret(key, number), at_s // LIVE_STEP_S)


def live_seconds_left(at_s: int) -> int:
    """Seconds until the live code changes, 1 to 30."""
    return LIVE_STEP_S - at_s % LIVE_STEP_S


def live_step(key: bytes, code: str, at_s: int, *, back_s: int) -> int | None:
    """Which 30-second step `code` belongs to, looked for from `back_s` ago to one step ahead.

    The steps nearest to `at_s` come first. None: of none of them, so taken for forged.
    """
    secret = live_secret(key, card_number(int(code[1 : 1 + _SERIAL])))
    given = code[-_TOTP:]
    now = at_s // LIVE_STEP_S
    steps: Iterable[int] = (now, now + 1, *range(now - 1, now - 1 - back_s // LIVE_STEP_S, -1))
    return next((step for step in steps if hmac.compare_digest(totp(secret, step), given)), None)


def live_secret(key: bytes, number: str) -> bytes:
    """Each card's own, so that one card's codes say nothing about another's."""
    return hmac.digest(key, number.encode(), hashlib.sha256)


def totp(secret: bytes, step: int, digits: int = _TOTP) -> str:
    """RFC 6238 with SHA-1 (RFC 4226, section 5.3, on the number of the time step)."""
    digest = hmac.digest(secret, struct.pack(">Q", step), hashlib.sha1)
    offset = digest[-1] & 0x0F
    number = int.from_bytes(digest[offset : offset + 4], "big") & 0x7FFF_FFFF
    return f"{number % 10**digits:0{digits}d}"
