"""What a browser gives when it subscribes, and whether it is to be believed.

An endpoint is an address that a stranger has us post to: it has to be one of a push service that is
known here. Anything else could be a machine of our own network, or one that says to be down until
the breaker stops the notifications of everybody.
"""

import re
from dataclasses import dataclass

from cryptography.hazmat.primitives.asymmetric import ec

from messaging.channels.webpush.encryption import AUTH_BYTES, CURVE, POINT_BYTES, unspell

KNOWN = "fcm.googleapis.com *.push.services.mozilla.com *.push.apple.com *.notify.windows.com"
"""Chrome and its kin, Firefox, Safari, Edge."""
ENDPOINT_LENGTH_MAX = 1024
_ORIGIN = re.compile(r"(https?)://([a-z0-9-]+(?:\.[a-z0-9-]+)*)((?::[1-9]\d{0,4})?)")
_ENDPOINT = re.compile(rf"({_ORIGIN.pattern})/[A-Za-z0-9._~:/?=&%+@,;!()*-]+")
_PATTERN = re.compile(r"(\*\.)?[a-z0-9-]+(\.[a-z0-9-]+)+")


class Services:
    """The push services that may be posted to, read from words with spaces between them.

    `push.example` is a host, `*.push.example` any host below, both by https at its own port; an
    origin such as `http://127.0.0.1:9000` is a push service of one's own.
    """

    def __init__(self, words: str = KNOWN) -> None:
        """Raises ValueError naming the first word that is neither."""
        self._exact: set[str] = set()
        self._below: list[str] = []
        for word in words.split():
            if _ORIGIN.fullmatch(word):
                self._exact.add(word)
            elif not _PATTERN.fullmatch(word):
                raise ValueError(f"{word} is neither a host nor an origin")
            elif word.startswith("*"):
                self._below.append(word[1:])
            else:
                self._exact.add(f"https://{word}")

    def origin_of(self, endpoint: str) -> str | None:
        """The origin of an endpoint that may be posted to, else None."""
        if len(endpoint) > ENDPOINT_LENGTH_MAX:
            return None
        found = _ENDPOINT.fullmatch(endpoint)
        if found is None:
            return None
        origin, scheme, host, port = found.groups()
        below = scheme == "https" and not port and host.endswith(tuple(self._below))
        return origin if below or origin in self._exact else None


@dataclass(frozen=True, slots=True)
class Keys:
    """The browser's own: a point on P-256 and a secret that it shares with us alone."""

    p256dh: bytes
    auth: bytes


def read_keys(p256dh: str, auth: str) -> Keys | None:
    """None for what no message could be encrypted with."""
    try:
        keys = Keys(unspell(p256dh), unspell(auth))
        if (len(keys.p256dh), len(keys.auth)) != (POINT_BYTES, AUTH_BYTES):
            return None
        ec.EllipticCurvePublicKey.from_encoded_point(CURVE, keys.p256dh)
    except ValueError:
        return None
    return keys
