"""SQL of one-time codes."""

RECENT = """
SELECT issued_at FROM one_time_code WHERE address = $1 AND kind = $2 AND issued_at > $3
ORDER BY issued_at DESC
"""
INSERT = """
INSERT INTO one_time_code
  (id, purpose, kind, address, code_hash, attempts_left, issued_at, expires_at)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8)
"""
_LATEST = """
(SELECT id FROM one_time_code WHERE address = $1 AND purpose = $2 AND kind = $3
  ORDER BY issued_at DESC, id DESC LIMIT 1)
"""
# The attempt is counted before the code is looked at, so that callers in parallel gain nothing.
TAKE_ATTEMPT = f"""
UPDATE one_time_code SET attempts_left = attempts_left - 1
WHERE id = {_LATEST} AND attempts_left > 0 AND used_at IS NULL AND expires_at > $4
RETURNING id, code_hash, attempts_left
"""
LATEST = f"SELECT attempts_left, used_at, expires_at FROM one_time_code WHERE id = {_LATEST}"
USE = "UPDATE one_time_code SET used_at = $2 WHERE id = $1 AND used_at IS NULL RETURNING id"
FORGET = "DELETE FROM one_time_code WHERE expires_at < $1"
