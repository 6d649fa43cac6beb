"""SQL of promo codes: what is known of a code, and how its uses are counted, kept and let go.

A use is a row from its reservation on. What is scarce is counted where it is taken: a personal code
on its own row, a campaign with a limit in `promo_tally`, on one row for everybody (customer 0) and
one for each customer. A reservation takes, a redemption takes nothing more, letting go gives back;
so tills wait for each other at a popular code only for the statement that reserves it. Lists travel
as JSON in one argument.
"""

import json
from collections.abc import Sequence
from typing import Any

from loyalty.database import dialect, query
from loyalty.ledger.companion import Companion, DemandError
from loyalty.sql.lists import found, listed

# --- facts ---

# One row at least; its columns of a code are empty when none is known. $1 spellings, $2 customer,
# $3 the quote whose reservations do not count (or 0), $4 till (or 0), $5 [scope, most] of guessing,
# $6 now. EXPLAIN: primary keys, promo_use's index on quote_id, receipt's on customer_id.
_FACTS = """
SELECT c.code, c.campaign_id, c.customer_id AS holder_id, c.uses_max, c.taken,
  COALESCE(c.revoked_at, p.revoked_at) AS revoked_at, p.title, p.terms,
  (SELECT t.taken FROM promo_tally AS t WHERE t.campaign_id = p.id AND t.customer_id = 0)
    AS total_taken,
  (SELECT t.taken FROM promo_tally AS t WHERE t.campaign_id = p.id AND t.customer_id = $2)
    AS customer_taken,
  (SELECT COUNT(*) FROM promo_segment AS s WHERE s.campaign_id = p.id AND s.customer_id = $2)
    AS in_segment,
  (SELECT COUNT(*) FROM promo_use AS u WHERE u.quote_id = $3 AND u.code = c.code
    AND u.state = 'reserved') AS held_here,
  (SELECT COUNT(*) FROM promo_wallet AS w WHERE w.customer_id = $2 AND w.code = c.code)
    AS in_wallet,
  (SELECT MAX(r.id) FROM receipt AS r WHERE r.customer_id = $2 AND r.state = 'committed')
    AS bought,
  (SELECT h.code FROM till AS t JOIN shop AS h ON h.id = t.shop_id WHERE t.id = $4) AS shop,
  (SELECT MAX(g.ends_at) FROM {scopes} JOIN promo_guess AS g ON g.scope = {scope}
    WHERE g.wrong >= {most} AND g.ends_at > $6) AS guessing_until
FROM (SELECT 1) AS one
LEFT JOIN promo_code AS c ON c.code IN {{list}}
LEFT JOIN promo_campaign AS p ON p.id = c.campaign_id
"""
FACTS = listed(
    (
        _FACTS.format(
            scopes="json_array_elements($5::json) AS e(row)",
            scope="e.row ->> 0",
            most="CAST(e.row ->> 1 AS INT)",
        ),
        _FACTS.format(scopes="json_each($5) AS e", scope="e.value ->> 0", most="e.value ->> 1"),
    ),
    "text",
)
Scopes = Sequence[tuple[str, int]]
"""By what guesses are counted, and how many of them are too many."""


async def facts(
    codes: Sequence[str],
    *,
    customer_id: int,
    quote_id: int = 0,
    till_id: int = 0,
    scopes: Scopes = (),
    now: int,
) -> list[Any]:
    """The rows of _FACTS for these kept spellings. One round trip."""
    scoped = json.dumps(list(scopes))
    return await query(*FACTS, codes, customer_id, quote_id, till_id, scoped, now)


# $1 rows of [scope], $2 end of a new window, $3 now, $4 how many wrong ones.
_COUNT_GUESS = """
INSERT INTO promo_guess (scope, wrong, ends_at)
SELECT {scope}, CAST($4 AS INT), CAST($2 AS BIGINT) FROM {rows} WHERE TRUE ORDER BY 1
ON CONFLICT (scope) DO UPDATE SET
  wrong = CASE WHEN promo_guess.ends_at <= $3 THEN excluded.wrong
    ELSE promo_guess.wrong + excluded.wrong END,
  ends_at = CASE WHEN promo_guess.ends_at <= $3 THEN excluded.ends_at
    ELSE promo_guess.ends_at END
RETURNING scope, wrong, ends_at
"""
COUNT_GUESS = (
    _COUNT_GUESS.format(scope="e.row ->> 0", rows="json_array_elements($1::json) AS e(row)"),
    _COUNT_GUESS.format(scope="e.value ->> 0", rows="json_each($1) AS e"),
)
FORGET_GUESSES = "DELETE FROM promo_guess WHERE ends_at < $1"

# --- reserving ---

Reservation = tuple[int, str, int, bool, int | None, int | None, bool, int, int, bool]
"""Id, code, campaign, whether the code is personal, the most of the campaign and of the customer,
whether a cancel frees it, discount, points, whether the older quote of the receipt holds it."""

_WANTED_COLUMNS = (
    ("id", "BIGINT"),
    ("code", "TEXT"),
    ("campaign_id", "BIGINT"),
    ("personal", "BOOLEAN"),
    ("most_total", "BIGINT"),
    ("most_customer", "BIGINT"),
    ("frees_on_cancel", "BOOLEAN"),
    ("discount_minor", "BIGINT"),
    ("points", "BIGINT"),
    ("held", "BOOLEAN"),
)
_WANTED = ", ".join(
    f"CAST(e.row ->> {place} AS {kind}) AS {name}"
    for place, (name, kind) in enumerate(_WANTED_COLUMNS)
)
# Conflicting rows are taken in the order of the SELECT: everybody's row before the customer's.
_TALLY = """
INSERT INTO promo_tally (campaign_id, customer_id, most, taken)
SELECT w.campaign_id, 0, w.most_total, 1 FROM promo_wanted AS w
  WHERE NOT w.held AND w.most_total IS NOT NULL
UNION ALL SELECT w.campaign_id, CAST($3 AS BIGINT), w.most_customer, 1 FROM promo_wanted AS w
  WHERE NOT w.held AND w.most_customer IS NOT NULL
ORDER BY 1, 2
ON CONFLICT (campaign_id, customer_id) DO UPDATE SET taken = promo_tally.taken + 1
WHERE promo_tally.taken < excluded.most
RETURNING campaign_id
"""
# $1 reservations, $2 quote, $3 customer, $4 now, $5 until, $6 the older quote or 0.
_RESERVE = f"""
promo_wanted AS MATERIALIZED (SELECT {_WANTED} FROM json_array_elements($1::json) AS e(row)),
promo_tallied AS ({_TALLY}),
promo_coded AS (UPDATE promo_code AS c SET taken = c.taken + 1 FROM promo_wanted AS w
  WHERE c.code = w.code AND w.personal AND NOT w.held AND c.taken < c.uses_max
  RETURNING c.code),
promo_moved AS (UPDATE promo_use AS u SET quote_id = $2, expires_at = $5,
    discount_minor = w.discount_minor, points = w.points FROM promo_wanted AS w
  WHERE u.quote_id = $6 AND u.code = w.code AND w.held AND u.state = 'reserved'
  RETURNING u.id),
promo_kept AS (INSERT INTO promo_use (id, campaign_id, code, customer_id, quote_id, state,
    frees_on_cancel, discount_minor, points, at, expires_at)
  SELECT w.id, w.campaign_id, w.code, CAST($3 AS BIGINT), CAST($2 AS BIGINT), 'reserved',
    w.frees_on_cancel, w.discount_minor, w.points, CAST($4 AS BIGINT), CAST($5 AS BIGINT)
  FROM promo_wanted AS w WHERE NOT w.held),
promo_met AS (SELECT
  (SELECT COUNT(*) FROM promo_tallied) = (SELECT COUNT(most_total) + COUNT(most_customer)
    FROM promo_wanted WHERE NOT held)
  AND (SELECT COUNT(*) FROM promo_coded)
    = (SELECT COUNT(*) FROM promo_wanted WHERE personal AND NOT held)
  AND (SELECT COUNT(*) FROM promo_moved) = (SELECT COUNT(*) FROM promo_wanted WHERE held) AS yes)
"""
PROMO_FREE = "promo codes free"
"""What a reservation and a redemption demand."""
_MET = ((PROMO_FREE, "(SELECT yes FROM promo_met)"),)


def reserve_companion(
    wanted: Sequence[Reservation],
    *,
    quote_id: int,
    customer_id: int,
    now: int,
    until: int,
    older: int = 0,
) -> Companion:
    """Reservations of a quote. Demands PROMO_FREE."""
    arguments = (json.dumps(wanted), quote_id, customer_id, now, until, older)
    return Companion(_RESERVE, arguments, _MET)


_TAKE_ONE = """
INSERT INTO promo_tally (campaign_id, customer_id, most, taken) VALUES ($1, $2, $3, 1)
ON CONFLICT (campaign_id, customer_id) DO UPDATE SET taken = promo_tally.taken + 1
WHERE promo_tally.taken < excluded.most RETURNING campaign_id
"""
_TAKE_CODE = """
UPDATE promo_code SET taken = taken + 1 WHERE code = $1 AND taken < uses_max RETURNING code
"""
_MOVE = """
UPDATE promo_use SET quote_id = $1, expires_at = $2, discount_minor = $3, points = $4
WHERE quote_id = $5 AND code = $6 AND state = 'reserved' RETURNING id
"""
_KEEP = """
INSERT INTO promo_use (id, campaign_id, code, customer_id, quote_id, state, frees_on_cancel,
  discount_minor, points, at, expires_at)
VALUES ($1, $2, $3, $4, $5, 'reserved', $6, $7, $8, $9, $10)
"""


async def reserve(
    wanted: Sequence[Reservation],
    *,
    quote_id: int,
    customer_id: int,
    now: int,
    until: int,
    older: int = 0,
) -> None:
    """Write what `reserve_companion` describes, on SQLite, inside a transaction.

    Raises DemandError as that does; then take the transaction back.
    """
    for use in wanted:
        use_id, code, campaign_id, personal, total, hers, frees, discount, points, held = use
        if held:
            moved = (quote_id, until, discount, points, older, code)
            if not await query(_MOVE, None, *moved):
                raise DemandError(PROMO_FREE)
            continue
        for who, most in ((0, total), (customer_id, hers)):
            if most is not None and not await query(_TAKE_ONE, None, campaign_id, who, most):
                raise DemandError(PROMO_FREE)
        if personal and not await query(_TAKE_CODE, None, code):
            raise DemandError(PROMO_FREE)
        row = (use_id, campaign_id, code, customer_id, quote_id, frees, discount, points, now)
        await query(_KEEP, None, *row, until)


# --- redeeming ---

# $1 quote, $2 receipt, $3 now, $4 how many.
_REDEEMED = """
UPDATE promo_use SET state = 'redeemed', receipt_id = $2, closed_at = $3
WHERE quote_id = $1 AND state = 'reserved' RETURNING id
"""
_REDEEM = f"""
promo_redeemed AS ({_REDEEMED}),
promo_met AS (SELECT COUNT(*) = $4 AS yes FROM promo_redeemed)
"""


def redeem_companion(quote_id: int, receipt_id: int, now: int, count: int) -> Companion:
    """All reservations of a quote become its receipt's. Demands PROMO_FREE."""
    return Companion(_REDEEM, (quote_id, receipt_id, now, count), _MET)


async def redeem(quote_id: int, receipt_id: int, now: int, count: int) -> None:
    """What `redeem_companion` describes, on SQLite, inside a transaction. Raises DemandError."""
    if len(await query(_REDEEMED, None, quote_id, receipt_id, now)) != count:
        raise DemandError(PROMO_FREE)


# --- letting go ---

_OF_QUOTE = "quote_id = $3 AND state = 'reserved'"
_OF_RECEIPT = "receipt_id = $3 AND state = 'redeemed' AND frees_on_cancel"
# Only this looks for open uses as such: the others come by their quote's or their code's own index,
# also when they are planned on an empty table, where a partial index seems as good as any.
_SOME_LAPSED = """SELECT id FROM promo_use WHERE closed_at IS NULL AND state = 'reserved'
  AND expires_at <= $2 ORDER BY expires_at LIMIT $3"""
_LAPSED = tuple(map("id {} AND state = 'reserved'".format, found(_SOME_LAPSED)))
_OTHERS_OF_QUOTE = listed(_OF_QUOTE + " AND NOT (code IN {list})", "text", place="$4")

# $1 the new state, $2 now, $3 which.
_LET_GO = """
promo_gone AS (UPDATE promo_use SET state = $1, closed_at = $2 WHERE {which}
  RETURNING campaign_id, customer_id, code),
promo_untallied AS (UPDATE promo_tally AS t SET taken = t.taken - f.uses FROM (
    SELECT campaign_id, who, COUNT(*) AS uses FROM (
      SELECT campaign_id, 0 AS who FROM promo_gone
      UNION ALL SELECT campaign_id, customer_id FROM promo_gone) AS counted
    GROUP BY campaign_id, who) AS f
  WHERE t.campaign_id = f.campaign_id AND t.customer_id = f.who),
promo_uncoded AS (UPDATE promo_code AS c SET taken = c.taken - f.uses FROM (
    SELECT code, COUNT(*) AS uses FROM promo_gone GROUP BY code) AS f
  WHERE c.code = f.code AND c.uses_max IS NOT NULL)
"""
_GONE = "UPDATE promo_use SET state = $1, closed_at = $2 WHERE {which} RETURNING *"
_UNTALLY = """
UPDATE promo_tally SET taken = taken - 1 WHERE campaign_id = $1 AND customer_id IN (0, $2)
"""
_UNCODE = "UPDATE promo_code SET taken = taken - 1 WHERE code = $1 AND uses_max IS NOT NULL"


def release_companion(quote_id: int, now: int) -> Companion:
    """The reservations of a quote that is replaced by a sale without one."""
    return Companion(_LET_GO.format(which=_OF_QUOTE), ("released", now, quote_id))


def free_companion(receipt_id: int, now: int) -> Companion:
    """The codes of a receipt that is undone are good again, where their campaign says so."""
    return Companion(_LET_GO.format(which=_OF_RECEIPT), ("freed", now, receipt_id))


async def release(quote_id: int, now: int, *, but: Sequence[str] = ()) -> int:
    """Let go of a quote's reservations, except those of the codes `but`; returns how many."""
    if not but:
        return await _let_go(_OF_QUOTE, _OF_QUOTE, "released", now, quote_id)
    return await _let_go(*_OTHERS_OF_QUOTE, "released", now, quote_id, but)


async def free(receipt_id: int, now: int) -> None:
    """What `free_companion` describes, on SQLite, inside a transaction."""
    await _let_go(_OF_RECEIPT, _OF_RECEIPT, "freed", now, receipt_id)


async def lapse(now: int, limit: int) -> int:
    """Let go of up to `limit` reservations whose time is up; returns how many."""
    return await _let_go(*_LAPSED, "lapsed", now, limit)


async def _let_go(postgres: str, sqlite: str, *args: Any) -> int:
    """One statement on Postgres; on SQLite several, inside a transaction."""
    if dialect() == "postgres":
        text = f"WITH {_LET_GO.format(which=postgres)} SELECT COUNT(*) FROM promo_gone"
        [[count]] = await query(text, None, *args)
        return int(count)
    rows = await query(_GONE.format(which=sqlite), None, *args)
    for row in rows:
        await query(_UNTALLY, None, row["campaign_id"], row["customer_id"])
        await query(_UNCODE, None, row["code"])
    return len(rows)


# --- a customer's codes ---

# The codes she has, with what FACTS tells of each. $1 customer, $2 now, $3 how many.
WALLET = """
SELECT w.code, w.at, c.uses_max, c.taken, c.customer_id AS holder_id, c.campaign_id,
  COALESCE(c.revoked_at, p.revoked_at) AS revoked_at, p.title, p.terms,
  (SELECT t.taken FROM promo_tally AS t WHERE t.campaign_id = p.id AND t.customer_id = 0)
    AS total_taken,
  (SELECT t.taken FROM promo_tally AS t WHERE t.campaign_id = p.id AND t.customer_id = $1)
    AS customer_taken,
  (SELECT COUNT(*) FROM promo_segment AS s WHERE s.campaign_id = p.id AND s.customer_id = $1)
    AS in_segment,
  (SELECT COUNT(*) FROM promo_use AS u WHERE u.customer_id = $1 AND u.code = w.code
    AND u.state = 'reserved' AND u.expires_at > $2) AS reserved,
  0 AS held_here
FROM promo_wallet AS w JOIN promo_code AS c ON c.code = w.code
JOIN promo_campaign AS p ON p.id = c.campaign_id
WHERE w.customer_id = $1 AND p.ends_at > $2 ORDER BY p.ends_at, w.at LIMIT $3
"""
ADD_TO_WALLET = """
INSERT INTO promo_wallet (customer_id, code, at, key) VALUES ($1, $2, $3, $4)
ON CONFLICT DO NOTHING RETURNING code
"""
GIVEN_BY_KEY = "SELECT customer_id, code FROM promo_wallet WHERE key = $1"
# Nothing comes back when it is somebody else's.
HOLD_CODE = """
UPDATE promo_code SET customer_id = $2 WHERE code = $1
AND (customer_id IS NULL OR customer_id = $2) RETURNING code
"""
INSERT_CODE = """
INSERT INTO promo_code (code, campaign_id, batch_id, customer_id, uses_max, taken)
VALUES ($1, $2, NULL, $3, $4, 0) ON CONFLICT DO NOTHING RETURNING code
"""
SHOP_OF_TILL = """
SELECT h.code FROM till AS t JOIN shop AS h ON h.id = t.shop_id WHERE t.id = $1
"""
HAS_BOUGHT = "SELECT MAX(id) FROM receipt WHERE customer_id = $1 AND state = 'committed'"
