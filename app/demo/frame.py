"""What every page of the demo has in common: its frame, its language, and that it is local."""

from typing import Any

from aiohttp import web
from jinja2 import Environment, PackageLoader, select_autoescape

from messaging.i18n import DEFAULT_LANGUAGE, LANGUAGE_NAMES, LANGUAGES, gettext, supported

HEADERS = {
    "Content-Security-Policy": "default-src 'self'; img-src 'self' data:; base-uri 'none'; "
    "form-action 'self'; frame-ancestors 'none'",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "same-origin",
    "Cache-Control": "no-store",
}
_LOCAL_HOSTS = {"127.0.0.1", "localhost", "[::1]"}


class Frame:
    """Renders the pages of `app/demo/site`."""

    def __init__(self, programme: str) -> None:
        self._programme = programme
        self._templates = Environment(
            loader=PackageLoader("app.demo", "site"),
            autoescape=select_autoescape(),
            trim_blocks=True,
            lstrip_blocks=True,
        )

    def page(self, request: web.Request, page: str, **values: Any) -> web.Response:
        """Answers localhost only, in the language that was chosen last."""
        refuse_strangers(request)
        language = language_of(request)
        other = next(name for name in LANGUAGES if name != language)
        text = self._templates.get_template(f"{page}.html").render(
            _=lambda message, **params: gettext(language, message, **params),
            page=page,
            language=language,
            other_language=other,
            other_language_name=LANGUAGE_NAMES[other],
            programme=self._programme,
            **values,
        )
        answer = web.Response(text=text, content_type="text/html", headers=HEADERS)
        if "language" in request.query:
            answer.set_cookie("language", language, samesite="Lax", httponly=True)
        return answer


def language_of(request: web.Request) -> str:
    chosen = request.query.get("language") or request.cookies.get("language")
    return supported(chosen) if chosen else DEFAULT_LANGUAGE


def refuse_strangers(request: web.Request) -> None:
    """A page elsewhere that points its own name at this machine must not read the codes."""
    if request.host.rsplit(":", 1)[0] not in _LOCAL_HOSTS:
        raise web.HTTPForbidden(text="the demo answers to localhost only\n")


def refuse_other_pages(request: web.Request) -> None:
    """A form of a page elsewhere must not send anything here."""
    refuse_strangers(request)
    origin = request.headers.get("Origin")
    if origin is not None and origin != f"http://{request.host}":
        raise web.HTTPForbidden(text="the demo takes its own forms only\n")
