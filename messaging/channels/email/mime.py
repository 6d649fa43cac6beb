"""A mail as bytes: header fields and two bodies, written in one go and never parsed again.

The standard library's message classes take milliseconds for what takes a tenth of one here; that
is the difference between a mailing of a million that takes minutes and one that takes an hour.
"""

import re
from binascii import b2a_base64, b2a_qp
from dataclasses import dataclass
from email.utils import format_datetime
from functools import lru_cache
from struct import Struct

import msgspec

from loyalty.clock import Clock
from messaging.channels.base import Outgoing
from messaging.channels.email.document import is_document, mail_document
from messaging.channels.email.headers import (
    ascii_domain,
    mail_address,
    one_line,
    phrase,
    unstructured,
    url_in_brackets,
)
from messaging.channels.email.signing import Signer
from messaging.channels.email.tokens import Tokens
from messaging.i18n import gettext
from messaging.templates.plain import plain_text

_LINE_MAX = 76
_ODD = re.compile(r"[^\n]{901}|[^\n\t -~]")  # a server need not take lines of a thousand
_FROM = re.compile(rb"^From ", re.MULTILINE)
_CYRILLIC = re.compile("[а-яё]", re.IGNORECASE)
_BREAKS = re.compile(r"\r\n?")
_SUBJECT_LENGTH_MAX = 78
_BASE64_SHARE = 12
"""With more than a twelfth of letters outside ASCII a text is shorter in base64."""
_QUOTED_LENGTH_MAX = 4096
"""What is longer goes in base64, which is made ten times as fast, whatever its letters."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Sender:
    """In whose name the mail goes. `address` is seen; `bounce_domain` takes what comes back.

    Without a bounce domain all comes back to `address`: many providers let nothing else out.
    `leaves_by_mail`: somebody reads what is sent to unsubscribe+…@bounce_domain.
    `trace_field`: a header field by which a provider tells our token back in its webhooks, with
    `{token}` in its value.
    """

    address: str
    name: str
    brand: str
    bounce_domain: str = ""
    leaves_by_mail: bool = False
    trace_field: tuple[str, str] | None = None


class Mail(msgspec.Struct, frozen=True):
    """Ready to be sent: envelope and content. `utf8`: only a server with SMTPUTF8 can take it."""

    sender: str
    recipient: str
    content: bytes
    utf8: bool


class Composer:
    """Writes the mails of one sender."""

    def __init__(
        self, sender: Sender, tokens: Tokens, *, clock: Clock, signer: Signer | None = None
    ) -> None:
        """Raises UnfitAddressError when the sender is no address."""
        self._sender = sender
        self._address = mail_address(sender.address)
        self._bounce_domain = ascii_domain(sender.bounce_domain)
        self._leaves_by_mail = sender.leaves_by_mail and bool(self._bounce_domain)
        self._domain = self._address.rpartition("@")[2]
        self._from = f"{phrase(sender.name)} <{self._address}>" if sender.name else self._address
        self._tokens = tokens
        self._clock = clock
        self._signer = signer
        self._date = (0, "")

    def compose(self, outgoing: Outgoing) -> Mail:
        """Raises UnfitAddressError when no mail can go to the address."""
        recipient = mail_address(outgoing.address)
        token = self._tokens.make(outgoing.attempt_id)
        at_s = int(self._clock.now().timestamp())
        subject, text, page = self._words(outgoing)
        content_type, body = _alternative(text, page, boundary=f"=_{token}")
        fields = [
            ("From", self._from),
            ("To", recipient),
            ("Subject", unstructured(subject)),
            ("Date", self._date_field(at_s)),
            ("Message-ID", f"<{token}@{self._domain}>"),
            ("MIME-Version", "1.0"),
            ("Content-Type", content_type),
            *self._kind_fields(outgoing),
            *self._leaving_fields(outgoing, token),
        ]
        if self._sender.trace_field:
            name, value = self._sender.trace_field
            fields.append((name, value.replace("{token}", token)))
        if self._signer is not None:
            signature = self._signer.field(fields, body, at_s=at_s)
            fields.insert(0, ("DKIM-Signature", signature))
        head = "".join(f"{name}: {value}\r\n" for name, value in fields)
        return Mail(
            sender=f"bounce+{token}@{self._bounce_domain}"
            if self._bounce_domain
            else self._address,
            recipient=recipient,
            content=head.encode() + b"\r\n" + body,
            utf8=not recipient.isascii(),
        )

    def _words(self, outgoing: Outgoing) -> tuple[str, str, str]:
        """Subject, text and page of the body, whichever of them it lacks made from the others."""
        body, leave = outgoing.body, outgoing.unsubscribe_url
        whole = is_document(body.html)
        text = body.text or plain_text(body.html, breaks_kept=not whole)
        subject = one_line(body.subject) or _first_line(text)
        if whole:
            return subject, text, body.html
        language = _language(text)
        page = mail_document(
            subject,
            body.html,
            brand=self._sender.brand,
            language=language,
            preview=text,
            unsubscribe_url=leave,
            preferences_url=outgoing.preferences_url,
        )
        if outgoing.preferences_url:
            text += f"\n\n{gettext(language, 'Choose what you get')}: {outgoing.preferences_url}"
        if leave:
            text += f"\n\n{gettext(language, 'Unsubscribe')}: {leave}"
        return subject, text, page

    def _kind_fields(self, outgoing: Outgoing) -> list[tuple[str, str]]:
        """What other machines should know of it: not to answer, and what it belongs to."""
        quiet = ("X-Auto-Response-Suppress", "OOF, AutoReply")
        if outgoing.topic == "service":
            return [("Auto-Submitted", "auto-generated"), quiet]
        topic = "".join(filter(str.isalnum, outgoing.topic))
        return [("Precedence", "bulk"), ("Feedback-ID", f"{topic}:::kapsula"), quiet]

    def _leaving_fields(self, outgoing: Outgoing, token: str) -> list[tuple[str, str]]:
        """One-click by RFC 8058: the link takes a POST; a mail to leave by where one is read."""
        if not outgoing.unsubscribe_url:
            return []
        ways = url_in_brackets(outgoing.unsubscribe_url)
        if self._leaves_by_mail:
            address = f"unsubscribe+{token}@{self._bounce_domain}"
            ways += f",\r\n <mailto:{address}?subject=unsubscribe>"
        one_click = ("List-Unsubscribe-Post", "List-Unsubscribe=One-Click")
        return [("List-Unsubscribe", ways), one_click]

    def _date_field(self, at_s: int) -> str:
        if self._date[0] != at_s:
            self._date = (at_s, format_datetime(self._clock.now()))
        return self._date[1]


def _first_line(text: str) -> str:
    line = one_line(text.lstrip().partition("\n")[0])
    if len(line) <= _SUBJECT_LENGTH_MAX:
        return line
    return line[: _SUBJECT_LENGTH_MAX - 1].rsplit(" ", 1)[0] + "…"


def _language(text: str) -> str:
    """Of our two languages one is told by its letters."""
    return "ru" if _CYRILLIC.search(text) else "en"


def _alternative(text: str, page: str, *, boundary: str) -> tuple[str, bytes]:
    """Content-Type and body of the two, the better one last."""
    body = b"--%(b)s\r\n%(text)s\r\n--%(b)s\r\n%(page)s\r\n--%(b)s--\r\n" % {
        b"b": boundary.encode(),
        b"text": part(text, "plain"),
        b"page": part(page, "html"),
    }
    return f'multipart/alternative;\r\n boundary="{boundary}"', body


def part(text: str, subtype: str) -> bytes:
    """Head and body of one part, in the shortest encoding that any server passes on unchanged."""
    text = _BREAKS.sub("\n", text) if "\r" in text else text
    if not text.endswith("\n"):
        text += "\n"
    raw = text.encode("utf-8", "replace")
    head = b"Content-Type: text/%s; charset=utf-8\r\nContent-Transfer-Encoding: %s\r\n\r\n"
    kind = subtype.encode()
    if len(raw) == len(text) and _passes_as_it_is(text):
        return head % (kind, b"7bit") + raw.replace(b"\n", b"\r\n")
    outside = len(raw) - len(text)  # at least one byte more for each letter outside ASCII
    raw = raw.replace(b"\n", b"\r\n")
    if len(raw) > _QUOTED_LENGTH_MAX or outside * _BASE64_SHARE > len(raw):
        letters = b2a_base64(raw, newline=False)
        lines = _lines(len(letters)).unpack(letters)
        return head % (kind, b"base64") + b"\r\n".join(lines) + b"\r\n"
    return head % (kind, b"quoted-printable") + _FROM.sub(b"=46rom ", b2a_qp(raw))


@lru_cache(maxsize=1024)
def _lines(length: int) -> Struct:
    """Cuts so many letters into lines, all of them at once."""
    whole, rest = divmod(length, _LINE_MAX)
    return Struct(f"{_LINE_MAX}s" * whole + (f"{rest}s" if rest else ""))


def _passes_as_it_is(text: str) -> bool:
    """Nothing but text, no line too long or taken for a new mail, none that ends in a space."""
    return (
        not _ODD.search(text)
        and " \n" not in text
        and "\nFrom " not in text
        and not text.startswith("From ")
    )
