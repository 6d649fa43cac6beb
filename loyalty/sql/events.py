"""SQL of many events at once: rows [id, kind, customer, at, payload] as one JSON argument."""

EventRow = tuple[int, str, int, int, str]
"""Id, kind, customer, at, payload."""
TELL_POSTGRES = """
INSERT INTO event (id, kind, customer_id, at, payload)
SELECT CAST(n.row ->> 0 AS BIGINT), n.row ->> 1, CAST(n.row ->> 2 AS BIGINT),
  CAST(n.row ->> 3 AS BIGINT), n.row ->> 4
FROM json_array_elements({events}::json) AS n(row)
"""
TELL = (
    TELL_POSTGRES.format(events="$1"),
    """
INSERT INTO event (id, kind, customer_id, at, payload)
SELECT value ->> 0, value ->> 1, value ->> 2, value ->> 3, value ->> 4 FROM json_each($1)
""",
)
