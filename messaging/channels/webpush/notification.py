"""A message as the service worker gets it: what to show, where a click leads, how to report back.

It may be read on a locked screen by whoever stands beside. The words are those of the template;
nothing is added to them.
"""

import html
import json
import re

from messaging.channels.base import Outgoing
from messaging.channels.webpush.encryption import TEXT_BYTES_MAX

TITLE_LENGTH_MAX, TEXT_LENGTH_MAX, LINK_LENGTH_MAX = 80, 400, 1_000
"""Far more than any system shows."""
_LINK = re.compile(r'<a\s+href="(https?://[^"\s]+)"', re.IGNORECASE)
_NOT_CHARACTERS = re.compile("[\0-\x08\x0b-\x1f\x7f\ud800-\udfff]")
_BLANK = re.compile(r"[ \t]*\n\s*")


def payload(outgoing: Outgoing, *, title: str, token: str) -> bytes:
    """JSON of at most TEXT_BYTES_MAX bytes. `title` stands where the message has no subject."""
    body = outgoing.body
    shown: dict[str, str] = {
        "title": _cut(body.subject or title, TITLE_LENGTH_MAX),
        "text": _cut(body.plain, TEXT_LENGTH_MAX),
        "link": _link(body.html),
        "tag": tag(outgoing.message_id),
        "token": token,
    }
    if outgoing.ring is not None:
        shown["in_chat"] = "yes"  # nothing new to who is looking at the chat
    written = _write(shown)
    if len(written) > TEXT_BYTES_MAX:  # only letters of four bytes beside a long link get so far
        written = _write(shown | {"link": ""})
    return written


def tag(message_id: int) -> str:
    """Of two notifications with one tag the later takes the earlier's place, sent or shown."""
    return f"m{message_id:x}"


def _link(text: str) -> str:
    """The first link of the message is where a click leads; without one it leads to the chat."""
    found = _LINK.search(text)
    link = html.unescape(found.group(1)) if found else ""
    return link if len(link) <= LINK_LENGTH_MAX and link.isascii() else ""


def _cut(text: str, length_max: int) -> str:
    clean = _BLANK.sub("\n", _NOT_CHARACTERS.sub("", text)).strip()
    return clean if len(clean) <= length_max else clean[: length_max - 1].rstrip() + "…"


def _write(shown: dict[str, str]) -> bytes:
    return json.dumps(shown, ensure_ascii=False, separators=(",", ":")).encode()
