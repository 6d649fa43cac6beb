"""Looks at the clock: who enters because her birthday is near, her points end, she has not come.

A look takes in everybody whose time has come since `late_max` ago and who is not in yet, so that a
worker that was down for a day finds all of them, and no more. One worker looks at a time.
"""

import structlog

from loyalty.database import query, transaction
from loyalty.instants import span_micros
from messaging.journeys.declaration import Journey, OnClock
from messaging.journeys.enrolling import enrol
from messaging.journeys.registry import SCANS, Around

log = structlog.get_logger(__name__)

_MINE = """
    INSERT INTO journey_scan (journey, at) VALUES ($1, $2)
    ON CONFLICT (journey) DO UPDATE SET at = excluded.at
    WHERE journey_scan.at <= $3 OR journey_scan.at > $2 RETURNING journey
"""


async def scan(number: int, journey: Journey, trigger: OnClock, around: Around) -> int:
    """Look if it is time to; returns how many entered. What breaks is tried at the next look."""
    every = span_micros(trigger.every)
    if not await query(_MINE, None, journey.name, around.now, around.now - every):
        return 0
    entered = 0
    try:
        async for page in SCANS[trigger.scan](trigger, around):
            async with transaction():
                entered += await enrol(number, journey, page, now=around.now)
    except Exception:
        log.exception("journey_scan_failed", journey=journey.name)
    if entered:
        log.info("journey_entered", journey=journey.name, customers=entered)
    return entered
