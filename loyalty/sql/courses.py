"""SQL of courses: how they are read, reckoned and changed; reminders; and what is usual."""

from loyalty.sql.lists import listed

# --- courses as they are read ---

_COLUMNS = """c.id, c.customer_id, c.item, c.sku, c.name, c.prescription_only, c.pack_units,
  c.daily_milli, c.daily_told, c.base_at, c.base_milli, c.base_told, c.regime, c.state,
  c.snoozed_until, c.cycle, c.version, c.settled_version, c.run_out_at, c.due_at, c.expected_at,
  c.pace_permille, c.intervals, c.created_at"""

COURSES_OF = f"SELECT {_COLUMNS} FROM refill_course AS c WHERE c.customer_id = $1 ORDER BY c.id"
COURSE = f"SELECT {_COLUMNS} FROM refill_course AS c WHERE c.id = $1 AND c.customer_id = $2"
COURSES = listed(
    f"SELECT {_COLUMNS} FROM refill_course AS c WHERE c.id IN {{list}} ORDER BY c.id", "bigint"
)
COURSE_BY_ITEM = (
    f"SELECT {_COLUMNS} FROM refill_course AS c WHERE c.customer_id = $1 AND c.item = $2"
)
LOCKED = " FOR NO KEY UPDATE OF c"
"""What is added on Postgres."""
# EXPLAIN: the partial index refill_course_unsettled.
UNSETTLED = f"""
SELECT {_COLUMNS} FROM refill_course AS c WHERE c.settled_version < c.version ORDER BY c.id LIMIT $1
"""
_SUPPLIES_OF = """
SELECT s.course_id, s.receipt_id, s.at, s.units_milli, s.back_milli, s.back_at, s.regime
FROM refill_supply AS s WHERE s.course_id IN {list} ORDER BY s.course_id, s.at, s.id
"""
_PACES = "SELECT item, pace_permille, late_milli FROM refill_pace WHERE item IN {list} OR item = ''"


SUPPLIES_OF = listed(_SUPPLIES_OF, "bigint")
PACES = listed(_PACES, "text")

# --- figures ---

FIGURES = ("run_out_at", "due_at", "expected_at", "pace_permille", "intervals")
# $1 rows: id, version, and the figures of that version. A course that has changed meanwhile keeps
# its old ones, and is reckoned again.
_SETTLE = """
UPDATE refill_course SET settled_version = n.version, {sets}
FROM (SELECT {columns} FROM {source}) AS n
WHERE refill_course.id = n.id AND refill_course.version = n.version
"""


def _settle(row: str, source: str) -> str:
    columns = ", ".join(
        f"CAST({row} ->> {n} AS BIGINT) AS {name}"
        for n, name in enumerate(("id", "version", *FIGURES))
    )
    sets = ", ".join(f"{name} = n.{name}" for name in FIGURES)
    return _SETTLE.format(sets=sets, columns=columns, source=source)


SETTLE = (
    _settle("e.v", "json_array_elements($1::json) AS e(v)"),
    _settle("e.value", "json_each($1) AS e"),
)

# --- what she says ---

INSERT_COURSE = """
INSERT INTO refill_course (id, customer_id, item, sku, name, prescription_only, pack_units,
  daily_milli, daily_told, base_milli, base_told, regime, state, cycle, told_cycle, version,
  settled_version, pace_permille, intervals, created_at)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, TRUE, 0, FALSE, 0, 'active', 0, 0, 0, 0, 1000, 0, $9)
"""
INSERT_TOLD = """
INSERT INTO refill_supply (id, course_id, pack_units, at, units_milli, back_milli, regime)
VALUES ($1, $2, $3, $4, $5, 0, $6)
"""
CHANGED = (
    "pack_units", "daily_milli", "daily_told", "base_at", "base_milli", "base_told", "regime",
    "state", "snoozed_until", "cycle", "version", *FIGURES,
)  # fmt: skip
# $1 course; its row is locked. $2 … in the order of CHANGED.
CHANGE = "UPDATE refill_course SET settled_version = ${}, {} WHERE id = $1".format(
    CHANGED.index("version") + 2,
    ", ".join(f"{name} = ${n}" for n, name in enumerate(CHANGED, 2)),
)

HOW_MANY = "SELECT COUNT(*) AS n FROM refill_course WHERE customer_id = $1"

# --- reminders ---

# $1 now, $2 the last run-out to be reminded of, $3 how many, $4 the last run-out that is no longer,
# $5 how far back a snooze may lead. EXPLAIN: the partial index refill_course_due.
DUE = f"""
SELECT {_COLUMNS} FROM refill_course AS c
WHERE c.state = 'active' AND c.told_cycle < c.cycle AND c.due_at IS NOT NULL
  AND c.due_at > $5 AND c.due_at <= $2
  AND (c.snoozed_until IS NULL OR c.snoozed_until <= $1)
  AND (c.due_at > $4 OR c.snoozed_until > $4)
ORDER BY c.due_at, c.id LIMIT $3
"""
# $1 rows: id, cycle.
_TOLD = """
UPDATE refill_course SET told_cycle = n.cycle
FROM (SELECT CAST({row} ->> 0 AS BIGINT) AS id, CAST({row} ->> 1 AS INT) AS cycle FROM {source})
  AS n
WHERE refill_course.id = n.id AND refill_course.told_cycle < n.cycle
"""
TOLD = (
    _TOLD.format(row="e.v", source="json_array_elements($1::json) AS e(v)"),
    _TOLD.format(row="e.value", source="json_each($1) AS e"),
)

# $1 rows: course, instant. Courses to which something has come since then that was kept.
_SUPPLIED = """
SELECT DISTINCT s.course_id FROM refill_supply AS s JOIN (
  SELECT CAST({row} ->> 0 AS BIGINT) AS id, CAST({row} ->> 1 AS BIGINT) AS since FROM {source}) AS n
  ON n.id = s.course_id
WHERE s.at > n.since AND s.units_milli > s.back_milli
"""
SUPPLIED = (
    _SUPPLIED.format(row="e.v", source="json_array_elements($1::json) AS e(v)"),
    _SUPPLIED.format(row="e.value", source="json_each($1) AS e"),
)

# --- what is usual ---

# Medians over the courses whose pace is their own; $1 now, $2 intervals at least, $3 courses at
# least. Once a day, over all of them.
LEARN = """
INSERT INTO refill_pace (item, courses, pace_permille, late_milli, learned_at)
WITH own AS (
  SELECT item, pace_permille, (expected_at - due_at) / 86400000 AS late_milli FROM refill_course
  WHERE intervals >= $2 AND due_at IS NOT NULL AND NOT daily_told),
each_and_all AS (SELECT * FROM own UNION ALL SELECT '', pace_permille, late_milli FROM own),
ranked AS (
  SELECT item, pace_permille, late_milli, COUNT(*) OVER (PARTITION BY item) AS courses,
    ROW_NUMBER() OVER (PARTITION BY item ORDER BY pace_permille) AS by_pace,
    ROW_NUMBER() OVER (PARTITION BY item ORDER BY late_milli) AS by_late
  FROM each_and_all)
SELECT item, MAX(courses), MAX(CASE WHEN by_pace = (courses + 1) / 2 THEN pace_permille END),
  MAX(CASE WHEN by_late = (courses + 1) / 2 THEN late_milli END), $1
FROM ranked GROUP BY item HAVING MAX(courses) >= $3
ON CONFLICT (item) DO UPDATE SET courses = excluded.courses,
  pace_permille = excluded.pace_permille, late_milli = excluded.late_milli,
  learned_at = excluded.learned_at
"""
LEARNED_AT = "SELECT MAX(learned_at) AS at FROM refill_pace"

# --- receipts from before there were courses ---

# Customers by id: $1 the last one seen, $2 the last one of this batch. Every line of theirs, with
# what has come back of it; SQLite and Postgres alike.
_HISTORY = """
history AS (
  SELECT l.id AS line_id, r.id AS receipt_id, r.customer_id, r.at, p.sku, p.prescription_only,
    p.units_per_pack, p.daily_milli, l.quantity_milli * p.units_per_pack AS units_milli,
    CASE WHEN r.state = 'cancelled' THEN l.quantity_milli ELSE l.returned_milli END
      * p.units_per_pack AS back_milli,
    CASE WHEN r.state = 'cancelled' THEN r.cancelled_at ELSE (
      SELECT MAX(b.at) FROM receipt_return AS b WHERE b.receipt_id = r.id) END AS back_at,
    CASE WHEN p.medicine <> '' THEN 'medicine:' || p.medicine ELSE 'sku:' || p.sku END AS item,
    CASE WHEN p.medicine <> '' THEN p.medicine ELSE p.name END AS name
  FROM receipt AS r JOIN receipt_line AS l ON l.receipt_id = r.id
  JOIN product AS p ON p.sku = l.sku
  WHERE r.customer_id > $1 AND r.customer_id <= $2 AND p.units_per_pack > 0 AND p.daily_milli > 0
    AND NOT EXISTS (SELECT 1 FROM refill_supply AS k WHERE k.id = l.id)),
ranked AS (
  SELECT h.*, MIN(h.line_id) OVER (PARTITION BY h.customer_id, h.item) AS first_line,
    MIN(h.at) OVER (PARTITION BY h.customer_id, h.item) AS first_at,
    ROW_NUMBER() OVER (PARTITION BY h.customer_id, h.item ORDER BY h.at DESC, h.line_id DESC)
      AS newest
  FROM history AS h)
"""
HISTORY_COURSES = f"""
INSERT INTO refill_course (id, customer_id, item, sku, name, prescription_only, pack_units,
  daily_milli, daily_told, base_milli, base_told, regime, state, cycle, told_cycle, version,
  settled_version, pace_permille, intervals, created_at)
WITH {_HISTORY}
SELECT first_line, customer_id, item, sku, name, prescription_only, units_per_pack, daily_milli,
  FALSE, 0, FALSE, 0, 'active', 1, 0, 1, 0, 1000, 0, first_at
FROM ranked WHERE newest = 1
ON CONFLICT (customer_id, item) DO UPDATE SET version = refill_course.version + 1
"""
HISTORY_SUPPLIES = f"""
INSERT INTO refill_supply (id, course_id, receipt_id, pack_units, at, units_milli, back_milli,
  back_at, regime)
WITH {_HISTORY}
SELECT h.line_id, c.id, h.receipt_id, h.units_per_pack, h.at, h.units_milli, h.back_milli,
  CASE WHEN h.back_milli > 0 THEN h.back_at END,
  CASE WHEN c.base_at IS NOT NULL AND h.at < c.base_at THEN c.regime - 1 ELSE c.regime END
FROM ranked AS h JOIN refill_course AS c ON c.customer_id = h.customer_id AND c.item = h.item
ON CONFLICT (id) DO NOTHING
"""
# The id of the $2-th customer after $1; nothing when there are none any more.
NEXT_CUSTOMERS = """
SELECT MAX(id) AS last FROM (SELECT id FROM customer WHERE id > $1 ORDER BY id LIMIT $2) AS n
"""
