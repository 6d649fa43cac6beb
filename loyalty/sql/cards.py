"""SQL of the card: what is known of a code, claims of tills, counts of guesses."""

from loyalty.rules.card_reading import GUESSES_PER_DEVICE, GUESSES_PER_TILL

# One row, whatever is found. $1 kind, $2 value, $3 short code, $4 hash of the code or "", $5 and $6
# the scopes of guessing (till, till/device), $7 now. EXPLAIN: a primary or unique key each, also
# when planned on empty tables: one table a join, and COALESCE where a partial index would be read
# from end to end.
CARD_CUSTOMER = "COALESCE(ci.id, cs.id)"
CARD_COLUMNS = f"""
  CASE WHEN COALESCE(ci.erased_at, cs.erased_at) IS NULL THEN {CARD_CUSTOMER} END
    AS customer_id, COALESCE(ci.name, cs.name) AS customer_name,
  (SELECT MAX(n.value) FROM identity AS n WHERE n.customer_id = {CARD_CUSTOMER}
    AND n.kind = 'card' AND COALESCE(n.ended_at, 0) = 0) AS card_number,
  s.code_hash AS short_hash, s.expires_at AS short_expires_at,
  k.till_id AS claim_till, k.expires_at AS claim_expires_at, k.receipt_id AS claim_receipt,
  (SELECT MAX(g.ends_at) FROM card_guess AS g WHERE g.ends_at > $7
    AND (g.scope = $5 AND g.wrong >= {GUESSES_PER_TILL}
      OR g.scope = $6 AND g.wrong >= {GUESSES_PER_DEVICE})
  ) AS guessing_until,
  u.tier AS held_tier, u.turnover_minor AS tier_turnover_minor
"""
CARD_JOINS = f"""
LEFT JOIN identity AS i ON i.kind = $1 AND i.value = $2 AND i.ended_at IS NULL
LEFT JOIN customer AS ci ON ci.id = i.customer_id
LEFT JOIN short_code AS s ON s.code = $3
LEFT JOIN customer AS cs ON cs.id = s.customer_id
LEFT JOIN card_claim AS k ON k.code_hash = COALESCE(NULLIF($4, ''), s.code_hash)
LEFT JOIN customer_turnover AS u ON u.customer_id = {CARD_CUSTOMER}
"""
FACTS = f"SELECT {CARD_COLUMNS} FROM (SELECT 1) AS one {CARD_JOINS}"

# Nothing comes back when the code is another till's, or spent.
CLAIM = """
INSERT INTO card_claim (code_hash, customer_id, till_id, claimed_at, expires_at)
VALUES ($1, $2, $3, $4, $5)
ON CONFLICT (code_hash) DO UPDATE SET till_id = excluded.till_id
WHERE card_claim.till_id = excluded.till_id AND card_claim.receipt_id IS NULL
RETURNING code_hash
"""
# $1, $2 scopes; $3 end of a new window; $4 now.
COUNT_GUESS = """
INSERT INTO card_guess (scope, wrong, ends_at) VALUES ($1, 1, $3), ($2, 1, $3)
ON CONFLICT (scope) DO UPDATE SET
  wrong = CASE WHEN card_guess.ends_at <= $4 THEN 1 ELSE card_guess.wrong + 1 END,
  ends_at = CASE WHEN card_guess.ends_at <= $4 THEN excluded.ends_at ELSE card_guess.ends_at END
RETURNING scope, wrong, ends_at
"""
# A code whose time has passed gives its digits to the next picture.
TAKE_SHORT_CODE = """
INSERT INTO short_code (code, customer_id, code_hash, expires_at) VALUES ($1, $2, $3, $4)
ON CONFLICT (code) DO UPDATE SET customer_id = excluded.customer_id,
  code_hash = excluded.code_hash, expires_at = excluded.expires_at
WHERE short_code.expires_at <= $5
RETURNING code
"""
CARD_OF = """
SELECT i.value FROM customer AS c JOIN identity AS i ON i.customer_id = c.id
WHERE c.id = $1 AND c.erased_at IS NULL AND i.kind = 'card' AND COALESCE(i.ended_at, 0) = 0
"""
