"""SQL of sites: their keys, what happens on them, whose browser it was."""

from loyalty.sql.lists import listed

KEY = "SELECT id, name, origins, generation FROM site WHERE closed_at IS NULL AND {column} = $1"
BY_PUBLIC_KEY = KEY.format(column="public_key")
BY_SECRET = KEY.format(column="secret_hash")
ORIGINS = "SELECT origins FROM site WHERE closed_at IS NULL"

CUSTOMER_OF = """
SELECT v.customer_id FROM site_visitor AS v
JOIN customer AS c ON c.id = v.customer_id AND c.erased_at IS NULL
WHERE v.site_id = $1 AND v.visitor = $2
"""
# Whoever signs in last in a browser has it. Nothing comes back when it was hers already.
JOIN = """
INSERT INTO site_visitor (site_id, visitor, customer_id, joined_at) VALUES ($1, $2, $3, $4)
ON CONFLICT (site_id, visitor) DO UPDATE SET customer_id = excluded.customer_id,
  joined_at = excluded.joined_at
WHERE site_visitor.customer_id <> excluded.customer_id
"""

# $1 rows [id, key, kind, at, fact] as JSON, $2 site, $3 visitor, $4 received.
_TAKE = """
INSERT INTO site_event (id, site_id, visitor, key, kind, at, received_at, fact)
SELECT CAST({row} ->> 0 AS BIGINT), $2, $3, {row} ->> 1, {row} ->> 2,
  CAST({row} ->> 3 AS BIGINT), $4, {row} ->> 4
FROM {source} WHERE true
ON CONFLICT (site_id, visitor, key) DO NOTHING RETURNING id
"""
TAKE = (
    _TAKE.format(row="e.v", source="json_array_elements($1::json) AS e(v)"),
    _TAKE.format(row="e.value", source="json_each($1) AS e"),
)
# What the browser did before it was known as hers becomes hers. EXPLAIN: site_event_adrift.
ADOPT = """
UPDATE site_event SET customer_id = $3 WHERE site_id = $1 AND visitor = $2
AND customer_id IS NULL RETURNING id, kind, at, fact
"""
BY_IDENTITY = """
SELECT i.customer_id FROM identity AS i JOIN customer AS c ON c.id = i.customer_id
WHERE i.kind = $1 AND i.value = $2 AND i.ended_at IS NULL AND c.erased_at IS NULL
"""
# $1 a list of skus.
NAMES = listed("SELECT sku, name FROM product WHERE sku IN {list}", "text")

# Oldest first, a page at a time. EXPLAIN: site_event_strangers; the index on received_at.
_FORGET = """
DELETE FROM site_event WHERE id IN (
  SELECT id FROM site_event WHERE received_at < $1 {whose} ORDER BY received_at LIMIT $2)
RETURNING id
"""
FORGET_STRANGERS = _FORGET.format(whose="AND customer_id IS NULL")
FORGET_ALL = _FORGET.format(whose="")
