"""What one can ask the ledger: balances at any instant, statements, liability. Nothing here writes.

A balance is right at any instant, whether or not a job has run: an expired lot, a pending one and a
hold that timed out are judged by the clock of the question.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from loyalty.clock import Clock
from loyalty.database import analysis, query
from loyalty.instants import NEVER, from_micros, from_micros_or_never, to_micros
from loyalty.refusals import No, Refusal, refuse

# Index probes whose cost does not grow with the number of entries or of open lots.
# EXPLAIN: primary key; ledger_lot_open (expired range); ledger_lot_pending (future range);
# ledger_hold_open; first rows of ledger_lot_open.
BALANCE = """
SELECT a.balance, a.deficit,
  (SELECT CAST(COALESCE(SUM(remaining), 0) AS BIGINT) FROM ledger_lot
    WHERE account_id = $1 AND open AND expires_at <= $2) AS expired,
  (SELECT CAST(COALESCE(SUM(remaining), 0) AS BIGINT) FROM ledger_lot
    WHERE account_id = $1 AND open AND delayed AND available_at > $2) AS pending,
  (SELECT available_at FROM ledger_lot WHERE account_id = $1 AND open
    AND delayed AND available_at > $2 ORDER BY available_at LIMIT 1) AS next_available,
  (SELECT CAST(COALESCE(SUM(points), 0) AS BIGINT) FROM ledger_hold
    WHERE account_id = $1 AND state = 'held' AND expires_at > $2) AS held,
  (SELECT CAST(COALESCE(SUM(s.points), 0) AS BIGINT) FROM ledger_hold AS h
    JOIN ledger_hold_share AS s ON s.hold_id = h.id JOIN ledger_lot AS l ON l.id = s.lot_id
    WHERE h.account_id = $1 AND h.state = 'held' AND h.expires_at > $2
    AND l.expires_at <= $2) AS held_expired,
  (SELECT expires_at FROM ledger_lot WHERE account_id = $1 AND open AND expires_at > $2
    AND expires_at < 9223372036854775807 ORDER BY expires_at LIMIT 1) AS next_expiry,
  (SELECT CAST(SUM(remaining) AS BIGINT) FROM ledger_lot WHERE account_id = $1 AND open
    AND expires_at = (SELECT expires_at FROM ledger_lot WHERE account_id = $1 AND open
      AND expires_at > $2 AND expires_at < 9223372036854775807
      ORDER BY expires_at LIMIT 1)) AS expiring
FROM ledger_account AS a WHERE a.id = $1 AND a.kind = 'customer'
"""

# Points that existed at an instant: what each lot had given or lost by then, by date of the fact.
BALANCE_THEN = """
SELECT l.expires_at, l.available_at, CAST(l.points - COALESCE((
    SELECT SUM(k.points) FROM ledger_take AS k JOIN ledger_transaction AS u
    ON u.id = k.transaction_id WHERE k.lot_id = l.id AND u.at <= $2), 0) AS BIGINT) AS remaining
FROM ledger_lot AS l JOIN ledger_transaction AS t ON t.id = l.transaction_id
WHERE l.account_id = $1 AND t.at <= $2
"""

POSTED_THEN = """
SELECT CAST(COALESCE(SUM(p.points), 0) AS BIGINT) FROM ledger_posting AS p
JOIN ledger_transaction AS t ON t.id = p.transaction_id WHERE p.account_id = $1 AND t.at <= $2
"""

STATEMENT = """
SELECT t.id, t.kind, t.points, p.balance_after, t.at, t.recorded_at, t.reason, t.reference,
  t.reverses_id, t.business_key, p.seq,
  (SELECT MAX(expires_at) FROM ledger_lot AS l
    WHERE l.account_id = t.account_id AND l.transaction_id = t.id) AS expires_at
FROM ledger_posting AS p JOIN ledger_transaction AS t ON t.id = p.transaction_id
WHERE p.account_id = $1 AND p.seq < $2 ORDER BY p.seq DESC LIMIT $3
"""

LIABILITY = """
SELECT CASE WHEN expires_at = 9223372036854775807 THEN expires_at
  ELSE expires_at - expires_at % 86400000000 END AS day,
  CAST(SUM(remaining) AS BIGINT), CAST(COUNT(DISTINCT account_id) AS BIGINT)
FROM ledger_lot WHERE open AND expires_at > $1 GROUP BY 1 ORDER BY 1
"""

DEFICITS = """
SELECT CAST(COALESCE(SUM(deficit), 0) AS BIGINT) FROM ledger_account WHERE deficit > 0
"""


@dataclass(frozen=True, slots=True)
class Expiring:
    points: int
    at: datetime


@dataclass(frozen=True, slots=True)
class Balance:
    """Points of a customer at an instant.

    `posted` is what the postings sum to; `available` what she can spend now, negative only by a
    deficit; `pending` is not available yet; `held` is set aside by tills; `expired` waits for its
    expiry posting.
    """

    posted: int
    available: int
    held: int
    pending: int
    expired: int
    deficit: int
    next_expiry: Expiring | None
    next_available_at: datetime | None


@dataclass(frozen=True, slots=True)
class Entry:
    """One line of a statement. `balance` is the posted balance right after it."""

    transaction_id: int
    seq: int
    kind: str
    points: int
    balance: int
    at: datetime
    recorded_at: datetime
    reason: str
    reference: str
    reverses_id: int | None
    business_key: str | None
    expires_at: datetime | None


@dataclass(frozen=True, slots=True)
class LiabilityMonth:
    """Points outstanding that expire in a month (`month` = "2026-03"), or never (None)."""

    month: str | None
    points: int


@dataclass(frozen=True, slots=True)
class Liability:
    outstanding: int
    deficits: int
    months: Sequence[LiabilityMonth]


class LedgerReads:
    """The asking half of the ledger."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock

    async def balance(self, account_id: int, at: datetime | None = None) -> Balance | Refusal:
        """Balance now, or at any past or future instant. Refused: unknown_account.

        The past is by date of the facts; the future is what today's points will be by then.
        """
        now = to_micros(self._clock.now())
        instant = now if at is None else to_micros(at)
        if instant < now:
            return await self._balance_then(account_id, instant)
        rows = await query(BALANCE, None, account_id, instant)
        return balance_of(rows[0]) if rows else refuse(No.UNKNOWN_ACCOUNT, account_id=account_id)

    async def _balance_then(self, account_id: int, instant: int) -> Balance | Refusal:
        known = await query("SELECT 1 FROM ledger_account WHERE id = $1", None, account_id)
        if not known:
            return refuse(No.UNKNOWN_ACCOUNT, account_id=account_id)
        lots = [tuple(row) for row in await query(BALANCE_THEN, None, account_id, instant)]
        [[posted]] = await query(POSTED_THEN, None, account_id, instant)
        expired = sum(left for expires, _, left in lots if expires <= instant)
        pending = [
            (available, left)
            for expires, available, left in lots
            if expires > instant and available > instant and left
        ]
        soonest = min(
            (expires for expires, _, left in lots if expires > instant and left), default=NEVER
        )
        expiring = sum(left for expires, _, left in lots if expires == soonest)
        waiting = sum(left for _, left in pending)
        return Balance(
            posted=posted,
            available=posted - expired - waiting,
            held=0,
            pending=waiting,
            expired=expired,
            deficit=max(0, sum(left for _, _, left in lots) - posted),
            next_expiry=None if soonest == NEVER else Expiring(expiring, from_micros(soonest)),
            next_available_at=from_micros(min(pending)[0]) if pending else None,
        )

    async def statement(
        self, account_id: int, *, limit: int = 20, before_seq: int | None = None
    ) -> list[Entry]:
        """The latest entries first, `limit` of them; page with `before_seq`."""
        rows = await query(STATEMENT, None, account_id, before_seq or NEVER, limit)
        return [_entry(tuple(row)) for row in rows]

    async def liability(self, at: datetime | None = None) -> Liability:
        """Points outstanding by month of expiry (UTC), and what customers owe."""
        instant = to_micros(at or self._clock.now())
        months: dict[str | None, int] = {}
        async with analysis():
            days = await query(LIABILITY, None, instant)
            [[deficits]] = await query(DEFICITS)
        for day, points, _ in days:
            until = from_micros_or_never(day)
            month = until.strftime("%Y-%m") if until else None
            months[month] = months.get(month, 0) + points
        return Liability(
            outstanding=sum(months.values()),
            deficits=deficits,
            months=[LiabilityMonth(month, points) for month, points in months.items()],
        )


def balance_of(row: Any) -> Balance:
    """Of a row of BALANCE."""
    (posted, deficit, expired, pending, next_available, held, held_expired,
     next_expiry, expiring) = row  # fmt: skip
    lapsed = expired - held_expired
    return Balance(
        posted=posted,
        available=posted - held - pending - lapsed,
        held=held,
        pending=pending,
        expired=lapsed,
        deficit=deficit,
        next_expiry=Expiring(expiring, from_micros(next_expiry)) if next_expiry else None,
        next_available_at=from_micros(next_available) if next_available else None,
    )


def _entry(row: tuple[Any, ...]) -> Entry:
    """Of a row of STATEMENT."""
    return Entry(
        transaction_id=row[0], seq=row[10], kind=row[1], points=row[2], balance=row[3],
        at=from_micros(row[4]), recorded_at=from_micros(row[5]), reason=row[6], reference=row[7],
        reverses_id=row[8], business_key=row[9],
        expires_at=None if row[11] is None else from_micros_or_never(row[11]),
    )  # fmt: skip
