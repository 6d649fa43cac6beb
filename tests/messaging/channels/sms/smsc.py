"""A strict message centre: SMPP 3.4 read with `struct` alone, by the specification's tables.

It knows nothing of the code under test nor of its library. What it objects to is in `complaints`.
"""

import asyncio
import re
import ssl
import struct
from collections import deque
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field

SYSTEM_ID, PASSWORD = "kapsula", "s3cret"

BIND, SUBMIT, DELIVER, UNBIND, ENQUIRE = 0x9, 0x4, 0x5, 0x6, 0x15
RESPONSE = 0x8000_0000
OK, SYSERR, INVDSTADR, INVPASWD, MSGQFUL, THROTTLED = 0x0, 0x8, 0xB, 0xE, 0x14, 0x58
INVSRCADR, VENDORS_OWN = 0xA, 0x40A

SILENT, DROP = "silent", "drop"
"""Instead of a status: the PDU is read and not answered; it is read and the line is cut."""

# 3GPP TS 23.038: the default alphabet by code, and what follows an escape.
ALPHABET = (
    "@£$¥èéùìòÇ\nØø\rÅåΔ_ΦΓΛΩΠΨΣΘΞ\x1bÆæßÉ !\"#¤%&'()*+,-./0123456789:;<=>?"
    "¡ABCDEFGHIJKLMNOPQRSTUVWXYZÄÖÑÜ§¿abcdefghijklmnopqrstuvwxyzäöñüà"
)
ESCAPED = {0x0A: "\f", 0x14: "^", 0x28: "{", 0x29: "}", 0x2F: "\\", 0x3C: "[", 0x3D: "~"} | {
    0x3E: "]",
    0x40: "|",
    0x65: "€",
}


@dataclass(frozen=True)
class Submitted:
    """A submit_sm, one part of a message."""

    source: tuple[int, int, str]
    destination: tuple[int, int, str]
    esm_class: int
    validity: str
    registered: int
    data_coding: int
    message: bytes
    id: str = ""

    @property
    def part(self) -> tuple[int, int, int] | None:
        """(reference, parts, number) of its user data header."""
        return tuple(self.message[3:6]) if self.esm_class & 0x40 else None  # type: ignore[return-value]

    @property
    def text(self) -> str:
        words = self.message[self.message[0] + 1 :] if self.esm_class & 0x40 else self.message
        return words.decode("utf-16-be") if self.data_coding == 8 else gsm7(words)


def gsm7(words: bytes) -> str:
    text, codes = "", iter(words)
    for code in codes:
        text += ESCAPED[next(codes)] if code == 0x1B else ALPHABET[code]
    return text


@dataclass
class Smsc:
    """`script` says how the next submits are answered: a status, SILENT or DROP; then OK."""

    port: int = 0
    script: deque[int | str] = field(default_factory=deque)
    slow_s: float = 0.0
    receipts: Callable[[Submitted], bytes | None] = lambda _part: None
    bind_status: int = OK
    id_form: str = "id-{}"
    submitted: list[Submitted] = field(default_factory=list)
    complaints: list[str] = field(default_factory=list)
    acknowledged: list[int] = field(default_factory=list)
    """The statuses that our deliveries were answered with."""
    binds: int = 0
    unbinds: int = 0
    enquiries: int = 0
    at_once_max: int = 0
    _lines: set[asyncio.StreamWriter] = field(default_factory=set)
    _bound: list[asyncio.StreamWriter] = field(default_factory=list)
    _tasks: set[asyncio.Task[None]] = field(default_factory=set)
    _under_way: int = 0
    _sequence: int = 0

    @property
    def inbox(self) -> list[tuple[str, str]]:
        """(number, text) of the messages that a telephone would show, in order."""
        shown: list[tuple[str, str]] = []
        parts: dict[tuple[str, int], dict[int, str]] = {}
        for one in self.submitted:
            if one.part is None:
                shown.append((one.destination[2], one.text))
                continue
            reference, total, number = one.part
            known = parts.setdefault((one.destination[2], reference), {})
            known[number] = one.text
            if len(known) == total:
                text = "".join(known[n] for n in range(1, total + 1))
                shown.append((one.destination[2], text))
                del parts[one.destination[2], reference]
        return shown

    def cut(self) -> None:
        """Drop every line, as a restart would."""
        for line in list(self._lines):
            line.transport.abort()

    def deliver(self, body: bytes) -> None:
        """Send a deliver_sm to whoever is bound."""
        self._sequence += 1
        self._bound[-1].write(pdu(DELIVER, OK, self._sequence, body))

    def ask(self, command: int, sequence: int = 9_000) -> None:
        self._bound[-1].write(pdu(command, OK, sequence))

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._lines.add(writer)
        try:
            while True:
                length, command, status, sequence = struct.unpack(
                    "!IIII", await reader.readexactly(16)
                )
                body = await reader.readexactly(length - 16)
                if writer not in self._bound and command != BIND:
                    self.complaints.append(f"{command:#x} before a bind")
                if await self._handle(writer, command, status, sequence, body):
                    return
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        except Exception as error:  # a PDU that is not as the specification says
            self.complaints.append(repr(error))
            raise
        finally:
            self._lines.discard(writer)
            if writer in self._bound:
                self._bound.remove(writer)
            writer.close()
            with suppress(OSError):
                await writer.wait_closed()

    async def _handle(
        self, writer: asyncio.StreamWriter, command: int, status: int, sequence: int, body: bytes
    ) -> bool:
        if command == BIND:
            self.binds += 1
            answer = self.bind_status or self._login(body)
            if answer == OK:
                self._bound.append(writer)
            writer.write(
                pdu(command | RESPONSE, answer, sequence, b"smsc\0" if not answer else b"")
            )
            return answer != OK
        if command == SUBMIT:
            return self._submit(writer, sequence, body)
        if command == ENQUIRE:
            self.enquiries += 1
            writer.write(pdu(ENQUIRE | RESPONSE, OK, sequence))
        elif command == UNBIND:
            self.unbinds += 1
            writer.write(pdu(UNBIND | RESPONSE, OK, sequence))
            return True
        elif command == DELIVER | RESPONSE:
            self.acknowledged.append(status)
        elif not command & RESPONSE:
            self.complaints.append(f"an unknown command {command:#x}")
        return False

    def _login(self, body: bytes) -> int:
        system_id, password, _system_type, rest = body.split(b"\0", 3)
        if rest[0] != 0x34:
            self.complaints.append(f"version {rest[0]:#x}")
        good = (system_id, password) == (SYSTEM_ID.encode(), PASSWORD.encode())
        return OK if good else INVPASWD

    def _submit(self, writer: asyncio.StreamWriter, sequence: int, body: bytes) -> bool:
        part = parse_submit(body)
        self.complaints += objections(part)
        answer = self.script.popleft() if self.script else OK
        if answer == DROP:
            self.submitted.append(part)
            writer.transport.abort()
            return True
        if answer == SILENT:
            self.submitted.append(part)
            return False
        assert isinstance(answer, int)
        self._under_way += 1
        self.at_once_max = max(self.at_once_max, self._under_way)
        task = asyncio.ensure_future(self._answer(writer, sequence, part, answer))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return False

    async def _answer(
        self, writer: asyncio.StreamWriter, sequence: int, part: Submitted, status: int
    ) -> None:
        await asyncio.sleep(self.slow_s)
        self._under_way -= 1
        if status != OK:  # the specification: no body with an error
            writer.write(pdu(SUBMIT | RESPONSE, status, sequence))
            return
        id_ = self.id_form.format(len(self.submitted) + 1)
        part = Submitted(**{**part.__dict__, "id": id_})
        self.submitted.append(part)
        writer.write(pdu(SUBMIT | RESPONSE, OK, sequence, id_.encode() + b"\0"))
        if (receipt := self.receipts(part)) is not None:
            self.deliver(receipt)


def pdu(command: int, status: int, sequence: int, body: bytes = b"") -> bytes:
    return struct.pack("!IIII", 16 + len(body), command, status, sequence) + body


def parse_submit(body: bytes) -> Submitted:
    at = 0

    def string(room: int) -> str:
        nonlocal at
        end = body.index(b"\0", at)
        assert end - at < room, f"a string of {end - at} where {room - 1} fit"
        text, at = body[at:end].decode("ascii"), end + 1
        return text

    def byte() -> int:
        nonlocal at
        at += 1
        return body[at - 1]

    string(6)
    source = (byte(), byte(), string(21))
    destination = (byte(), byte(), string(21))
    esm_class, _protocol, _priority = byte(), byte(), byte()
    assert string(17) == "", "scheduled"
    validity = string(17)
    registered, _replace, data_coding, _default = byte(), byte(), byte(), byte()
    length = byte()
    message = body[at : at + length]
    assert len(message) == length
    assert body[at + length :] == b"", "optional parameters that were not expected"
    return Submitted(source, destination, esm_class, validity, registered, data_coding, message)


def objections(part: Submitted) -> list[str]:
    """What a message centre would refuse or garble."""
    found = []
    if part.destination[:2] != (1, 1) or not re.fullmatch(r"[1-9]\d{4,14}", part.destination[2]):
        found.append(f"destination {part.destination}")
    if part.source[0] == 5 and not re.fullmatch(r"[ -~]{1,11}", part.source[2]):
        found.append(f"source {part.source}")
    if part.validity and not re.fullmatch(r"\d{12}000R", part.validity):
        found.append(f"validity {part.validity}")
    if part.registered != 1:
        found.append("no receipt is asked for")
    if part.data_coding not in (0, 8):
        found.append(f"data coding {part.data_coding}")
    if not part.message:
        found.append("an empty message")
    header = 0
    if part.esm_class & 0x40:
        header = 6
        if part.message[:3] != b"\x05\x00\x03" or not 1 <= part.message[5] <= part.message[4]:
            found.append(f"user data header {part.message[:6].hex()}")
    elif part.esm_class:
        found.append(f"esm class {part.esm_class:#x}")
    words = len(part.message) - header
    room = (134 if header else 140) if part.data_coding == 8 else (153 if header else 160)
    if words > room or (part.data_coding == 8 and words % 2):
        found.append(f"{words} bytes of text")
    return found


def receipt(
    id_: str,
    state: str = "DELIVRD",
    *,
    error: str = "000",
    esm_class: int = 0x04,
    options: bytes = b"",
    text: str | None = None,
    data_coding: int = 0,
) -> bytes:
    """The body of a deliver_sm as message centres commonly write it."""
    if text is None:
        text = (
            f"id:{id_} sub:001 dlvrd:001 submit date:2601010900 done date:260101090102 "
            f"stat:{state} err:{error} text:Kod 1234"
        )
    words = text.encode("latin-1")
    return (
        b"\0\x01\x0179001234567\0\x05\x00Kapsula\0"
        + bytes((esm_class, 0, 0))
        + b"\0\0"
        + bytes((0, 0, data_coding, 0, len(words)))
        + words
        + options
    )


def option(tag: int, value: bytes) -> bytes:
    return struct.pack("!HH", tag, len(value)) + value


@asynccontextmanager
async def running_smsc(tls: ssl.SSLContext | None = None) -> AsyncIterator[Smsc]:
    smsc = Smsc()
    server = await asyncio.start_server(smsc.serve, "127.0.0.1", 0, ssl=tls)
    smsc.port = server.sockets[0].getsockname()[1]
    try:
        yield smsc
    finally:
        server.close()
        smsc.cut()
        for task in list(smsc._tasks):
            task.cancel()
        await asyncio.sleep(0.01)
