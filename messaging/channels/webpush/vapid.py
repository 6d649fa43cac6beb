"""Who we are to a push service (VAPID, RFC 8292): a key of our own, and a word signed with it.

Browsers subscribe for the public half. Whoever changes the key loses every subscription.
"""

import json
from datetime import timedelta

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import load_pem_private_key

from loyalty.clock import Clock
from messaging.channels.webpush.encryption import CURVE, point_of, spell, unspell

LIFE = timedelta(hours=12)
"""Of a signed word; push services take at most a day."""
_RENEW = timedelta(hours=6)
_SCALAR_BYTES = 32
_ORIGINS_MAX = 1_000


class KeyRefusedError(ValueError):
    """The key is not one for VAPID. Says why."""


class VapidKey:
    """A private key on P-256. `public` is what browsers subscribe for."""

    def __init__(self, private: ec.EllipticCurvePrivateKey) -> None:
        self._private = private
        self.public = spell(point_of(private.public_key()))

    @classmethod
    def new(cls) -> "VapidKey":
        return cls(ec.generate_private_key(CURVE))

    @classmethod
    def read(cls, text: str) -> "VapidKey":
        """From PEM, or base64url of 32 bytes as `spelled` gives it. Raises KeyRefusedError."""
        try:
            if "-----BEGIN" in text:
                key = load_pem_private_key(text.replace("\\n", "\n").encode(), password=None)
            else:
                key = ec.derive_private_key(_scalar(text), CURVE)
        except (ValueError, TypeError, UnsupportedAlgorithm):
            raise KeyRefusedError("is not a private key") from None
        if not isinstance(key, ec.EllipticCurvePrivateKey) or not isinstance(
            key.curve, ec.SECP256R1
        ):
            raise KeyRefusedError("is not a key on the curve P-256")
        return cls(key)

    @property
    def spelled(self) -> str:
        """The private half, for a setting."""
        number = self._private.private_numbers().private_value
        return spell(number.to_bytes(_SCALAR_BYTES, "big"))

    def jwt(self, audience: str, subject: str, expires_at: int) -> str:
        """A token for one push service (its origin), by ES256. `expires_at` in seconds."""
        claims = {"aud": audience, "exp": expires_at, "sub": subject}
        signed = f"{_part({'typ': 'JWT', 'alg': 'ES256'})}.{_part(claims)}"
        numbers = decode_dss_signature(self._private.sign(signed.encode(), ec.ECDSA(SHA256())))
        signature = b"".join(number.to_bytes(_SCALAR_BYTES, "big") for number in numbers)
        return f"{signed}.{spell(signature)}"


class Vapid:
    """Signs once for each push service and then again after some hours, not for each message."""

    def __init__(self, key: VapidKey, subject: str, clock: Clock) -> None:
        """`subject`: where a push service may write to (mailto: or https:)."""
        self.key = key
        self._subject = subject
        self._clock = clock
        self._signed: dict[str, tuple[int, str]] = {}

    def authorization(self, origin: str) -> str:
        """The header for a request to `origin`."""
        now = int(self._clock.now().timestamp())
        expires_at, jwt = self._signed.get(origin, (0, ""))
        if expires_at - now < _RENEW.total_seconds():
            expires_at = now + int(LIFE.total_seconds())
            jwt = self.key.jwt(origin, self._subject, expires_at)
            if len(self._signed) >= _ORIGINS_MAX:
                self._signed.clear()
            self._signed[origin] = (expires_at, jwt)
        return f"vapid t={jwt}, k={self.key.public}"


def _scalar(text: str) -> int:
    raw = unspell(text.strip())
    if len(raw) != _SCALAR_BYTES:
        raise ValueError("32 bytes are needed")
    return int.from_bytes(raw, "big")


def _part(value: dict[str, object] | dict[str, str]) -> str:
    return spell(json.dumps(value, separators=(",", ":")).encode())
