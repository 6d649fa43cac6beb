"""SQL of a customer's tier and turnover: what a receipt must know, and what it writes.

`{who}` is the customer's id, an expression of the statement that these are a part of.
"""

import json
from collections.abc import Sequence
from typing import Any

from loyalty.database import query
from loyalty.ledger.companion import Companion, DemandError
from loyalty.sql.events import TELL, TELL_POSTGRES, EventRow

# {first}, {last}: the months of the window; {day}, {day_end}, {month}, {month_end}: instants around
# the receipt. EXPLAIN: primary keys, and receipt's index on (customer_id, at).
COLUMNS = """
  u.version, u.receipts, u.tier, u.rises, u.falls_at, u.near_told, u.near_at,
  (SELECT CAST(COALESCE(SUM(m.turnover_minor), 0) AS BIGINT) FROM customer_month AS m
    WHERE m.customer_id = {who} AND m.month BETWEEN {first} AND {last}) AS window_minor,
  CASE WHEN u.customer_id IS NULL THEN
    EXISTS (SELECT 1 FROM receipt AS o WHERE o.customer_id = {who}) ELSE FALSE END AS is_unsummed
"""
EARNED = """
  (SELECT CAST(COALESCE(SUM(e.earned_points - e.promo_points), 0) AS BIGINT) FROM receipt AS e
    WHERE e.customer_id = {who} AND e.at >= {day} AND e.at < {day_end}
    AND e.state <> 'cancelled') AS day_points,
  (SELECT CAST(COALESCE(SUM(e.earned_points - e.promo_points), 0) AS BIGINT) FROM receipt AS e
    WHERE e.customer_id = {who} AND e.at >= {month} AND e.at < {month_end}
    AND e.state <> 'cancelled') AS month_points
"""
JOIN = "LEFT JOIN customer_turnover AS u ON u.customer_id = {who}"

# $1 customer, $2 version to be, $3 receipts … $10 due; nothing comes back when the version that was
# judged is no longer the one that stands.
PUT = """
INSERT INTO customer_turnover (customer_id, version, receipts, tier, rises, falls_at, near_told,
  near_at, turnover_minor, due_at)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)
ON CONFLICT (customer_id) DO UPDATE SET version = excluded.version, receipts = excluded.receipts,
  tier = excluded.tier, rises = excluded.rises, falls_at = excluded.falls_at,
  near_told = excluded.near_told, near_at = excluded.near_at,
  turnover_minor = excluded.turnover_minor, due_at = excluded.due_at
WHERE customer_turnover.version = excluded.version - 1
RETURNING customer_id
"""
ADD_TO_MONTH = """
INSERT INTO customer_month (customer_id, month, turnover_minor, receipts) VALUES ({values})
ON CONFLICT (customer_id, month) DO UPDATE SET
  turnover_minor = customer_month.turnover_minor + excluded.turnover_minor,
  receipts = customer_month.receipts + excluded.receipts
"""
TURNOVER_SEEN = "turnover seen"
"""What the writing of a turnover demands: that it is the one that was judged."""

TurnoverRow = tuple[int, int, int, str, str, int, str, int, int, int]
MonthRow = tuple[int, int, int, int]


def companion(row: TurnoverRow, month: MonthRow, events: Sequence[EventRow]) -> Companion:
    """The customer's row, what is added to a month, and events, as a companion. Postgres."""
    steps = [
        f"turned AS ({PUT})",
        f"in_month AS ({ADD_TO_MONTH.format(values='$11, $12, $13, $14')})",
    ]
    arguments: list[Any] = [*row, *month]
    if events:
        steps.append(f"tier_told AS ({TELL_POSTGRES.format(events='$15')})")
        arguments.append(json.dumps(events, ensure_ascii=False))
    demand = (TURNOVER_SEEN, "EXISTS (SELECT FROM turned)")
    return Companion(",\n".join(steps), arguments, (demand,))


async def write(row: TurnoverRow, month: MonthRow | None, events: Sequence[EventRow]) -> None:
    """The same, one after the other, inside a transaction. Raises DemandError: take it back."""
    if not await query(PUT, None, *row):
        raise DemandError(TURNOVER_SEEN)
    if month is not None:
        await query(ADD_TO_MONTH.format(values="$1, $2, $3, $4"), None, *month)
    if events:
        await query(*TELL, json.dumps(events, ensure_ascii=False))


# --- of one customer, and of those whose time has come ---

# $1 customer, $2 and $3 the months of the window.
OF_CUSTOMER = (
    f"SELECT {COLUMNS.format(who='$1', first='$2', last='$3')} FROM (SELECT 1) AS one "
    f"{JOIN.format(who='$1')}"
)
# $1 now, $2 how many, $3 and $4 the months of the window. The rows are locked, so that no receipt
# is judged by what is being changed; those that a receipt has locked have their turn next time.
_DUE = f"""
SELECT u.customer_id, {COLUMNS.format(who="u.customer_id", first="$3", last="$4")}
FROM customer_turnover AS u WHERE u.due_at <= $1 ORDER BY u.due_at LIMIT $2
"""
DUE = (_DUE + "FOR NO KEY UPDATE OF u SKIP LOCKED", _DUE)
# $1 rows as PUT takes them, of customers whose rows are locked.
_PUT_MANY = """
UPDATE customer_turnover SET version = n.version, tier = n.tier, rises = n.rises,
  falls_at = n.falls_at, near_told = n.near_told, near_at = n.near_at,
  turnover_minor = n.turnover_minor, due_at = n.due_at
FROM (SELECT {columns} FROM {source}) AS n WHERE customer_turnover.customer_id = n.customer_id
"""
_PUT_COLUMNS = (
    ("customer_id", "BIGINT"), ("version", "BIGINT"), ("receipts", "BIGINT"), ("tier", "TEXT"),
    ("rises", "TEXT"), ("falls_at", "BIGINT"), ("near_told", "TEXT"), ("near_at", "BIGINT"),
    ("turnover_minor", "BIGINT"), ("due_at", "BIGINT"),
)  # fmt: skip


def _columns_of(row: str) -> str:
    return ", ".join(
        f"CAST({row} ->> {n} AS {kind}) AS {name}" for n, (name, kind) in enumerate(_PUT_COLUMNS)
    )


PUT_MANY = (
    _PUT_MANY.format(columns=_columns_of("e.v"), source="json_array_elements($1::json) AS e(v)"),
    _PUT_MANY.format(columns=_columns_of("e.value"), source="json_each($1) AS e"),
)


async def write_many(rows: Sequence[TurnoverRow], events: Sequence[EventRow]) -> None:
    """Turnovers whose rows are locked by this transaction, with what is told of them."""
    await query(*PUT_MANY, json.dumps(rows))
    if events:
        await query(*TELL, json.dumps(events, ensure_ascii=False))


# $1 rows as ADD_TO_MONTH takes them, of months that nobody has written to.
_INSERT_MONTHS = """
INSERT INTO customer_month (customer_id, month, turnover_minor, receipts)
SELECT CAST({row} ->> 0 AS BIGINT), CAST({row} ->> 1 AS INTEGER), CAST({row} ->> 2 AS BIGINT),
  CAST({row} ->> 3 AS BIGINT) FROM {source}
"""
INSERT_MONTHS = (
    _INSERT_MONTHS.format(row="e.v", source="json_array_elements($1::json) AS e(v)"),
    _INSERT_MONTHS.format(row="e.value", source="json_each($1) AS e"),
)
# $1 customer. Her receipts of the time before turnover was kept, and the money of each that has not
# gone back. EXPLAIN: the index of the customer's receipts, the unique one of a receipt's returns.
RECEIPTS_OF = """
SELECT r.at, r.recorded_at, r.state, r.paid_minor - (
  SELECT CAST(COALESCE(SUM(b.refund_minor), 0) AS BIGINT) FROM receipt_return AS b
  WHERE b.receipt_id = r.id) AS kept_minor
FROM receipt AS r WHERE r.customer_id = $1 ORDER BY r.at, r.id
"""
# Customers that have receipts and no turnover yet, by id; $1 the last one seen, $2 how many.
UNSUMMED = """
SELECT c.id FROM customer AS c WHERE c.id > $1
AND EXISTS (SELECT 1 FROM receipt AS r WHERE r.customer_id = c.id)
AND NOT EXISTS (SELECT 1 FROM customer_turnover AS u WHERE u.customer_id = c.id)
ORDER BY c.id LIMIT $2
"""
