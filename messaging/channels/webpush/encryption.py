"""What a push service carries and cannot read: RFC 8291 over RFC 8188 (aes128gcm), one record."""

import os
from base64 import urlsafe_b64decode, urlsafe_b64encode

from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

CURVE = ec.SECP256R1()
POINT_BYTES, AUTH_BYTES, SALT_BYTES = 65, 16, 16
_RECORD_BYTES = 4096
_HEADER_BYTES = SALT_BYTES + 4 + 1 + POINT_BYTES
_TAG_BYTES, _DELIMITER = 16, b"\x02"
TEXT_BYTES_MAX = _RECORD_BYTES - _HEADER_BYTES - _TAG_BYTES - len(_DELIMITER)
"""3993: no push service has to take more than 4096 bytes in all (RFC 8030, section 7.2)."""


def spell(raw: bytes) -> str:
    """base64url without padding, as everything in web push is spelled."""
    return urlsafe_b64encode(raw).rstrip(b"=").decode()


def unspell(text: str) -> bytes:
    """Raises ValueError for what is not base64url; padding may be there or not."""
    bare = text.rstrip("=")
    raw = urlsafe_b64decode(bare + "=" * (-len(bare) % 4))
    if spell(raw) != bare:  # the decoder drops signs that it does not know
        raise ValueError("not base64url")
    return raw


def point_of(key: ec.EllipticCurvePublicKey) -> bytes:
    """The public key as an uncompressed point."""
    return key.public_bytes(Encoding.X962, PublicFormat.UncompressedPoint)


def encrypt(
    text: bytes,
    *,
    p256dh: bytes,
    auth: bytes,
    salt: bytes | None = None,
    sender: ec.EllipticCurvePrivateKey | None = None,
) -> bytes:
    """`text` for the browser alone whose keys these are. They are fresh each time; a test gives its
    own `salt` and `sender`. A point off the curve or too long a text raises ValueError."""
    if len(text) > TEXT_BYTES_MAX:
        raise ValueError(f"a push takes {TEXT_BYTES_MAX} bytes")
    salt = salt or os.urandom(SALT_BYTES)
    sender = sender or ec.generate_private_key(CURVE)
    browser = ec.EllipticCurvePublicKey.from_encoded_point(CURVE, p256dh)
    ours = point_of(sender.public_key())
    secret = sender.exchange(ec.ECDH(), browser)
    shared = _derive(secret, auth, b"WebPush: info\0" + p256dh + ours, 32)
    key = _derive(shared, salt, b"Content-Encoding: aes128gcm\0", 16)
    nonce = _derive(shared, salt, b"Content-Encoding: nonce\0", 12)
    header = salt + _RECORD_BYTES.to_bytes(4, "big") + bytes([len(ours)]) + ours
    return header + AESGCM(key).encrypt(nonce, text + _DELIMITER, None)


def _derive(secret: bytes, salt: bytes, info: bytes, length: int) -> bytes:
    return HKDF(algorithm=SHA256(), length=length, salt=salt, info=info).derive(secret)
