"""What all pages behind the links in messages share: how they are shown, and who asks too often.

The token in the address is the authority for what its page does and nothing more.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from aiohttp import web

from loyalty.programme import Programme
from messaging.i18n import gettext, supported
from messaging.meters import Meter, Rate
from messaging.pages import Pages
from messaging.policy.quiet_hours import QuietHours
from messaging.preference_form import Form

BODY_BYTES_MAX = 16 * 1024
TOKEN_LENGTH_MAX = 64
FORGED_RATE = Rate(burst=30, per_minute=30)
"""Tokens of nobody's that one address may try before it is told to wait."""
TOKEN_RATE = Rate(burst=30, per_minute=30)
"""How often one link may ask something of the database."""
KEPT_NOWHERE = {
    "Cache-Control": "no-store",
    "X-Robots-Tag": "noindex, nofollow",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
}


def remote_address(request: web.Request) -> str:
    """Who asks, for the limits. Behind a proxy the application gives a function that knows it."""
    return request.remote or ""


@dataclass(frozen=True, slots=True, kw_only=True)
class PageOptions:
    """`quiet` are the programme's quiet hours, which a customer has who chose none."""

    quiet: QuietHours = field(default_factory=QuietHours)
    address_of: Callable[[web.Request], str] = remote_address


class PageDesk:
    """Pages in the name of one programme. Those who guess tokens are slowed down."""

    def __init__(self, programme: Programme, options: PageOptions) -> None:
        self.quiet = options.quiet
        self._clock = programme.clock
        self._address_of = options.address_of
        self._pages = Pages(programme.rules.name)
        self._forged = Meter(FORGED_RATE)
        self._tokens = Meter(TOKEN_RATE)

    def page(
        self, template: str, *, language: str, status: int = 200, **context: Any
    ) -> web.Response:
        return web.Response(
            text=self._pages.text(template, language=language, **context),
            status=status,
            content_type="text/html",
            headers={"Content-Security-Policy": self._pages.policy, **KEPT_NOWHERE},
        )

    def wait_s(self, request: web.Request) -> int:
        """This link asks something. Returns 0, or the whole seconds that it has to wait."""
        return self._tokens.take(token_of(request), self._clock.now())

    def too_often(self, request: web.Request) -> web.Response | None:
        wait_s = self.wait_s(request)
        return self._wait(request, wait_s) if wait_s else None

    def forgery(self, request: web.Request) -> web.Response:
        """Whoever guesses is slowed down."""
        wait_s = self._forged.take(self._address_of(request), self._clock.now())
        return self._wait(request, wait_s) if wait_s else self.not_found(request)

    def _wait(self, request: web.Request, wait_s: int) -> web.Response:
        language = language_of(request)
        answer = self.page(
            "notice.html",
            language=language,
            status=429,
            title=gettext(language, "Too often"),
            lines=[gettext(language, "Please try again in a minute.")],
        )
        answer.headers["Retry-After"] = str(wait_s)
        return answer

    def not_found(self, request: web.Request) -> web.Response:
        language = language_of(request)
        return self.page(
            "notice.html",
            language=language,
            status=404,
            title=gettext(language, "This link leads nowhere"),
            lines=[
                gettext(
                    language,
                    "Perhaps a part of it was lost on the way. "
                    "Please open it from the message once more.",
                )
            ],
        )


def sent_on(location: str, status: int = 303) -> web.Response:
    return web.Response(status=status, headers={"Location": location, **KEPT_NOWHERE})


def token_of(request: web.Request) -> str:
    token = request.match_info["token"]
    return token if len(token) <= TOKEN_LENGTH_MAX else ""


def language_of(request: web.Request) -> str:
    """Of who is unknown: what her browser asks for first."""
    return supported(request.headers.get("Accept-Language", "")[:20].split(",")[0])


async def form_of(request: web.Request) -> Form:
    """The texts of a form, each name with all its values; nothing of what is no form."""
    if (request.content_length or 0) > BODY_BYTES_MAX:
        raise web.HTTPRequestEntityTooLarge(BODY_BYTES_MAX, request.content_length or 0)
    try:
        posted = await request.post()
    except (ValueError, AssertionError, LookupError):  # no form, whatever its type says
        return {}
    form: dict[str, list[str]] = {}
    for name, value in posted.items():
        if isinstance(value, str):
            form.setdefault(name, []).append(value)
    return form
