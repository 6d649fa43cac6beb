"""The cookies of staff's browsers and the token that ties a form to its browser."""

import hashlib
import hmac
import secrets
from dataclasses import dataclass
from datetime import timedelta

from aiohttp import web

SESSION_COOKIE = "kapsula_staff"
FORM_COOKIE = "kapsula_form"
DEVICE_COOKIE = "kapsula_device"
_DEVICE_LIFE = timedelta(days=730)
_TOKEN_LENGTH = 43


@dataclass(frozen=True, slots=True, kw_only=True)
class Cookies:
    """Sets and reads them. `secure`: the outside reaches us by https."""

    secret: bytes
    secure: bool

    def session(self, request: web.Request) -> str:
        return request.cookies.get(SESSION_COOKIE, "")

    def open_session(self, response: web.StreamResponse, token: str, life: timedelta) -> None:
        self._set(response, SESSION_COOKIE, token, life)

    def close_session(self, response: web.StreamResponse) -> None:
        response.del_cookie(SESSION_COOKIE, path="/", samesite="Lax", httponly=True)

    def form_token(self, request: web.Request, response: web.StreamResponse) -> str:
        """A token for a form of someone not signed in, tied to a cookie that is set if missing."""
        nonce = _token(request.cookies.get(FORM_COOKIE))
        if not nonce:
            nonce = secrets.token_urlsafe(32)
            self._set(response, FORM_COOKIE, nonce, None)
        return self._form_token(nonce)

    def form_token_fits(self, request: web.Request, token: str) -> bool:
        nonce = _token(request.cookies.get(FORM_COOKIE))
        return bool(nonce) and same(self._form_token(nonce), token)

    def _form_token(self, nonce: str) -> str:
        return hmac.new(self.secret, b"staff form " + nonce.encode(), hashlib.sha256).hexdigest()

    def device(self, request: web.Request, response: web.StreamResponse | None = None) -> str:
        """The name of this browser, which limits are counted by; set on `response` if it is new."""
        device = _token(request.cookies.get(DEVICE_COOKIE))
        if not device and response is not None:
            device = secrets.token_urlsafe(32)
            self._set(response, DEVICE_COOKIE, device, _DEVICE_LIFE)
        return device

    def _set(
        self, response: web.StreamResponse, name: str, value: str, life: timedelta | None
    ) -> None:
        response.set_cookie(
            name,
            value,
            max_age=int(life.total_seconds()) if life else None,
            path="/",
            httponly=True,
            samesite="Lax",
            secure=self.secure,
        )


def same(expected: str, given: str) -> bool:
    """Compare in constant time; whatever bytes the other side sent."""
    return hmac.compare_digest(expected.encode(), given.encode("utf-8", "surrogatepass"))


def _token(value: str | None) -> str:
    fits = value is not None and len(value) == _TOKEN_LENGTH and value.isascii()
    return value if fits and value else ""
