"""Where the till API is mounted: the operations, the document, and honest 404 and 405 answers."""

import json
from collections import defaultdict
from pathlib import Path

from aiohttp import web

from admin import problems
from admin.api.doors import ApiDoor
from admin.api.edge import Handler, handler
from admin.api.openapi import ALL, PREFIX, document, refusals_of
from admin.api.operations import OPERATIONS
from admin.api.sites import SITE_OPERATIONS, SiteDoor, across_origins, preflight
from admin.pages import Pages
from admin.problems import SENTENCES, STATUS_OF, Bad, Problem
from loyalty.programme import Programme

SCRIPT_PATH = "/site/kapsula.js"
SCRIPT = Path(__file__).parents[1] / "site/kapsula.js"


def add_api(app: web.Application, programme: Programme, door: ApiDoor, pages: Pages) -> None:
    allowed: defaultdict[str, list[str]] = defaultdict(list)
    for operation in OPERATIONS:
        path = PREFIX + operation.path
        app.router.add_route(operation.method, path, handler(programme, operation, door))
        allowed[path].append(operation.method)
    sites = SiteDoor(programme.clock, programme.sites)
    for told in SITE_OPERATIONS:
        path = PREFIX + told.path
        handle = across_origins(handler(programme, told, sites), sites)
        app.router.add_route(told.method, path, handle)
        app.router.add_route("OPTIONS", path, preflight(sites))
        allowed[path] += [told.method, "OPTIONS"]
    app.router.add_get(SCRIPT_PATH, _script_handler())
    app.router.add_get(f"{PREFIX}/openapi.json", _document_handler())
    app.router.add_get(f"{PREFIX}/docs", _docs_handler(pages))
    for path in (f"{PREFIX}/openapi.json", f"{PREFIX}/docs"):
        allowed[path] = ["GET", "HEAD"]
    for path, methods in allowed.items():
        app.router.add_route("*", path, _refuse_method(door, methods))
    app.router.add_route("*", PREFIX + "/{rest:.*}", _not_found(door))


def _script_handler() -> Handler:
    """The script for the pages of a site; its address stands in them, so it is asked for again."""
    body = SCRIPT.read_bytes()
    headers = {
        "Content-Type": "text/javascript; charset=utf-8",
        "Cache-Control": "public, max-age=300",
        "Cross-Origin-Resource-Policy": "cross-origin",
        "X-Content-Type-Options": "nosniff",
    }

    async def serve(_request: web.Request) -> web.Response:
        return web.Response(body=body, headers=headers)

    return serve


def _document_handler() -> Handler:
    body = json.dumps(document(), ensure_ascii=False).encode()

    async def serve(_request: web.Request) -> web.Response:
        return web.Response(body=body, content_type="application/json")

    return serve


def _docs_handler(pages: Pages) -> Handler:
    operations = [
        {
            "operation": operation,
            "refusals": [(code, int(STATUS_OF[code])) for code in refusals_of(operation)],
        }
        for operation in ALL
    ]

    async def serve(_request: web.Request) -> web.Response:
        return pages.response(
            "api_docs.html",
            language="en",
            prefix=PREFIX,
            operations=operations,
            sentences=SENTENCES,
        )

    return serve


def _refuse_method(door: ApiDoor, methods: list[str]) -> Handler:
    async def refuse(request: web.Request) -> web.Response:
        problem = Problem(Bad.METHOD_NOT_ALLOWED, allow=", ".join(methods))
        return problems.response(problem, language=door.language(request), instance=request.path)

    return refuse


def _not_found(door: ApiDoor) -> Handler:
    async def refuse(request: web.Request) -> web.Response:
        problem = Problem(Bad.NOT_FOUND)
        return problems.response(problem, language=door.language(request), instance=request.path)

    return refuse
