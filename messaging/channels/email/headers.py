"""Text as header fields: whatever somebody wrote, it stays the value of the one field it is for."""

import re
from binascii import b2a_base64

_ASCII = re.compile(r"[\x20-\x7e]*")
_QUOTABLE = re.compile(r'([\\"])')
_CONTROLS = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff]+")
_SPACES = re.compile(r" {2,}")
_LOCAL = re.compile(
    r"[a-zA-Z0-9!#$%&'*+/=?^_`{|}~\u0080-\U0010ffff-]+"
    r"(?:\.[a-zA-Z0-9!#$%&'*+/=?^_`{|}~\u0080-\U0010ffff-]+)*"
)
_LABEL = re.compile(r"[a-zA-Z0-9](?:[a-zA-Z0-9-]{0,61}[a-zA-Z0-9])?")
_URL = re.compile(r"https?://[!-;=?-~]+")  # printable ASCII but for the angle brackets

PLAIN_LENGTH_MAX = 60
"""A longer value is written as encoded words, which fold anywhere: lines stay below 78."""
_WORD_BYTES_MAX = 42  # of UTF-8 in one encoded word, which is then 68 letters long
TEXT_LENGTH_MAX = 500
ADDRESS_LENGTH_MAX = 254
URL_LENGTH_MAX = 900


class UnfitAddressError(ValueError):
    """No mail can go there. Says why in one word."""


def one_line(text: str) -> str:
    """`text` without line breaks and other control characters, of bounded length."""
    return _SPACES.sub(" ", _CONTROLS.sub(" ", text)).strip()[:TEXT_LENGTH_MAX]


def unstructured(text: str) -> str:
    """The value of a Subject: as it is, or as encoded words (RFC 2047), folded."""
    line = one_line(text)
    if len(line) <= PLAIN_LENGTH_MAX and _ASCII.fullmatch(line) and "=?" not in line:
        return line
    return encoded_words(line)


def phrase(name: str) -> str:
    """A display name: quoted, or as encoded words."""
    line = one_line(name)
    if len(line) <= PLAIN_LENGTH_MAX and _ASCII.fullmatch(line) and "=?" not in line:
        return '"' + _QUOTABLE.sub(r"\\\1", line) + '"'
    return encoded_words(line)


def encoded_words(line: str) -> str:
    """RFC 2047, base64, one word a line; no letter is torn in two."""
    raw, words, start = line.encode(), [], 0
    while start < len(raw):
        end = min(start + _WORD_BYTES_MAX, len(raw))
        while end < len(raw) and raw[end] & 0xC0 == 0x80:  # within a letter
            end -= 1
        words.append(f"=?utf-8?b?{b2a_base64(raw[start:end], newline=False).decode()}?=")
        start = end
    return "\r\n ".join(words)


def mail_address(text: str) -> str:
    """The address with its domain in ASCII. Raises UnfitAddressError.

    A name before the @ that is not ASCII stays so: only servers with SMTPUTF8 take it. Quoted
    names and addresses by number are refused: nobody has them, and they hide tricks.
    """
    local, at, domain = text.rpartition("@")
    if not at:
        raise UnfitAddressError("no_at")
    if _CONTROLS.search(text) or len(local.encode()) > 64 or not _LOCAL.fullmatch(local):
        raise UnfitAddressError("name")
    labels = ascii_domain(domain).split(".")
    if len(labels) < 2 or not all(map(_LABEL.fullmatch, labels)):
        raise UnfitAddressError("domain")
    address = f"{local}@{'.'.join(labels)}"
    if len(address.encode()) > ADDRESS_LENGTH_MAX:
        raise UnfitAddressError("too_long")
    return address


def ascii_domain(domain: str) -> str:
    """A domain in its ASCII form (punycode). Raises UnfitAddressError."""
    if domain.isascii():
        return domain
    try:
        return domain.encode("idna").decode()
    except UnicodeError:
        raise UnfitAddressError("domain") from None


def url_in_brackets(url: str) -> str:
    """A link for a header field. A link that could be anything else is a bug: ValueError."""
    if len(url) > URL_LENGTH_MAX or not _URL.fullmatch(url):
        raise ValueError("not a link that a header could hold")
    return f"<{url}>"
