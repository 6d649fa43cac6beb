"""What providers tell later: delivered, read, bounced. It moves the story on, never back.

A report may come twice, late, before the try itself is recorded, and for one part of a long SMS.
"""

from collections.abc import Sequence
from typing import Any

import structlog

from loyalty.database import dialect, query, transaction
from loyalty.instants import from_micros
from loyalty.sql.lists import listed
from messaging.channels.base import Report, Status
from messaging.records import rowset
from messaging.suppressions import Suppressed, suppress

RANK = {
    "": 0,
    Status.UNDELIVERED: 1,
    Status.DELIVERED: 2,
    Status.READ: 3,
    Status.BOUNCED: 4,
    Status.COMPLAINED: 5,
}
"""A report of a lower rank than what is known already changes nothing."""
BAD = frozenset({Status.UNDELIVERED, Status.BOUNCED})

log = structlog.get_logger(__name__)

_FIND = rowset(
    """
    SELECT r.nth, COALESCE(p.attempt_id, r.attempt_id) AS attempt_id FROM {rows}
    LEFT JOIN provider_message p ON p.channel = r.channel AND p.provider_id = r.provider_id
    """,
    nth="int",
    channel="text",
    provider_id="text",
    attempt_id="bigint",
)
_MARK_PART = rowset(
    """
    UPDATE provider_message SET status = r.status FROM {rows}
    WHERE provider_message.channel = r.channel AND provider_message.provider_id = r.provider_id
    """,
    channel="text",
    provider_id="text",
    status="text",
)
_LOCK = listed("SELECT id FROM attempt WHERE id IN {list} ORDER BY id FOR UPDATE")[0]
_KNOWN = listed(
    """
    SELECT a.id, a.status, a.message_id, a.channel, a.address_kind, a.address, m.customer_id,
        m.topic, m.wants, (SELECT COUNT(*) FROM provider_message p WHERE p.attempt_id = a.id
            AND p.status NOT IN ('delivered', 'read')) AS parts_out
    FROM attempt a JOIN message m ON m.id = a.message_id WHERE a.id IN {list} ORDER BY a.id
    """
)
_ADVANCE = rowset(
    """
    UPDATE attempt SET status = r.status, status_at = r.at,
        state = CASE WHEN state = 'unknown' AND r.status <> 'undelivered' THEN 'sent' ELSE state END
    FROM {rows} WHERE attempt.id = r.id
    """,
    id="bigint",
    status="text",
    at="bigint",
)
_SETTLE = listed(
    """
    UPDATE message SET fallback_at = NULL,
        context = CASE WHEN template = 'sms_code' THEN '{}' ELSE context END,
        state = CASE WHEN state = 'unknown' THEN 'sent' ELSE state END
    WHERE id IN {list} AND state IN ('sent', 'unknown')
    """
)
_HASTEN = listed(
    """
    UPDATE message SET fallback_at = $2
    WHERE id IN {list} AND state IN ('sent', 'unknown')
        AND (fallback_at > $2 OR fallback_at IS NULL AND customer_id IS NOT NULL)
    """
)
_SEEN = rowset(
    """
    UPDATE habit SET seen = CASE WHEN seen < sent THEN seen + 1 ELSE seen END
    FROM {rows} WHERE habit.customer_id = r.customer_id AND habit.channel = r.channel
    """,
    customer_id="bigint",
    channel="text",
)


async def take_reports(reports: Sequence[Report]) -> int:
    """Write the reports down; returns how many told something new. Safe to repeat."""
    if not reports:
        return 0
    async with transaction():
        found = await _attempts_of(reports)
        latest: dict[int, Report] = {}
        for report, attempt_id in zip(reports, found, strict=True):
            if attempt_id is None:
                log.info("report_of_a_stranger", channel=report.channel, status=report.status)
            elif attempt_id not in latest or RANK[latest[attempt_id].status] < RANK[report.status]:
                latest[attempt_id] = report
        if not latest:
            return 0
        if dialect() == "postgres":  # on SQLite this transaction is the only writer
            await query(_LOCK, None, [*latest])
        rows = await query(*_KNOWN, [*latest])
        news = [
            (row, latest[row["id"]])
            for row in rows
            if RANK[latest[row["id"]].status] > RANK[row["status"]]
            and not (latest[row["id"]].status == Status.DELIVERED and row["parts_out"])
        ]
        await _write(news)
    return len(news)


async def _attempts_of(reports: Sequence[Report]) -> list[int | None]:
    """Which attempt each report speaks of; the parts of a long SMS are marked on the way."""
    rows = [
        {
            "nth": nth,
            "channel": report.channel,
            "provider_id": report.provider_id,
            "attempt_id": report.attempt_id,
        }
        for nth, report in enumerate(reports)
    ]
    found = {row["nth"]: row["attempt_id"] for row in await _FIND.query(rows)}
    parts = {
        (r.channel, r.provider_id): {
            "channel": r.channel,
            "provider_id": r.provider_id,
            "status": r.status,
        }
        for r in reports
        if r.provider_id
    }
    if parts:
        await _MARK_PART.query(parts.values())
    return [found.get(nth) for nth in range(len(reports))]


async def _write(news: Sequence[tuple[Any, Report]]) -> None:
    if not news:
        return
    advanced = [{"id": row["id"], "status": r.status, "at": r.at} for row, r in news]
    await _ADVANCE.query(advanced)
    settled = [row["message_id"] for row, report in news if _satisfies(row["wants"], report.status)]
    if settled:
        await query(*_SETTLE, settled)
    for row, report in news:
        if report.status in BAD:
            await query(*_HASTEN, [row["message_id"]], report.at)
    seen = [
        {"customer_id": row["customer_id"], "channel": row["channel"]}
        for row, report in news
        if report.status == Status.READ and row["customer_id"] is not None
    ]
    for one in seen:  # two of one customer in one statement would count as one
        await _SEEN.query([one])
    for row, report in news:
        await _suppress(row, report)


def _satisfies(wants: str, status: Status) -> bool:
    if status in (Status.READ, Status.COMPLAINED):
        return True
    return status == Status.DELIVERED and wants != "read"


async def _suppress(row: Any, report: Report) -> None:
    """A dead address is written to no more, a complainer gets no more advertising."""
    if report.status == Status.BOUNCED:
        entry = Suppressed(
            address_kind=row["address_kind"], address=row["address"], reason="bounced"
        )
    elif report.status == Status.COMPLAINED:
        entry = Suppressed(
            address_kind=row["address_kind"], address=row["address"], reason="complained",
            topic="marketing",
        )  # fmt: skip
    else:
        return
    await suppress([entry], at=from_micros(report.at))
