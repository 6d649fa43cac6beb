"""Whether a worker's memory stays flat while it sends a long queue."""

from benchmarks.dispatch_parts.base import Base
from benchmarks.dispatch_parts.letters import SHORT, SHORT_CONTEXT
from benchmarks.dispatch_parts.workers import Options, Worker
from benchmarks.harness import Report, fresh_database

EARLY = 10
"""The first look is taken after a tenth of the queue: by then everything has been used once."""


async def memory(report: Report, *, rounds: int, scale: float) -> None:
    """Fill in this part of the report; one round is enough."""
    count = int(200_000 * scale)
    async with fresh_database() as url:
        base = await Base.make(url, count)
        options = Options(channel="instant", sample_every=count // EARLY)
        async with Worker.started(url, options) as worker:
            source = await base.queue(1, count, SHORT, SHORT_CONTEXT)
            drained = await worker.drain()
        states = await base.states(source)
        assert states["sent"] > 0.9 * count, states
        await base.close()
    early, late = drained.rss_kb[0] / 1024, drained.rss_kb[-1] / 1024
    report.figure("memory: messages in the queue", count)
    report.figure("memory: after a tenth, MB", early)
    report.figure("memory: at the end, MB", late)
    report.figure("memory: the greatest, MB", max(drained.rss_kb) / 1024)
    report.figure("memory: messages/s over the whole queue", states["sent"] / drained.seconds)
    report.aim("memory grows", late / early - 1, "<= 0.1")
