"""What one can ask about a customer: who she is, what she has at a glance. Nothing here writes.

Every answer is read anew: what another process has changed a moment ago is in it.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime
from itertools import groupby
from operator import itemgetter
from typing import Any, NamedTuple

from loyalty.clock import Clock
from loyalty.database import dialect, query
from loyalty.instants import NEVER, from_micros, to_micros
from loyalty.ledger import Balance
from loyalty.ledger.reads import balance_of
from loyalty.sql import customers as sql
from loyalty.together import Together


@dataclass(frozen=True, slots=True)
class CustomerView:
    """A customer as the others see her. `turnover_minor`: of the months that make her tier."""

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
    tier: str = ""
    turnover_minor: int = 0


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


class _Look(NamedTuple):
    """What `at_a_glance` is asked; its order is that of the statements' arguments."""

    kind: str
    value: str
    before_seq: int
    operations: int


class CustomerReads:
    """The asking half of `Customers`."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._looks = Together(self._look)

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
        """Who is known by this and what she has: what a chat asks most, in one round trip.

        Concurrent callers share a round trip.
        """
        return await self._looks.answer(_Look(kind, value, before_seq or NEVER, operations))

    async def _look(self, looks: Sequence[_Look]) -> list[Glance | None]:
        now = to_micros(self._clock.now())
        if dialect() == "sqlite":
            return [await self._look_alone(look, now) for look in looks]
        rows = await query(sql.AT_A_GLANCE, None, *zip(*looks, strict=True), now)
        seen = {n: _glance(list(hers)) for n, hers in groupby(rows, key=itemgetter("n"))}
        return [seen.get(n) for n in range(1, len(looks) + 1)]

    async def _look_alone(self, look: _Look, now: int) -> Glance | None:
        rows = await query("", sql.AT_A_GLANCE_SQLITE, *look, now)
        return _glance(rows) if rows else None

    async def fronts(self, customer_id: int) -> list[tuple[str, str]]:
        """Where one can talk with her now: (kind, value), the oldest first."""
        return [(row[0], row[1]) for row in await query(sql.FRONTS_OF, None, customer_id)]


def _glance(rows: Sequence[Any]) -> Glance:
    """Of the rows of one customer: who she is and her balance stand beside each operation."""
    columns = tuple(rows[0])
    balance = columns[-sql.OPERATION_COLUMNS - sql.BALANCE_COLUMNS : -sql.OPERATION_COLUMNS]
    assert balance[0] is not None, "an account is opened with its customer"
    operations = [tuple(row)[-sql.OPERATION_COLUMNS :] for row in rows]
    return Glance(
        customer=_view(rows[0]),
        balance=balance_of(balance),
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
        tier=row["tier"] or "",
        turnover_minor=row["turnover_minor"] or 0,
    )
