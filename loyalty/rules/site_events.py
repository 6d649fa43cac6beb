"""What happens on the shop's site: kinds of events, when they were, whom a token names. Pure.

A token is a JSON Web Token (RFC 7519) signed with HS256 by the site's own server, which knows who
is signed in: the browser cannot make one. Only this one form is read.
"""

import base64
import binascii
import hashlib
import hmac
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, Literal

Kind = Literal["view", "search", "favourite", "cart", "order"]
BATCH_MAX = 200
LINES_MAX = 100
OLDEST = timedelta(days=7)
"""What was kept in a browser for longer is nobody's intention any more."""
TOKEN_LIFE_MAX = timedelta(days=1)
TOKEN_LENGTH_MAX = 2_000


@dataclass(frozen=True, slots=True)
class SiteEvent:
    """As the site tells it: `key` is the site's own id of it, `fact` what belongs to its kind."""

    key: str
    kind: Kind
    at: datetime | None
    fact: Mapping[str, Any] = field(default_factory=dict)


def happened_at(
    said: datetime | None, sent_at: datetime | None, received_at: datetime
) -> datetime | None:
    """When it was by our clock; None when it is too old to matter.

    A browser's clock may be wrong by any amount: `sent_at`, the same clock's word when the batch
    left, tells by how much. What is still in the future was just now.
    """
    if said is None:
        return received_at
    try:
        at = said if sent_at is None else received_at - (sent_at - said)
    except OverflowError:
        return None
    if at < received_at - OLDEST:
        return None
    return min(at, received_at)


@dataclass(frozen=True, slots=True)
class Claims:
    """Whom a token names, by one of the two, and for which visitor alone it is good, if it says."""

    phone: str = ""
    email: str = ""
    visitor: str = ""


def read_token(token: str, key: bytes, now: datetime) -> Claims | None:
    """None for one that is forged, expired, good for too long, or of another form."""
    parts = token.split(".")
    if len(token) > TOKEN_LENGTH_MAX or len(parts) != 3 or not token.isascii():
        return None
    header, claims = _object(parts[0]), _object(parts[1])
    signature = _bytes(parts[2])
    signed = f"{parts[0]}.{parts[1]}".encode()
    expected = hmac.digest(key, signed, hashlib.sha256)
    if signature is None or not hmac.compare_digest(signature, expected):
        return None
    if header is None or claims is None or header.get("alg") != "HS256" or "crit" in header:
        return None
    expires = claims.get("exp")
    if type(expires) is not int:
        return None
    left = expires - now.timestamp()
    if not 0 < left <= TOKEN_LIFE_MAX.total_seconds():
        return None
    told = [claims.get(name, "") for name in ("phone", "email", "visitor")]
    if not all(isinstance(each, str) for each in told) or bool(told[0]) == bool(told[1]):
        return None
    return Claims(*told)


def _bytes(part: str) -> bytes | None:
    """RFC 7515, section 2: base64url without its padding."""
    if "=" in part:
        return None
    try:
        return base64.b64decode(part + "=" * (-len(part) % 4), altchars=b"-_", validate=True)
    except (binascii.Error, ValueError):
        return None


def _object(part: str) -> dict[str, Any] | None:
    raw = _bytes(part)
    try:
        value = None if raw is None else json.loads(raw)
    except (ValueError, RecursionError):
        return None
    return value if isinstance(value, dict) else None
