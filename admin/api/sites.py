"""What a site may tell: one operation, behind a door of its own, across origins.

A browser comes with the public key of its site and has to come from a page of it; the site's
server comes with the secret key, and from no page.
"""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import datetime, timedelta

from aiohttp import web

from admin.api.operation import Ask, Done, Operation
from admin.api.site_models import SiteEventsIn, SiteEventsOut, event_of
from admin.limits import Meter, Rate
from admin.problems import Bad, Problem, of_refusal
from loyalty.clock import Clock
from loyalty.programme import Programme
from loyalty.refusals import No, Refusal
from loyalty.site_events import Batch
from loyalty.sites import PUBLIC, SECRET, KnownSite, Sites

PATH = "/events"
SITE_RATE = Rate(burst=3_000, per_minute=30_000)
VISITOR_RATE = Rate(burst=60, per_minute=60)
"""Batches of one browser: the snippet sends one in a few seconds at most."""
_STRANGER_RATE = Rate(burst=60, per_minute=60)
CACHE_LIFE = timedelta(seconds=5)
CACHE_MAX = 1_024
PREFLIGHT_S = 86_400
Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


@dataclass(frozen=True, slots=True)
class SiteCaller:
    """A site, and the meter that its visitors are counted by."""

    site: KnownSite
    visitors: Meter


class SiteDoor:
    def __init__(self, clock: Clock, sites: Sites) -> None:
        self._clock = clock
        self._sites = sites
        self._site_meter = Meter(SITE_RATE)
        self._visitors = Meter(VISITOR_RATE)
        self._stranger_meter = Meter(_STRANGER_RATE)
        self._known: dict[str, tuple[datetime, KnownSite]] = {}
        self._origins: tuple[datetime, frozenset[str]] | None = None

    async def admit(self, request: web.Request) -> SiteCaller | Problem:
        """Refused: credentials_required, api_key_unknown, origin_not_allowed, too_many_requests."""
        scheme, _, key = request.headers.get("Authorization", "").partition(" ")
        if scheme.lower() != "bearer" or not key.strip():
            return Problem(Bad.CREDENTIALS_REQUIRED, "Send Authorization: Bearer KEY.")
        site = await self._recognise(key.strip())
        if isinstance(site, Refusal):
            wait_s = self._stranger_meter.take(request.remote or "", self._clock.now())
            too_often = Problem(No.TOO_MANY_REQUESTS, data={"wait_s": wait_s})
            return too_often if wait_s else of_refusal(site)
        origin = request.headers.get("Origin")
        if site.is_secret and origin is not None:
            return Problem(No.ORIGIN_NOT_ALLOWED, "The secret key belongs on the site's server.")
        if not site.is_secret and origin not in site.origins:
            return Problem(No.ORIGIN_NOT_ALLOWED)
        if wait_s := self._site_meter.take(str(site.id), self._clock.now()):
            return Problem(No.TOO_MANY_REQUESTS, data={"wait_s": wait_s})
        return SiteCaller(site, self._visitors)

    async def _recognise(self, key: str) -> KnownSite | Refusal:
        """Good keys are remembered for seconds; unknown ones are asked for and counted."""
        if not key.startswith((PUBLIC, SECRET)) or len(key) > 80 or not key.isascii():
            return Refusal(No.API_KEY_UNKNOWN)
        now = self._clock.now()
        found = self._known.get(key)
        if found is not None and now - CACHE_LIFE < found[0] <= now:
            return found[1]
        site = await self._sites.by_key(key)
        if isinstance(site, KnownSite):
            if len(self._known) >= CACHE_MAX:
                self._known.clear()
            self._known[key] = (now, site)
        return site

    async def knows_origin(self, origin: str) -> bool:
        """Whether pages of some site come from there."""
        now = self._clock.now()
        if self._origins is None or not now - CACHE_LIFE < self._origins[0] <= now:
            self._origins = (now, await self._sites.origins())
        return origin in self._origins[1]

    def language(self, request: web.Request) -> str:
        """Programs are told in English."""
        return "en"


def across_origins(handle: Handler, door: SiteDoor) -> Handler:
    """Let pages of our sites read the answer, refusals included."""

    async def answer(request: web.Request) -> web.StreamResponse:
        response = await handle(request)
        await _open(request, response, door)
        return response

    return answer


def preflight(door: SiteDoor) -> Handler:
    """The browser's question before the first batch; its answer is good for a day."""

    async def answer(request: web.Request) -> web.StreamResponse:
        response = web.Response(status=204)
        await _open(request, response, door)
        return response

    return answer


async def _open(request: web.Request, response: web.StreamResponse, door: SiteDoor) -> None:
    response.headers["Vary"] = "Origin"
    origin = request.headers.get("Origin", "")
    if not origin or not await door.knows_origin(origin):
        return
    response.headers["Access-Control-Allow-Origin"] = origin
    response.headers["Access-Control-Expose-Headers"] = "Retry-After"
    if request.method == "OPTIONS":
        response.headers["Access-Control-Allow-Methods"] = "POST"
        response.headers["Access-Control-Allow-Headers"] = "Authorization, Content-Type"
        response.headers["Access-Control-Max-Age"] = str(PREFLIGHT_S)


async def _events(programme: Programme, ask: Ask[SiteCaller]) -> Done | Refusal:
    body: SiteEventsIn = ask.body
    caller = ask.caller
    if body.visitor and not caller.site.is_secret:
        name = f"{caller.site.id}:{body.visitor}"
        if wait_s := caller.visitors.take(name, programme.clock.now()):
            return Refusal(No.TOO_MANY_REQUESTS, {"wait_s": wait_s})
    batch = Batch(
        visitor=body.visitor,
        customer=body.customer,
        token=body.token,
        sent_at=body.sent_at,
        events=[event_of(event) for event in body.events],
    )
    taken = await programme.site_events.take(caller.site, batch)
    if isinstance(taken, Refusal):
        return taken
    return Done(
        SiteEventsOut(
            taken=taken.taken, known=taken.known, stale=taken.stale, identified=taken.is_customer
        )
    )


SITE_OPERATIONS: tuple[Operation[SiteCaller], ...] = (
    Operation(
        name="events",
        method="POST",
        path=PATH,
        summary="What happened on the site",
        description="Views, searches, favourites, carts and orders, in batches; each event counts "
        "once by its visitor and `id`, so that a batch may be sent again. With the public key from "
        "pages of the site's origins, with the secret key from its server. A stranger's events "
        "become a customer's when she signs in: by a `token` of the site's server, or in the web "
        "chat of the page.",
        request=SiteEventsIn,
        response=SiteEventsOut,
        keyed=False,
        refusals=(
            No.ORIGIN_NOT_ALLOWED,
            No.VISITOR_REQUIRED,
            No.SECRET_KEY_REQUIRED,
            No.SITE_TOKEN_INVALID,
            No.CUSTOMER_NOT_FOUND,
        ),
        run=_events,
    ),
)
