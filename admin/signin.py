"""The sign-in page of staff."""

from http import HTTPStatus
from urllib.parse import parse_qsl

from aiohttp import web

from admin.api.json_body import read_body
from admin.auth import SESSION_LIFE, StaffDoor
from admin.cookies import Cookies, same
from admin.pages import Pages
from admin.problems import STATUS_OF, Bad, Problem, sentence
from loyalty.refusals import Refusal
from messaging.i18n import supported

_FORM_BYTES_MAX = 4096
_HOME = "/till"


class SignIn:
    def __init__(self, staff: StaffDoor, cookies: Cookies, pages: Pages) -> None:
        self._staff = staff
        self._cookies = cookies
        self._pages = pages

    def add_to(self, app: web.Application) -> None:
        app.router.add_get("/staff/login", self._show)
        app.router.add_post("/staff/login", self._sign_in)
        app.router.add_post("/staff/logout", self._sign_out)

    async def _show(self, request: web.Request) -> web.StreamResponse:
        seat = await self._staff.seat(self._cookies.session(request))
        destination = _destination(request.query.get("next", ""))
        if not isinstance(seat, Refusal):
            raise web.HTTPSeeOther(destination)
        return self._form(request, destination=destination)

    def _form(
        self,
        request: web.Request,
        *,
        destination: str,
        login: str = "",
        problem: Problem | None = None,
    ) -> web.Response:
        language = supported(request.headers.get("Accept-Language"))
        cookie_carrier = web.Response()
        token = self._cookies.form_token(request, cookie_carrier)
        wait_s = ((problem and problem.data) or {}).get("wait_s")
        response = self._pages.response(
            "signin.html",
            language=language,
            status=STATUS_OF[problem.code] if problem else HTTPStatus.OK,
            token=token,
            destination=destination,
            login=login,
            error=sentence(problem.code, language) if problem else "",
        )
        response.cookies.update(cookie_carrier.cookies)
        if wait_s is not None:
            response.headers["Retry-After"] = str(wait_s)
        return response

    async def _sign_in(self, request: web.Request) -> web.StreamResponse:
        fields = await _read_form(request)
        if isinstance(fields, Problem):
            return self._form(request, destination=_HOME, problem=fields)
        login, destination = fields.get("login", ""), _destination(fields.get("next", ""))
        if not self._cookies.form_token_fits(request, fields.get("token", "")):
            problem = Problem(Bad.CSRF_REFUSED)
            return self._form(request, destination=destination, login=login, problem=problem)
        answer = await self._staff.sign_in(
            login, fields.get("password", ""), address=request.remote or ""
        )
        if isinstance(answer, Refusal):
            problem = Problem(answer.code, data=answer.data)
            return self._form(request, destination=destination, login=login, problem=problem)
        response = web.Response(
            status=HTTPStatus.SEE_OTHER,
            headers={"Location": destination, "Cache-Control": "no-store"},
        )
        self._cookies.open_session(response, answer.token, SESSION_LIFE)
        return response

    async def _sign_out(self, request: web.Request) -> web.StreamResponse:
        """By a form that holds the session's own CSRF token."""
        fields = await _read_form(request)
        seat = await self._staff.seat(self._cookies.session(request))
        token = "" if isinstance(fields, Problem) else fields.get("csrf_token", "")
        if isinstance(seat, Refusal):
            raise web.HTTPSeeOther("/staff/login")
        if not same(seat.csrf_token, token):
            return self._form(request, destination=_HOME, problem=Problem(Bad.CSRF_REFUSED))
        await self._staff.sign_out(seat)
        response = web.Response(status=HTTPStatus.SEE_OTHER, headers={"Location": "/staff/login"})
        self._cookies.close_session(response)
        return response


async def _read_form(request: web.Request) -> dict[str, str] | Problem:
    if request.content_type != "application/x-www-form-urlencoded":
        return Problem(Bad.UNSUPPORTED_MEDIA_TYPE)
    body = await read_body(request, bytes_max=_FORM_BYTES_MAX)
    if isinstance(body, Problem):
        return body
    try:
        return dict(parse_qsl(body.decode("ascii"), max_num_fields=10, errors="strict"))
    except ValueError:
        return Problem(Bad.INVALID_REQUEST)


def _destination(path: str) -> str:
    """Only to our own pages: never to where a forged link wants to send her."""
    local = path.startswith("/") and not path.startswith(("//", "/\\")) and path.isprintable()
    return path if local and "\\" not in path else _HOME
