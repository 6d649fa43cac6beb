"""When a site's event was, and whom a token names."""

import base64
import hashlib
import hmac
import json
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from loyalty.rules.site_events import Claims, happened_at, read_token

NOW = datetime(2026, 1, 1, 12, 0, tzinfo=UTC)
KEY = b"kss_secret"
H, D = timedelta(hours=1), timedelta(days=1)


@pytest.mark.parametrize(
    ("said", "sent", "is_at"),
    [
        (None, None, NOW),
        (NOW - H, None, NOW - H),
        (NOW + H, None, NOW),
        (NOW + 5 * H, NOW + 6 * H, NOW - H),  # a clock that is six hours ahead
        (NOW - 9 * D, NOW - 9 * D + H, NOW - H),  # one that is nine days behind
        (NOW + H, NOW, NOW),
        (NOW - 7 * D, None, NOW - 7 * D),
        (NOW - 7 * D - H, None, None),
        (NOW - 8 * D, NOW, None),
        (datetime(2000, 1, 1, tzinfo=UTC), datetime(2099, 1, 1, tzinfo=UTC), None),
        (datetime(2099, 1, 1, tzinfo=UTC), datetime(2000, 1, 1, tzinfo=UTC), NOW),
    ],
)
def test_when_it_was_by_our_clock(
    said: datetime | None, sent: datetime | None, is_at: datetime | None
) -> None:
    assert happened_at(said, sent, NOW) == is_at


def part(value: object) -> str:
    raw = value if isinstance(value, bytes) else json.dumps(value).encode()
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()


def token(claims: Any, header: Any = None, key: bytes = KEY) -> str:
    signed = f"{part(header or {'alg': 'HS256', 'typ': 'JWT'})}.{part(claims)}"
    return f"{signed}.{part(hmac.digest(key, signed.encode(), hashlib.sha256))}"


SOON = int((NOW + H).timestamp())
GOOD = {"phone": "+79001234567", "exp": SOON}


def test_a_good_token_names_one_person() -> None:
    assert read_token(token(GOOD), KEY, NOW) == Claims(phone="+79001234567")
    claims = {"email": "a@b.example", "visitor": "v" * 16, "exp": SOON, "iat": 1}
    assert read_token(token(claims), KEY, NOW) == Claims(email="a@b.example", visitor="v" * 16)


@pytest.mark.parametrize(
    "made",
    [
        "", "a.b", "a.b.c.d", "..", "я.б.в", "x" * 3000,
        token(GOOD, key=b"another"),
        token(GOOD, {"alg": "none"}),
        token(GOOD, {"alg": "HS512"}),
        token(GOOD, {"alg": "HS256", "crit": ["x"]}),
        token(GOOD)[:-2] + "AA",
        token(GOOD) + "=",
        token({"phone": "+79001234567"}),
        token(GOOD | {"exp": str(SOON)}),
        token(GOOD | {"exp": True}),
        token(GOOD | {"exp": SOON - 3600}),
        token(GOOD | {"exp": SOON + 86_400}),
        token(GOOD | {"email": "a@b.example"}),
        token(GOOD | {"phone": 7}),
        token(GOOD | {"visitor": None}),
        token({"exp": SOON}),
        token([]),
        token(b"{"),
        token(b"[" * 5000),
    ],
)  # fmt: skip
def test_any_other_token_names_nobody(made: str) -> None:
    assert read_token(made, KEY, NOW) is None
