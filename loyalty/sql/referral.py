"""SQL of referral: codes, who brought whom, and the reward that a receipt makes due."""

from loyalty.database import query
from loyalty.ledger.companion import Companion
from loyalty.sql.lists import listed

CODE_OF = "SELECT code FROM referral_code WHERE customer_id = $1"
INSERT_CODE = """
INSERT INTO referral_code (code, customer_id, at) VALUES ($1, $2, $3) ON CONFLICT DO NOTHING
"""
# Who is behind one of these spellings, if she is still a customer.
OWNER = listed(
    """
    SELECT r.customer_id FROM referral_code AS r JOIN customer AS c ON c.id = r.customer_id
    WHERE r.code IN {list} AND c.erased_at IS NULL
    """,
    "text",
)
# Naming who brought her is rare; done one after the other, no two can close a ring between them.
ONE_AT_A_TIME = "SELECT pg_advisory_xact_lock(hashtextextended('referral', 1))"
FRIEND = """
SELECT c.joined_at, (SELECT MAX(r.id) FROM receipt AS r WHERE r.customer_id = c.id
    AND r.state = 'committed') AS bought,
  (SELECT f.referrer_id FROM referral AS f WHERE f.friend_id = c.id) AS referrer_id
FROM customer AS c WHERE c.id = $1 AND c.erased_at IS NULL
"""
# Who brought $1, who brought that one, and so on, at most $2. EXPLAIN: primary key at each step.
CHAIN = """
WITH RECURSIVE up (id, far) AS (
  SELECT referrer_id, 1 FROM referral WHERE friend_id = $1
  UNION ALL
  SELECT f.referrer_id, u.far + 1 FROM up AS u JOIN referral AS f ON f.friend_id = u.id
  WHERE u.far < $2)
SELECT id FROM up
"""
IDENTITIES = "SELECT kind, value FROM identity WHERE customer_id = $1"
INSERT = """
INSERT INTO referral (friend_id, referrer_id, joined_at, at, state, changed_at)
VALUES ($1, $2, $3, $4, 'waiting', $4)
"""

# --- with the receipt ---

_DUE = """
UPDATE referral SET state = 'due', receipt_id = $2, changed_at = $3
WHERE friend_id = $1 AND state = 'waiting'
"""
# What is left of the purchase is looked at by `loyalty.referral`; it may take back what it gave.
_UNDO = """
UPDATE referral SET state = 'undone', changed_at = $2
WHERE receipt_id = $1 AND state IN ('due', 'rewarded')
"""


def due_companion(friend_id: int, receipt_id: int, now: int) -> Companion:
    """Her purchase is to be looked at."""
    return Companion(f"brought AS ({_DUE})", (friend_id, receipt_id, now))


async def mark_due(friend_id: int, receipt_id: int, now: int) -> None:
    """What `due_companion` describes, on SQLite, inside a transaction."""
    await query(_DUE, None, friend_id, receipt_id, now)


def undo_companion(receipt_id: int, now: int) -> Companion:
    """The purchase is undone, or a part of it: what it gave is to be looked at again."""
    return Companion(f"unbrought AS ({_UNDO})", (receipt_id, now))


async def undo(receipt_id: int, now: int) -> None:
    """What `undo_companion` describes, on SQLite, inside a transaction."""
    await query(_UNDO, None, receipt_id, now)


# --- settling ---

# EXPLAIN: the partial index referral_open, backwards: what is undone makes room for what is due.
OPEN = """
SELECT friend_id, referrer_id FROM referral WHERE state IN ('due', 'undone')
ORDER BY state DESC, friend_id DESC LIMIT $1
"""
# Both at once, in id order, as everybody locks customers.
LOCK_CUSTOMERS = """
SELECT id FROM customer WHERE id IN ($1, $2) ORDER BY id FOR NO KEY UPDATE
"""
STATE = """
SELECT f.state, f.joined_at, f.receipt_id, f.friend_accrual_id, f.referrer_accrual_id,
  r.paid_minor - (
    SELECT CAST(COALESCE(SUM(b.refund_minor), 0) AS BIGINT) FROM receipt_return AS b
    WHERE b.receipt_id = r.id) AS kept_minor,
  r.at, r.rules_revision, r.state AS receipt_state
FROM referral AS f LEFT JOIN receipt AS r ON r.id = f.receipt_id WHERE f.friend_id = $1
"""
LOCKED = " FOR NO KEY UPDATE OF f"
REWARDED_FRIENDS = """
SELECT COUNT(referrer_accrual_id) FROM referral WHERE referrer_id = $1
"""
REWARDED = """
UPDATE referral SET state = 'rewarded', friend_accrual_id = $2, referrer_accrual_id = $3,
  changed_at = $4
WHERE friend_id = $1
"""
WAITS_AGAIN = """
UPDATE referral SET state = 'waiting', receipt_id = NULL, friend_accrual_id = NULL,
  referrer_accrual_id = NULL, changed_at = $2
WHERE friend_id = $1
"""
OVERVIEW = """
SELECT COUNT(*) AS came, COUNT(f.referrer_accrual_id) AS rewarded,
  CAST(COALESCE(SUM(t.points), 0) AS BIGINT) AS points
FROM referral AS f LEFT JOIN ledger_transaction AS t ON t.id = f.referrer_accrual_id
WHERE f.referrer_id = $1
"""
