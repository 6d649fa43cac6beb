"""Where returned mail is read: a Maildir of this machine, or a folder on an IMAP server.

The two that everybody has: whoever runs a mail server lets it deliver into a Maildir, whoever has
a mailbox elsewhere has IMAP. POP3 cannot keep apart what was understood and what a person should
look at, so it is not here. Both are slow and rare: they work in a thread.
"""

import asyncio
import contextlib
import imaplib
import re
import ssl
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol
from urllib.parse import unquote, urlsplit

import structlog

from loyalty.clock import Clock
from loyalty.instants import to_micros
from messaging.channels.base import Report, TakeReports
from messaging.channels.email.bounces import Leave, read_mail
from messaging.channels.email.tokens import Tokens

BATCH = 200
EVERY_S = 60.0
MAIL_BYTES_MAX = 512 * 1024
IMAP_TIMEOUT_S = 30.0

TakeLeaves = Callable[[Sequence[int]], Awaitable[None]]
"""Called with the attempts whose readers have asked to be left alone."""

log = structlog.get_logger(__name__)


class Mailbox(Protocol):
    """Reads some mails; afterwards those that were understood go and the others stay, as read."""

    def fetch(self, limit: int) -> list[tuple[str, bytes]]: ...

    def settle(self, understood: Sequence[str], others: Sequence[str]) -> None: ...

    def close(self) -> None: ...


class Maildir:
    """A folder with `new` and `cur` in it."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def fetch(self, limit: int) -> list[tuple[str, bytes]]:
        mails = []
        for path in sorted((self._folder / "new").iterdir())[:limit]:
            with contextlib.suppress(FileNotFoundError), path.open("rb") as file:
                mails.append((path.name, file.read(MAIL_BYTES_MAX)))
        return mails

    def settle(self, understood: Sequence[str], others: Sequence[str]) -> None:
        for name in understood:
            (self._folder / "new" / name).unlink(missing_ok=True)
        seen = self._folder / "cur"
        seen.mkdir(exist_ok=True)
        for name in others:
            with contextlib.suppress(FileNotFoundError):
                (self._folder / "new" / name).rename(seen / f"{name.partition(':')[0]}:2,S")

    def close(self) -> None:
        pass


@dataclass(frozen=True, slots=True, kw_only=True)
class ImapServer:
    host: str
    port: int
    user: str
    password: str
    folder: str
    tls: bool


class Imap:
    """Unread mails of one folder. The connection lives from `fetch` to `settle`."""

    def __init__(self, server: ImapServer) -> None:
        self._server = server
        self._imap: imaplib.IMAP4 | None = None

    def fetch(self, limit: int) -> list[tuple[str, bytes]]:
        server = self._server
        self._imap = imap = _connected(server)
        imap.login(server.user, server.password)
        status, _ = imap.select(f'"{server.folder}"')
        if status != "OK":
            raise imaplib.IMAP4.error(f"no folder {server.folder}")
        _, found = imap.uid("SEARCH", "UNSEEN")
        uids = (found[0] or b"").split()[:limit]
        mails = []
        for uid in uids:
            _, parts = imap.uid("FETCH", uid.decode(), f"(BODY.PEEK[]<0.{MAIL_BYTES_MAX}>)")
            mails += [(uid.decode(), part[1]) for part in parts if isinstance(part, tuple)][:1]
        return mails

    def settle(self, understood: Sequence[str], others: Sequence[str]) -> None:
        assert self._imap is not None
        if others:
            self._imap.uid("STORE", ",".join(others), "+FLAGS.SILENT", r"(\Seen)")
        if understood:
            self._imap.uid("STORE", ",".join(understood), "+FLAGS.SILENT", r"(\Deleted)")
            self._imap.expunge()

    def close(self) -> None:
        if self._imap is not None:
            with contextlib.suppress(OSError, imaplib.IMAP4.error):
                self._imap.logout()
            self._imap = None


def _connected(server: ImapServer) -> imaplib.IMAP4:
    if not server.tls:
        return imaplib.IMAP4(server.host, server.port, timeout=IMAP_TIMEOUT_S)
    # Left to itself imaplib believes any certificate.
    context = ssl.create_default_context()
    return imaplib.IMAP4_SSL(server.host, server.port, ssl_context=context, timeout=IMAP_TIMEOUT_S)


class BounceReader:
    """Looks into the mailbox once a minute. Two processes may: a report told twice is told once."""

    def __init__(
        self,
        mailbox: Mailbox,
        tokens: Tokens,
        *,
        clock: Clock,
        take_reports: TakeReports,
        take_leaves: TakeLeaves | None = None,
        every_s: float = EVERY_S,
    ) -> None:
        self._mailbox = mailbox
        self._tokens = tokens
        self._clock = clock
        self._take_reports = take_reports
        self._take_leaves = take_leaves
        self._every_s = every_s

    async def run(self, stop: asyncio.Event) -> None:
        """Read until `stop`. A mailbox out of reach is waited out: the mails stay there."""
        while not stop.is_set():
            try:
                while await self.read_some() == BATCH and not stop.is_set():
                    pass
            except Exception as error:
                log.warning("bounce_mailbox_not_read", error=str(error))
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(self._every_s):
                    await stop.wait()

    async def read_some(self) -> int:
        """Read one batch; returns how many mails there were. They go once what they say is kept."""
        try:
            mails = await asyncio.to_thread(self._mailbox.fetch, BATCH)
            if mails:
                understood, others = await self._take(mails)
                await asyncio.to_thread(self._mailbox.settle, understood, others)
        finally:
            await asyncio.to_thread(self._mailbox.close)
        return len(mails)

    async def _take(self, mails: Sequence[tuple[str, bytes]]) -> tuple[list[str], list[str]]:
        at = to_micros(self._clock.now())
        told = {name: self._read(name, raw, at) for name, raw in mails}
        reports = [item for item in told.values() if isinstance(item, Report)]
        leaves = [item.attempt_id for item in told.values() if isinstance(item, Leave)]
        if reports:
            await self._take_reports(reports)
        if leaves and self._take_leaves is not None:
            await self._take_leaves(leaves)
        understood = [
            name
            for name, item in told.items()
            if isinstance(item, Report) or (isinstance(item, Leave) and self._take_leaves)
        ]
        return understood, [name for name, _ in mails if name not in set(understood)]

    def _read(self, name: str, raw: bytes, at: int) -> Report | Leave | None:
        """One mail that nobody can read must not stand in the way of all that come after it."""
        try:
            return read_mail(raw, self._tokens, at=at)
        except Exception:
            log.exception("returned_mail_unreadable", name=name)
            return None


def open_mailbox(url: str) -> Mailbox:
    """maildir:///FOLDER, imaps://USER:PASSWORD@HOST[:PORT][/FOLDER], imap://… Raises ValueError."""
    parts = urlsplit(url)
    folder = unquote(parts.path)
    if parts.scheme == "maildir":
        if parts.netloc or not folder.startswith("/"):
            raise ValueError("a Maildir is written as maildir:///FOLDER")
        if not (Path(folder) / "new").is_dir():
            raise ValueError(f"there is no Maildir in {folder}")
        return Maildir(Path(folder))
    if parts.scheme not in ("imap", "imaps"):
        raise ValueError("write maildir:///FOLDER or imaps://USER:PASSWORD@HOST/FOLDER")
    if not (parts.hostname and parts.username and parts.password):
        raise ValueError("an IMAP mailbox needs imaps://USER:PASSWORD@HOST/FOLDER")
    name = folder.strip("/") or "INBOX"
    if not re.fullmatch(r'[^"\\\r\n]+', name) or not name.isascii():
        raise ValueError("the folder's name has letters that IMAP does not take")
    tls = parts.scheme == "imaps"
    return Imap(
        ImapServer(
            host=parts.hostname,
            port=parts.port or (993 if tls else 143),
            user=unquote(parts.username),
            password=unquote(parts.password),
            folder=name,
            tls=tls,
        )
    )
