"""An SMPP delivery receipt: which message it speaks of, and what has become of it.

Only what the message centre itself has marked as a receipt is one: anybody could write an SMS that
reads like a receipt.
"""

import re
from collections.abc import Callable
from dataclasses import dataclass

from messaging.channels.base import Status
from messaging.channels.sms.pdus import MESSAGE_STATE, RECEIPTED_MESSAGE_ID, Delivered

_KIND = 0b0011_1100
_RECEIPT = 0b0000_0100
_ID = re.compile(r"\bid:\s*(\S+)", re.IGNORECASE)
_STATE = re.compile(r"\bstat:\s*(\w+)", re.IGNORECASE)
_ERROR = re.compile(r"\berr:\s*(\w+)", re.IGNORECASE)
_FINAL = {
    "DELIVRD": Status.DELIVERED,
    "EXPIRED": Status.UNDELIVERED,
    "DELETED": Status.UNDELIVERED,
    "UNDELIV": Status.UNDELIVERED,
    "REJECTD": Status.UNDELIVERED,
    "DELIVERED": Status.DELIVERED,
    "UNDELIVERABLE": Status.UNDELIVERED,
    "REJECTED": Status.UNDELIVERED,
}
"""Some write the words out. ENROUTE, ACCEPTD and UNKNOWN say nothing that is final."""
_NUMBERED = {
    1: "ENROUTE",
    2: "DELIVRD",
    3: "EXPIRED",
    4: "DELETED",
    5: "UNDELIV",
    6: "ACCEPTD",
    7: "UNKNOWN",
    8: "REJECTD",
}


@dataclass(frozen=True, slots=True)
class DeliveryReceipt:
    """`status` is None while nothing is final."""

    message_id: str
    status: Status | None
    detail: str


def parse_delivery_receipt(delivered: Delivered) -> DeliveryReceipt | None:
    """What a deliver_sm says of a message that was sent; None when it is no receipt."""
    marked = delivered.options.get(RECEIPTED_MESSAGE_ID)
    if delivered.esm_class & _KIND != _RECEIPT and marked is None:
        return None
    header = re.split(r"\btext:", delivered.text, maxsplit=1, flags=re.IGNORECASE)[0]
    told = _first(_ID, header)
    id_ = marked.rstrip(b"\0").decode("latin-1") if marked else told
    if not id_:
        return None
    state = _first(_STATE, header).upper()
    if number := delivered.options.get(MESSAGE_STATE):
        state = _NUMBERED.get(number[0], state)
    error = _first(_ERROR, header)
    return DeliveryReceipt(id_, _FINAL.get(state), " ".join(filter(None, (state, error))))


def _first(pattern: re.Pattern[str], text: str) -> str:
    found = pattern.search(text)
    return found.group(1) if found else ""


Spelling = Callable[[str], str]


def as_told(id_: str) -> str:
    return id_


def from_hexadecimal(id_: str) -> str:
    """Some message centres give an id in hexadecimal and speak of it in decimal later."""
    return _decimal(id_, 16)


def from_decimal(id_: str) -> str:
    return _decimal(id_, 10)


def _decimal(id_: str, base: int) -> str:
    try:
        return str(int(id_, base))
    except ValueError:
        return id_
