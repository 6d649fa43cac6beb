"""From queued rows to the Bot API, against bare calls of it; and under the limit of 30 a second.

Both use aiogram and the same server, a process that takes everything at once (`bot_api`). `bare`
gathers `send_message` for all of them at once and knows no database. With the limit on, what counts
is when the messages came, by the server's own clock: in no second more than 30 of them.
"""

import asyncio
import time
from bisect import bisect_left
from collections.abc import Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Any

from aiogram import Bot
from aiogram.client.session.aiohttp import AiohttpSession
from aiogram.client.telegram import TelegramAPIServer
from redis.asyncio import Redis
from redis.exceptions import RedisError

from benchmarks.dispatch_parts.base import Base, Spent
from benchmarks.dispatch_parts.bot_api import BotApi, bot_api
from benchmarks.dispatch_parts.letters import SHORT, SHORT_CONTEXT
from benchmarks.dispatch_parts.workers import TOKEN, Options, Worker, drain_together
from benchmarks.harness import Report, ServerCpu, fresh_database, interleave, median, ratio

REDIS_URL = "redis://127.0.0.1:6379/13"
RATE_MAX = 30


async def telegram(report: Report, *, rounds: int, scale: float) -> None:
    """Fill in this part of the report."""
    async with AsyncExitStack() as stack:
        url = await stack.enter_async_context(fresh_database())
        base = await Base.make(url, int(40_000 * scale))
        stack.push_async_callback(base.close)
        api = await stack.enter_async_context(bot_api())
        await _unlimited(report, base, url, api, rounds=rounds, count=int(4_000 * scale))
        await api.times()
        count = int(700 * max(scale, 0.3))
        kinds = {"in process": ("", 1)}
        if await _redis_answers():
            kinds["Redis, two workers"] = (REDIS_URL, 2)
        else:
            print("  without Redis: no limit shared by two workers was tried")
        for name, (redis, workers) in kinds.items():
            options = Options(channel="telegram", port=api.port, limited=True, redis=redis)
            times = await _limited(base, url, api, options, workers=workers, count=count)
            per_s = (len(times) - 1) / (times[-1] - times[0])
            report.figure(f"telegram: {name}, messages under the limit", len(times))
            report.aim(f"telegram: {name}, most in a second", most_in_a_second(times), "<= 30")
            report.aim(f"telegram: {name}, messages/s under the limit", per_s, ">= 28")


async def _unlimited(
    report: Report, base: Base, url: str, api: BotApi, *, rounds: int, count: int
) -> None:
    async with (
        Worker.started(url, Options(channel="telegram", port=api.port)) as worker,
        _bot(api) as bot,
    ):
        spent = Spent(ServerCpu(worker.pid, base.raw))

        async def bare(_round: int) -> float:
            started = time.perf_counter()
            text = "🎉 <b>Добро пожаловать в Аптека на углу!</b>\nВаш подарок: <b>123 бонуса</b>"
            await asyncio.gather(*(bot.send_message(n + 1, text) for n in range(count)))
            return count / (time.perf_counter() - started)

        async def ours(_round: int) -> float:
            source = await base.queue(1, count, SHORT, SHORT_CONTEXT, channels="messenger")
            async with spent.over(count):
                drained = await worker.drain()
            sent = (await base.states(source))["sent"]
            await base.calm()
            return sent / drained.seconds

        for each in (bare, ours):  # warm
            await each(0)
        rates = await interleave(rounds, {"bare": bare, "ours": ours})
    report.figure("telegram: bare calls, messages/s", median(rates["bare"]))
    report.figure("telegram: ours, messages/s", median(rates["ours"]))
    report.figure("telegram: ours, ms of processor, Python", median(spent.process_ms))
    report.figure("telegram: ours, ms of processor, Postgres", median(spent.database_ms))
    report.aim("telegram", ratio(rates["ours"], rates["bare"]), ">= 0.8")


@asynccontextmanager
async def _bot(api: BotApi) -> Any:
    """As its readme makes one."""
    server = TelegramAPIServer.from_base(f"http://127.0.0.1:{api.port}")
    bot = Bot(TOKEN, session=AiohttpSession(api=server))
    try:
        yield bot
    finally:
        await bot.session.close()


async def _limited(
    base: Base, url: str, api: BotApi, options: Options, *, workers: int, count: int
) -> list[float]:
    """When the messages came that all workers together were let send."""
    async with AsyncExitStack() as stack:
        crew = [
            await stack.enter_async_context(Worker.started(url, options)) for _ in range(workers)
        ]
        await base.queue(1, count, SHORT, SHORT_CONTEXT, channels="messenger")
        await drain_together(crew)
    await base.calm()
    return await api.times()


def most_in_a_second(times: Sequence[float]) -> int:
    """The greatest number of instants in any window of a second; `times` are in order."""
    return max(bisect_left(times, at + 1.0) - n for n, at in enumerate(times))


async def _redis_answers() -> bool:
    redis = Redis.from_url(REDIS_URL)
    try:
        await redis.ping()
    except (RedisError, OSError):
        return False
    finally:
        await redis.aclose()
    return True
