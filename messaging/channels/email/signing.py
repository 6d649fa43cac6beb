"""DKIM (RFC 6376): the domain's word for the mail, relaxed headers and simple body.

The bodies are ours, already in lines that end in CRLF, so that `simple` costs one hash. OpenSSL
signs in a third of a millisecond; signing in Python would be the slowest thing in the channel.
"""

import base64
import hashlib
import re
from collections.abc import Sequence

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import load_pem_private_key

Fields = Sequence[tuple[str, str]]
"""Header fields in their order: name and value, which may be folded."""

KEY_BITS_MIN = 1024
SIGNED = (
    "From",
    "To",
    "Subject",
    "Date",
    "Message-ID",
    "MIME-Version",
    "Content-Type",
    "Auto-Submitted",
    "Precedence",
    "Feedback-ID",
    "List-Unsubscribe",
    "List-Unsubscribe-Post",
)
_ONCE = ("From", "To", "Subject", "Date")
"""Named once more than they stand there: a second one, put in on the way, breaks the signature."""
_SPACE = re.compile(r"[ \t\r\n]+")
_FOLD = 64


class KeyRefusedError(ValueError):
    """The key is not one to sign mail with. Says why."""


class Signer:
    """Signs for one domain and selector."""

    def __init__(self, *, domain: str, selector: str, key_pem: bytes) -> None:
        """Raises KeyRefusedError."""
        self._key = _rsa_key(key_pem)
        self._start = f"v=1; a=rsa-sha256; c=relaxed/simple; d={domain}; s={selector};"

    def field(self, fields: Fields, body: bytes, *, at_s: int) -> str:
        """The DKIM-Signature field's value. `body` must be canonical: lines end in CRLF."""
        found = {name.lower(): value for name, value in fields}
        names = [name for name in SIGNED if name.lower() in found]
        digest = base64.b64encode(hashlib.sha256(_trimmed(body)).digest()).decode()
        listed = ":".join([*names, *(name for name in _ONCE if name.lower() in found)]).lower()
        value = f"{self._start}\r\n t={at_s}; h={_folded_list(listed)};\r\n bh={digest};\r\n b="
        lines = [f"{name.lower()}:{_relaxed(found[name.lower()])}\r\n" for name in names]
        text = "".join(lines) + f"dkim-signature:{_relaxed(value)}"
        signature = self._key.sign(text.encode(), PKCS1v15(), SHA256())
        letters = base64.b64encode(signature).decode()
        return value + "\r\n ".join(letters[i : i + _FOLD] for i in range(0, len(letters), _FOLD))


def _rsa_key(pem: bytes) -> RSAPrivateKey:
    try:
        key = load_pem_private_key(pem, password=None)
    except (ValueError, TypeError, UnsupportedAlgorithm):
        raise KeyRefusedError("is not a private key in PEM without a password") from None
    if not isinstance(key, RSAPrivateKey):
        raise KeyRefusedError("is not an RSA key, the one kind that every mailbox provider checks")
    if key.key_size < KEY_BITS_MIN:
        raise KeyRefusedError(f"has fewer than {KEY_BITS_MIN} bits")
    return key


def _trimmed(body: bytes) -> bytes:
    """Without empty lines at the end, but with one end of line."""
    return body.rstrip(b"\r\n") + b"\r\n"


def _relaxed(value: str) -> str:
    return _SPACE.sub(" ", value).strip()


def _folded_list(names: str) -> str:
    """Colons are where it may be folded."""
    lines, line = [], ""
    for name in names.split(":"):
        if line and len(line) + len(name) > _FOLD:
            lines.append(line)
            line = ""
        line += (":" if line or lines else "") + name
    return "\r\n ".join([*lines, line])
