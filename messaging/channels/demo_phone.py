"""The demo's telephone: an SMS is only kept with its attempt, and a page of the demo shows it."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from loyalty.database import query
from loyalty.instants import from_micros
from messaging.channels.base import Limit, Outgoing, SendResult, Sent, Status
from messaging.templates import Body

_LATEST = """
    SELECT address, body, started_at FROM attempt
    WHERE address_kind = 'phone' AND state = 'sent' AND started_at >= $1
    ORDER BY started_at DESC LIMIT $2
"""


@dataclass(frozen=True, slots=True)
class Sms:
    phone: str
    text: str
    at: datetime


class DemoPhone:
    """Takes every SMS and sends none. Only the demo has it."""

    name = "sms"
    keeps_body = True
    address_kinds = ("phone",)
    reports: Sequence[Status] = ()
    limits: Sequence[Limit] = ()

    def units(self, body: Body) -> int:
        return 1

    def price(self, body: Body, address: str) -> int:
        return 0

    async def send(self, outgoing: Outgoing) -> SendResult:
        return Sent(f"demo-{outgoing.attempt_id}")


async def received(*, since_micros: int = 0, limit: int = 50) -> list[Sms]:
    """What the telephones of the demo have received, the latest first."""
    rows = await query(_LATEST, None, since_micros, limit)
    return [Sms(row["address"], row["body"], from_micros(row["started_at"])) for row in rows]
