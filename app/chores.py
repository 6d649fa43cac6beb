"""What has to be done from time to time: let go of old holds, expire points, forget old codes."""

import asyncio
import contextlib

import structlog

from loyalty.programme import Programme

EVERY_S = 60.0

log = structlog.get_logger(__name__)


async def run_chores(programme: Programme, stop: asyncio.Event) -> None:
    """Tidy up once a minute until `stop`. Two workers do no harm: keys say what is done."""
    while not stop.is_set():
        try:
            await programme.tidy()
        except Exception:
            log.exception("chores_failed")
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(EVERY_S):
                await stop.wait()
