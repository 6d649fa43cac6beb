"""A push service as strict as the browsers' makers', and a browser that reads what it carries.

It knows nothing of the code under test: tokens are checked by hand after RFC 7515 and 8292, content
is decrypted by `http_ece`. What it objects to is in `complaints`.
"""

import asyncio
import base64
import json
import os
import re
import time
from collections import deque
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import http_ece
from aiohttp import web
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import encode_dss_signature
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

HANG, DROP = "hang", "drop"
Scripted = str | tuple[int, str] | tuple[int, str, Mapping[str, str]]
"""HANG: read and never answered; DROP: read and cut off; or a status, a text, headers."""


def b64(raw: bytes) -> str:
    return base64.urlsafe_b64encode(raw).decode().rstrip("=")


def unb64(text: str) -> bytes:
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))


class BrowserKeys:
    """What a browser makes when it subscribes."""

    def __init__(self) -> None:
        self.private = ec.generate_private_key(ec.SECP256R1())
        self.auth = os.urandom(16)

    @property
    def p256dh(self) -> str:
        public = self.private.public_key()
        return b64(public.public_bytes(Encoding.X962, PublicFormat.UncompressedPoint))

    @property
    def given(self) -> dict[str, str]:
        """As `PushSubscription.toJSON` has them."""
        return {"p256dh": self.p256dh, "auth": b64(self.auth)}

    def read(self, content: bytes) -> Any:
        """The notification, decrypted."""
        text = http_ece.decrypt(
            content, private_key=self.private, auth_secret=self.auth, version="aes128gcm"
        )
        return json.loads(text)


@dataclass
class Taken:
    """A message that was accepted, with its headers."""

    path: str
    headers: Mapping[str, str]
    content: bytes
    claims: Mapping[str, Any]


@dataclass
class PushService:
    """`script` says how the next requests are answered; then they are taken with 201."""

    url: str = ""
    now: float | None = None
    subscribed_for: str = ""
    script: deque[Scripted] = field(default_factory=deque)
    got: list[Taken] = field(default_factory=list)
    complaints: list[str] = field(default_factory=list)
    connections: set[object] = field(default_factory=set)

    def endpoint(self, name: str = "anna") -> str:
        return f"{self.url}/push/{name}"

    async def serve(self, request: web.Request) -> web.StreamResponse:
        self.connections.add(request.transport)
        content = await request.read()
        status, claims = self._claims(request.headers.get("Authorization", ""))
        if status:
            return web.Response(status=status, text="bad VAPID")
        self._check(request, content)
        self.got.append(Taken(request.path, dict(request.headers), content, claims))
        if not self.script:
            return web.Response(status=201, headers={"Location": f"{self.url}/m/{len(self.got)}"})
        return await self._scripted(request, self.script.popleft())

    async def _scripted(self, request: web.Request, scripted: Scripted) -> web.StreamResponse:
        if scripted == HANG:
            await asyncio.sleep(30)
        if scripted in (HANG, DROP):
            assert request.transport is not None
            request.transport.abort()
            return web.Response()
        status, text, *headers = scripted
        return web.Response(
            status=status,  # type: ignore[arg-type]
            text=text,
            headers=headers[0] if headers else None,  # type: ignore[arg-type]
        )

    def _claims(self, authorization: str) -> tuple[int, Mapping[str, Any]]:
        """The status to refuse with, or 0 and what the token says."""
        found = re.fullmatch(r"vapid t=([\w-]+)\.([\w-]+)\.([\w-]+), k=([\w-]+)", authorization)
        if found is None:
            return 401, {}
        header, claims, signature, key = found.groups()
        if self.subscribed_for and key != self.subscribed_for:
            return 403, {}
        if json.loads(unb64(header)) != {"typ": "JWT", "alg": "ES256"}:
            return 401, {}
        raw = unb64(signature)
        public = ec.EllipticCurvePublicKey.from_encoded_point(ec.SECP256R1(), unb64(key))
        halves = (int.from_bytes(raw[:32], "big"), int.from_bytes(raw[32:], "big"))
        try:
            public.verify(
                encode_dss_signature(*halves),
                f"{header}.{claims}".encode(),
                ec.ECDSA(hashes.SHA256()),
            )
        except InvalidSignature:
            return 403, {}
        said = json.loads(unb64(claims))
        now = time.time() if self.now is None else self.now
        if said["aud"] != self.url or not now < said["exp"] <= now + 86_400:
            return 403, {}
        if not re.match(r"(mailto:|https://)\S+", said["sub"]):
            return 403, {}
        return 0, said

    def _check(self, request: web.Request, content: bytes) -> None:
        headers = request.headers
        for name, form in (
            ("TTL", r"\d{1,7}"),
            ("Urgency", "very-low|low|normal|high"),
            ("Topic", r"[A-Za-z0-9_-]{1,32}"),
            ("Content-Encoding", "aes128gcm"),
            ("Content-Length", r"\d+"),
        ):
            if not re.fullmatch(form, headers.get(name, "")):
                self.complaints.append(f"{name}: {headers.get(name)}")
        if request.method != "POST" or len(content) > 4096 or "Cookie" in headers:
            self.complaints.append(f"{request.method} of {len(content)} bytes")


@asynccontextmanager
async def running(service: PushService) -> AsyncIterator[PushService]:
    app = web.Application()
    app.router.add_route("*", "/{path:.*}", service.serve)
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    service.url = f"http://127.0.0.1:{site._server.sockets[0].getsockname()[1]}"  # type: ignore[union-attr]
    try:
        yield service
    finally:
        await runner.cleanup()
