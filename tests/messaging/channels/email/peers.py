"""Mail servers to send to: aiosmtpd where a server behaves, a scripted one where it does not."""

import asyncio
import contextlib
import datetime
import ipaddress
import ssl
import warnings
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable
from pathlib import Path
from typing import Any

from aiosmtpd.smtp import SMTP, AuthResult, Envelope
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID


class Inbox:
    """Takes what comes; `refusals` (by command: MAIL, RCPT, DATA) are said first, one at a time."""

    def __init__(self, *, pipelining: bool = True) -> None:
        self.envelopes: list[Envelope] = []
        self.refusals: dict[str, list[str]] = {}
        self.sessions: set[int] = set()
        self.delay_s: dict[str, float] = {}
        self._pipelining = pipelining

    async def handle_EHLO(
        self, server: Any, session: Any, _envelope: Any, hostname: str, responses: list[str]
    ) -> list[str]:
        session.host_name = hostname
        self.sessions.add(id(session))
        return [*responses[:1], *(["250-PIPELINING"] if self._pipelining else []), *responses[1:]]

    async def handle_MAIL(
        self, server: Any, _session: Any, envelope: Envelope, address: str, options: list[str]
    ) -> str:
        if refusal := await self._said("MAIL"):
            return refusal
        envelope.mail_from = address
        envelope.mail_options.extend(options)
        return "250 2.1.0 Ok"

    async def handle_RCPT(
        self, server: Any, _session: Any, envelope: Envelope, address: str, options: list[str]
    ) -> str:
        if refusal := await self._said("RCPT"):
            return refusal
        envelope.rcpt_tos.append(address)
        return "250 2.1.5 Ok"

    async def handle_DATA(self, server: Any, _session: Any, envelope: Envelope) -> str:
        if refusal := await self._said("DATA"):
            return refusal
        self.envelopes.append(envelope)
        return f"250 2.0.0 Ok: queued as ABC{len(self.envelopes)}"

    async def _said(self, command: str) -> str | None:
        await asyncio.sleep(self.delay_s.get(command, 0))
        refusals = self.refusals.get(command)
        return refusals.pop(0) if refusals else None


class _Peer(SMTP):
    """Leaves nothing open behind it."""

    def connection_made(self, transport: Any) -> None:
        self._made = [*getattr(self, "_made", []), transport]
        super().connection_made(transport)

    async def leave(self) -> None:
        if self._handler_coroutine is not None:
            self._handler_coroutine.cancel()
            await asyncio.gather(self._handler_coroutine, return_exceptions=True)
        for transport in getattr(self, "_made", []):
            transport.abort()
        await asyncio.sleep(0.01)


@contextlib.asynccontextmanager
async def serving(
    inbox: Inbox,
    *,
    implicit_tls: ssl.SSLContext | None = None,
    starttls: ssl.SSLContext | None = None,
    login: tuple[str, str] | None = None,
    smtputf8: bool = False,
) -> AsyncIterator[int]:
    """An aiosmtpd server on a free port, which it yields."""

    def authenticate(_s: Any, _n: Any, _e: Any, _mechanism: str, data: Any) -> AuthResult:
        given = (data.login.decode(), data.password.decode())
        return AuthResult(success=given == login, handled=False)

    peers: list[_Peer] = []

    def make() -> SMTP:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # it does not know TLS from the first byte
            smtp = _Peer(
                inbox,
                tls_context=starttls,
                require_starttls=starttls is not None,
                authenticator=authenticate if login else None,
                auth_required=login is not None,
                auth_require_tls=False,
                enable_SMTPUTF8=smtputf8,
                hostname="mx.test",
            )
        peers.append(smtp)
        return smtp

    server = await asyncio.get_running_loop().create_server(make, "127.0.0.1", 0, ssl=implicit_tls)
    try:
        yield server.sockets[0].getsockname()[1]
    finally:
        server.close()
        for smtp in peers:
            await smtp.leave()


Script = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


@contextlib.asynccontextmanager
async def scripted(*scripts: Script) -> AsyncIterator[int]:
    """A server whose nth connection follows the nth script, and all later ones the last."""
    waiting = list(scripts)
    tasks: set[asyncio.Task[None]] = set()

    async def follow(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        tasks.add(task)
        script = waiting.pop(0) if len(waiting) > 1 else waiting[0]
        try:
            with contextlib.suppress(ConnectionError, asyncio.IncompleteReadError):
                await script(reader, writer)
        finally:
            writer.close()
            with contextlib.suppress(ConnectionError):
                await writer.wait_closed()

    server = await asyncio.start_server(follow, "127.0.0.1", 0)
    try:
        yield server.sockets[0].getsockname()[1]
    finally:
        server.close()
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


def lines(
    *steps: str | tuple[str, str], banner: str = "220 mx.test ESMTP", offers: Iterable[str] = ()
) -> Script:
    """Greets; then for each step reads a line and answers; a step (a, b) waits for `a` first.

    `.` as what is waited for stands for a whole mail. After the last step it hangs up.
    """

    async def script(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(f"{banner}\r\n".encode())
        await reader.readline()
        for offer in ("mx.test", *offers):
            writer.write(f"250-{offer}\r\n".encode())
        writer.write(b"250 HELP\r\n")
        for step in steps:
            wanted, answer = step if isinstance(step, tuple) else ("", step)
            if wanted == ".":
                await reader.readuntil(b"\r\n.\r\n")
            else:
                line = await reader.readline()
                assert line.decode().startswith(wanted), line
            if answer:
                writer.write(f"{answer}\r\n".encode())
                await writer.drain()

    return script


def certificate(folder: Path, name: str = "localhost") -> tuple[ssl.SSLContext, ssl.SSLContext]:
    """A server's context with a self-made certificate, and a client's that trusts it."""
    key = ec.generate_private_key(ec.SECP256R1())
    who = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    now = datetime.datetime.now(datetime.UTC)
    names = [x509.DNSName(name), x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]
    made = (
        x509.CertificateBuilder()
        .subject_name(who)
        .issuer_name(who)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(days=1))
        .not_valid_after(now + datetime.timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName(names), critical=False)
        .sign(key, hashes.SHA256())
    )
    pem = made.public_bytes(serialization.Encoding.PEM)
    private = key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    )
    file = folder / "server.pem"
    file.write_bytes(private + pem)
    server = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    server.load_cert_chain(file)
    client = ssl.create_default_context(cadata=pem.decode())
    return server, client
