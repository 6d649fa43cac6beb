"""What one can ask about a customer: who she is, what she has at a glance. Nothing here writes.

Every answer is read anew: what another process has changed a moment ago is in it.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

from loyalty.clock import Clock
from loyalty.database import query
from loyalty.instants import NEVER, from_micros, to_micros
from loyalty.ledger import Balance
from loyalty.ledger.reads import _balance
from loyalty.sql import customers as sql


@dataclass(frozen=True, slots=True)
class CustomerView:
    """A customer as the others see her."""

    id: int
    name: str
    language: str
    phone: str | None
    email: str | None
    card_number: str
    city: str
    born_on: date | None
    timezone: str
    joined_at: datetime


@dataclass(frozen=True, slots=True)
class Operation:
    """A transaction in a list; `Ledger.statement` tells the rest of it by its `seq`."""

    seq: int
    kind: str
    reason: str
    points: int
    at: datetime


@dataclass(frozen=True, slots=True)
class Glance:
    """A customer, her points now, and her operations from the newest."""

    customer: CustomerView
    balance: Balance
    operations: Sequence[Operation]


class CustomerReads:
    """The asking half of `Customers`."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock

    async def get(self, customer_id: int) -> CustomerView | None:
        rows = await query(sql.BY_ID, None, customer_id)
        return _view(rows[0]) if rows else None

    async def by_identity(self, kind: str, value: str) -> CustomerView | None:
        """Who is known by this phone, e-mail, card, Telegram or web-chat id, spelled as kept."""
        rows = await query(sql.BY_IDENTITY, None, kind, value)
        return _view(rows[0]) if rows else None

    async def at_a_glance(
        self, kind: str, value: str, *, operations: int, before_seq: int | None = None
    ) -> Glance | None:
        """Who is known by this and what she has, in one round trip: what a chat asks most."""
        now = to_micros(self._clock.now())
        rows = await query(sql.AT_A_GLANCE, None, kind, value, now, before_seq or NEVER, operations)
        return _glance(rows) if rows else None

    async def fronts(self, customer_id: int) -> list[tuple[str, str]]:
        """Where one can talk with her now: (kind, value), the oldest first."""
        return [(row[0], row[1]) for row in await query(sql.FRONTS_OF, None, customer_id)]


def _glance(rows: Sequence[Any]) -> Glance:
    """Of rows of AT_A_GLANCE: customer and balance stand beside each operation."""
    columns = tuple(rows[0])
    balance = columns[sql.VIEW_COLUMNS : -sql.OPERATION_COLUMNS]
    assert balance[0] is not None, "an account is opened with its customer"
    operations = [tuple(row)[-sql.OPERATION_COLUMNS :] for row in rows]
    return Glance(
        customer=_view(rows[0]),
        balance=_balance(balance),
        operations=[
            Operation(seq, kind, reason, points, from_micros(at))
            for seq, kind, reason, points, at in operations
            if seq is not None
        ],
    )


def _view(row: Any) -> CustomerView:
    born_on = row["born_on"]
    return CustomerView(
        id=row["id"],
        name=row["name"],
        language=row["language"],
        phone=row["phone"],
        email=row["email"],
        card_number=row["card_number"] or "",
        city=row["city"],
        born_on=date.fromisoformat(born_on) if isinstance(born_on, str) else born_on,
        timezone=row["timezone"],
        joined_at=from_micros(row["joined_at"]),
    )
