"""Rows of enrolments as the engine reads them."""

import json
from typing import Any

from messaging.journeys.stepping import Enrolled

COLUMNS = (
    "id, journey, revision, customer_id, trigger_key, step, begun, data, heard, entered_at, due_at"
)


def enrolled(row: Any, revision: int) -> Enrolled:
    return Enrolled(
        id=row["id"],
        journey=row["journey"],
        revision=revision,
        customer_id=row["customer_id"],
        key=row["trigger_key"],
        step=row["step"],
        begun=bool(row["begun"]),
        entered_at=row["entered_at"],
        due_at=row["due_at"],
        heard=frozenset(filter(None, row["heard"].split(","))),
        data=json.loads(row["data"]),
    )
