"""One connection to a mail server: opened by aiosmtplib, used in as few round trips as it allows.

aiosmtplib does what is intricate: TLS, STARTTLS, signing in, EHLO. Then this protocol takes the
transport over, because a transaction needs two things that it does not offer: commands in one
group (RFC 2920), and to know whether the connection was lost before or after the final dot. A mail
takes two round trips, and one where the next mail's envelope can go along with it.
"""

import asyncio
import ssl
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, NoReturn, TypeVar

import aiosmtplib
from msgspec import Struct

from messaging.channels.email.mime import Mail
from messaging.channels.email.replies import Meaning, meaning

_T = TypeVar("_T")
REPLY_BYTES_MAX = 32 * 1024
GROUP_BYTES_MAX = 64 * 1024
"""A mail up to this length is with the operating system in one go."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Server:
    """Where mail is handed in. `security` is tls, starttls or none."""

    host: str
    port: int
    security: str = "starttls"
    user: str = ""
    password: str = ""
    hello: str = "localhost"
    tls_context: ssl.SSLContext | None = None


class Reply(Struct, frozen=True):
    code: int
    text: str


class LostError(Exception):
    """The connection broke, or stopped making sense, before the server could take the mail."""


class LostAfterDotError(Exception):
    """It broke after the whole mail was written: the server may have taken it."""


class RefusedError(Exception):
    """The server said no, and what that means."""

    def __init__(self, means: Meaning, reply: Reply, *, fatal: bool = False) -> None:
        super().__init__(f"{reply.code} {reply.text}")
        self.means = means
        self.reply = reply
        self.fatal = fatal
        """The server is closing this connection; a fresh one may do better."""


class NoConnectionError(Exception):
    """No connection to the server could be had. `reason` names why."""

    def __init__(self, reason: str, detail: str) -> None:
        super().__init__(detail)
        self.reason = reason


class _Replies(asyncio.Protocol):
    """Splits what the server says into replies, in their order."""

    def __init__(self) -> None:
        self._buffer = bytearray()
        self._lines: list[str] = []
        self._replies: deque[Reply] = deque()
        self._waiter: asyncio.Future[None] | None = None
        self._room: asyncio.Future[bool] | None = None
        self.lost = False

    def data_received(self, data: bytes) -> None:
        self._buffer += data
        while (end := self._buffer.find(b"\n")) >= 0:
            line = self._buffer[:end].decode("utf-8", "replace").rstrip("\r")
            del self._buffer[: end + 1]
            if not self._take(line):
                self._give_up()
                return
        if len(self._buffer) + sum(map(len, self._lines)) > REPLY_BYTES_MAX:
            self._give_up()
        elif self._replies:
            self._wake()

    def _take(self, line: str) -> bool:
        if len(line) < 3 or not line[:3].isascii() or not line[:3].isdigit():
            return False
        self._lines.append(line[4:])
        if line[3:4] != "-":
            self._replies.append(Reply(int(line[:3]), "\n".join(self._lines)))
            self._lines = []
        return True

    def _give_up(self) -> None:
        self.lost = True
        self._wake()

    def _wake(self) -> None:
        if self._waiter is not None and not self._waiter.done():
            self._waiter.set_result(None)

    def eof_received(self) -> None:
        self._give_up()

    def connection_lost(self, _error: Exception | None) -> None:
        self._give_up()
        if self._room is not None and not self._room.done():
            self._room.set_result(False)

    def pause_writing(self) -> None:
        self._room = asyncio.get_running_loop().create_future()

    def resume_writing(self) -> None:
        if self._room is not None and not self._room.done():
            self._room.set_result(True)
        self._room = None

    async def written(self, *, by: float) -> bool:
        """Wait until all is with the operating system; False when it surely never got there.

        TimeoutError when that takes until `by`, an instant of the loop's clock.
        """
        return self._room is None or await _in_time(self._room, by)

    @property
    def unasked(self) -> bool:
        """Whether the server has said something between two transactions (421, as a rule)."""
        return bool(self._replies or self._buffer or self._lines)

    async def next(self, *, by: float) -> Reply:
        """TimeoutError when it has not come by then, an instant of the loop's clock."""
        while not self._replies:
            if self.lost:
                raise LostError("the connection was lost")
            self._waiter = asyncio.get_running_loop().create_future()
            await _in_time(self._waiter, by)
        return self._replies.popleft()


async def _in_time(awaited: asyncio.Future[_T], by: float) -> _T:
    """What `asyncio.timeout_at` would do, for one future and in a third of the time."""
    timer = asyncio.get_running_loop().call_at(by, _be_late, awaited)
    try:
        return await awaited
    finally:
        timer.cancel()


def _be_late(awaited: asyncio.Future[Any]) -> None:
    if not awaited.done():
        awaited.set_exception(TimeoutError())


class Connection:
    """Sends one mail after the other; once it has raised LostError it is of no more use."""

    def __init__(self, smtp: aiosmtplib.SMTP) -> None:
        assert isinstance(smtp.transport, asyncio.Transport)
        self._transport = smtp.transport
        self._replies = _Replies()
        self._transport.set_protocol(self._replies)
        self._transport.set_write_buffer_limits(0)  # what is not with the system yet is known
        self._pipelining = smtp.supports_extension("pipelining")
        self._size_max = _size_max(smtp)
        self.takes_utf8 = smtp.supports_extension("smtputf8")
        self._states_size = smtp.supports_extension("size")
        self._dirty = False  # a transaction was broken off: RSET comes before the next
        self._asked_for: Mail | None = None  # whose envelope went along with the mail before it
        self.used = 0

    @property
    def usable(self) -> bool:
        """Whether, for all that is known, the server still listens."""
        return not (self._replies.lost or self._replies.unasked or self._transport.is_closing())

    def could_follow(self, mail: Mail) -> bool:
        """Whether its envelope may go along with the mail before it."""
        fits = not self._size_max or len(mail.content) <= self._size_max
        return self._pipelining and fits and (self.takes_utf8 or not mail.utf8)

    async def send(
        self,
        mail: Mail,
        *,
        ready_by: float,
        answer_by: float,
        following: Callable[[], Mail | None] = lambda: None,
    ) -> Reply:
        """The server's last word, which is a yes; else one of the errors above.

        Instants of the loop's clock: until when the server may let us begin, and until when it may
        ponder on the whole. `following` is asked for the mail that comes next on this connection,
        if it is known by then and could follow: nothing else may be sent here before it is.
        """
        self.used += 1
        if self._size_max and len(mail.content) > self._size_max:
            too_large = Reply(552, f"5.3.4 the server takes {self._size_max} bytes")
            _refuse(too_large)
        try:
            await self._begin(mail, ready_by)
        except TimeoutError:
            raise LostError("no answer in time") from None
        try:
            return await self._hand_over(mail.content, following, answer_by)
        except TimeoutError:
            raise LostAfterDotError("no answer in time") from None

    async def _begin(self, mail: Mail, by: float) -> None:
        """Envelope and DATA, until the server waits for the mail itself."""
        if self._asked_for is mail:
            self._asked_for = None
            replies = [await self._replies.next(by=by) for _ in range(3)]
        else:
            commands = [*([b"RSET\r\n"] if self._dirty else []), *self._envelope(mail)]
            replies = await (self._grouped if self._pipelining else self._one_by_one)(commands, by)
        self._dirty = True
        accepted, recipient, ready = replies[-3:]
        if ready.code == 354 and not (_good(accepted) and _good(recipient)):
            await self._empty_mail(by)
        if not _good(accepted):
            _refuse_sender(accepted)
        if not _good(recipient):
            _refuse(recipient)
        if ready.code != 354:
            _refuse(ready)

    def _envelope(self, mail: Mail) -> list[bytes]:
        options = f" SIZE={len(mail.content)}" if self._states_size else ""
        options += " SMTPUTF8 BODY=8BITMIME" if mail.utf8 else ""
        return [
            f"MAIL FROM:<{mail.sender}>{options}\r\n".encode(),
            f"RCPT TO:<{mail.recipient}>\r\n".encode(),
            b"DATA\r\n",
        ]

    async def _grouped(self, commands: list[bytes], by: float) -> list[Reply]:
        self._transport.write(b"".join(commands))
        return [await self._replies.next(by=by) for _ in commands]

    async def _one_by_one(self, commands: list[bytes], by: float) -> list[Reply]:
        """A refusal stands for the replies to what is then not asked any more."""
        replies: list[Reply] = []
        for command in commands:
            if replies and replies[-1].code >= 400:
                replies.append(replies[-1])
                continue
            self._transport.write(command)
            replies.append(await self._replies.next(by=by))
        return replies

    async def _empty_mail(self, by: float) -> None:
        """The server waits for a mail that has no recipient (RFC 2920, 3.1): let it have none."""
        self._transport.write(b".\r\n")
        await self._replies.next(by=by)

    async def _hand_over(
        self, content: bytes, following: Callable[[], Mail | None], by: float
    ) -> Reply:
        """The mail, and with it the envelope of the next: RFC 2920 (3.1) lets it go along.

        Not with a long one: of a group that breaks nobody could tell where it broke.
        """
        following_mail = following() if len(content) <= GROUP_BYTES_MAX else None
        self._asked_for = following_mail
        group = [dotted(content), b".\r\n"]
        if following_mail is not None:
            group += self._envelope(following_mail)
        self._transport.write(b"".join(group))
        written = await self._replies.written(by=by)
        try:
            reply = await self._replies.next(by=by)
        except LostError as error:
            if not written and following_mail is None:
                raise
            raise LostAfterDotError(str(error)) from None
        self._dirty = False  # what ends a mail ends its transaction, whatever the answer
        if not _good(reply):
            _refuse(reply)
        return reply

    def quit(self) -> None:
        """Part politely, if that takes no time."""
        if self.usable:
            self._transport.write(b"QUIT\r\n")
        self._transport.close()

    def abort(self) -> None:
        """Nobody knows what the server would say next."""
        self._transport.abort()


def _good(reply: Reply) -> bool:
    return 200 <= reply.code < 300


def _refuse_sender(reply: Reply) -> NoReturn:
    """What the server has against our own address is no fault of the recipient's."""
    means = meaning(reply.code, reply.text)
    if means.reason != "message_too_large" and (reply.code >= 500 or means.reason == "not_now"):
        name = "sender_refused" if reply.code >= 500 else "not_now"
        means = Meaning(name, False, provider_down=True, wait_s=means.wait_s)
    raise RefusedError(means, reply, fatal=reply.code == 421)


def _refuse(reply: Reply) -> NoReturn:
    raise RefusedError(meaning(reply.code, reply.text), reply, fatal=reply.code == 421)


def dotted(content: bytes) -> bytes:
    """`content`, which ends in CRLF, with lines that begin with a dot given another."""
    if b"\r\n." in content:
        content = content.replace(b"\r\n.", b"\r\n..")
    return b"." + content if content.startswith(b".") else content


def _size_max(smtp: aiosmtplib.SMTP) -> int:
    stated = smtp.esmtp_extensions.get("size", "").strip()
    return int(stated) if stated.isascii() and stated.isdigit() else 0


async def connect(server: Server, *, timeout_s: float) -> Connection:
    """Open, secure, sign in. Raises NoConnectionError."""
    smtp = aiosmtplib.SMTP(
        hostname=server.host,
        port=server.port,
        use_tls=server.security == "tls",
        start_tls=server.security == "starttls",
        username=server.user or None,
        password=server.password if server.user else None,
        tls_context=server.tls_context,
        local_hostname=server.hello,
        timeout=timeout_s,
    )
    try:
        await smtp.connect()
        if smtp.is_ehlo_or_helo_needed:
            await smtp.ehlo()
    except (OSError, aiosmtplib.SMTPException, ValueError) as error:
        smtp.close()
        raise NoConnectionError(_why(error), str(error)) from error
    except BaseException:
        smtp.close()
        raise
    return Connection(smtp)


def _why(error: Exception) -> str:
    cause = error.__cause__ or error
    if isinstance(error, aiosmtplib.SMTPAuthenticationError):
        return "login_refused" if error.code >= 500 else "provider_down"
    if isinstance(cause, ssl.SSLError) or isinstance(error, ssl.SSLError):
        return "tls_failed"
    if isinstance(error, aiosmtplib.SMTPResponseException):
        return "provider_down"
    if isinstance(error, aiosmtplib.SMTPNotSupported) or "STARTTLS" in str(error):
        return "tls_not_offered"
    if isinstance(error, ValueError):
        return "tls_failed"
    return "no_connection"
