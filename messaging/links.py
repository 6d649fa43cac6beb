"""Links that carry our signature: short ones for clicks, and the pages that they lead to.

/c/{19}       a click: attempt, number of the link, 44 bits of HMAC, in letters and digits
/o/{19}.gif   the picture of one point of an e-mail
/u/{29}       to unsubscribe, by attempt
/p/{29}       preferences, by customer
/doi/{29}     to confirm an e-mail address, by request
/s/{29}       a survey, by sheet
"""

import hashlib
import hmac

from loyalty.keys import derive_key
from messaging.channels.email.tokens import Tokens
from messaging.policy.hits import Kind

_ALPHABET = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
_VALUES = {letter: value for value, letter in enumerate(_ALPHABET)}
SHORT_LENGTH = 19
"""Of a click's token: every letter of it costs room in an SMS."""
_NTH_BITS, _MAC_BITS = 5, 44
LINKS_MAX = (1 << _NTH_BITS) - 1
"""Links that one message may have; the number after the last is the trap's."""
TRAP_NTH = LINKS_MAX
OWN_PATHS = ("/c/", "/o/", "/u/", "/p/", "/doi/", "/s/", "/card/")


class ShortTokens:
    """Attempt, number and signature in nineteen letters, each kind of hit with its own signature.

    44 bits keep a guesser out for as long as he has to ask us about each guess, and what he could
    win is a click that nobody made: a token leads only to what stands in our table.
    """

    def __init__(self, key: bytes) -> None:
        self._key = key

    def make(self, kind: Kind, attempt_id: int, nth: int = 0) -> str:
        """`nth` from 0 to LINKS_MAX; of a trap it is LINKS_MAX."""
        number = attempt_id << _NTH_BITS | nth
        return _spell(number << _MAC_BITS | self._mac(kind, number))

    def read(self, kind: Kind, token: str) -> tuple[int, int] | None:
        """Attempt and number, or None for what we have not made."""
        if len(token) != SHORT_LENGTH or not (token.isascii() and token.isalnum()):
            return None
        whole = 0
        for letter in token:
            whole = whole * 62 + _VALUES[letter]
        number, mac = whole >> _MAC_BITS, whole & (1 << _MAC_BITS) - 1
        if number >> _NTH_BITS >= 1 << 63 or mac != self._mac(kind, number):
            return None
        return number >> _NTH_BITS, number & (1 << _NTH_BITS) - 1

    def _mac(self, kind: Kind, number: int) -> int:
        text = b"%s %d" % (b"open" if kind is Kind.OPEN else b"click", number)
        return int.from_bytes(hmac.digest(self._key, text, hashlib.sha256)[:8], "big") >> (
            64 - _MAC_BITS
        )


_PAIRS = [first + second for first in _ALPHABET for second in _ALPHABET]


def _spell(number: int) -> str:
    pairs = []
    for _ in range(SHORT_LENGTH // 2 + 1):
        number, value = divmod(number, 62 * 62)
        pairs.append(_PAIRS[value])
    return "".join(reversed(pairs))[-SHORT_LENGTH:]


class Links:
    """Makes and reads the links of one house. `public_url` has no slash at its end."""

    def __init__(self, secret: bytes, public_url: str) -> None:
        self.public_url = public_url.rstrip("/")
        self.hits = ShortTokens(derive_key(secret, "tracked links"))
        self.leaving = Tokens(derive_key(secret, "unsubscribe links"))
        self.preferring = Tokens(derive_key(secret, "preference links"))
        self.confirming = Tokens(derive_key(secret, "opt-in links"))
        self.asking = Tokens(derive_key(secret, "survey links"))
        self._own = tuple(self.public_url + path for path in OWN_PATHS)

    def click(self, attempt_id: int, nth: int) -> str:
        kind = Kind.TRAP if nth == TRAP_NTH else Kind.CLICK
        return f"{self.public_url}/c/{self.hits.make(kind, attempt_id, nth)}"

    def opened(self, attempt_id: int) -> str:
        return f"{self.public_url}/o/{self.hits.make(Kind.OPEN, attempt_id)}.gif"

    def unsubscribe(self, attempt_id: int) -> str:
        return f"{self.public_url}/u/{self.leaving.make(attempt_id)}"

    def preferences(self, customer_id: int) -> str:
        return f"{self.public_url}/p/{self.preferring.make(customer_id)}"

    def opt_in(self, request_id: int) -> str:
        return f"{self.public_url}/doi/{self.confirming.make(request_id)}"

    def survey(self, sheet_id: int) -> str:
        return f"{self.public_url}/s/{self.asking.make(sheet_id)}"

    def is_own(self, url: str) -> bool:
        """Whether it is one of these, which no click is counted for."""
        return url.startswith(self._own)
