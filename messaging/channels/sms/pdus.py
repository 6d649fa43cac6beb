"""SMPP 3.4 on the wire: what we write is built by aiosmpplib, what we read is parsed here.

The library's reader gives the connection up on a status, a data coding or a receipt that it does
not know, and providers have all of these; this one takes what it can and leaves the rest.
"""

import asyncio
import struct
from dataclasses import dataclass, field

HEADER = struct.Struct("!IIII")
PDU_BYTES_MAX = 70_000
"""A message_payload of 64 KiB and some."""

GENERIC_NACK = 0x80000000
BIND_TRANSCEIVER_RESP = 0x80000009
SUBMIT_SM_RESP = 0x80000004
DELIVER_SM = 0x00000005
UNBIND = 0x00000006
UNBIND_RESP = 0x80000006
ENQUIRE_LINK = 0x00000015
ALERT_NOTIFICATION = 0x00000102
OUTBIND = 0x0000000B
_RESPONSE = 0x80000000

RECEIPTED_MESSAGE_ID = 0x001E
MESSAGE_PAYLOAD = 0x0424
MESSAGE_STATE = 0x0427


class WireError(ValueError):
    """What came is no SMPP."""


@dataclass(frozen=True, slots=True)
class Pdu:
    command: int
    status: int
    sequence: int
    body: bytes = b""

    @property
    def is_response(self) -> bool:
        return bool(self.command & _RESPONSE)


@dataclass(frozen=True, slots=True, kw_only=True)
class Delivered:
    """A deliver_sm: a receipt, or what somebody has written to us."""

    source: str
    esm_class: int
    text: str
    options: dict[int, bytes] = field(default_factory=dict)


async def read_pdu(reader: asyncio.StreamReader) -> Pdu:
    """The next PDU. Raises WireError, and IncompleteReadError at the end of the stream."""
    length, command, status, sequence = HEADER.unpack(await reader.readexactly(HEADER.size))
    if not HEADER.size <= length <= PDU_BYTES_MAX:
        raise WireError(f"a PDU of {length} bytes")
    return Pdu(command, status, sequence, await reader.readexactly(length - HEADER.size))


def message_id(body: bytes) -> str:
    """The id in a submit_sm_resp; a refusal may come without a body."""
    return body.split(b"\0", 1)[0].decode("latin-1")[:64]


def parse_delivered(body: bytes) -> Delivered:
    """Read a deliver_sm. Raises WireError."""
    try:
        _service, at = _string(body, 0)
        source, at = _string(body, at + 2)
        _destination, at = _string(body, at + 2)
        esm_class = body[at]
        _schedule, at = _string(body, at + 3)
        _validity, at = _string(body, at)
        length = body[at + 4]
        at += 5
        text = body[at : at + length]
        options = _options(body[at + length :])
    except IndexError:
        raise WireError("a deliver_sm that ends too early") from None
    # Receipts are ASCII whatever data coding they claim.
    written = (text or options.get(MESSAGE_PAYLOAD, b"")).decode("latin-1")
    return Delivered(source=source, esm_class=esm_class, text=written, options=options)


def _string(body: bytes, start: int) -> tuple[str, int]:
    """A C string and where the next field begins."""
    end = body.find(b"\0", start)
    if end < 0:
        raise WireError("a string without an end")
    return body[start:end].decode("latin-1"), end + 1


def _options(rest: bytes) -> dict[int, bytes]:
    """The optional parameters; what is cut off at the end is left out."""
    options = {}
    while len(rest) >= 4:
        tag, length = struct.unpack_from("!HH", rest)
        options[tag] = rest[4 : 4 + length]
        rest = rest[4 + length :]
    return options
