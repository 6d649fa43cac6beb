"""SQL of refills at the till: what a receipt, a return and a cancel write of courses.

A receipt only adds supplies and raises the course's version; the figures (run-out and so on) are
reckoned for a version afterwards, by `loyalty.refills`. So the till waits for no arithmetic.
"""

import json
from collections.abc import Sequence

from loyalty.database import query
from loyalty.ledger.companion import Companion

# --- with the receipt ---

# $1 customer, $2 receipt, $3 at, $4 rows of lines: id, sku, quantity. EXPLAIN: product's primary
# key for each line. What is not taken over time makes no rows.
_MEDICINES = """
SELECT CAST({row} ->> 0 AS BIGINT) AS line_id, p.sku, p.prescription_only, p.daily_milli,
  p.units_per_pack, CAST({row} ->> 2 AS BIGINT) * p.units_per_pack AS units_milli,
  CASE WHEN p.medicine <> '' THEN 'medicine:' || p.medicine ELSE 'sku:' || p.sku END AS item,
  CASE WHEN p.medicine <> '' THEN p.medicine ELSE p.name END AS name
FROM {source} JOIN product AS p ON p.sku = {row} ->> 1
WHERE p.units_per_pack > 0 AND p.daily_milli > 0
"""
_MEDICINES_POSTGRES = _MEDICINES.format(
    row="e.row", source="json_array_elements($4::json) AS e(row)"
)
_MEDICINES_SQLITE = _MEDICINES.format(row="e.value", source="json_each($4) AS e")
# A course has the id of the line that began it. What she has said of her dose stays; a medicine
# that she has stopped stays stopped. Of several packs on one receipt the last line's is kept.
_COURSES = """
INSERT INTO refill_course (id, customer_id, item, sku, name, prescription_only, pack_units,
  daily_milli, daily_told, base_milli, base_told, regime, state, cycle, told_cycle, version,
  settled_version, pace_permille, intervals, created_at)
SELECT m.line_id, CAST($1 AS BIGINT), m.item, m.sku, m.name, m.prescription_only,
  m.units_per_pack, m.daily_milli, FALSE, 0, FALSE, 0, 'active', 1, 0, 1, 0, 1000, 0,
  CAST($3 AS BIGINT)
FROM {medicines} AS m
WHERE m.line_id = (SELECT MAX(o.line_id) FROM {medicines} AS o WHERE o.item = m.item)
ORDER BY m.item
ON CONFLICT (customer_id, item) DO UPDATE SET sku = excluded.sku, name = excluded.name,
  prescription_only = excluded.prescription_only, pack_units = excluded.pack_units,
  daily_milli = CASE WHEN refill_course.daily_told THEN refill_course.daily_milli
    ELSE excluded.daily_milli END,
  snoozed_until = NULL, cycle = refill_course.cycle + 1, version = refill_course.version + 1
"""
# A late receipt, of before her own count, is counted in it already; else it counts from the base.
_SUPPLIES = """
INSERT INTO refill_supply (id, course_id, receipt_id, pack_units, at, units_milli, back_milli,
  regime)
SELECT m.line_id, c.id, CAST($2 AS BIGINT), m.units_per_pack, CAST($3 AS BIGINT), m.units_milli, 0,
  CASE WHEN c.base_told AND CAST($3 AS BIGINT) < c.base_at THEN c.regime - 1 ELSE c.regime END
FROM {medicines} AS m JOIN {courses} AS c ON c.item = m.item{hers}
"""
_BOUGHT_POSTGRES = f"""
refill_medicine AS MATERIALIZED ({_MEDICINES_POSTGRES}),
refill_kept AS ({_COURSES.format(medicines="refill_medicine")}
  RETURNING id, item, regime, base_told, base_at),
refill_supplied AS ({_SUPPLIES.format(medicines="refill_medicine", courses="refill_kept", hers="")})
"""
_WITH_SQLITE = f"WITH refill_medicine AS ({_MEDICINES_SQLITE}) "
_COURSES_SQLITE = _WITH_SQLITE + _COURSES.format(medicines="refill_medicine")
_SUPPLIES_SQLITE = _WITH_SQLITE + _SUPPLIES.format(
    medicines="refill_medicine", courses="refill_course", hers=" AND c.customer_id = $1"
)

Bought = tuple[int, str, int]
"""A receipt's line: its id, sku and quantity in thousandths of a pack."""


def bought_companion(
    customer_id: int, receipt_id: int, at: int, lines: Sequence[Bought]
) -> Companion:
    """The courses that a receipt begins and goes on with. Postgres."""
    return Companion(_BOUGHT_POSTGRES, (customer_id, receipt_id, at, json.dumps(lines)))


async def buy(customer_id: int, receipt_id: int, at: int, lines: Sequence[Bought]) -> None:
    """What `bought_companion` describes, on SQLite, inside a transaction."""
    arguments = (customer_id, receipt_id, at, json.dumps(lines))
    await query(_COURSES_SQLITE, None, *arguments)
    await query(_SUPPLIES_SQLITE, None, *arguments)


# --- with a return or a cancel ---

# What goes back of a supply that is in the base already goes out of the base.
_LESS = """
UPDATE refill_course SET version = version + 1, base_milli = CASE
    WHEN base_milli > g.of_base THEN base_milli - g.of_base ELSE 0 END
FROM (SELECT b.course_id, CAST(SUM(CASE WHEN b.regime < c.regime THEN b.units_milli ELSE 0 END)
    AS BIGINT) AS of_base
  FROM {back} AS b JOIN refill_course AS c ON c.id = b.course_id GROUP BY b.course_id) AS g
WHERE refill_course.id = g.course_id
"""
# $1 rows of lines that come back: id of the line, quantity; $2 now.
_RETURNED_POSTGRES = f"""
refill_back AS (UPDATE refill_supply AS s
  SET back_milli = s.back_milli + g.quantity_milli * s.pack_units, back_at = $2
  FROM (SELECT CAST(e.row ->> 0 AS BIGINT) AS line_id, CAST(e.row ->> 1 AS BIGINT) AS quantity_milli
    FROM json_array_elements($1::json) AS e(row)) AS g
  WHERE s.id = g.line_id
  RETURNING s.course_id, s.regime, g.quantity_milli * s.pack_units AS units_milli),
refill_less AS ({_LESS.format(back="refill_back")})
"""
# $1 receipt, $2 now.
_CANCELLED_POSTGRES = f"""
refill_gone AS MATERIALIZED (SELECT id, course_id, regime, units_milli - back_milli AS units_milli
  FROM refill_supply WHERE receipt_id = $1),
refill_back AS (UPDATE refill_supply SET back_milli = units_milli, back_at = $2
  WHERE receipt_id = $1),
refill_less AS ({_LESS.format(back="refill_gone")})
"""
_BACK_SQLITE = """
SELECT s.course_id, s.regime, (e.value ->> 1) * s.pack_units AS units_milli
FROM json_each($1) AS e JOIN refill_supply AS s ON s.id = e.value ->> 0
"""
_RETURN_SQLITE = """
UPDATE refill_supply SET back_at = $2, back_milli = back_milli + pack_units * (
  SELECT e.value ->> 1 FROM json_each($1) AS e WHERE e.value ->> 0 = refill_supply.id)
WHERE id IN (SELECT e.value ->> 0 FROM json_each($1) AS e)
"""
_GONE_SQLITE = """
SELECT course_id, regime, units_milli - back_milli AS units_milli FROM refill_supply
WHERE receipt_id = $1
"""
_CANCEL_SQLITE = """
UPDATE refill_supply SET back_milli = units_milli, back_at = $2 WHERE receipt_id = $1
"""

Back = tuple[int, int]
"""A line that comes back: its id, and how much of it in thousandths of a pack."""


def returned_companion(lines: Sequence[Back], now: int) -> Companion:
    """Goods that go out of the courses to which they came. Postgres."""
    return Companion(_RETURNED_POSTGRES, (json.dumps(lines), now))


async def return_(lines: Sequence[Back], now: int) -> None:
    """What `returned_companion` describes, on SQLite, inside a transaction."""
    listed = json.dumps(lines)
    await query(_LESS.format(back=f"({_BACK_SQLITE})"), None, listed)
    await query(_RETURN_SQLITE, None, listed, now)


def cancelled_companion(receipt_id: int, now: int) -> Companion:
    """All the goods of a receipt go out of the courses to which they came. Postgres."""
    return Companion(_CANCELLED_POSTGRES, (receipt_id, now))


async def cancel(receipt_id: int, now: int) -> None:
    """What `cancelled_companion` describes, on SQLite, inside a transaction."""
    await query(_LESS.format(back=f"({_GONE_SQLITE})"), None, receipt_id)
    await query(_CANCEL_SQLITE, None, receipt_id, now)
