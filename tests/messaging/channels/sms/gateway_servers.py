"""Providers with an HTTP interface, as strict as theirs, and their signatures by their papers.

They know nothing of the code under test. What they object to is in `complaints`.
"""

import asyncio
import base64
import hashlib
import hmac
import re
from collections import deque
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any, TypeVar
from urllib.parse import parse_qsl

from aiohttp import web

LOGIN, PASSWORD = "AC0123456789abcdef0123456789abcdef", "t0ken"
SMSC_LOGIN, SMSC_PASSWORD, SMSC_SECRET = "apteka", "пароль&=+ %", "what only we two know"

HANG, DROP = "hang", "drop"
Scripted = str | tuple[int, Any] | tuple[int, Any, Mapping[str, str]]
"""HANG: read and never answered; DROP: read and cut off; or a status, a JSON value, headers."""


@dataclass
class GatewayServer:
    """`script` says how the next requests are answered; then they are taken."""

    url: str = ""
    script: deque[Scripted] = field(default_factory=deque)
    got: list[dict[str, str]] = field(default_factory=list)
    complaints: list[str] = field(default_factory=list)

    async def answer(self, request: web.Request) -> web.StreamResponse | None:
        """The scripted answer, if there is one."""
        if not self.script:
            return None
        scripted = self.script.popleft()
        if scripted == HANG:
            await asyncio.sleep(30)
        if scripted in (HANG, DROP):
            assert request.transport is not None
            request.transport.abort()
            return web.Response()
        status, value, *headers = scripted
        if isinstance(value, str):
            return web.Response(status=status, text=value, headers=headers[0] if headers else None)  # type: ignore[arg-type]
        return web.json_response(value, status=status, headers=headers[0] if headers else None)  # type: ignore[arg-type]

    async def form(self, request: web.Request) -> dict[str, str]:
        """The fields, read by hand from the bytes on the wire."""
        kind = request.headers.get("Content-Type", "")
        if not kind.startswith("application/x-www-form-urlencoded"):
            self.complaints.append(f"content type {kind}")
        raw = await request.read()
        fields = parse_qsl(raw.decode("ascii"), keep_blank_values=True, strict_parsing=True)
        form = dict(fields)
        if len(form) != len(fields):
            self.complaints.append("a field twice")
        if request.query_string:
            self.complaints.append(f"query {request.query_string}")
        self.got.append(form)
        return form


class Twilio(GatewayServer):
    async def serve(self, request: web.Request) -> web.StreamResponse:
        form = await self.form(request)
        if (scripted := await self.answer(request)) is not None:
            return scripted
        wanted = base64.b64encode(f"{LOGIN}:{PASSWORD}".encode()).decode()
        if request.headers.get("Authorization") != f"Basic {wanted}":
            return self.error(401, 20003, "Authenticate")
        if request.path != f"/2010-04-01/Accounts/{LOGIN}/Messages.json":
            return self.error(404, 20404, "not found")
        if not re.fullmatch(r"\+[1-9]\d{6,14}", form.get("To", "")):
            return self.error(400, 21211, f"Invalid 'To' Phone Number: {form.get('To')}")
        if not form.get("From"):
            return self.error(400, 21603, "A 'From' phone number is required")
        if not 1 <= len(form.get("Body", "")) <= 1600:
            return self.error(400, 21602, "Message body is required")
        if not 1 <= int(form.get("ValidityPeriod", "1")) <= 36_000:
            return self.error(400, 90007, "Invalid validity period")
        if "StatusCallback" in form and not re.match(r"https://[\w.]+/", form["StatusCallback"]):
            return self.error(400, 21609, "Invalid 'StatusCallback'")
        if unknown := set(form) - {"To", "From", "Body", "ValidityPeriod", "StatusCallback"}:
            self.complaints.append(f"fields {unknown}")
        taken = {
            "sid": f"SM{len(self.got):032x}",
            "status": "queued",
            "error_code": None,
            "error_message": None,
            "num_segments": "1",
            "to": form["To"],
        }
        return web.json_response(taken, status=201)

    def error(self, status: int, code: int, message: str) -> web.Response:
        told = {"code": code, "message": message, "more_info": "https://…", "status": status}
        return web.json_response(told, status=status)

    @staticmethod
    def signature(url: str, form: Mapping[str, str], token: str = PASSWORD) -> str:
        told = url + "".join(name + form[name] for name in sorted(form))
        return base64.b64encode(hmac.new(token.encode(), told.encode(), "sha1").digest()).decode()


@dataclass
class SmscRu(GatewayServer):
    fates: dict[tuple[str, str], int] = field(default_factory=dict)
    """By phone and id: the status of each message that it has taken, answered or not."""

    async def serve(self, request: web.Request) -> web.StreamResponse:
        form = await self.form(request)
        if request.path == "/sys/send.php" and self.script and self.script[0] in (HANG, DROP):
            self.fates[form["phones"], form["id"]] = -1
        if (scripted := await self.answer(request)) is not None:
            return scripted
        if request.path not in ("/sys/send.php", "/sys/status.php"):
            return web.Response(status=404)
        if (form.get("login"), form.get("psw")) != (SMSC_LOGIN, SMSC_PASSWORD):
            return self.error(2, "authorise error")
        if (form.get("fmt"), form.get("charset")) != ("3", "utf-8"):
            self.complaints.append(f"fmt and charset: {form}")
        if not re.fullmatch(r"[A-Za-z0-9._-]{1,40}", form.get("id", "")):
            return self.error(1, "parameters error")
        if request.path == "/sys/status.php":
            return self.status(form)
        if not re.fullmatch(r"[1-9]\d{9,14}", form.get("phones", "")):
            return self.error(7, "invalid number")
        if not form.get("mes"):
            return self.error(1, "parameters error")
        if "valid" in form and not re.fullmatch(r"(0\d|1\d|2[0-4]):[0-5]\d", form["valid"]):
            return self.error(5, "invalid date")
        known = {"login", "psw", "fmt", "charset", "phones", "mes", "valid", "sender", "id"}
        if unknown := set(form) - known:
            self.complaints.append(f"fields {unknown}")
        self.fates[form["phones"], form["id"]] = -1
        return web.json_response({"id": form["id"], "cnt": 1})

    def status(self, form: Mapping[str, str]) -> web.Response:
        if unknown := set(form) - {"login", "psw", "fmt", "charset", "phone", "id"}:
            self.complaints.append(f"fields {unknown}")
        told = self.fates.get((form["phone"], form["id"]), -3)
        return web.json_response({"status": told, "last_date": "", "last_timestamp": 0})

    def error(self, code: int, message: str) -> web.Response:
        return web.json_response({"error": message, "error_code": code})

    @staticmethod
    def signed(form: Mapping[str, str], *names: str, secret: str = SMSC_SECRET) -> dict[str, str]:
        """The form with its digests: `sha1`, `md5`."""
        told = f"{form['id']}:{form['phone']}:{form['status']}:{secret}".encode()
        return {**form, **{name: hashlib.new(name, told).hexdigest() for name in names}}


Server = TypeVar("Server", bound=GatewayServer)


@asynccontextmanager
async def running(server: Server) -> AsyncIterator[Server]:
    app = web.Application()
    app.router.add_route("*", "/{path:.*}", server.serve)  # type: ignore[attr-defined]
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    server.url = f"http://127.0.0.1:{site._server.sockets[0].getsockname()[1]}"  # type: ignore[union-attr]
    try:
        yield server
    finally:
        await runner.cleanup()
