"""A template as a reader would get it, in every channel, before anything is sent."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from loyalty.database import query
from messaging.channels.base import Outgoing
from messaging.i18n import supported
from messaging.policy.sms_segments import Segments, segments, ucs2_characters
from messaging.templates.bodies import CHANNELS, Body, Channel, Context, Reader, TemplateError
from messaging.templates.samples import usual
from messaging.templates.writing import Writer

SAMPLE_TIMEZONE = "Europe/Moscow"
EXAMPLE_ADDRESS = "reader@example.com"
EXAMPLE_UNSUBSCRIBE = "https://example.com/unsubscribe/example"


@dataclass(frozen=True, slots=True)
class Shown:
    """One channel. `own`: it does not borrow the messenger's words. Without a body an `error`.

    An SMS has its segments, and the characters but for which it would be of Latin ones: what is
    paid is the price of a segment times their number.
    """

    channel: Channel
    own: bool
    body: Body | None
    error: str = ""
    segments: Segments | None = None
    costly: tuple[str, ...] = ()

    @property
    def length(self) -> int:
        """Characters that the reader sees."""
        return len(self.body.plain) if self.body else 0


def preview(writer: Writer, context: Context, reader: Reader) -> list[Shown]:
    """Every channel's words. What would fail when it is sent says so."""
    return [_shown(writer, context, reader, channel) for channel in CHANNELS]


def _shown(writer: Writer, context: Context, reader: Reader, channel: Channel) -> Shown:
    own = writer.template.has(writer.language(reader.language), channel)
    try:
        body = writer.write(context, reader, channel)
    except TemplateError as error:
        return Shown(channel, own, None, str(error))
    if channel != "sms":
        return Shown(channel, own, body)
    counted = segments(body.plain)
    return Shown(channel, own, body, "", counted, tuple(ucs2_characters(body.plain)))


def outgoing_mail(writer: Writer, body: Body, *, address: str = EXAMPLE_ADDRESS) -> Outgoing:
    """What the e-mail channel composes the mail of; mailings have a way to leave."""
    topic = writer.template.topic
    return Outgoing(
        message_id=0,
        attempt_id=0,
        address_kind="email",
        address=address,
        body=body,
        topic=topic,
        unsubscribe_url="" if topic == "service" else EXAMPLE_UNSUBSCRIBE,
    )


@dataclass(frozen=True, slots=True)
class Audience:
    """For whom a preview is written. `message_id`: its values are those of a message to her."""

    context: Context
    reader: Reader
    message_id: int | None = None


_CUSTOMER = """
    SELECT c.name, c.language, c.timezone, a.balance FROM customer c
    LEFT JOIN ledger_account a ON a.id = c.id WHERE c.id = $1 AND c.erased_at IS NULL
"""
_MESSAGES = """
    SELECT id, context FROM message WHERE customer_id = $1 AND template = $2
    ORDER BY id DESC LIMIT 5
"""


async def audience(
    writer: Writer, customer_id: int | None, *, language: str = ""
) -> Audience | None:
    """The values of the latest such message to her, else samples with her name and balance.

    None when there is no such customer; without an id the samples alone.
    """
    if customer_id is None:
        reader = Reader(supported(language), SAMPLE_TIMEZONE)
        return Audience(usual(writer.template, reader.language), reader)
    rows = await query(_CUSTOMER, None, customer_id)
    if not rows:
        return None
    her = rows[0]
    reader = Reader(language or her["language"], her["timezone"])
    for row in await query(_MESSAGES, None, customer_id, writer.template.name):
        told = json.loads(row["context"])
        if _fits(writer, told, reader):
            return Audience(told, reader, row["id"])
    hers = _known_of(her)
    known = {name: value for name, value in hers.items() if name in writer.template.variables}
    context = usual(writer.template, supported(reader.language))
    return Audience({**context, **known}, reader)


def _known_of(her: Any) -> dict[str, Any]:
    found = {"name": her["name"], "balance": her["balance"]}
    return {name: value for name, value in found.items() if value not in (None, "")}


def _fits(writer: Writer, context: Context, reader: Reader) -> bool:
    try:
        writer.write(context, reader)
    except TemplateError:
        return False
    return True


def told(shown: Sequence[Shown]) -> dict[str, dict[str, Any]]:
    """A preview as JSON."""
    return {
        one.channel: {
            "own_words": one.own,
            "subject": one.body.subject if one.body else "",
            "html": one.body.html if one.body else "",
            "text": one.body.plain if one.body else "",
            "length": one.length,
            **({"segments": one.segments.parts, "encoding": one.segments.encoding,
                "costly": "".join(one.costly) if one.segments.encoding == "ucs2" else ""}
               if one.segments else {}),
            **({"error": one.error} if one.error else {}),
        }
        for one in shown
    }  # fmt: skip
