"""SQL of recommendations: who bought what, what is bought by the same people, and hers of it."""

from loyalty.sql.lists import listed

PRODUCTS_OF_ONE = 40
"""Of a customer the latest products count: a wholesale buyer would pair everything with all."""
PARTNERS = 50
"""How many partners of a product are kept, those of the highest cosine."""

COUNTED_AT = "SELECT counted_at, customers FROM pair_count WHERE id = 1"
# Whoever writes this row first does the counting; nothing comes back to whoever is late.
BEGIN = """
INSERT INTO pair_count (id, counted_at, customers) VALUES (1, $1, 0)
ON CONFLICT (id) DO UPDATE SET counted_at = excluded.counted_at
WHERE pair_count.counted_at < $2 RETURNING id
"""
END = "UPDATE pair_count SET customers = $1 WHERE id = 1"
BUYERS = "SELECT COUNT(DISTINCT customer_id) FROM receipt WHERE state = 'committed' AND at > $1"

_BOUGHT = """
  SELECT r.customer_id, l.sku, MAX(r.at) AS at FROM receipt AS r
  JOIN receipt_line AS l ON l.receipt_id = r.id
  JOIN product AS p ON p.sku = l.sku AND NOT p.prescription_only
  WHERE r.state = 'committed' AND r.at > $1 AND l.quantity_milli > l.returned_milli
    AND r.customer_id % $2 = 0
  GROUP BY r.customer_id, l.sku
"""
MAKE_BASKETS = "CREATE TEMPORARY TABLE basket (customer_id BIGINT NOT NULL, sku TEXT NOT NULL)"
# $1 since when, $2 every how manieth customer: a part of a large base tells the same.
FILL_BASKETS = f"""
INSERT INTO basket (customer_id, sku)
SELECT customer_id, sku FROM (
  SELECT customer_id, sku,
    ROW_NUMBER() OVER (PARTITION BY customer_id ORDER BY at DESC, sku) AS nth
  FROM ({_BOUGHT}) AS bought) AS ranked
WHERE nth <= {PRODUCTS_OF_ONE}
"""
INDEX_BASKETS = "CREATE INDEX basket_customer ON basket (customer_id, sku)"
DROP_BASKETS = "DROP TABLE basket"
SIZE = "SELECT COUNT(DISTINCT customer_id) FROM basket"
FORGET = ("DELETE FROM product_pair", "DELETE FROM product_reach")
FILL_REACH = "INSERT INTO product_reach (sku, buyers) SELECT sku, COUNT(*) FROM basket GROUP BY sku"
# $1 the floor of support, $2 how many customers were counted. A pair no more frequent than chance
# would have it (lift up to 1) says nothing of taste, however many bought both.
FILL_PAIRS = f"""
WITH half AS (
  SELECT x.sku, y.sku AS other_sku, COUNT(*) AS together
  FROM basket AS x JOIN basket AS y ON y.customer_id = x.customer_id AND y.sku > x.sku
  GROUP BY x.sku, y.sku HAVING COUNT(*) >= $1),
counted AS (
  SELECT sku, other_sku, together FROM half
  UNION ALL SELECT other_sku, sku, together FROM half)
INSERT INTO product_pair (sku, other_sku, together)
SELECT sku, other_sku, together FROM (
  SELECT c.sku, c.other_sku, c.together, ROW_NUMBER() OVER (
    PARTITION BY c.sku
    ORDER BY CAST(c.together AS DOUBLE PRECISION) * c.together / b.buyers DESC, c.other_sku) AS nth
  FROM counted AS c
  JOIN product_reach AS a ON a.sku = c.sku
  JOIN product_reach AS b ON b.sku = c.other_sku
  WHERE CAST(c.together AS DOUBLE PRECISION) * CAST($2 AS BIGINT) > a.buyers * b.buyers) AS ranked
WHERE nth <= {PARTNERS}
"""

# $1 customer, $2 since when her purchases speak, $3 since when they are too fresh to be suggested,
# $4 skus and $5 categories that are not promoted, as JSON. What she has brought back is neither:
# she does not want it; of her courses she is reminded otherwise. EXPLAIN: receipt's index on
# (customer_id, at), refill_course's on customer, then primary keys.
_HERS = """
bought AS (
  SELECT l.sku, MAX(r.at) AS at, SUM(l.quantity_milli - l.returned_milli) AS kept,
    SUM(l.returned_milli) AS back
  FROM receipt AS r JOIN receipt_line AS l ON l.receipt_id = r.id
  WHERE r.customer_id = $1 AND r.at > $2 AND r.state <> 'cancelled' GROUP BY l.sku),
barred AS (
  SELECT sku FROM bought WHERE at > $3 OR back > 0
  UNION ALL SELECT c.sku FROM refill_course AS c WHERE c.customer_id = $1
  UNION ALL SELECT {sku} FROM {skus})
"""
_OPEN = """
NOT o.prescription_only AND o.earns AND o.category NOT IN (SELECT {category} FROM {categories})
AND o.sku NOT IN (SELECT sku FROM barred)
"""
_HER_PAIRS = f"""
WITH {_HERS}, seed AS (
  SELECT b.sku FROM bought AS b JOIN product AS p ON p.sku = b.sku AND NOT p.prescription_only
  WHERE b.kept > 0 AND b.back = 0 ORDER BY b.at DESC, b.sku LIMIT {PRODUCTS_OF_ONE})
SELECT c.sku, c.other_sku, c.together, x.buyers AS bought_buyers, y.buyers AS other_buyers
FROM seed AS s JOIN product_pair AS c ON c.sku = s.sku
JOIN product_reach AS x ON x.sku = c.sku
JOIN product_reach AS y ON y.sku = c.other_sku
JOIN product AS o ON o.sku = c.other_sku
WHERE {_OPEN}
"""
# $6 how many; the most widely bought first. EXPLAIN: product_reach's index on buyers.
_POPULAR = f"""
WITH {_HERS}
SELECT o.sku FROM product_reach AS y JOIN product AS o ON o.sku = y.sku
WHERE {_OPEN} ORDER BY y.buyers DESC, o.sku LIMIT $6
"""


def _for_both(text: str) -> tuple[str, str]:
    elements = "json_array_elements_text({}::json) AS e(v)"
    return (
        text.format(
            sku="e.v", skus=elements.format("$4"), category="e.v", categories=elements.format("$5")
        ),
        text.format(
            sku="value", skus="json_each($4)", category="value", categories="json_each($5)"
        ),
    )


HER_PAIRS, POPULAR = _for_both(_HER_PAIRS), _for_both(_POPULAR)
# $1 a list of skus.
NAMES = listed("SELECT sku, name, category, price_minor FROM product WHERE sku IN {list}", "text")
