"""Whether the process lives, whether it can serve, and its figures for Prometheus."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping

from aiohttp import web
from prometheus_client import CONTENT_TYPE_LATEST, generate_latest

from loyalty.database import query

CHECK_TIMEOUT_S = 2.0

Check = Callable[[], Awaitable[object]]


async def database_answers() -> None:
    await query("SELECT 1")


class Health:
    """`/healthz` says that the event loop turns; `/readyz` asks what the process depends on."""

    def __init__(self, checks: Mapping[str, Check]) -> None:
        self._checks = checks
        self.stopping = False

    def add_to(self, app: web.Application) -> None:
        app.router.add_get("/healthz", self._alive)
        app.router.add_get("/readyz", self._ready)
        app.router.add_get("/metrics", self._metrics)

    async def _alive(self, _request: web.Request) -> web.Response:
        return web.json_response({"status": "ok"})

    async def _ready(self, _request: web.Request) -> web.Response:
        troubles = {"process": "stopping"} if self.stopping else await self._troubles()
        status = {"status": "unavailable", "troubles": troubles} if troubles else {"status": "ok"}
        return web.json_response(status, status=503 if troubles else 200)

    async def _troubles(self) -> dict[str, str]:
        found = {}
        for name, check in self._checks.items():
            try:
                async with asyncio.timeout(CHECK_TIMEOUT_S):
                    await check()
            except TimeoutError:
                found[name] = "no answer in time"
            except Exception as error:
                found[name] = type(error).__name__
        return found

    async def _metrics(self, _request: web.Request) -> web.Response:
        return web.Response(body=generate_latest(), headers={"Content-Type": CONTENT_TYPE_LATEST})
