"""Keys for each purpose out of the programme's one secret, so that none opens another's lock."""

import hashlib
import hmac

SECRET_LENGTH_MIN = 32


def derive_key(secret: bytes, purpose: str) -> bytes:
    """Thirty-two bytes for `purpose`. A short secret is a wrong setting and raises ValueError."""
    if len(secret) < SECRET_LENGTH_MIN:
        raise ValueError(f"the secret needs {SECRET_LENGTH_MIN} bytes or more")
    return hmac.digest(secret, f"kapsula {purpose}".encode(), hashlib.sha256)
