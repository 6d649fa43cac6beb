"""SQL of surveys: handing out, answers, and what they add up to."""

from loyalty.sql.lists import listed

# $1 rows [id, key, customer, receipt] as JSON, $2 survey, $3 the moment. The shop is the receipt's.
_HAND_OUT = """
INSERT INTO survey_sheet (id, key, survey, customer_id, receipt_id, shop_id, asked_at, words)
SELECT n.id, n.key, $2, n.customer_id, n.receipt_id,
  (SELECT t.shop_id FROM receipt AS r JOIN till AS t ON t.id = r.till_id WHERE r.id = n.receipt_id),
  $3, ''
FROM (SELECT CAST({row} ->> 0 AS BIGINT) AS id, {row} ->> 1 AS key,
    CAST({row} ->> 2 AS BIGINT) AS customer_id, CAST({row} ->> 3 AS BIGINT) AS receipt_id
  FROM {source}) AS n WHERE true
ON CONFLICT (key) DO NOTHING
"""
HAND_OUT = (
    _HAND_OUT.format(row="e.v", source="json_array_elements($1::json) AS e(v)"),
    _HAND_OUT.format(row="e.value", source="json_each($1) AS e"),
)
UNREACHED = listed("UPDATE survey_sheet SET unreached = true WHERE key IN {list}", "text")
IDS_OF = listed("SELECT id, key FROM survey_sheet WHERE key IN {list}", "text")
_SHEET = """
SELECT s.id, s.survey, s.customer_id, s.receipt_id, s.shop_id, s.asked_at, s.answered_at,
  s.changed_at, s.ended_at, s.score, s.words
FROM survey_sheet AS s WHERE s.id = $1
"""
SHEET = _SHEET
LOCKED_SHEET = _SHEET + " FOR NO KEY UPDATE"
ANSWERS = "SELECT question, value FROM survey_answer WHERE sheet_id = $1 ORDER BY question, value"
FORGET_ANSWER = "DELETE FROM survey_answer WHERE sheet_id = $1 AND question = $2"
ADD_ANSWER = """
INSERT INTO survey_answer (sheet_id, question, value, customer_id) VALUES ($1, $2, $3, $4)
ON CONFLICT DO NOTHING
"""
SET_SCORE = "UPDATE survey_sheet SET score = $2 WHERE id = $1"
SET_WORDS = "UPDATE survey_sheet SET words = $2 WHERE id = $1"
ANSWERED = """
UPDATE survey_sheet SET answered_at = COALESCE(answered_at, $2), changed_at = $2 WHERE id = $1
"""
END = "UPDATE survey_sheet SET ended_at = $2 WHERE id = $1"

# $1 survey, $2 since, $3 until, $4 the width of a period in microseconds. EXPLAIN: the index on
# (survey, answered_at).
SCORES = """
SELECT shop_id, (answered_at - $2) / $4 AS period, score, COUNT(*) AS answers
FROM survey_sheet
WHERE survey = $1 AND answered_at >= $2 AND answered_at < $3 AND score IS NOT NULL
GROUP BY shop_id, (answered_at - $2) / $4, score
"""
ASKED = """
SELECT COUNT(*) FROM survey_sheet WHERE survey = $1 AND asked_at >= $2 AND asked_at < $3
  AND (answered_at IS NOT NULL OR NOT unreached)
"""
REASONS = """
SELECT a.value, COUNT(*) AS answers FROM survey_sheet AS s
JOIN survey_answer AS a ON a.sheet_id = s.id AND a.question = 'why'
WHERE s.survey = $1 AND s.answered_at >= $2 AND s.answered_at < $3 AND s.score <= $4
GROUP BY a.value ORDER BY answers DESC, a.value
"""
# What she has answered last to each survey, for segments and for her page.
LATEST_OF = """
SELECT id FROM survey_sheet WHERE customer_id = $1 AND survey = $2 AND answered_at IS NOT NULL
ORDER BY asked_at DESC, id DESC LIMIT 1
"""
