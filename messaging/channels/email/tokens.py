"""Our attempt's id inside a mail, signed: whoever quotes it back has had that mail in hand.

It stands in the Message-ID and in the envelope's sender (VERP), so it is in lower case, keeps its
meaning when somebody changes the case, and fits a local part with room to spare.
"""

import base64
import hashlib
import hmac
import re

_MAC_BYTES = 10
_WORD = re.compile(r"(?<![a-z2-7])[a-z2-7]{29}(?![a-z2-7])")


class Tokens:
    """Makes and reads the tokens of one key."""

    def __init__(self, key: bytes) -> None:
        self._key = key

    def make(self, attempt_id: int) -> str:
        """Twenty-nine letters and digits."""
        number = attempt_id.to_bytes(8, "big")
        return _spell(number + self._mac(number))

    def read(self, token: str) -> int | None:
        """The attempt, or None for what we have not made."""
        token = token.lower()
        if not _WORD.fullmatch(token):
            return None
        raw = base64.b32decode(token.upper() + "===")
        number, mac = raw[:8], raw[8:]
        if not hmac.compare_digest(mac, self._mac(number)) or _spell(raw) != token:
            return None
        return int.from_bytes(number, "big")

    def find(self, text: str) -> int | None:
        """The first token of ours anywhere in `text`: an address, a list of Message-IDs."""
        read = (self.read(word) for word in _WORD.findall(text.lower()))
        return next((attempt_id for attempt_id in read if attempt_id is not None), None)

    def _mac(self, number: bytes) -> bytes:
        return hmac.digest(self._key, number, hashlib.sha256)[:_MAC_BYTES]


def _spell(raw: bytes) -> str:
    return base64.b32encode(raw).decode().rstrip("=").lower()
