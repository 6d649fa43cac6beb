"""What comes back by mail: bounces (RFC 3464), complaints (RFC 5965), requests to leave.

Which try it is about is told by our signed token alone, in the address that it came to or in what
it quotes; the names and addresses that it states are whatever its sender liked.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from email.message import Message
from email.parser import BytesParser
from email.policy import compat32

from messaging.channels.base import Report, Status
from messaging.channels.email.replies import ENHANCED, GONE, meaning, one_detail
from messaging.channels.email.tokens import Tokens

_BYTES_MAX = 512 * 1024
"""What is looked at of one mail. A report comes first in it, what it quotes may be long."""
_CAME_TO = ("Delivered-To", "X-Original-To", "Envelope-To", "X-Envelope-To", "To")
_LEAVE = re.compile(r"\bunsubscribe\+([a-z2-7]{29})@", re.IGNORECASE)
_DAEMON = re.compile(r"mailer-?daemon|postmaster|mail delivery (?:sub)?system", re.IGNORECASE)
_CODE = re.compile(r"(?<!\d)([45]\d\d)[ -]")
_SPACES = re.compile(r"\s+")
_ANSWERS = ("auto-replied", "auto_reply", "auto-notified")
_COMPLAINTS = frozenset({"abuse", "fraud", "virus", "other", "complaint"})


@dataclass(frozen=True, slots=True)
class Leave:
    """The reader of this try's mail does not want such mail any more."""

    attempt_id: int


def read_mail(raw: bytes, tokens: Tokens, *, at: int) -> Report | Leave | None:
    """What a mail to the bounce address tells, `at` microseconds; None when it is nothing of ours.

    A delay is no news: the other server is still trying. Vacation notes and letters of people are
    none of our business.
    """
    raw = raw[:_BYTES_MAX]
    mail: Message = BytesParser(policy=compat32).parsebytes(raw)
    came_to = " ".join(str(value) for name in _CAME_TO for value in mail.get_all(name, ()))
    if (asked := _LEAVE.search(came_to)) and (leaver := tokens.read(asked[1])) is not None:
        return Leave(leaver)
    attempt_id = tokens.find(came_to)
    if attempt_id is None:
        attempt_id = tokens.find(raw.decode("latin-1"))
    if attempt_id is None:
        return None
    told = _told(mail)
    if told is None or isinstance(told, _Opted):
        return Leave(attempt_id) if told else None
    status, detail = told
    return Report(channel="email", status=status, at=at, attempt_id=attempt_id, detail=detail)


class _Opted:
    """A complaint that says: take me off the list."""


def _told(mail: Message) -> tuple[Status, str] | _Opted | None:
    if mail.get_content_type() == "multipart/report":
        kind = str(mail.get_param("report-type", "")).lower()
        if kind == "feedback-report":
            return _complaint(mail)
        if kind in ("delivery-status", ""):
            return _delivery_status(mail)
        return None
    return _in_prose(mail)


def _delivery_status(mail: Message) -> tuple[Status, str] | None:
    for fields in _groups(mail, "message/delivery-status", "message/global-delivery-status"):
        action, code = _field(fields, "Action").lower(), _field(fields, "Status")
        if action == "failed" or (not action and code.startswith("5")):
            return _verdict(code, _field(fields, "Diagnostic-Code"))
    return None


def _groups(mail: Message, *kinds: str) -> Iterator[Message]:
    """The groups of fields of a machine-readable part: the parser makes a message of each."""
    for part in mail.walk():
        if part.get_content_type() in kinds:
            payload = part.get_payload()
            yield from (
                (p for p in payload if isinstance(p, Message)) if isinstance(payload, list) else ()
            )


def _field(fields: Message, name: str) -> str:
    return _SPACES.sub(" ", str(fields.get(name, ""))).strip()


def _verdict(status: str, diagnostic: str) -> tuple[Status, str]:
    """A bounce when the address is at fault, else only this mail did not get through."""
    text = diagnostic.partition(";")[2].strip() or diagnostic
    said = ENHANCED.search(status)
    better = ENHANCED.search(text)
    if better and (not said or said[0].endswith(".0.0")):
        said = better
    code = said[0] if said else ""
    detail = one_detail(f"{code} {text}")
    if code.startswith("4"):
        return Status.UNDELIVERED, detail
    reason = meaning(550, f"{code} {ENHANCED.sub('', text)}").reason
    return (Status.BOUNCED if reason in GONE else Status.UNDELIVERED), detail


def _complaint(mail: Message) -> tuple[Status, str] | _Opted | None:
    for fields in _groups_of_text(mail, "message/feedback-report"):
        kind = _field(fields, "Feedback-Type").lower()
        if kind in _COMPLAINTS:
            return Status.COMPLAINED, one_detail(f"{kind} {_field(fields, 'User-Agent')}")
        if kind == "opt-out":
            return _Opted()
    return None


def _groups_of_text(mail: Message, kind: str) -> Iterator[Message]:
    """Like `_groups`, for a kind that the parser may leave as text."""
    for part in mail.walk():
        if part.get_content_type() == kind:
            payload = part.get_payload()
            if isinstance(payload, list):
                yield from (p for p in payload if isinstance(p, Message))
            else:
                decoded = part.get_payload(decode=True)
                text = decoded if isinstance(decoded, bytes) else b""
                yield BytesParser(policy=compat32).parsebytes(text, headersonly=True)


def _in_prose(mail: Message) -> tuple[Status, str] | None:
    """Old servers write a letter: it counts when a machine wrote it and it quotes a refusal."""
    if str(mail.get("Auto-Submitted", "")).lower().startswith(_ANSWERS):
        return None
    if "X-Autoreply" in mail or str(mail.get("Precedence", "")).lower() in _ANSWERS:
        return None
    by_machine = _DAEMON.search(str(mail.get("From", ""))) or "X-Failed-Recipients" in mail
    if not by_machine:
        return None
    text = _words(mail)
    code, enhanced = _CODE.search(text), ENHANCED.search(text)
    if re.search(r"\b(delayed|warning: message .* delayed|will (?:be )?retr)", text, re.I):
        return None
    if code is None and enhanced is None:
        return None
    at = min(found.start() for found in (code, enhanced) if found is not None)
    return _verdict(enhanced[0] if enhanced else f"{code[1][0]}.0.0" if code else "", text[at:])


def _words(mail: Message) -> str:
    """The first part of text, before what it returns."""
    for part in mail.walk():
        if part.get_content_type() == "text/plain":
            decoded = part.get_payload(decode=True)
            raw = decoded if isinstance(decoded, bytes) else b""
            return _SPACES.sub(" ", raw[:20_000].decode("utf-8", "replace"))
    return ""
