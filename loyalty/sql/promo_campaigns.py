"""SQL of promo campaigns and of making their codes. Lists travel as JSON in one argument."""

from loyalty.sql.lists import listed

_COLUMNS = "id, name, title, terms, ends_at, created_at, revoked_at"
BY_NAME = f"SELECT {_COLUMNS} FROM promo_campaign WHERE name = $1"
ALL = f"SELECT {_COLUMNS} FROM promo_campaign ORDER BY id DESC"
INSERT_CAMPAIGN = """
INSERT INTO promo_campaign (id, name, title, terms, ends_at, created_at)
VALUES ($1, $2, $3, $4, $5, $6)
"""
CAMPAIGN_OF_CODE = "SELECT campaign_id FROM promo_code WHERE code = $1"
INSERT_SHARED = """
INSERT INTO promo_code (code, campaign_id, uses_max, taken) VALUES ($1, $2, NULL, 0)
"""
REVOKE_CAMPAIGN = """
UPDATE promo_campaign SET revoked_at = $2 WHERE id = $1 AND revoked_at IS NULL RETURNING id
"""
REVOKE_CODE = """
UPDATE promo_code SET revoked_at = $3 WHERE code = $1 AND campaign_id = $2
AND revoked_at IS NULL RETURNING code
"""
# By the index on batch_id: a shared code is in no batch.
COUNT_CODES = """
SELECT COALESCE((SELECT SUM(b.made) FROM promo_batch AS b WHERE b.campaign_id = $1), 0)
"""
# EXPLAIN: promo_use's index on campaign_id.
COUNT_USES = """
SELECT state, COUNT(*) AS uses, CAST(SUM(discount_minor) AS BIGINT) AS discount_minor,
  CAST(SUM(points) AS BIGINT) AS points
FROM promo_use WHERE campaign_id = $1 GROUP BY state
"""

INSERT_BATCH = """
INSERT INTO promo_batch (id, campaign_id, key, wanted, made, at) VALUES ($1, $2, $3, $4, 0, $5)
ON CONFLICT DO NOTHING
"""
BATCH_BY_KEY = "SELECT id, campaign_id, wanted, made FROM promo_batch WHERE key = $1"
LOCK_BATCH = "UPDATE promo_batch SET made = made WHERE id = $1 RETURNING made"
BATCH_GREW = "UPDATE promo_batch SET made = made + $2 WHERE id = $1"
_CODE_INTO = "INSERT INTO promo_code (code, campaign_id, batch_id, uses_max, taken)"
ADD_CODES_POSTGRES = f"""
{_CODE_INTO} SELECT c, $2, $3, 1, 0 FROM unnest($1::text[]) AS u(c) ON CONFLICT DO NOTHING
"""
ADD_CODE_SQLITE = f"{_CODE_INTO} VALUES (?1, ?2, ?3, 1, 0) ON CONFLICT DO NOTHING"
CODES_OF_BATCH = """
SELECT c.code FROM promo_code AS c
WHERE c.batch_id = (SELECT b.id FROM promo_batch AS b WHERE b.key = $1) AND c.code > $2
ORDER BY c.code LIMIT $3
"""

CUSTOMERS_THERE = listed("SELECT id FROM customer WHERE id IN {list}")
CODES_THERE = listed(
    "SELECT code, campaign_id, customer_id FROM promo_code WHERE code IN {list}", "text"
)
# $1 rows of [code, customer].
HOLD_IMPORTED = (
    "UPDATE promo_code AS c SET customer_id = CAST(e.row ->> 1 AS BIGINT) "
    "FROM json_array_elements($1::json) AS e(row) WHERE c.code = e.row ->> 0",
    "UPDATE promo_code AS c SET customer_id = e.value ->> 1 "
    "FROM json_each($1) AS e WHERE c.code = e.value ->> 0",
)
TO_WALLETS = (
    "INSERT INTO promo_wallet (customer_id, code, at) "
    "SELECT CAST(e.row ->> 1 AS BIGINT), e.row ->> 0, $2 "
    "FROM json_array_elements($1::json) AS e(row) ON CONFLICT DO NOTHING",
    "INSERT INTO promo_wallet (customer_id, code, at) "
    "SELECT e.value ->> 1, e.value ->> 0, $2 FROM json_each($1) AS e WHERE TRUE "
    "ON CONFLICT DO NOTHING",
)
NAME_CUSTOMERS = (
    "INSERT INTO promo_segment (campaign_id, customer_id) "
    "SELECT $1, CAST(v AS BIGINT) FROM json_array_elements_text($2::json) AS v "
    "ON CONFLICT DO NOTHING",
    "INSERT INTO promo_segment (campaign_id, customer_id) "
    "SELECT $1, value FROM json_each($2) WHERE TRUE ON CONFLICT DO NOTHING",
)
