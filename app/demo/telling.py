"""Tells a year of sales to the ledger, week by week, and writes the receipts beside it."""

import heapq
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import chain, groupby, islice
from typing import Any

from app.demo.history import Sale, recorded_at
from app.demo.people import Person
from loyalty.checkout.answers import QuotedLine, ReceiptAnswer, encode
from loyalty.clock import VirtualClock
from loyalty.database import query, transaction
from loyalty.ids import next_id
from loyalty.instants import to_micros
from loyalty.ledger import Expiring, Ledger
from loyalty.rules.commands import Accrue, Command, Redeem
from loyalty.rules.programme import ProgrammeRules
from loyalty.rules.reasons import explanation

WEEKS_IN_COMMIT = 4


async def insert_many(table: str, columns: Sequence[str], rows: Iterable[Sequence[Any]]) -> None:
    """Insert rows into a table of SQLite in one go."""
    marks = ", ".join("?" * len(columns))
    statement = f"INSERT INTO {table} ({', '.join(columns)}) VALUES ({marks})"  # noqa: S608
    async with transaction() as db, db.acquire_connection() as raw:
        await raw.executemany(statement, rows)


@dataclass(frozen=True, slots=True)
class Seat:
    """Where a sale was made and who sat there."""

    till_id: int
    staff_id: int
    shop_code: str


@dataclass(frozen=True, slots=True)
class NumberedSale:
    """A sale with the numbers of its rows."""

    id: int
    number: str
    sale: Sale
    customer_id: int
    name: str
    seat: Seat


_Step = tuple[datetime, NumberedSale | None, tuple[Command, ...]]


class Telling:
    """The story in the order of time: each customer's gift for joining, then her sales."""

    def __init__(
        self,
        rules: ProgrammeRules,
        crowd: Sequence[Person],
        ids: Sequence[int],
        seats: Mapping[tuple[str, int], Seat],
        now: datetime,
    ) -> None:
        self.expired = 0
        self._now = now
        self._clock = VirtualClock(now)
        self._ledger = Ledger(self._clock)
        self._rules = rules
        self._crowd = crowd
        self._ids = ids
        self._seats = seats
        self._numbers: dict[int, int] = {}  # by till, its receipts so far
        self._ids_by_key: Mapping[str, int] = {}

    async def write(self, sales: Sequence[Sale], progress: Callable[[int], None]) -> None:
        numbered = [self._numbered(sale) for sale in sales]
        welcomes = sorted(
            ((person.joined_at, i) for i, person in enumerate(self._crowd)), key=lambda w: w[0]
        )
        story = heapq.merge(
            ((at, None, (self._welcome(i, at),)) for at, i in welcomes),
            ((n.sale.at, n, self._postings(n)) for n in numbered),
            key=lambda step: step[0],
        )
        told = 0
        weeks = groupby(story, key=lambda step: recorded_at(step[0], self._now))
        for first in weeks:
            async with transaction():  # a commit takes longer than a week's rows
                for end, steps in chain((first,), islice(weeks, WEEKS_IN_COMMIT - 1)):
                    told += await self._tell_week(end, list(steps))
                    progress(told)

    async def _tell_week(self, end: datetime, steps: Sequence[_Step]) -> int:
        self._clock.set(end)
        await self._post([command for _, _, group in steps for command in group])
        self.expired += (await self._ledger.expire_due()).posted
        sold = [n for _, n, _ in steps if n is not None]
        await _write_receipts(sold, self._ids_by_key)
        return len(sold)

    async def _post(self, commands: Sequence[Command]) -> None:
        result = await self._ledger.post_many(commands, batch=max(1, len(commands)))
        if result.refused:
            raise RuntimeError(f"the demo tells the ledger a wrong story: {result.refused[0]}")
        self._ids_by_key = await _transaction_ids(commands)

    def _numbered(self, sale: Sale) -> NumberedSale:
        person = self._crowd[sale.person]
        seat = self._seats[person.shop.code, sale.till]
        count = self._numbers[seat.till_id] = self._numbers.get(seat.till_id, 0) + 1
        number = f"{sale.at:%y%m}-{count:05d}"
        return NumberedSale(next_id(), number, sale, self._ids[sale.person], person.name, seat)

    def _welcome(self, i: int, at: datetime) -> Command:
        customer_id, days = self._ids[i], self._rules.welcome_points_live_days
        return Accrue(
            key=f"welcome:{customer_id}",
            business_key=f"welcome:{customer_id}",
            account_id=customer_id,
            points=self._rules.welcome_points,
            at=to_micros(at),
            expires_at=to_micros(at + timedelta(days=days) if days else None),
            reason="welcome",
        )

    def _postings(self, n: NumberedSale) -> tuple[Command, ...]:
        """The spending first: what the same receipt earns cannot pay for it."""
        at, days = to_micros(n.sale.at), self._rules.points_live_days
        expires_at = to_micros(n.sale.at + timedelta(days=days) if days else None)
        spent, earned = n.sale.priced.spent, n.sale.priced.earned
        commands: list[Command] = []
        if spent:
            commands.append(
                Redeem(
                    key=f"receipt:{n.id}:spend",
                    business_key=f"spend:{n.seat.till_id}:{n.number}",
                    account_id=n.customer_id,
                    points=spent,
                    at=at,
                    reference=n.number,
                )
            )
        if earned:
            commands.append(
                Accrue(
                    key=f"receipt:{n.id}:earn",
                    business_key=f"earn:{n.seat.till_id}:{n.number}",
                    account_id=n.customer_id,
                    points=earned,
                    at=at,
                    expires_at=expires_at,
                    reference=n.number,
                )
            )
        return tuple(commands)


_IDS = "SELECT key, id FROM ledger_transaction WHERE key IN (SELECT value FROM json_each($1))"


async def _transaction_ids(commands: Sequence[Command]) -> dict[str, int]:
    keys = [command.key for command in commands if isinstance(command, Accrue | Redeem)]
    return {row["key"]: row["id"] for row in await query(_IDS, None, keys)}


async def _write_receipts(part: Sequence[NumberedSale], ids: Mapping[str, int]) -> None:
    told = [(n, tuple(_lines(n))) for n in part]
    await insert_many(
        "receipt",
        ("id", "customer_id", "till_id", "number", "state", "staff_id", "at", "recorded_at",
         "total_minor", "paid_minor", "spent_points", "earned_points", "accrual_id",
         "redemption_id", "key", "fingerprint", "answer", "card_how"),
        (_receipt(n, lines, ids) for n, lines in told),
    )  # fmt: skip
    await insert_many(
        "receipt_line",
        ("id", "receipt_id", "position", "sku", "name", "category", "quantity_milli",
         "price_minor", "amount_minor", "spent_points", "earned_points", "explanation"),
        (row for n, lines in told for row in _line_rows(n, lines)),
    )  # fmt: skip


def _receipt(
    n: NumberedSale, lines: tuple[QuotedLine, ...], ids: Mapping[str, int]
) -> tuple[Any, ...]:
    at, priced = to_micros(n.sale.at), n.sale.priced
    return (
        n.id, n.customer_id, n.seat.till_id, n.number, "committed", n.seat.staff_id, at, at,
        priced.total_minor, priced.to_pay_minor, priced.spent, priced.earned,
        ids.get(f"receipt:{n.id}:earn"), ids.get(f"receipt:{n.id}:spend"),
        f"demo:{n.seat.till_id}:{n.number}", b"", encode(_answer(n, lines)),
        "picture" if priced.spent else "static",
    )  # fmt: skip


def _answer(n: NumberedSale, lines: tuple[QuotedLine, ...]) -> ReceiptAnswer:
    """What the till was answered: a cancel starts from it."""
    sale, priced = n.sale, n.sale.priced
    return ReceiptAnswer(
        receipt_id=n.id,
        receipt_number=n.number,
        customer_id=n.customer_id,
        name=n.name,
        total_minor=priced.total_minor,
        paid_minor=priced.to_pay_minor,
        spent=priced.spent,
        earned=priced.earned,
        balance=sale.balance,
        next_expiry=Expiring(*sale.expiring) if sale.expiring else None,
        state="committed",
        at=sale.at,
        lines=lines,
    )


def _lines(n: NumberedSale) -> Iterator[QuotedLine]:
    for line, result in zip(n.sale.lines, n.sale.priced.lines, strict=True):
        yield QuotedLine(
            sku=line.good.sku,
            name=line.good.name,
            category=line.good.category,
            quantity_milli=line.quantity * 1000,
            price_minor=line.good.price_minor,
            amount_minor=line.amount_minor,
            spent=result.spent,
            earned=result.earned,
            explanation=explanation(result.reasons),
        )


def _line_rows(n: NumberedSale, lines: Sequence[QuotedLine]) -> Iterator[tuple[Any, ...]]:
    for position, line in enumerate(lines):
        yield (
            next_id(), n.id, position, line.sku, line.name, line.category, line.quantity_milli,
            line.price_minor, line.amount_minor, line.spent, line.earned, line.explanation,
        )  # fmt: skip
