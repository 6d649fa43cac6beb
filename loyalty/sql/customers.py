"""SQL of customers and their identities."""

import re

from loyalty.ledger.reads import BALANCE

# COALESCE: by the index on customer_id, even if planned while the table is empty.
_VIEW = """
SELECT c.id, c.name, c.language, c.city, c.born_on, c.timezone, c.joined_at,
  (SELECT tier FROM customer_turnover WHERE customer_id = c.id) AS tier,
  (SELECT turnover_minor FROM customer_turnover WHERE customer_id = c.id) AS turnover_minor,
  (SELECT MAX(value) FROM identity WHERE customer_id = c.id AND kind = 'phone'
    AND COALESCE(ended_at, 0) = 0) AS phone,
  (SELECT MAX(value) FROM identity WHERE customer_id = c.id AND kind = 'email'
    AND COALESCE(ended_at, 0) = 0) AS email,
  (SELECT MAX(value) FROM identity WHERE customer_id = c.id AND kind = 'card'
    AND COALESCE(ended_at, 0) = 0) AS card_number
FROM customer AS c
"""
_OPERATIONS = """
SELECT p.seq, t.kind, t.reason, t.points, t.at
FROM ledger_posting AS p JOIN ledger_transaction AS t ON t.id = p.transaction_id
WHERE p.account_id = $1 AND p.seq < $2 ORDER BY p.seq DESC LIMIT $3
"""


def _at(text: str, *places: str) -> str:
    """A statement as a part of another one: `$1`, `$2` … become `places`."""
    return re.sub(r"\$(\d)", lambda found: places[int(found[1]) - 1], text)


BY_ID = _VIEW + "WHERE c.id = $1 AND c.erased_at IS NULL"
BY_IDENTITY = (
    _VIEW
    + """WHERE c.id = (SELECT customer_id FROM identity
  WHERE kind = $1 AND value = $2 AND ended_at IS NULL) AND c.erased_at IS NULL"""
)
# Who is known by an identity, her balance, and her operations before a place from the newest: the
# customer and the balance stand beside each operation, or once beside NULLs. For many identities at
# once, as arrays: kinds, values, places, how many operations; $5 is the moment. OFFSET 0 keeps the
# planner from joining whole tables. EXPLAIN: loops by index, as many as there are identities.
AT_A_GLANCE = f"""
WITH who AS MATERIALIZED (
  SELECT asked.n, asked.before, asked.most, v.*
  FROM unnest($1::text[], $2::text[], $3::bigint[], $4::integer[])
    WITH ORDINALITY AS asked(kind, value, before, most, n)
  CROSS JOIN LATERAL ({_at(BY_IDENTITY, "asked.kind", "asked.value")} OFFSET 0) AS v)
SELECT w.*, b.*, o.* FROM who AS w
LEFT JOIN LATERAL ({_at(BALANCE, "w.id", "$5")} OFFSET 0) AS b ON TRUE
LEFT JOIN LATERAL ({_at(_OPERATIONS, "w.id", "w.before", "w.most")}) AS o ON TRUE
ORDER BY w.n, o.seq DESC
"""
# SQLite has neither arrays nor LATERAL: ($1, $2) is one identity, $3 the place, $4 how many.
AT_A_GLANCE_SQLITE = f"""
WITH who AS ({BY_IDENTITY})
SELECT 1 AS n, w.*, b.*, o.* FROM who AS w
LEFT JOIN ({_at(BALANCE, "(SELECT id FROM who)", "$5")}) AS b ON TRUE
LEFT JOIN ({_at(_OPERATIONS, "(SELECT id FROM who)", "$3", "$4")}) AS o ON TRUE
ORDER BY o.seq DESC
"""
BALANCE_COLUMNS, OPERATION_COLUMNS = 9, 5
OWNERS = """
SELECT kind, customer_id FROM identity
WHERE kind = 'phone' AND value = $1 AND ended_at IS NULL
UNION ALL
SELECT kind, customer_id FROM identity WHERE kind = $2 AND value = $3 AND ended_at IS NULL
"""
INSERT_CUSTOMER = """
INSERT INTO customer (id, name, city, language, timezone, joined_at)
VALUES ($1, $2, '', $3, $4, $5)
"""
INSERT_IDENTITY = """
INSERT INTO identity (id, customer_id, kind, value, proof, created_at)
VALUES ($1, $2, $3, $4, $5, $6)
"""
END_IDENTITY = """
UPDATE identity SET ended_at = $3 WHERE kind = $1 AND value = $2 AND ended_at IS NULL
"""
FRONTS_OF = """
SELECT kind, value FROM identity
WHERE customer_id = $1 AND kind IN ('telegram', 'webchat') AND COALESCE(ended_at, 0) = 0
ORDER BY id
"""
SET_PROOF = """
UPDATE identity SET proof = $3 WHERE kind = $1 AND value = $2 AND ended_at IS NULL
"""
LOCK = "SELECT id FROM customer WHERE id = $1 FOR NO KEY UPDATE"
SET_NAME = "UPDATE customer SET name = $2 WHERE id = $1 AND erased_at IS NULL"
SET_FIRST_NAME = "UPDATE customer SET name = $2 WHERE id = $1 AND name = ''"
SET_LANGUAGE = "UPDATE customer SET language = $2 WHERE id = $1"
