"""What became of links and pictures: where a click leads, who made it, and what that tells.

A hit is a row before the browser is sent on. Its effect (clicked, read) comes a moment later, when
it is known whether other links of the message were asked for in the same second: `settle`.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from loyalty.database import query, transaction
from loyalty.ids import next_id
from loyalty.instants import to_micros
from loyalty.sql.lists import listed
from messaging.channels.base import Report, Status
from messaging.policy.hits import (
    BURST_US,
    Earlier,
    Judged,
    Kind,
    Request,
    Sign,
    Who,
    judge,
    standing,
)
from messaging.records import rowset
from messaging.statuses import take_reports
from messaging.wrapping import LinkRow

USER_AGENT_KEPT = 160
HITS_WEIGHED = 200
"""Hits of one message that a verdict looks at, the latest: a scanner may come a thousand times."""
GRACE = timedelta(microseconds=2 * BURST_US)

_KEEP_LINKS = rowset(
    """
    INSERT INTO link (attempt_id, nth, url) SELECT r.attempt_id, r.nth, r.url FROM {rows}
    WHERE true ON CONFLICT DO NOTHING
    """,
    attempt_id="bigint",
    nth="int",
    url="text",
)


async def keep_links(rows: Sequence[LinkRow]) -> None:
    """Write down where the links of attempts lead. Part of the transaction that begins these."""
    if rows:
        await _KEEP_LINKS.query(rows)


_TARGET = "SELECT url FROM link WHERE attempt_id = $1 AND nth = $2"
_ATTEMPT = "SELECT channel, finished_at FROM attempt WHERE id = $1"
_HITS = """
    SELECT kind, nth, at, verdict, reason FROM hit WHERE attempt_id = $1 ORDER BY id DESC LIMIT $2
"""
_KEEP_HIT = """
    INSERT INTO hit (id, attempt_id, kind, nth, at, verdict, reason, user_agent)
    VALUES ($1, $2, $3, $4, $5, $6, $7, $8)
"""


async def target_of(attempt_id: int, nth: int) -> str | None:
    """Where the link leads, or None when the message has been forgotten."""
    rows = await query(_TARGET, None, attempt_id, nth)
    return rows[0]["url"] if rows else None


async def take_hit(attempt_id: int, request: Request) -> Judged | None:
    """Judge a request for a link or picture of the attempt and write it down; None: no such."""
    attempts = await query(_ATTEMPT, None, attempt_id)
    if not attempts:
        return None
    before = [_earlier(row) for row in await query(_HITS, None, attempt_id, HITS_WEIGHED)]
    judged = judge(
        request,
        channel=attempts[0]["channel"],
        accepted_at=attempts[0]["finished_at"],
        before=before,
    )
    agent = "".join(c for c in request.user_agent if c.isprintable())[:USER_AGENT_KEPT]
    await query(
        _KEEP_HIT, None, next_id(), attempt_id, request.kind.value, request.nth, request.at,
        judged.who.value, judged.sign.value, agent,
    )  # fmt: skip
    return judged


def _earlier(row: Mapping[str, Any]) -> Earlier:
    return Earlier(
        Kind(row["kind"]), row["nth"], row["at"], Who(row["verdict"]), Sign(row["reason"])
    )


_UNSETTLED = """
    SELECT DISTINCT a.id, a.channel FROM hit h JOIN attempt a ON a.id = h.attempt_id
    WHERE h.at > $1 AND h.at <= $2 AND h.verdict = 'person' AND (
        (h.kind = 'click' AND a.clicked_at IS NULL)
        OR a.status NOT IN ('read', 'bounced', 'complained'))
"""
_HITS_OF_MANY = listed(
    """
    SELECT attempt_id, kind, nth, at, verdict, reason FROM hit
    WHERE attempt_id IN {list} ORDER BY id
    """
)
_CLICKED = rowset(
    """
    UPDATE attempt SET clicked_at = r.at FROM {rows}
    WHERE attempt.id = r.id AND attempt.clicked_at IS NULL
    """,
    id="bigint",
    at="bigint",
)


async def settle(*, since: datetime, at: datetime) -> int:
    """Let what people did since then tell: the first click of each message, and that it was read.

    Only hits that are `GRACE` old by now. Returns how many messages were found read. Repeatable.
    """
    async with transaction():
        rows = await query(_UNSETTLED, None, to_micros(since), to_micros(at - GRACE))
        if not rows:
            return 0
        channels = {row["id"]: row["channel"] for row in rows}
        hits: dict[int, list[Earlier]] = {}
        for row in await query(*_HITS_OF_MANY, sorted(channels)):
            hits.setdefault(row["attempt_id"], []).append(_earlier(row))
        stand = {attempt_id: standing(theirs) for attempt_id, theirs in hits.items()}
        clicks = [{"id": i, "at": s.clicked_at} for i, s in stand.items() if s.clicked_at]
        if clicks:
            await _CLICKED.query(clicks)
        return await take_reports(
            [
                Report(channel=channels[i], status=Status.READ, at=read_at, attempt_id=i)
                for i, s in stand.items()
                if (read_at := min(filter(None, (s.clicked_at, s.opened_at)), default=None))
            ]
        )


async def hit_after(at: datetime) -> bool:
    """Whether anything was asked for after that."""
    return bool(await query("SELECT 1 FROM hit WHERE at > $1 LIMIT 1", None, to_micros(at)))


@dataclass(frozen=True, slots=True)
class Clicked:
    """A link of a message, for the story of it."""

    kind: str
    url: str
    at: int
    verdict: str
    reason: str


_STORY = """
    SELECT h.kind, COALESCE(l.url, '') AS url, h.at, h.verdict, h.reason FROM hit h
    JOIN attempt a ON a.id = h.attempt_id
    LEFT JOIN link l ON l.attempt_id = h.attempt_id AND l.nth = h.nth AND h.kind <> 'open'
    WHERE a.message_id = $1 ORDER BY h.id
"""


async def hits_of(message_id: int) -> list[Clicked]:
    """Every hit of a message, the machines' too, in order."""
    return [Clicked(*tuple(row)) for row in await query(_STORY, None, message_id)]
