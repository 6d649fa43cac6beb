"""The addresses that stand in messages: clicks, openings, leaving, preferences, double opt-in,
surveys (`survey_page`).

GET  /c/{token}       sends on to where the link leads, people and machines alike
GET  /o/{token}.gif   one transparent point
GET  /u/{token}       asks whether to unsubscribe;  POST does it, also by RFC 8058
GET  /p/{token}       what comes, where, how often; POST saves it
GET  /doi/{token}     asks whether the address is hers; POST confirms it

Nothing is changed by a GET: mail scanners follow every link. The token is the authority for what
its page does and nothing more. All pages work without a script.
"""

from collections.abc import Awaitable, Callable

import structlog
from aiohttp import web
from yarl import URL

from loyalty.instants import to_micros
from loyalty.programme import Programme
from loyalty.refusals import Refusal
from messaging import leaving, preferences, tracking
from messaging.attention import Attention
from messaging.i18n import gettext, supported
from messaging.leaving import Letter
from messaging.links import TRAP_NTH, Links
from messaging.optin import Asked, OnAnotherCard, OptIns
from messaging.page_desk import (
    KEPT_NOWHERE,
    PageDesk,
    PageOptions,
    form_of,
    language_of,
    sent_on,
    token_of,
)
from messaging.policy.hits import Kind, Request
from messaging.preference_form import FormError, choices, last, read_form, save
from messaging.preference_words import channel_name, place
from messaging.preferences import Preferences, Said
from messaging.survey_page import SurveyPages

GIF = (
    b"GIF89a\x01\x00\x01\x00\x80\x00\x00\x00\x00\x00\x00\x00\x00!\xf9\x04\x01\x00\x00\x00\x00,"
    b"\x00\x00\x00\x00\x01\x00\x01\x00\x00\x02\x02D\x01\x00;"
)
_TELLING = ("sec-purpose", "purpose", "x-purpose", "x-moz")

log = structlog.get_logger(__name__)
Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


def add_messaging_pages(
    app: web.Application,
    programme: Programme,
    links: Links,
    *,
    opt_ins: OptIns,
    attention: Attention,
    options: PageOptions | None = None,
) -> None:
    """Add the routes. `attention` has to be run by the same process."""
    desk = PageDesk(programme, options or PageOptions())
    pages = _MessagePages(programme, links, opt_ins, attention, desk)
    SurveyPages(programme, links, desk).add_to(app)
    app.router.add_get("/c/{token}", pages.click)
    app.router.add_get("/o/{token}.gif", pages.opened)
    app.router.add_get("/u/{token}", pages.ask_to_leave)
    app.router.add_post("/u/{token}", pages.leave)
    app.router.add_get("/p/{token}", pages.show_preferences)
    app.router.add_post("/p/{token}", pages.save_preferences)
    app.router.add_get("/doi/{token}", pages.ask_to_confirm)
    app.router.add_post("/doi/{token}", pages.confirm)


class _MessagePages:
    def __init__(
        self,
        programme: Programme,
        links: Links,
        opt_ins: OptIns,
        attention: Attention,
        desk: PageDesk,
    ) -> None:
        self._programme = programme
        self._links = links
        self._opt_ins = opt_ins
        self._attention = attention
        self._desk = desk

    # -- clicks and openings ---------------------------------------------------------------------

    async def click(self, request: web.Request) -> web.Response:
        read = self._links.hits.read(Kind.CLICK, token_of(request))
        if read is None:
            return self._desk.forgery(request)
        attempt_id, nth = read
        url = await tracking.target_of(attempt_id, nth)
        if url is None:
            return self._desk.not_found(request)
        kind = Kind.TRAP if nth == TRAP_NTH else Kind.CLICK
        await self._take_hit(request, kind, attempt_id, nth)
        location = url if url.isascii() else str(URL(url))
        return sent_on(location, status=302)

    async def opened(self, request: web.Request) -> web.Response:
        """The point comes whatever the token: nobody learns which are good."""
        if read := self._links.hits.read(Kind.OPEN, token_of(request)):
            await self._take_hit(request, Kind.OPEN, read[0], 0)
        return web.Response(body=GIF, content_type="image/gif", headers=KEPT_NOWHERE)

    async def _take_hit(self, request: web.Request, kind: Kind, attempt_id: int, nth: int) -> None:
        """Write it down. She is sent on even when that fails or the link is asked for too often."""
        if self._desk.wait_s(request):
            return
        asked = Request(
            kind=kind,
            at=to_micros(self._programme.clock.now()),
            method=request.method,
            user_agent=request.headers.get("User-Agent", ""),
            headers={name: request.headers[name] for name in _TELLING if name in request.headers},
            nth=nth,
        )
        try:
            await tracking.take_hit(attempt_id, asked)
        except Exception:
            log.exception("hit_not_kept", attempt_id=attempt_id)
        self._attention.hit()

    # -- leaving ---------------------------------------------------------------------------------

    async def ask_to_leave(self, request: web.Request) -> web.Response:
        found = await self._letter(request)
        if isinstance(found, web.Response):
            return found
        return self._unsubscribe_page(request, found, left=found.left)

    async def leave(self, request: web.Request) -> web.Response:
        """Also by one click of a mail program: whatever its body, a POST means to leave."""
        found = await self._letter(request)
        if isinstance(found, web.Response):
            return found
        form = await form_of(request)
        said = Said("link", self._programme.clock.now(), leaving.WORDING)
        if last(form, "action") == "undo":
            await leaving.come_back(found, said)
            return self._unsubscribe_page(request, found, left=False, back=True)
        await leaving.leave(found, said)
        return self._unsubscribe_page(request, found, left=True)

    async def _letter(self, request: web.Request) -> Letter | web.Response:
        attempt_id = self._links.leaving.read(token_of(request))
        if attempt_id is None:
            return self._desk.forgery(request)
        if refused := self._desk.too_often(request):
            return refused
        return await leaving.letter(attempt_id) or self._desk.not_found(request)

    def _unsubscribe_page(
        self, request: web.Request, found: Letter, *, left: bool, back: bool = False
    ) -> web.Response:
        language = supported(found.language) if found.language else language_of(request)
        path = ""
        if found.customer_id is not None:
            path = f"/p/{self._links.preferring.make(found.customer_id)}"
        return self._desk.page(
            "unsubscribe.html",
            language=language,
            topic=found.topic,
            where=place(language, found.channel, found.address_kind, found.address),
            left=left,
            back=back,
            preferences_path=path,
        )

    # -- preferences -----------------------------------------------------------------------------

    async def show_preferences(self, request: web.Request) -> web.Response:
        hers = await self._preferences(request)
        if isinstance(hers, web.Response):
            return hers
        return self._preferences_page(hers, saved="saved" in request.query)

    async def save_preferences(self, request: web.Request) -> web.Response:
        hers = await self._preferences(request)
        if isinstance(hers, web.Response):
            return hers
        try:
            wanted = read_form(await form_of(request), hers)
        except FormError as error:
            return self._preferences_page(hers, error=error.sentence(hers.language), status=422)
        said = Said("link", self._programme.clock.now(), "preferences-2026-11")
        await save(hers, wanted, said, self._programme.customers)
        return sent_on(f"{request.path}?saved")

    async def _preferences(self, request: web.Request) -> Preferences | web.Response:
        customer_id = self._links.preferring.read(token_of(request))
        if customer_id is None:
            return self._desk.forgery(request)
        if refused := self._desk.too_often(request):
            return refused
        return await preferences.preferences_of(customer_id) or self._desk.not_found(request)

    def _preferences_page(
        self, hers: Preferences, *, saved: bool = False, error: str = "", status: int = 200
    ) -> web.Response:
        language = supported(hers.language)
        channels = [
            {
                "name": each.name,
                "wants": each.wants,
                "label": (label := channel_name(language, each.name)),
                "hint": " · ".join(
                    dict.fromkeys(
                        shown
                        for kind, value in each.addresses
                        if (shown := place(language, each.name, kind, value)) != label
                    )
                ),
            }
            for each in hers.channels
        ]
        return self._desk.page(
            "preferences.html",
            language=language,
            status=status,
            channels=channels,
            saved=saved,
            error=error,
            **choices(hers, self._desk.quiet, language),
        )

    # -- double opt-in -----------------------------------------------------------------------------

    async def ask_to_confirm(self, request: web.Request) -> web.Response:
        return await self._opt_in(request, confirm=False)

    async def confirm(self, request: web.Request) -> web.Response:
        return await self._opt_in(request, confirm=True)

    async def _opt_in(self, request: web.Request, *, confirm: bool) -> web.Response:
        token = token_of(request)
        if self._links.confirming.read(token) is None:
            return self._desk.forgery(request)
        if refused := self._desk.too_often(request):
            return refused
        letter = await self._opt_ins.read(token)
        if letter is None:
            return self._desk.not_found(request)
        language = supported(letter.language)
        if not (confirm or letter.confirmed or letter.expired):
            return self._desk.page("opt_in.html", language=language, address=letter.address)
        answer = await self._opt_ins.confirm(letter)
        title, line = _confirmed_words(language, answer)
        status = 410 if letter.expired and not letter.confirmed else 200
        return self._desk.page(
            "notice.html", language=language, status=status, title=title, lines=[line]
        )


def _confirmed_words(language: str, answer: Asked | OnAnotherCard | Refusal) -> tuple[str, str]:
    if isinstance(answer, Asked):
        return (
            gettext(language, "The address is confirmed"),
            gettext(language, "What you have chosen will come here from now on."),
        )
    if isinstance(answer, OnAnotherCard):
        return (
            gettext(language, "The address is on another card"),
            gettext(
                language,
                "It is confirmed. If both cards are yours, we will put them together and nothing "
                "is lost: one of us will get in touch with you.",
            ),
        )
    return (
        gettext(language, "The letter is too old"),
        gettext(language, "Ask for a new one in the settings of the chat."),
    )
