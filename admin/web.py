"""Mounts all that staff and their machines touch on the process's one web application.

Addresses: /staff/login, /till, /till/api/* (a session lets in), /api/v1/* (an API key lets in),
/api/v1/openapi.json and /api/v1/docs (open), /site/kapsula.js (for the pages of any site).
"""

from aiohttp import web

from admin.api.doors import KEY_RATE, ApiDoor
from admin.api.routes import add_api
from admin.auth import StaffDoor
from admin.cookies import Cookies
from admin.limits import Rate
from admin.pages import STATIC_PREFIX, Pages, secure_headers
from admin.signin import SignIn
from admin.till.routes import TillRoutes
from loyalty.clock import Clock
from loyalty.programme import Programme

_OURS = ("/staff", "/till", "/api/v1")


def add_admin(
    app: web.Application,
    programme: Programme,
    *,
    clock: Clock,
    secret: bytes,
    https: bool = False,
    api_rate: Rate = KEY_RATE,
) -> None:
    """Add the routes. `secret` ties forms to browsers; `https`: cookies travel by https only."""
    pages = Pages()
    staff = StaffDoor(clock)
    cookies = Cookies(secret=secret, secure=https)
    SignIn(staff, cookies, pages).add_to(app)
    TillRoutes(programme, staff, cookies, pages).add_to(app)
    add_api(app, programme, ApiDoor(clock, key_rate=api_rate), pages)
    app.router.add_get(STATIC_PREFIX + "/{version}/{name}", pages.assets.serve)
    app.on_response_prepare.append(_add_headers)


async def _add_headers(request: web.Request, response: web.StreamResponse) -> None:
    """By a signal, so that answers of aiohttp itself (404, 405) carry them too."""
    if request.path.startswith(_OURS):
        secure_headers(response)
