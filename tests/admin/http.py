"""The web application of admin/ under test, and short ways to talk to it."""

import io
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from itertools import count
from typing import Any

from aiohttp import web
from aiohttp.test_utils import TestClient, TestServer

from admin.api_keys import NewApiKey, create_api_key
from admin.limits import Rate
from admin.web import add_admin
from loyalty.clock import Clock
from loyalty.programme import Programme
from tests.admin.people import PASSWORD, SECRET

Client = TestClient[web.Request, web.Application]
UNLIMITED = Rate(burst=1_000_000, per_minute=1_000_000)
_numbers = count(1)


@asynccontextmanager
async def serving(
    programme: Programme, clock: Clock, *, api_rate: Rate = UNLIMITED
) -> AsyncIterator[Client]:
    app = web.Application()
    add_admin(app, programme, clock=clock, secret=SECRET, api_rate=api_rate)
    async with TestClient(TestServer(app)) as client:
        yield client


async def api_key(clock: Clock, till_id: int) -> str:
    made = await create_api_key(clock=clock, till_id=till_id)
    assert isinstance(made, NewApiKey)
    return made.key


class Answer:
    """Status, headers and body of a response, with the checks that hold for each of them."""

    def __init__(self, status: int, headers: Any, body: bytes) -> None:
        self.status, self.headers = status, headers
        self.body: Any = json.loads(body)
        assert headers["X-Content-Type-Options"] == "nosniff"
        assert "no-store" in headers["Cache-Control"]
        if status >= 400:
            assert headers["Content-Type"] == "application/problem+json"
            assert self.body["status"] == status
            assert self.body["title"]
            assert self.body["type"].endswith(self.body["code"])

    @property
    def code(self) -> str:
        return str(self.body.get("code", "ok"))

    @property
    def replayed(self) -> bool:
        return self.headers.get("Idempotency-Replayed") == "true"


class TillProgram:
    """A till program of some shop, which holds a key."""

    def __init__(self, client: Client, key: str) -> None:
        self._client = client
        self._headers = {"Authorization": f"Bearer {key}"}

    async def post(
        self, path: str, body: object = None, *, key: str | None = None, **headers: str
    ) -> Answer:
        raw = body if isinstance(body, bytes) else json.dumps({} if body is None else body).encode()
        return await self.send("POST", path, raw, key=key, **headers)

    async def get(self, path: str) -> Answer:
        return await self.send("GET", path)

    async def send(
        self,
        method: str,
        path: str,
        body: bytes | None = None,
        *,
        key: str | None = None,
        content_type: str = "application/json",
        language: str = "",
    ) -> Answer:
        headers = self._headers | {"Idempotency-Key": key or f"key-{next(_numbers):08d}"}
        if language:
            headers["Accept-Language"] = language
        if body is not None:
            headers["Content-Type"] = content_type
        response = await self._client.request(
            method, f"/api/v1{path}", data=body and io.BytesIO(body), headers=headers
        )
        return Answer(response.status, response.headers, await response.read())


def sale(number: str, total_minor: int = 100_000, **more: object) -> dict[str, Any]:
    """The body of a receipt with one line."""
    line = {"price_minor": total_minor, "amount_minor": total_minor}
    return {"receipt_number": number, "lines": [line], **more}


async def sign_in(client: Client, login: str) -> str:
    """Sign in by the form, as a browser does; returns the session's CSRF token."""
    page = await (await client.get("/staff/login")).text()
    token = page.split('name="token" value="')[1].split('"')[0]
    form = {"login": login, "password": PASSWORD, "token": token, "next": "/till"}
    response = await client.post("/staff/login", data=form, allow_redirects=False)
    assert response.status == 303, await response.text()
    session = await (await client.get("/till/api/session")).json()
    return str(session.get("csrf_token", ""))
