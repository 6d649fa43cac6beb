"""Addresses of the till page: the page, its service worker, and /till/api/*."""

import json
from http import HTTPStatus

from aiohttp import web
from pydantic import BaseModel, ConfigDict, Field

from admin.api.edge import guarded, handler, read_model
from admin.api.json_body import read_body
from admin.api.models import Id
from admin.api.operations import OPERATIONS
from admin.auth import TILL_ROLES, Seat, StaffDoor
from admin.cookies import Cookies
from admin.pages import WORKER_POLICY, Pages
from admin.problems import Bad, Problem, of_refusal
from admin.till.desk import find_products, places, recent_receipts, recent_returns
from admin.till.door import FRAMES, SessionDoor
from admin.till.frames import FRAME_BYTES_MAX, FrameReader
from admin.till.words import words
from loyalty.models import StaffMember
from loyalty.programme import Programme
from loyalty.refusals import No, Refusal
from messaging.i18n import LANGUAGES

PREFIX = "/till/api"


class ChooseTillIn(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True)
    till_id: Id


class LanguageIn(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True)
    language: str = Field(max_length=8)


class TillRoutes:
    """Handlers of the page; each asks one thing and says it as JSON."""

    def __init__(
        self, programme: Programme, staff: StaffDoor, cookies: Cookies, pages: Pages
    ) -> None:
        self._programme = programme
        self._staff = staff
        self._cookies = cookies
        self._pages = pages
        self._frames = FrameReader()
        self._door = SessionDoor(programme.clock, staff, cookies)

    def add_to(self, app: web.Application) -> None:
        app.router.add_get("/till", self._page)
        app.router.add_get("/till/sw.js", self._service_worker)
        for operation in OPERATIONS:
            app.router.add_route(
                operation.method,
                PREFIX + operation.path,
                handler(self._programme, operation, self._door),
            )
        for method, path, handle in (
            ("GET", "/session", self._door.seated(self._session)),
            ("POST", "/till", self._door.seated(self._choose_till)),
            ("POST", "/language", self._door.seated(self._choose_language)),
            ("POST", "/sign-out", self._door.seated(self._sign_out)),
            ("GET", "/products", self._door.seated(self._products)),
            ("GET", "/recent", self._door.seated(self._recent)),
            ("GET", "/places", self._door.seated(self._places)),
            ("POST", "/frames", self._door.seated(self._frame, FRAMES)),
        ):
            app.router.add_route(method, PREFIX + path, guarded(handle, self._door))
        app.on_cleanup.append(self._close)

    async def _close(self, _app: web.Application) -> None:
        self._frames.close()

    async def _page(self, request: web.Request) -> web.StreamResponse:
        """The page itself holds nothing of anybody's: a browser may keep it for work offline."""
        seat = await self._staff.seat(self._cookies.session(request))
        if isinstance(seat, Refusal):
            raise web.HTTPSeeOther("/staff/login?next=/till")
        if seat.role not in TILL_ROLES:
            return self._pages.response(
                "refused.html",
                language=seat.language,
                status=HTTPStatus.FORBIDDEN,
                csrf_token=seat.csrf_token,
            )
        response = self._pages.response(
            "till.html",
            language=seat.language,
            words=words(seat.language),
            currency=self._programme.rules.currency,
            programme_name=self._programme.rules.name,
        )
        self._cookies.device(request, response)
        return response

    async def _service_worker(self, _request: web.Request) -> web.Response:
        source = self._pages.text(
            "sw.js",
            language="en",
            version=self._pages.assets.version,
            files=self._pages.assets.urls(),
        )
        return web.Response(
            text=source,
            content_type="text/javascript",
            headers={
                "Service-Worker-Allowed": "/till",
                "Cache-Control": "no-cache",
                "Content-Security-Policy": WORKER_POLICY,
            },
        )

    async def _session(self, request: web.Request, seat: Seat) -> web.Response:
        tills = await self._staff.tills(seat)
        answer = _json(
            {
                "csrf_token": seat.csrf_token,
                "name": seat.name,
                "login": seat.login,
                "language": seat.language,
                "now": self._programme.clock.now().isoformat(),
                "till": _till(seat),
                "tills": [
                    {"id": str(till.id), "name": till.name, "shop": till.shop.name}
                    for till in tills
                ],
            }
        )
        self._cookies.device(request, answer)
        return answer

    async def _choose_till(self, request: web.Request, seat: Seat) -> web.Response | Problem:
        body = await read_model(request, ChooseTillIn)
        if isinstance(body, Problem):
            return body
        refusal = await self._staff.choose_till(seat, int(body.till_id))
        return of_refusal(refusal) if refusal is not None else _json({"till_id": body.till_id})

    async def _choose_language(self, request: web.Request, seat: Seat) -> web.Response | Problem:
        body = await read_model(request, LanguageIn)
        if isinstance(body, Problem):
            return body
        if body.language not in LANGUAGES:
            return Problem(Bad.INVALID_REQUEST, f"One of {', '.join(LANGUAGES)}.")
        await StaffMember.filter(id=seat.staff_id).update(language=body.language)
        return _json({"language": body.language})

    async def _sign_out(self, _request: web.Request, seat: Seat) -> web.Response:
        await self._staff.sign_out(seat)
        response = _json({"signed_out": True})
        self._cookies.close_session(response)
        return response

    async def _products(self, request: web.Request, _seat: Seat) -> web.Response:
        found = await find_products(request.query.get("q", ""))
        return _json({"products": [product.model_dump(mode="json") for product in found]})

    async def _recent(self, _request: web.Request, seat: Seat) -> web.Response | Problem:
        if seat.till_id is None:
            return Problem(No.TILL_REQUIRED)
        sold = await recent_receipts(seat.till_id)
        came_back = await recent_returns(seat.till_id)
        return _json(
            {
                "receipts": [receipt.model_dump(mode="json") for receipt in sold],
                "returns": [each.model_dump(mode="json") for each in came_back],
            }
        )

    async def _places(self, _request: web.Request, seat: Seat) -> web.Response | Problem:
        if seat.till_id is None:
            return Problem(No.TILL_REQUIRED)
        return _json((await places(seat.till_id)).model_dump())

    async def _frame(self, request: web.Request, _seat: Seat) -> web.Response | Problem:
        if request.content_type != "image/jpeg":
            return Problem(Bad.UNSUPPORTED_MEDIA_TYPE, "Send image/jpeg.")
        jpeg = await read_body(request, bytes_max=FRAME_BYTES_MAX)
        if isinstance(jpeg, Problem):
            return jpeg
        text = await self._frames.read(jpeg)
        return text if isinstance(text, Problem) else _json({"text": text})


def _till(seat: Seat) -> dict[str, str] | None:
    if seat.till_id is None:
        return None
    return {"id": str(seat.till_id), "name": seat.till_name, "shop": seat.shop_name}


def _json(value: object) -> web.Response:
    return web.Response(
        body=json.dumps(value, ensure_ascii=False).encode(),
        headers={"Content-Type": "application/json", "Cache-Control": "no-store"},
    )
