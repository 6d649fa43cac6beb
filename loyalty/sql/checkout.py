"""SQL of quotes and receipts: what a command must know in one look, and what it writes.

Placeholders are the same for both databases; where the texts differ, `query` gets both. JSON
carries lists of any length in one argument.
"""

import json
from collections.abc import Sequence
from typing import Any

from loyalty.database import dialect, query
from loyalty.ledger.companion import Companion, DemandError
from loyalty.sql.cards import CARD_COLUMNS, CARD_JOINS

# --- facts: one row each, one round trip ---

# $1 … $7 as in CARD_COLUMNS; $8 till, $9 receipt number, $10 the command's own key, $11 skus.
# EXPLAIN: a primary or unique key for every join, quote_open for the open quote.
_SALE_COLUMNS = """
  (SELECT h.name FROM till AS t JOIN shop AS h ON h.id = t.shop_id WHERE t.id = $8) AS shop_name,
  o.id AS open_id, o.customer_id AS open_customer_id, o.hold_id AS open_hold_id,
  o.spend_points AS open_points, o.expires_at AS open_expires_at,
  r.id AS receipt_id, r.state AS receipt_state,
  x.fingerprint AS own_fingerprint, x.{answer} AS own_answer
"""
_SALE_JOINS = """
LEFT JOIN quote AS o ON o.till_id = $8 AND o.receipt_number = $9 AND o.state = 'open'
LEFT JOIN receipt AS r ON r.till_id = $8 AND r.number = $9
LEFT JOIN {own} AS x ON x.key = $10
"""
_RESTRICTED_POSTGRES = """
  (SELECT json_agg(f.limits) FROM (
    SELECT (SELECT json_build_array(p.sku, p.earns, p.payable_with_points) FROM product AS p
      WHERE p.sku = w.sku AND NOT (p.earns AND p.payable_with_points)) AS limits
    FROM unnest($11::text[]) AS w(sku)) AS f WHERE f.limits IS NOT NULL) AS restricted
"""
_RESTRICTED_SQLITE = """
  (SELECT json_group_array(json_array(p.sku, p.earns, p.payable_with_points)) FROM product AS p
    WHERE p.sku IN (SELECT value FROM json_each($11))
    AND NOT (p.earns AND p.payable_with_points)) AS restricted
"""


def _sale_facts(restricted: str, own: str, answer: str) -> str:
    columns = ",".join((CARD_COLUMNS, _SALE_COLUMNS.format(answer=answer), restricted))
    return f"SELECT {columns} FROM (SELECT 1) AS one {CARD_JOINS} {_SALE_JOINS.format(own=own)}"


_SALE_FACTS = {
    own: (
        _sale_facts(_RESTRICTED_POSTGRES, own, answer),
        _sale_facts(_RESTRICTED_SQLITE, own, answer),
    )
    for own, answer in (("quote", "body"), ("receipt", "answer"))
}

# $1 till, $2 receipt number, $3 the command's own key, $4 quote. EXPLAIN: unique keys only.
COMMIT_FACTS = """
SELECT
  (SELECT h.name FROM till AS t JOIN shop AS h ON h.id = t.shop_id WHERE t.id = $1) AS shop_name,
  q.till_id, q.receipt_number, q.card_hash, q.card_how, q.body, q.hold_id, q.state,
  q.expires_at, r.id AS receipt_id, r.state AS receipt_state,
  x.fingerprint AS own_fingerprint, x.answer AS own_answer
FROM (SELECT 1) AS one
LEFT JOIN quote AS q ON q.id = $4
LEFT JOIN receipt AS r ON r.till_id = $1 AND r.number = $2
LEFT JOIN receipt AS x ON x.key = $3
"""

# $1 till, $2 receipt number, $3 the cancel's own key.
CANCEL_FACTS = """
SELECT
  (SELECT h.name FROM till AS t JOIN shop AS h ON h.id = t.shop_id WHERE t.id = $1) AS shop_name,
  r.id, r.customer_id, r.state, r.at, r.accrual_id, r.redemption_id, r.answer, r.returns,
  x.cancel_fingerprint AS own_fingerprint, x.cancel_answer AS own_answer
FROM (SELECT 1) AS one
LEFT JOIN receipt AS r ON r.till_id = $1 AND r.number = $2
LEFT JOIN receipt AS x ON x.cancel_key = $3
"""


async def sale_facts(
    own: str,
    card: tuple[Any, ...],
    *,
    till_id: int,
    receipt_number: str,
    key: str,
    skus: Sequence[str],
) -> Any:
    """Card, open quote, receipt of this number, restricted goods, and the first answer to `key`.

    `own` is "quote" or "receipt": whose key it is.
    """
    wanted = sorted({sku for sku in skus if sku})
    listed: Any = wanted if dialect() == "postgres" else json.dumps(wanted)
    texts = _SALE_FACTS[own]
    [row] = await query(*texts, *card, till_id, receipt_number, key, listed)
    return row


# --- writes ---

INSERT_QUOTE = """
INSERT INTO quote (id, till_id, customer_id, receipt_number, key, fingerprint, card_hash, card_how,
  body, total_minor, spend_points, earn_points, hold_id, state, at, expires_at)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, 'open', $14, $15)
"""
# Nothing comes back when the quote is no longer open.
CLOSE_QUOTE = "UPDATE quote SET state = $2 WHERE id = $1 AND state = 'open' RETURNING id"

# By primary key, for ids rise with time; the instants decide. $1 first id to keep, $2 instant.
FORGET_QUOTES = "DELETE FROM quote WHERE id < $1 AND expires_at < $2"

QUOTE_STATE = "SELECT till_id, customer_id, hold_id, state FROM quote WHERE id = $1"

# $1 code, $2 customer, $3 till, $4 now, $5 until, $6 receipt. Nothing comes back when the code is
# another till's, or another receipt has used it.
_USE_CODE_VALUES = "VALUES ($1, $2, $3, $4, $5, $6)"
_USE_CODE = """
INSERT INTO card_claim (code_hash, customer_id, till_id, claimed_at, expires_at, receipt_id)
{values}
ON CONFLICT (code_hash) DO UPDATE SET receipt_id = excluded.receipt_id
WHERE card_claim.till_id = excluded.till_id AND card_claim.receipt_id IS NULL
RETURNING code_hash
"""
_INSERT_RECEIPT = """
INSERT INTO receipt (id, customer_id, till_id, number, state, staff_id, at, recorded_at,
  total_minor, paid_minor, spent_points, earned_points, key, fingerprint, card_how, accrual_id,
  redemption_id, answer)
VALUES ($1, $2, $3, $4, 'committed', $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17)
"""
_LINE_COLUMNS = """
INSERT INTO receipt_line (id, receipt_id, position, sku, name, category, quantity_milli,
  price_minor, amount_minor, spent_points, earned_points, explanation)
"""
_LINES_POSTGRES = (
    _LINE_COLUMNS
    + """
SELECT CAST(e.row ->> 0 AS BIGINT), $1, CAST(e.row ->> 1 AS INT), e.row ->> 2, e.row ->> 3,
  e.row ->> 4, CAST(e.row ->> 5 AS BIGINT), CAST(e.row ->> 6 AS BIGINT),
  CAST(e.row ->> 7 AS BIGINT), CAST(e.row ->> 8 AS BIGINT), CAST(e.row ->> 9 AS BIGINT),
  e.row ->> 10
FROM json_array_elements($18::json) AS e(row)
"""
)
_LINES_SQLITE = (
    _LINE_COLUMNS
    + """
SELECT e.value ->> 0, $1, e.value ->> 1, e.value ->> 2, e.value ->> 3, e.value ->> 4,
  e.value ->> 5, e.value ->> 6, e.value ->> 7, e.value ->> 8, e.value ->> 9, e.value ->> 10
FROM json_each($2) AS e
"""
)
_EVENT = "INSERT INTO event (id, kind, customer_id, at, payload)"
# $1 … $17 the receipt, $18 its lines, $19 and $20 a quote to close and its new state, $21 and $22 a
# code that it uses up and until when that is remembered, $23 … $27 the event.
_WRITE_RECEIPT = f"""
closed AS (UPDATE quote SET state = $20 WHERE id = $19 AND state = 'open' RETURNING id),
used AS ({
    _USE_CODE.format(
        values="SELECT CAST($21 AS TEXT), CAST($2 AS BIGINT), CAST($3 AS BIGINT), "
        "CAST($7 AS BIGINT), CAST($22 AS BIGINT), CAST($1 AS BIGINT) WHERE CAST($21 AS TEXT) <> ''"
    )
}),
written AS ({_INSERT_RECEIPT}),
lines AS ({_LINES_POSTGRES}),
told AS ({_EVENT} VALUES ($23, $24, $25, $26, $27))
"""
QUOTE_OPEN, CODE_FREE = "quote open", "code free"
"""What the writing of a receipt demands."""
_IS_OPEN = (QUOTE_OPEN, "EXISTS (SELECT FROM closed)")
_IS_FREE = (CODE_FREE, "EXISTS (SELECT FROM used)")

# $1 receipt, $2 at, $3 staff, $4 key, $5 fingerprint, $6 answer. Nothing comes back when somebody
# else has cancelled it, or has returned a part of it, meanwhile.
_CANCEL = """
UPDATE receipt SET state = 'cancelled', cancelled_at = $2, cancelled_by = $3, cancel_key = $4,
  cancel_fingerprint = $5, cancel_answer = $6
WHERE id = $1 AND state = 'committed' AND returns = 0 RETURNING id
"""
_CANCEL_AND_TELL = f"""
WITH cancelled AS ({_CANCEL}), told AS ({_EVENT} VALUES ($7, $8, $9, $10, $11))
SELECT id FROM cancelled
"""

EventRow = tuple[int, str, int, int, str]


def receipt_companion(
    row: tuple[Any, ...],
    lines: Sequence[Sequence[Any]],
    event: EventRow,
    *,
    closes: tuple[int, str] | None,
    uses: tuple[str, int] | None,
) -> Companion:
    """A receipt (the arguments of _INSERT_RECEIPT), its lines (id, position, sku, …, explanation)
    and its event, the quote that it `closes`, the code that it `uses`, as a companion.

    Demands QUOTE_OPEN and CODE_FREE where there is one.
    """
    demands = (_IS_OPEN,) * (closes is not None) + (_IS_FREE,) * (uses is not None)
    quote_id, state = closes or (0, "")
    code_hash, until = uses or ("", 0)
    listed = json.dumps(lines, ensure_ascii=False)
    arguments = (*row, listed, quote_id, state, code_hash, until, *event)
    return Companion(_WRITE_RECEIPT, arguments, demands)


async def write_receipt(
    row: tuple[Any, ...],
    lines: Sequence[Sequence[Any]],
    event: EventRow,
    *,
    closes: tuple[int, str] | None,
    uses: tuple[str, int] | None,
) -> None:
    """Write what `receipt_companion` describes, on SQLite, inside a transaction.

    Raises DemandError as that does; then take the transaction back.
    """
    receipt_id, customer_id, till_id, now = row[0], row[1], row[2], row[6]
    if closes and not await query(CLOSE_QUOTE, None, *closes):
        raise DemandError(QUOTE_OPEN)
    if uses:
        code_hash, until = uses
        claim = (code_hash, customer_id, till_id, now, until, receipt_id)
        if not await query(_USE_CODE.format(values=_USE_CODE_VALUES), None, *claim):
            raise DemandError(CODE_FREE)
    await query(_INSERT_RECEIPT, None, *row)
    await query(_LINES_SQLITE, None, receipt_id, json.dumps(lines, ensure_ascii=False))
    await query(_EVENT + " VALUES ($1, $2, $3, $4, $5)", None, *event)


def quote_companion(row: tuple[Any, ...]) -> Companion:
    """A quote (the arguments of INSERT_QUOTE) as a companion."""
    return Companion(f"kept AS ({INSERT_QUOTE})", row)


async def write_cancel(row: tuple[Any, ...], event: EventRow) -> bool:
    """Mark a receipt as cancelled (the arguments of _CANCEL) and tell of it.

    False when somebody else has done so: take the transaction back. One round trip on Postgres.
    """
    if dialect() == "postgres":
        return bool(await query(_CANCEL_AND_TELL, None, *row, *event))
    is_first = bool(await query(_CANCEL, None, *row))
    await query(_EVENT + " VALUES ($1, $2, $3, $4, $5)", None, *event)
    return is_first


# --- reads ---

# EXPLAIN: receipt's index on (customer_id, at) or primary key backwards; a page of it.
RECEIPTS = """
SELECT r.id, r.number, h.name, r.state, r.at, r.total_minor, r.paid_minor, r.spent_points,
  r.earned_points
FROM receipt AS r JOIN till AS t ON t.id = r.till_id JOIN shop AS h ON h.id = t.shop_id
WHERE r.customer_id = $1 AND r.id < $2 ORDER BY r.id DESC LIMIT $3
"""
ANSWER_OF = """
SELECT answer, cancel_answer, state, goods_back_minor FROM receipt
WHERE till_id = $1 AND number = $2
"""


def restricted_goods(listed: str | None) -> dict[str, tuple[bool, bool]]:
    """sku -> (earns, payable with points), of the products where one of them is false."""
    return {sku: (bool(earns), bool(payable)) for sku, earns, payable in json.loads(listed or "[]")}
