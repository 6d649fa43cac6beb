"""SQL of quotes and receipts: what a command must know in one look, and what it writes.

Placeholders are the same for both databases; where the texts differ, `query` gets both. JSON
carries lists of any length in one argument.
"""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from loyalty.database import dialect, query
from loyalty.ledger.companion import Companion, DemandError, joined
from loyalty.rules.months import day_of, month_of, month_starts_at
from loyalty.rules.programme import ProgrammeRules
from loyalty.rules.tiers import window
from loyalty.sql import turnover as turnover_sql
from loyalty.sql.cards import CARD_COLUMNS, CARD_CUSTOMER, CARD_JOINS
from loyalty.sql.events import EventRow

# --- facts: one row each, one round trip ---

# $1 … $7 as in CARD_COLUMNS; $8 till, $9 receipt number, $10 the command's own key, $11 skus,
# $12 … $17 as in `window_arguments`.
# EXPLAIN: a primary or unique key for every join, quote_open for the open quote.
_SALE_COLUMNS = """
  h.name AS shop_name, h.code AS shop_code, h.timezone AS shop_timezone,
  COALESCE(ci.born_on, cs.born_on) AS born_on,
  o.id AS open_id, o.customer_id AS open_customer_id, o.hold_id AS open_hold_id,
  o.spend_points AS open_points, o.expires_at AS open_expires_at,
  (SELECT COUNT(*) FROM promo_use AS u WHERE u.quote_id = o.id AND u.state = 'reserved')
    AS open_promos,
  (SELECT f.referrer_id FROM referral AS f WHERE f.friend_id = COALESCE(ci.id, cs.id)
    AND f.state = 'waiting') AS brought_by,
  r.id AS receipt_id, r.state AS receipt_state,
  x.fingerprint AS own_fingerprint, x.{answer} AS own_answer
"""
_SALE_JOINS = """
LEFT JOIN till AS t ON t.id = $8
LEFT JOIN shop AS h ON h.id = t.shop_id
LEFT JOIN quote AS o ON o.till_id = $8 AND o.receipt_number = $9 AND o.state = 'open'
LEFT JOIN receipt AS r ON r.till_id = $8 AND r.number = $9
LEFT JOIN {own} AS x ON x.key = $10
"""
_PRODUCT = (
    "json_build_array(p.sku, p.earns, p.payable_with_points, p.prescription_only, p.category)"
)
_PRODUCTS_POSTGRES = f"""
  (SELECT json_agg(f.product) FROM (
    SELECT (SELECT {_PRODUCT} FROM product AS p WHERE p.sku = w.sku) AS product
    FROM unnest({{skus}}::text[]) AS w(sku)) AS f WHERE f.product IS NOT NULL) AS products
"""
_PRODUCTS_SQLITE = f"""
  (SELECT json_group_array({_PRODUCT.replace("json_build_array", "json_array")})
    FROM product AS p WHERE p.sku IN (SELECT value FROM json_each({{skus}}))) AS products
"""
PRODUCTS = tuple(
    f"SELECT {text.format(skus='$1')}" for text in (_PRODUCTS_POSTGRES, _PRODUCTS_SQLITE)
)


def _customer_columns(who: str, first: int) -> str:
    """What she has bought, as asked by `window_arguments`, which begin at `$first`."""
    names = ("first", "last", "day", "day_end", "month", "month_end")
    places = {name: f"${first + n}" for n, name in enumerate(names)}
    return f"{turnover_sql.COLUMNS},{turnover_sql.EARNED}".format(who=who, **places)


def _sale_facts(products: str, own: str, answer: str) -> str:
    columns = ",".join(
        (
            CARD_COLUMNS,
            _SALE_COLUMNS.format(answer=answer),
            products.format(skus="$11"),
            _customer_columns(CARD_CUSTOMER, 12),
        )
    )
    joins = f"{CARD_JOINS} {_SALE_JOINS.format(own=own)}"
    return f"SELECT {columns} FROM (SELECT 1) AS one {joins}"


_SALE_FACTS = {
    own: (
        _sale_facts(_PRODUCTS_POSTGRES, own, answer),
        _sale_facts(_PRODUCTS_SQLITE, own, answer),
    )
    for own, answer in (("quote", "body"), ("receipt", "answer"))
}

# $1 till, $2 receipt number, $3 the command's own key, $4 quote, $5 … $10 `window_arguments`.
# EXPLAIN: unique keys only, and receipt's index on (customer_id, at).
COMMIT_FACTS = f"""
SELECT
  h.name AS shop_name, h.code AS shop_code, h.timezone AS shop_timezone, c.born_on,
  q.till_id, q.receipt_number, q.card_hash, q.card_how, q.body, q.hold_id, q.state,
  q.at AS quoted_at, q.expires_at, q.rules_revision, q.turnover_version, q.customer_id,
  (SELECT f.referrer_id FROM referral AS f WHERE f.friend_id = q.customer_id
    AND f.state = 'waiting') AS brought_by,
  r.id AS receipt_id, r.state AS receipt_state,
  x.fingerprint AS own_fingerprint, x.answer AS own_answer,
  {_customer_columns("q.customer_id", 5)}
FROM (SELECT 1) AS one
LEFT JOIN till AS t ON t.id = $1
LEFT JOIN shop AS h ON h.id = t.shop_id
LEFT JOIN quote AS q ON q.id = $4
LEFT JOIN customer AS c ON c.id = q.customer_id
LEFT JOIN receipt AS r ON r.till_id = $1 AND r.number = $2
LEFT JOIN receipt AS x ON x.key = $3
{turnover_sql.JOIN.format(who="q.customer_id")}
"""

# $1 till, $2 receipt number, $3 the cancel's own key, $4 and $5 the months of the window.
CANCEL_FACTS = f"""
SELECT
  (SELECT h.name FROM till AS t JOIN shop AS h ON h.id = t.shop_id WHERE t.id = $1) AS shop_name,
  r.id, r.customer_id, r.state, r.at, r.accrual_id, r.redemption_id, r.answer, r.returns,
  r.recorded_at, r.paid_minor, r.rules_revision,
  x.cancel_fingerprint AS own_fingerprint, x.cancel_answer AS own_answer,
  {turnover_sql.COLUMNS.format(who="r.customer_id", first="$4", last="$5")}
FROM (SELECT 1) AS one
LEFT JOIN receipt AS r ON r.till_id = $1 AND r.number = $2
LEFT JOIN receipt AS x ON x.cancel_key = $3
{turnover_sql.JOIN.format(who="r.customer_id")}
"""

Window = tuple[int, int, int, int, int, int]


def window_arguments(at: int, now: int, rules: ProgrammeRules) -> Window:
    """The months of the window of `now`; day and month of `at`, empty when nothing caps them."""
    first, last = window(month_of(now, rules.timezone))
    caps, month = rules.earning.caps, month_of(at, rules.timezone)
    day_ends = day_of(at, rules.timezone) if caps.day is not None else (0, 0)
    if caps.month is None:
        return first, last, *day_ends, 0, 0
    starts_at = month_starts_at(month, rules.timezone)
    return first, last, *day_ends, starts_at, month_starts_at(month + 1, rules.timezone)


async def sale_facts(
    own: str,
    card: tuple[Any, ...],
    *,
    till_id: int,
    receipt_number: str,
    key: str,
    skus: Sequence[str],
    window: Window,
) -> Any:
    """Card, open quote, receipt of this number, products, what she has bought in the `window`, and
    the first answer to `key`.

    `own` is "quote" or "receipt": whose key it is.
    """
    texts = _SALE_FACTS[own]
    [row] = await query(*texts, *card, till_id, receipt_number, key, _wanted(skus), *window)
    return row


async def products(skus: Sequence[str]) -> str | None:
    """The column `products` alone."""
    [row] = await query(*PRODUCTS, _wanted(skus))
    return row["products"]  # type: ignore[no-any-return]


def _wanted(skus: Sequence[str]) -> list[str]:
    return sorted({sku for sku in skus if sku})


# --- writes ---

INSERT_QUOTE = """
INSERT INTO quote (id, till_id, customer_id, receipt_number, key, fingerprint, card_hash, card_how,
  body, total_minor, spend_points, earn_points, hold_id, state, at, expires_at, rules_revision,
  turnover_version)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, 'open', $14, $15, $16, $17)
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
  redemption_id, answer, rules_revision, promo_points)
VALUES ($1, $2, $3, $4, 'committed', $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17,
  $18, $19)
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
FROM json_array_elements($20::json) AS e(row)
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
# $1 … $19 the receipt, $20 its lines, $21 and $22 a quote to close and its new state, $23 and $24 a
# code that it uses up and until when that is remembered, $25 … $29 the event.
_WRITE_RECEIPT = f"""
closed AS (UPDATE quote SET state = $22 WHERE id = $21 AND state = 'open' RETURNING id),
used AS ({
    _USE_CODE.format(
        values="SELECT CAST($23 AS TEXT), CAST($2 AS BIGINT), CAST($3 AS BIGINT), "
        "CAST($7 AS BIGINT), CAST($24 AS BIGINT), CAST($1 AS BIGINT) WHERE CAST($23 AS TEXT) <> ''"
    )
}),
written AS ({_INSERT_RECEIPT}),
lines AS ({_LINES_POSTGRES}),
told AS ({_EVENT} VALUES ($25, $26, $27, $28, $29))
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
_CANCEL_STEPS = f"cancelled AS ({_CANCEL}), told AS ({_EVENT} VALUES ($7, $8, $9, $10, $11))"


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


class Beside(Protocol):
    """Rows of others that are written with a cancel: all of it, or nothing."""

    def companion(self) -> Companion: ...
    async def write(self) -> None: ...


async def write_cancel(row: tuple[Any, ...], event: EventRow, beside: Beside) -> bool:
    """Mark a receipt as cancelled (the arguments of _CANCEL), tell of it, and write what is
    `beside` it.

    False when somebody else has been quicker: take the transaction back. One round trip on
    Postgres.
    """
    if dialect() == "postgres":
        both = joined(Companion(_CANCEL_STEPS, (*row, *event)), beside.companion())
        met = "".join(f" AND {condition}" for _, condition in both.demands)
        text = f"WITH {both.steps} SELECT id FROM cancelled WHERE TRUE{met}"
        return bool(await query(text, None, *both.arguments))
    is_first = bool(await query(_CANCEL, None, *row))
    await query(_EVENT + " VALUES ($1, $2, $3, $4, $5)", None, *event)
    try:
        await beside.write()
    except DemandError:
        return False
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


@dataclass(frozen=True, slots=True)
class ProductFacts:
    """What the catalogue says of a product, as far as the rules ask."""

    earns: bool = True
    payable_with_points: bool = True
    prescription: bool = False
    category: str = ""


def product_facts(listed: str | None) -> dict[str, ProductFacts]:
    """The column `products`, by sku."""
    return {
        sku: ProductFacts(bool(earns), bool(payable), bool(prescription), category)
        for sku, earns, payable, prescription, category in json.loads(listed or "[]")
    }
