"""Wakes enrolments before their time: what they wait for has come to an end."""

from collections.abc import Iterable

from loyalty.database import query
from loyalty.sql.lists import found, listed

_ASLEEP = listed(
    """
    SELECT id FROM enrolment WHERE id IN {list} AND ended_at IS NULL AND wakes_at > $2
    ORDER BY id + 0
    """
)
_ROUSE = tuple(
    map("UPDATE enrolment SET wakes_at = $2 WHERE id {}".format, found(*_ASLEEP, lock="FOR UPDATE"))
)


async def rouse(enrolment_ids: Iterable[int | None], *, at: int) -> None:
    """Let these look again at once (`at` in microseconds). Nothing is asked if there are none."""
    ids = sorted({i for i in enrolment_ids if i is not None})
    if ids:
        await query(*_ROUSE, ids, at)
