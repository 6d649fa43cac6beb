"""HTML pages of staff: Jinja with autoescape, words in the reader's language, strict headers."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

from aiohttp import web
from jinja2 import Environment, FileSystemLoader, StrictUndefined

from admin.assets import Assets
from messaging.i18n import gettext

_HERE = Path(__file__).parent
STATIC_PREFIX = "/staff/static"

PAGE_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data: blob:; "
    "media-src 'self' blob:; connect-src 'self'; manifest-src 'self'; worker-src 'self'; "
    "form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
)
WORKER_POLICY = "default-src 'none'; connect-src 'self'"
"""A service worker lives by the policy of its own script, and it fetches the pages it keeps."""
DATA_POLICY = "default-src 'none'; frame-ancestors 'none'"


def secure_headers(response: web.StreamResponse) -> None:
    """Headers for all that staff and their machines get. A page's policy was set by the page."""
    headers = response.headers
    headers.setdefault("Content-Security-Policy", DATA_POLICY)
    headers["X-Content-Type-Options"] = "nosniff"
    headers["Referrer-Policy"] = "same-origin"
    headers["X-Frame-Options"] = "DENY"
    headers["Cross-Origin-Opener-Policy"] = "same-origin"
    headers["Cross-Origin-Resource-Policy"] = "same-origin"


class Pages:
    """Renders templates of `admin/templates`."""

    def __init__(self) -> None:
        self.assets = Assets(_HERE / "static", STATIC_PREFIX)
        self._environment = Environment(
            loader=FileSystemLoader(_HERE / "templates"),
            autoescape=True,
            undefined=StrictUndefined,
            trim_blocks=True,
            lstrip_blocks=True,
        )
        self._environment.globals["asset"] = self.assets.url

    def text(self, template: str, *, language: str, **context: Any) -> str:
        return self._environment.get_template(template).render(
            language=language, _=_translator(language), **context
        )

    def response(
        self, template: str, *, language: str, status: int = 200, **context: Any
    ) -> web.Response:
        return web.Response(
            text=self.text(template, language=language, **context),
            status=status,
            content_type="text/html",
            headers={
                "Content-Security-Policy": PAGE_POLICY,
                "Permissions-Policy": "camera=(self), microphone=(), geolocation=()",
                "Cache-Control": "no-store",
            },
        )


def _translator(language: str) -> Callable[..., str]:
    def translate(message: str, **params: object) -> str:
        return gettext(language, message, **params)

    return translate
