"""SQL of returns: what one must know of a receipt in one look, and what a return writes.

Placeholders are the same for both databases; where the texts differ, `query` gets both.
"""

import json
from collections.abc import Sequence
from typing import Any

from loyalty import events
from loyalty.database import query
from loyalty.ledger.companion import Companion, DemandError
from loyalty.rules.returns import SoldAt
from loyalty.sql import turnover as turnover_sql
from loyalty.sql.events import EventRow

# --- facts: one round trip, a row for each receipt of that number (one, if the till is named) ---

_LINE = """json_{of}array(l.id, l.position, l.sku, l.name, l.quantity_milli, l.amount_minor,
  l.spent_points, l.earned_points, l.returned_milli)"""
_LINES_POSTGRES = f"(SELECT json_agg({_LINE.format(of='build_')}"
_LINES_SQLITE = f"(SELECT json_group_array({_LINE.format(of='')}"
_SOLD_HERE, _SOLD_AT_TILL, _SOLD_IN_SHOP = "t.id = $1", "t.code = $7", "h.code = $7"
RECEIPTS_MAX = 2
"""Enough to see that a number is not a single receipt's."""
NO_MONTHS = (0, 0)
"""For who does not ask for the turnover."""

# $1 the till that asks, $2 receipt number, $3 the command's own key, $4 return number, $5 and $6
# the months of the turnover's window, $7 the code of the till or shop that sold, unless it was this
# till. EXPLAIN: unique keys for every join but that of a shop's tills, which are few; receipt_line
# by its index on the receipt.
_FACTS = f"""
SELECT
  (SELECT h.name FROM till AS t JOIN shop AS h ON h.id = t.shop_id WHERE t.id = $1) AS shop_name,
  s.*, x.fingerprint AS own_fingerprint, x.answer AS own_answer, n.id AS namesake_id,
  {turnover_sql.COLUMNS.format(who="s.customer_id", first="$5", last="$6")}
FROM (SELECT 1) AS one
LEFT JOIN (
  SELECT r.id, r.customer_id, c.name, r.state, r.at, r.recorded_at, r.total_minor, r.paid_minor,
    r.spent_points, r.earned_points, r.accrual_id, r.redemption_id, r.returns, r.rules_revision,
    t.name AS sold_till, h.name AS sold_shop,
    {{lines}} FROM receipt_line AS l WHERE l.receipt_id = r.id) AS lines
  FROM till AS t JOIN shop AS h ON h.id = t.shop_id
  JOIN receipt AS r ON r.till_id = t.id AND r.number = $2
  JOIN customer AS c ON c.id = r.customer_id
  WHERE {{sold}} LIMIT {RECEIPTS_MAX}) AS s ON TRUE
LEFT JOIN receipt_return AS x ON x.key = $3
LEFT JOIN receipt_return AS n ON n.till_id = $1 AND n.number = $4
{turnover_sql.JOIN.format(who="s.customer_id")}
"""
_FACTS_OF = {
    sold: tuple(
        _FACTS.format(lines=f"{lines})", sold=sold) for lines in (_LINES_POSTGRES, _LINES_SQLITE)
    )
    for sold in (_SOLD_HERE, _SOLD_AT_TILL, _SOLD_IN_SHOP)
}


async def return_facts(
    till_id: int,
    receipt_number: str,
    sold_at: SoldAt,
    *,
    key: str = "",
    return_number: str = "",
    months: tuple[int, int] = NO_MONTHS,
) -> list[Any]:
    """The receipts that are meant, what their customers have bought in these `months`, and the
    first answer to `key`; at least one row."""
    sold, code = _where(sold_at)
    arguments = (till_id, receipt_number, key, return_number, *months, *code)
    return await query(*_FACTS_OF[sold], *arguments)


def _where(sold_at: SoldAt) -> tuple[str, tuple[str, ...]]:
    if sold_at.till:
        return _SOLD_AT_TILL, (sold_at.till,)
    return (_SOLD_IN_SHOP, (sold_at.shop,)) if sold_at.shop else (_SOLD_HERE, ())


# --- writes ---

# $1 receipt, $2 how many returns were seen, $3 value of the goods, $4 the state it is in now.
# Nothing comes back when somebody else has returned or cancelled a part of it meanwhile.
_COUNT = """
UPDATE receipt SET returns = returns + 1, goods_back_minor = goods_back_minor + {amount},
  state = {state}
WHERE id = {receipt} AND returns = {seen} AND state = 'committed' RETURNING id
"""
_COUNT_ALONE = _COUNT.format(receipt="$1", seen="$2", amount="$3", state="$4")
# The arguments of one return, in order.
_INSERT_RETURN = """
INSERT INTO receipt_return (id, receipt_id, customer_id, till_id, number, nth, staff_id, at,
  recorded_at, amount_minor, refund_minor, given_back, taken_back, forgiven, give_back_id,
  take_back_id, key, fingerprint, answer)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18, $19)
"""
# Rows of lines: own id, receipt line, quantity, amount, refund, points to give back, to take back.
_INSERT_LINES = """
INSERT INTO receipt_return_line (id, receipt_return_id, line_id, quantity_milli, amount_minor,
  refund_minor, give_back, take_back)
"""
_LINES_OUT_POSTGRES = """
  SELECT CAST(e.row ->> 0 AS BIGINT) AS id, CAST(e.row ->> 1 AS BIGINT) AS line_id,
    CAST(e.row ->> 2 AS BIGINT) AS quantity_milli, CAST(e.row ->> 3 AS BIGINT) AS amount_minor,
    CAST(e.row ->> 4 AS BIGINT) AS refund_minor, CAST(e.row ->> 5 AS BIGINT) AS give_back,
    CAST(e.row ->> 6 AS BIGINT) AS take_back
  FROM json_array_elements($20::json) AS e(row)
"""
# $1 … $19 the return, $20 its lines, $21 returns seen, $22 the receipt's new state, $23 … $27 the
# event.
_WRITE_RETURN = f"""
counted AS ({_COUNT.format(receipt="$2", seen="$21", amount="$10", state="$22")}),
written AS ({_INSERT_RETURN}),
given AS MATERIALIZED ({_LINES_OUT_POSTGRES}),
lines AS ({_INSERT_LINES}
  SELECT id, $1, line_id, quantity_milli, amount_minor, refund_minor, give_back, take_back
  FROM given),
came_back AS (
  UPDATE receipt_line AS l SET returned_milli = l.returned_milli + g.quantity_milli
  FROM given AS g WHERE l.id = g.line_id),
told AS (INSERT INTO event (id, kind, customer_id, at, payload) VALUES ($23, $24, $25, $26, $27))
"""
_LINES_SQLITE_IN = (
    _INSERT_LINES
    + """
SELECT e.value ->> 0, $1, e.value ->> 1, e.value ->> 2, e.value ->> 3, e.value ->> 4,
  e.value ->> 5, e.value ->> 6 FROM json_each($2) AS e
"""
)
_CAME_BACK_SQLITE = """
UPDATE receipt_line SET returned_milli = returned_milli + (
  SELECT e.value ->> 2 FROM json_each($1) AS e WHERE e.value ->> 1 = receipt_line.id)
WHERE id IN (SELECT e.value ->> 1 FROM json_each($1) AS e)
"""
AS_SEEN = "receipt as seen"
"""What the writing of a return demands: nobody has touched the receipt since the look."""
_IS_AS_SEEN = (AS_SEEN, "EXISTS (SELECT FROM counted)")


def return_companion(
    row: tuple[Any, ...],
    lines: Sequence[Sequence[int]],
    event: EventRow,
    *,
    seen: int,
    state: str,
) -> Companion:
    """A return (the arguments of _INSERT_RETURN), its lines and its event, as a companion.

    Demands AS_SEEN: `seen` returns of the receipt, and no cancel. `state` is the receipt's then.
    """
    arguments = (*row, json.dumps(lines), seen, state, *event)
    return Companion(_WRITE_RETURN, arguments, (_IS_AS_SEEN,))


async def write_return(
    row: tuple[Any, ...],
    lines: Sequence[Sequence[int]],
    event: EventRow,
    *,
    seen: int,
    state: str,
) -> None:
    """Write what `return_companion` describes, on SQLite, inside a transaction.

    Raises DemandError as that does; then take the transaction back.
    """
    return_id, receipt_id, amount_minor, listed = row[0], row[1], row[9], json.dumps(lines)
    if not await query(_COUNT_ALONE, None, receipt_id, seen, amount_minor, state):
        raise DemandError(AS_SEEN)
    await query(_INSERT_RETURN, None, *row)
    await query(_LINES_SQLITE_IN, None, return_id, listed)
    await query(_CAME_BACK_SQLITE, None, listed)
    await query(events.INSERT, None, *event)


# --- reads ---

# EXPLAIN: unique keys; the returns of one receipt.
RETURNS_OF = "SELECT answer FROM receipt_return WHERE receipt_id = $1 ORDER BY nth"
RETURN_OF_TILL = "SELECT answer FROM receipt_return WHERE till_id = $1 AND number = $2"
