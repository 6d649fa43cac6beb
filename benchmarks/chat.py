"""The chat under load: "show balance" against a bare aiogram echo bot on the same transport.

    python -m benchmarks.chat [--rounds 5] [--seconds 4] [--customers 200] [--callers 32]
                              [--redis URL]

One server process on a database of its own serves four bots, which take turns:

- ours and an echo bot through the web chat: a real socket, the visitor known by her secret, both
  texts written to the transcript and shown in the tab. That is the transport, so the echo bot pays
  for it as well, and an echo bot that kept no transcript would be faster;
- ours and an echo bot through a Telegram webhook: a real POST, and the reply is the answer to it.
  Both stand behind our webhook; the echo bot asks no database at all. For comparison a third one,
  the same echo behind aiogram's own request handler, which costs more than ours.

So a ratio tells what the application adds: who she is, where the dialogue stands, what she has, the
page in her language and its buttons. Every answer is looked at: each customer has a balance of her
own, and must be told it. The load comes from this process: so many callers, each sends when it has
its answer. Besides the rates the report gives the processor time of an update, in our server, in
Postgres if that runs here, and in this process: it depends less on what else the machine does, and
shows how much of a rate is the price of asking.

With `--redis` the place in a dialogue and its lock are kept as several processes keep them, without
it as one process does. The echo bot keeps neither.
Aims: at least half of the echo bot's updates a second on either transport.
"""

import argparse
import asyncio
import itertools
import json
import multiprocessing
import secrets
import signal
import socket
import sys
import time
from collections.abc import Awaitable, Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

import aiohttp
import asyncpg
from aiogram import Bot, Dispatcher
from aiogram.methods import SendMessage
from aiogram.types import Message
from aiogram.webhook.aiohttp_server import SimpleRequestHandler
from aiohttp import web

from app.collector import spare_the_collector
from app.database import database
from benchmarks.harness import (
    Report,
    ServerCpu,
    fresh_database,
    interleave,
    median,
    percentile,
    ratio,
)
from bot.assembly import build_dispatcher
from bot.storage import dialogue_memory
from bot.telegram import SECRET_HEADER, add_webhook, make_telegram_bot
from bot.webchat.fanout import LocalFanout
from bot.webchat.limits import WebchatLimits
from bot.webchat.server import WebchatOptions, add_webchat
from bot.webchat.session import make_webchat_bot
from bot.webchat.transcript import Transcript
from loyalty.clock import SystemClock
from loyalty.customers import Joined
from loyalty.database import query
from loyalty.instants import to_micros
from loyalty.programme import Programme, build_programme
from loyalty.rules.commands import Accrue
from loyalty.rules.programme import ProgrammeRules

SECRET = b"a secret of the benchmark, 32 bytes"
WEBHOOK_SECRET = "a-secret-of-the-benchmark"
TOKEN = "4242424242:a-token-of-the-benchmark-of-thirty-five"
OPERATIONS = 8
WELCOME = ProgrammeRules().welcome_points
QUESTION = "/points"
UNLIMITED = WebchatLimits(frames=10**9, new_threads=10**9)
WARM_UP_S = 2.0


@dataclass
class Person:
    """A customer on both fronts: her Telegram id, the secret of her web chat, her points."""

    telegram_id: int
    secret: str
    points: int


async def seed(url: str, customers: int) -> list[Person]:
    """Customers who have joined in both chats and have a page of operations each."""
    clock = SystemClock()
    async with database(url):
        programme = build_programme(clock=clock, secret=SECRET, rules=ProgrammeRules())
        transcript = Transcript(clock)
        people = []
        ids = []
        for n in range(customers):
            thread, secret = await transcript.open_thread("ru")
            await transcript.add(thread.id, {"text": "…"}, outgoing=True)  # so no /start is due
            for kind, value in (("telegram", str(10_000 + n)), ("webchat", str(thread.id))):
                ids.append(await _join(programme, n, kind, value))
            people.append(Person(10_000 + n, secret, WELCOME + OPERATIONS * gift(n)))
        now = to_micros(clock.now())
        await programme.ledger.post_many(
            Accrue(key=f"seed:{her}:{k}", account_id=her, points=gift(n), at=now)
            for n, her in enumerate(dict.fromkeys(ids))
            for k in range(OPERATIONS)
        )
        await query("ANALYZE")
        await programme.stop()
    return people


def gift(n: int) -> int:
    """What the nth customer gets by each operation: her neighbours have other balances."""
    return 97 + n % 15


async def _join(programme: Programme, n: int, kind: str, value: str) -> int:
    answer = await programme.customers.join(
        front_kind=kind,
        front_value=value,
        phone=f"+7900{n:07d}",
        proof="own_contact",
        name=f"Customer {n}",
        language="ru",
        consent_wording="bench",
        marketing=False,
        source=kind,
    )
    assert isinstance(answer, Joined), answer
    return answer.customer.id


# ---- the server process ----


def echo_dispatcher() -> Dispatcher:
    """A bare bot: one handler, nothing looked up."""
    dispatcher = Dispatcher()

    @dispatcher.message()
    async def echo(message: Message) -> SendMessage:
        return message.answer(message.text or "")

    return dispatcher


def our_app(programme: Programme, redis_url: str | None) -> web.Application:
    async def send_code(phone: str, code: str, language: str) -> None:
        raise AssertionError("everybody has joined")

    clock = programme.clock
    memory = dialogue_memory(clock, redis_url)
    dispatcher = build_dispatcher(programme, memory=memory, send_code=send_code)
    app = web.Application()
    telegram = make_telegram_bot(TOKEN)
    add_webhook(app, dispatcher, telegram, secret=WEBHOOK_SECRET)
    _add_chat(app, programme, dispatcher)
    return app


def echo_app(programme: Programme) -> web.Application:
    app = web.Application()
    add_webhook(app, echo_dispatcher(), Bot(TOKEN), secret=WEBHOOK_SECRET)
    handler = SimpleRequestHandler(
        echo_dispatcher(),
        Bot(TOKEN),
        handle_in_background=False,
        secret_token=WEBHOOK_SECRET,
    )
    handler.register(app, path="/telegram/aiogram")
    _add_chat(app, programme, echo_dispatcher())
    return app


def _add_chat(app: web.Application, programme: Programme, dispatcher: Dispatcher) -> None:
    bot = make_webchat_bot(Transcript(programme.clock), LocalFanout())
    add_webchat(app, programme, dispatcher, bot, WebchatOptions(limits=UNLIMITED))


async def serve(url: str, ports: Sequence[int], redis_url: str | None) -> None:
    async with database(url, migrate=False):
        programme = build_programme(clock=SystemClock(), secret=SECRET, rules=ProgrammeRules())
        runners = []
        apps = our_app(programme, redis_url), echo_app(programme)
        for app, port in zip(apps, ports, strict=True):
            runner = web.AppRunner(app, access_log=None)
            await runner.setup()
            await web.TCPSite(runner, "127.0.0.1", port).start()
            runners.append(runner)
        stop = asyncio.Event()
        asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stop.set)
        spare_the_collector()  # as in life; the echo bot gains from it as well
        await stop.wait()
        for runner in runners:
            await runner.cleanup()
        await programme.stop()


def _serve(url: str, ports: Sequence[int], redis_url: str | None) -> None:
    asyncio.run(serve(url, ports, redis_url))


@contextmanager
def server(url: str, redis_url: str | None) -> Iterator[tuple[list[str], int]]:
    """A server process; yields the address of our bot and of the echo bot, and its pid."""
    with socket.socket() as one, socket.socket() as other:
        for free in (one, other):
            free.bind(("127.0.0.1", 0))
        ports = [free.getsockname()[1] for free in (one, other)]
    process = multiprocessing.get_context("spawn").Process(
        target=_serve, args=(url, ports, redis_url)
    )
    process.start()
    assert process.pid is not None
    try:
        yield [f"http://127.0.0.1:{port}" for port in ports], process.pid
    finally:
        process.terminate()
        process.join(20)


async def reachable(http: aiohttp.ClientSession, base: str) -> None:
    for _ in range(200):
        try:
            async with http.get(f"{base}/chat/widget.js"):
                return
        except aiohttp.ClientConnectorError:
            await asyncio.sleep(0.1)
    raise RuntimeError("the server did not come up")


# ---- the load process ----

Ask = Callable[[], Awaitable[None]]
"""One question, and its answer looked at."""


async def closed_loop(askers: Sequence[Ask], seconds: float) -> tuple[float, list[float]]:
    """Updates a second over all askers, and the latencies in milliseconds."""
    latencies: list[float] = []
    end = time.perf_counter() + seconds

    async def one(ask: Ask) -> None:
        while (sent := time.perf_counter()) < end:
            await ask()
            latencies.append((time.perf_counter() - sent) * 1000)

    start = time.perf_counter()
    await asyncio.gather(*(one(ask) for ask in askers))
    return len(latencies) / (time.perf_counter() - start), latencies


class Webhook:
    """Telegram's side: posts a message, reads the answer that comes with the response."""

    _numbers = itertools.count(1)

    def __init__(
        self, http: aiohttp.ClientSession, url: str, person: Person, expected: str
    ) -> None:
        self._http = http
        self._url = url
        self._user = {"id": person.telegram_id, "is_bot": False, "first_name": "x"}
        self._expected = expected

    async def ask(self) -> None:
        number = next(self._numbers)
        message = {
            "message_id": number,
            "date": int(time.time()),
            "chat": {"id": self._user["id"], "type": "private"},
            "from": self._user | {"language_code": "ru"},
            "text": QUESTION,
        }
        update = {"update_id": number, "message": message}
        headers = {SECRET_HEADER: WEBHOOK_SECRET}
        async with self._http.post(self._url, json=update, headers=headers) as answer:
            assert answer.status == 200, answer.status
            text = await answer.text()
        assert "sendMessage" in text, text
        assert self._expected in text, (self._expected, text)


class Browser:
    """A tab: sends a text, waits for the next message of the shop."""

    def __init__(self, socket: aiohttp.ClientWebSocketResponse, expected: str) -> None:
        self._socket = socket
        self._expected = expected

    @classmethod
    async def open(
        cls, http: aiohttp.ClientSession, base: str, person: Person, expected: str
    ) -> "Browser":
        socket = await http.ws_connect(f"{base}/chat/ws", origin=base)
        await socket.send_json({"kind": "hello", "secret": person.secret, "language": "ru"})
        welcome = await socket.receive_json()
        assert welcome["kind"] == "welcome", welcome
        return cls(socket, expected)

    async def ask(self) -> None:
        text = {"kind": "text", "id": secrets.token_hex(8), "text": QUESTION}
        await self._socket.send_json(text)
        while True:
            frame = json.loads(await self._socket.receive_str())
            if frame["kind"] == "message" and frame["message"]["from"] == "shop":
                answer = "".join(run["text"] for run in frame["message"]["runs"])
                assert self._expected in answer, (self._expected, answer)
                return
            assert frame["kind"] == "message", frame

    async def close(self) -> None:
        await self._socket.close()


async def contestants(
    http: aiohttp.ClientSession, addresses: Sequence[str], people: Sequence[Person]
) -> tuple[dict[str, list[Ask]], list[Browser]]:
    """The askers of each bot and transport."""
    askers: dict[str, list[Ask]] = {}
    tabs: list[Browser] = []

    def webhooks(url: str, expected: Callable[[Person], str]) -> list[Ask]:
        return [Webhook(http, url, person, expected(person)).ask for person in people]

    ours, echo = addresses
    for name, base, expected in (("kapsula", ours, _points), ("echo", echo, _question)):
        await reachable(http, base)
        browsers = [await Browser.open(http, base, person, expected(person)) for person in people]
        tabs += browsers
        askers[f"webchat_{name}"] = [browser.ask for browser in browsers]
        askers[f"webhook_{name}"] = webhooks(f"{base}/telegram/webhook", expected)
    askers["webhook_aiogram_echo"] = webhooks(f"{echo}/telegram/aiogram", _question)
    return askers, tabs


def _points(person: Person) -> str:
    return str(person.points)


def _question(_: Person) -> str:
    return QUESTION


async def measure(
    addresses: Sequence[str],
    cpu: ServerCpu,
    people: Sequence[Person],
    rounds: int,
    seconds: float,
    report: Report,
) -> None:
    connector = aiohttp.TCPConnector(limit=0)
    async with aiohttp.ClientSession(connector=connector) as http:
        askers, tabs = await contestants(http, addresses, people)
        latencies: dict[str, list[float]] = {name: [] for name in askers}
        spent_s: dict[str, list[float]] = {name: [0.0, 0.0, 0.0] for name in askers}

        def contestant(name: str) -> Callable[[int], Awaitable[float]]:
            async def run(_round: int) -> float:
                before = await cpu.read()
                rate, times = await closed_loop(askers[name], seconds)
                after = await cpu.read()
                for place, (was, now) in enumerate(zip(before, after, strict=True)):
                    spent_s[name][place] += now - was
                latencies[name] += times
                return rate

            return run

        for each in askers.values():
            await closed_loop(each, WARM_UP_S)
        rates = await interleave(rounds, {name: contestant(name) for name in askers})
        for tab in tabs:
            await tab.close()
    for name, values in rates.items():
        report.figure(f"{name}_updates_per_s", median(values))
        report.figure(f"{name}_p95_ms", percentile(latencies[name], 95))
        for where, total_s in zip(("server", "database", "load"), spent_s[name], strict=True):
            report.figure(f"{name}_{where}_cpu_ms", 1000 * total_s / len(latencies[name]))
    for transport in ("webchat", "webhook"):
        value = ratio(rates[f"{transport}_kapsula"], rates[f"{transport}_echo"])
        report.aim(f"chat_{transport}_of_echo", value, ">= 0.5")


async def run(
    rounds: int, seconds: float, customers: int, callers: int, redis_url: str | None
) -> Report:
    report = Report()
    async with fresh_database() as url:
        people = await seed(url, customers)
        print("  seeded", file=sys.stderr, flush=True)
        database = await asyncpg.connect(url)
        with server(url, redis_url) as (addresses, pid):
            cpu = ServerCpu(pid, database)
            await measure(addresses, cpu, people[:callers], rounds, seconds, report)
        await database.close()
    report.conditions |= {
        "database": "postgres",
        "rounds": rounds,
        "seconds_per_round": seconds,
        "callers": callers,
        "customers": customers,
        "question": QUESTION,
        "dialogue_state": "redis" if redis_url else "database",
    }
    return report


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=float, default=4.0)
    parser.add_argument("--customers", type=int, default=200)
    parser.add_argument("--callers", type=int, default=32)
    parser.add_argument("--redis", help="keep dialogues and their locks there")
    given = parser.parse_args()
    report = run(given.rounds, given.seconds, given.customers, given.callers, given.redis)
    asyncio.run(report).print()


if __name__ == "__main__":
    main()
