"""From queued rows to accepted mail, against bare connections that send finished bytes.

Ours: advertising to customers who agreed to it, each a letter with her name, points and links, as
HTML and text: claimed, decided, written, composed, handed to the server, recorded. `bare`: four
connections of aiosmtplib that call `sendmail` with the bytes of such letters, made beforehand; it
knows no database. Both send to the same sink, Postfix's `smtp-sink`, which drops what it takes.
"""

import asyncio
import os
import shutil
import socket
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager, closing, suppress

import aiosmtplib

from benchmarks.dispatch_parts.base import Base, Spent
from benchmarks.dispatch_parts.letters import (
    LETTER,
    LETTER_CONTEXT,
    a_letter,
)
from benchmarks.dispatch_parts.workers import Options, Worker, drain_together, mail_channel
from benchmarks.harness import (
    Report,
    ServerCpu,
    fresh_database,
    interleave,
    machine_busy,
    median,
    ratio,
)

CONNECTIONS = 4
_WHERE = "/usr/sbin/smtp-sink"


@asynccontextmanager
async def sink(program: str) -> AsyncIterator[int]:
    """A server that takes every mail; yields its port."""
    port = free_port()
    as_whom = ["-u", "nobody"] if os.geteuid() == 0 else []
    process = await asyncio.create_subprocess_exec(
        program, *as_whom, f"inet:127.0.0.1:{port}", "1024"
    )
    try:
        await listening(port)
        yield port
    finally:
        with suppress(ProcessLookupError):
            process.terminate()
        await process.wait()


def free_port() -> int:
    with closing(socket.socket()) as free:
        free.bind(("127.0.0.1", 0))
        return int(free.getsockname()[1])


async def listening(port: int) -> None:
    """Return once something listens there."""
    for _ in range(300):
        try:
            _, writer = await asyncio.open_connection("127.0.0.1", port)
        except OSError:
            await asyncio.sleep(0.1)
        else:
            writer.close()
            return
    raise RuntimeError(f"nothing listens on {port}")


async def bare(port: int, mails: Sequence[tuple[str, bytes]]) -> float:
    """Mails a second over a few connections, each taking the next one when it is free."""
    waiting = iter(mails)

    async def one() -> None:
        smtp = aiosmtplib.SMTP(hostname="127.0.0.1", port=port, use_tls=False, start_tls=False)
        await smtp.connect()
        for recipient, content in waiting:
            await smtp.sendmail("shop@pharmacy.example", [recipient], content)
        await smtp.quit()

    started = time.perf_counter()
    await asyncio.gather(*(one() for _ in range(CONNECTIONS)))
    return len(mails) / (time.perf_counter() - started)


async def mail(report: Report, *, rounds: int, scale: float) -> None:
    """Fill in this part of the report."""
    program = shutil.which("smtp-sink") or shutil.which(_WHERE)
    if program is None:
        print("  not run: smtp-sink is missing. apt-get install -y --no-install-recommends postfix")
        report.conditions["mail"] = "not run: no smtp-sink"
        return
    async with AsyncExitStack() as stack:
        url = await stack.enter_async_context(fresh_database())
        base = await Base.make(url, int(40_000 * scale))
        stack.push_async_callback(base.close)
        port = await stack.enter_async_context(sink(program))
        options = Options(channel="email", port=port)
        workers = [await stack.enter_async_context(Worker.started(url, options)) for _ in range(2)]
        rates = await _rates(report, base, port, workers, rounds=rounds, scale=scale)
    report.figure("mail: bare connections, mails/s", median(rates["bare"]))
    report.figure("mail: one worker, mails/s", median(rates["one"]))
    report.figure("mail: two workers, mails/s", median(rates["two"]))
    report.figure("mail: two workers, mails/s, best round", max(rates["two"]))
    report.aim("mail", ratio(rates["one"], rates["bare"]), ">= 0.7")
    report.aim("mail, two workers", ratio(rates["two"], rates["one"]), ">= 1.6")
    report.conditions["mail"] = (
        "sink, Postgres and this process share the cores with the workers; the sink alone takes "
        "what the bare connections send"
    )


async def _rates(
    report: Report,
    base: Base,
    port: int,
    workers: Sequence[Worker],
    *,
    rounds: int,
    scale: float,
) -> dict[str, list[float]]:
    count = int(15_000 * scale)
    prebuilt = _prebuilt(count)
    spent = Spent(ServerCpu(workers[0].pid, base.raw))

    async def bytes_alone(_round: int) -> float:
        return await bare(port, prebuilt)

    async def ours(those: Sequence[Worker]) -> float:
        source = await base.queue(1, count, LETTER, LETTER_CONTEXT, channels="email")
        async with spent.over(count):
            with machine_busy(busy):
                elapsed, _ = await drain_together(those)
        states = await base.states(source)
        assert states.keys() <= {"sent", "skipped"}, states
        assert states["sent"] > 0.8 * count, states
        await base.calm()
        return states["sent"] / elapsed

    async def one(_round: int) -> float:
        rate = await ours(workers[:1])
        cpu.append((spent.process_ms[-1], spent.database_ms[-1]))
        shares.append(busy[-1])
        return rate

    async def two(_round: int) -> float:
        return await ours(workers)

    busy: list[float] = []  # of the machine, in every round; `shares` is of those of one worker
    shares: list[float] = []
    cpu: list[tuple[float, float]] = []
    for each in (bytes_alone, two):  # warm
        await each(0)
    rates = await interleave(rounds, {"bare": bytes_alone, "one": one, "two": two})
    for name, values in zip(("Python", "Postgres"), zip(*cpu, strict=True), strict=True):
        report.figure(f"mail: one worker, ms of processor, {name}", median(values))
    # Two cannot do more than one, divided by what one and all that serves it take of the machine.
    room = [one / share for one, share in zip(rates["one"], shares, strict=True)]
    report.figure("mail: one worker, share of all processors", median(shares))
    report.figure("mail: two workers of what there is room for", ratio(rates["two"], room))
    return rates


def _prebuilt(count: int) -> list[tuple[str, bytes]]:
    """Letters as the channel would write them."""
    channel = mail_channel(0)
    return [
        (mail.recipient, mail.content)
        for mail in (channel.compose(a_letter(n)) for n in range(1, count + 1))
    ]
