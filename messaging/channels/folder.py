"""SMS and e-mail into a folder instead of to a provider: composed as they would go out, then a file
each. For demos, for trying things out, and for a gateway of one's own that takes files.

A file appears whole or not at all, under the number of its attempt: the latest sorts last.
"""

import asyncio
import heapq
import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from email import message_from_bytes, policy
from email.message import EmailMessage
from pathlib import Path

from loyalty.clock import Clock
from messaging.channels.base import Failed, Limit, Outgoing, SendResult, Sent, Status, Words
from messaging.channels.email.headers import UnfitAddressError
from messaging.channels.email.mime import Composer, Mail
from messaging.channels.sms.channel import Sms, SmsTerms, digits_of, text_of, unsendable
from messaging.policy.sms_segments import segments
from messaging.templates import Body

MAIL, SMS = ".eml", ".txt"
_FOLDER_MODE, _FILE_MODE = 0o700, 0o600
"""Codes are in them: for the owner's eyes."""


class FolderSms(Sms):
    """Each SMS is a text file with its number, time and segments above the words."""

    def __init__(self, terms: SmsTerms, folder: Path, *, clock: Clock) -> None:
        super().__init__(terms)
        self.limits: Sequence[Limit] = ()
        self._folder = folder
        self._clock = clock

    async def open(self) -> None:
        """Nothing to be opened: the folder is made when the first file comes."""

    async def close(self) -> None:
        """Nothing is kept open."""

    async def send(self, outgoing: Outgoing) -> SendResult:
        if refused := unsendable(outgoing.body, outgoing.address):
            return refused
        text = text_of(outgoing.body)
        counted = segments(text)
        head = (
            f"To: +{digits_of(outgoing.address)}\n"
            f"Date: {self._clock.now().isoformat()}\n"
            f"Segments: {counted.parts} {counted.encoding}\n\n"
        )
        return await _kept(self._folder, outgoing, SMS, (head + text + "\n").encode())


class FolderEmail:
    """Each mail is a file as a mail server would get it, which mail programs open."""

    name = "email"
    address_kinds: Sequence[str] = ("email",)
    keeps_body = False
    reports: Sequence[Status] = ()
    limits: Sequence[Limit] = ()

    def __init__(self, composer: Composer, folder: Path, *, price: int = 0) -> None:
        self._composer = composer
        self._folder = folder
        self._price = price

    def units(self, body: Body) -> int:
        return 1

    def price(self, words: Words, address: str) -> int:
        return self._price

    def compose(self, outgoing: Outgoing) -> Mail:
        """The mail as it goes out. Raises UnfitAddressError."""
        return self._composer.compose(outgoing)

    async def send(self, outgoing: Outgoing) -> SendResult:
        try:
            mail = self._composer.compose(outgoing)
        except UnfitAddressError as error:
            return Failed("bad_address", True, detail=str(error))
        return await _kept(self._folder, outgoing, MAIL, mail.content)

    async def close(self) -> None:
        """Nothing is kept open."""


async def _kept(folder: Path, outgoing: Outgoing, suffix: str, content: bytes) -> SendResult:
    name = f"{outgoing.attempt_id:020d}{suffix}"
    try:
        await asyncio.to_thread(_write, folder, name, content)
    except OSError as error:
        return Failed("folder_unwritable", False, detail=str(error), provider_down=True)
    return Sent(name)


def _write(folder: Path, name: str, content: bytes) -> None:
    """Beside, then into place: whoever watches the folder never reads half a file."""
    folder.mkdir(mode=_FOLDER_MODE, parents=True, exist_ok=True)
    beside = folder / f".{name}.part"
    with open(os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, _FILE_MODE), "wb") as file:
        file.write(content)
    beside.replace(folder / name)


@dataclass(frozen=True, slots=True)
class KeptSms:
    """An SMS as its file tells it."""

    id: int
    phone: str
    text: str
    at: datetime
    segments: str


@dataclass(frozen=True, slots=True)
class KeptMail:
    """A mail as its file tells it; `fields` are its header fields, unfolded and decoded."""

    id: int
    sender: str
    recipient: str
    subject: str
    at: datetime | None
    html: str
    text: str
    fields: Sequence[tuple[str, str]]
    size: int


def kept_sms(folder: Path, *, limit: int = 50) -> list[KeptSms]:
    """The latest first."""
    return [_sms(number, path.read_text("utf-8")) for number, path in _latest(folder, SMS, limit)]


def kept_mails(folder: Path, *, limit: int = 50) -> list[KeptMail]:
    """The latest first."""
    return [_mail(number, path.read_bytes()) for number, path in _latest(folder, MAIL, limit)]


def kept_mail(folder: Path, number: int) -> KeptMail | None:
    try:
        return _mail(number, (folder / f"{number:020d}{MAIL}").read_bytes())
    except OSError:
        return None


def _latest(folder: Path, suffix: str, limit: int) -> list[tuple[int, Path]]:
    return [(int(name.removesuffix(suffix)), folder / name)
            for name in heapq.nlargest(limit, _names(folder, suffix))]  # fmt: skip


def _names(folder: Path, suffix: str) -> Iterator[str]:
    try:
        with os.scandir(folder) as entries:
            for entry in entries:
                if entry.name.endswith(suffix) and entry.name.removesuffix(suffix).isdecimal():
                    yield entry.name
    except FileNotFoundError:  # nothing was sent yet
        return


def _sms(number: int, content: str) -> KeptSms:
    head, _, text = content.partition("\n\n")
    fields = dict(line.split(": ", 1) for line in head.splitlines() if ": " in line)
    return KeptSms(
        id=number,
        phone=fields.get("To", ""),
        text=text.removesuffix("\n"),
        at=datetime.fromisoformat(fields.get("Date", "1970-01-01T00:00:00+00:00")),
        segments=fields.get("Segments", ""),
    )


def _mail(number: int, content: bytes) -> KeptMail:
    read = message_from_bytes(content, policy=policy.default)
    assert isinstance(read, EmailMessage)
    date = read["Date"]
    at = getattr(date, "datetime", None)
    return KeptMail(
        id=number,
        sender=str(read["From"] or ""),
        recipient=str(read["To"] or ""),
        subject=str(read["Subject"] or ""),
        at=at.astimezone(UTC) if isinstance(at, datetime) else None,
        html=_part(read, "html"),
        text=_part(read, "plain"),
        fields=tuple((name, " ".join(str(value).split())) for name, value in read.items()),
        size=len(content),
    )


def _part(read: EmailMessage, kind: str) -> str:
    found = read.get_body((kind,))
    return str(found.get_content()) if found is not None else ""
