"""SQL of customers and their identities."""

from loyalty.ledger.reads import BALANCE

# COALESCE: by the index on customer_id, even if planned while the table is empty.
_VIEW = """
SELECT c.id, c.name, c.language, c.city, c.born_on, c.timezone, c.joined_at,
  (SELECT MAX(value) FROM identity WHERE customer_id = c.id AND kind = 'phone'
    AND COALESCE(ended_at, 0) = 0) AS phone,
  (SELECT MAX(value) FROM identity WHERE customer_id = c.id AND kind = 'email'
    AND COALESCE(ended_at, 0) = 0) AS email,
  (SELECT MAX(value) FROM identity WHERE customer_id = c.id AND kind = 'card'
    AND COALESCE(ended_at, 0) = 0) AS card_number
FROM customer AS c
"""
BY_ID = _VIEW + "WHERE c.id = $1 AND c.erased_at IS NULL"
BY_IDENTITY = (
    _VIEW
    + """WHERE c.id = (SELECT customer_id FROM identity
  WHERE kind = $1 AND value = $2 AND ended_at IS NULL) AND c.erased_at IS NULL"""
)
# Who is known by ($1, $2), her balance at $3, and $5 of her operations before $4: the balance and
# the customer beside each operation, or once beside NULLs. EXPLAIN: indexes only.
_HERS = "(SELECT id FROM who)"
AT_A_GLANCE = f"""
WITH who AS ({BY_IDENTITY})
SELECT w.*, b.*, o.* FROM who AS w
LEFT JOIN ({BALANCE.replace("$2", "$3").replace("$1", _HERS)}) AS b ON TRUE
LEFT JOIN (SELECT p.seq, t.kind, t.reason, t.points, t.at
  FROM ledger_posting AS p JOIN ledger_transaction AS t ON t.id = p.transaction_id
  WHERE p.account_id = {_HERS} AND p.seq < $4 ORDER BY p.seq DESC LIMIT $5) AS o ON TRUE
ORDER BY o.seq DESC
"""
VIEW_COLUMNS, OPERATION_COLUMNS = 10, 5
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
SET_NAME = "UPDATE customer SET name = $2 WHERE id = $1 AND erased_at IS NULL"
SET_FIRST_NAME = "UPDATE customer SET name = $2 WHERE id = $1 AND name = ''"
SET_LANGUAGE = "UPDATE customer SET language = $2 WHERE id = $1"
