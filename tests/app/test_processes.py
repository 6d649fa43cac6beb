"""Processes of production on one Postgres: a receipt at one, its message by the other."""

import asyncio
import signal
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from typing import Any

import aiohttp
import pytest

from admin.api_keys import NewApiKey, create_api_key
from app.database import database
from loyalty.clock import SystemClock
from loyalty.database import query
from loyalty.ledger import Ledger
from loyalty.models import Customer, Identity, Shop, Till
from loyalty.rules.card_codes import card_number
from messaging.models import ChatThread
from tests.app.conftest import SECRET, Start
from tests.backends import Backend
from tests.messaging.conftest import until

CARD = card_number(42)


@pytest.fixture
def url(postgres: Backend) -> Iterator[str]:
    made = postgres.create()
    yield made
    postgres.drop(made)


def environment(url: str, port: int) -> Mapping[str, str]:
    return {"KAPSULA_DATABASE_URL": url, "KAPSULA_SECRET": SECRET, "KAPSULA_WEB__PORT": str(port)}


async def open_shop() -> str:
    """A till with a key, and a customer who has the web chat open; returns the key."""
    now = datetime.now(UTC)
    shop = await Shop.create(code="s", name="Аптека")
    till = await Till.create(code="t", name="Касса", shop=shop)
    customer = await Customer.create(name="Анна", joined_at=now)
    await ChatThread.create(id=77, secret_hash="x", created_at=now, seen_at=now)
    for kind, value in (("card", CARD), ("webchat", "77")):
        await Identity.create(
            customer=customer, kind=kind, value=value, proof="issued", created_at=now
        )
    await Ledger(SystemClock()).open_accounts([customer.id])
    key = await create_api_key(clock=SystemClock(), till_id=till.id)
    assert isinstance(key, NewApiKey)
    return key.key


async def ready(port: int) -> None:
    async with asyncio.timeout(90), aiohttp.ClientSession() as session:
        while True:
            try:
                async with session.get(f"http://127.0.0.1:{port}/readyz") as answer:
                    if answer.status == 200:
                        return
            except aiohttp.ClientError:
                await asyncio.sleep(0.1)


async def commit(port: int, key: str) -> Any:
    sale = {
        "card": CARD,
        "receipt_number": "1",
        "lines": [{"price_minor": 1000_00, "amount_minor": 1000_00}],
    }
    headers = {"Authorization": f"Bearer {key}", "Idempotency-Key": "the-first-receipt"}
    async with aiohttp.ClientSession() as session:
        target = f"http://127.0.0.1:{port}/api/v1/receipts"
        async with session.post(target, json=sale, headers=headers) as answer:
            assert answer.status in (200, 201), await answer.text()
            return await answer.json()


async def message_is_closed() -> bool:
    rows = await query("SELECT closed_at FROM message")
    return bool(rows) and rows[0]["closed_at"] is not None


async def test_a_receipt_at_the_web_process_is_told_by_the_worker(
    start: Start, url: str, port: int
) -> None:
    async with database(url, migrate=False):
        key = await open_shop()
        async with (
            start("serve", "web", env=environment(url, port)) as web,
            start("serve", "worker", env=environment(url, port + 1)) as worker,
        ):
            await ready(port)
            await ready(port + 1)
            assert (await commit(port, key))["earned"] == 50
            await until(message_is_closed, 3)
            [told] = await query("SELECT state, reason FROM message")
            assert tuple(told) == ("sent", "")
            [row] = await query("SELECT body FROM chat_message WHERE thread_id = 77")
            assert "50 бонусов" in row["body"].replace("\xa0", " ")
            for process in (web, worker):
                code, said = await process.stop(signal.SIGTERM)
                assert code == 0, said
                assert "Traceback" not in said


@pytest.mark.parametrize(
    ("arguments", "changes", "code", "says"),
    [
        (("serve", "web"), {"KAPSULA_SECRET": ""}, 2, "KAPSULA_SECRET: is needed here"),
        (("serve", "web"), {"KAPSULA_WEB__PORT": "x"}, 2, "KAPSULA_WEB__PORT"),
        (("serve", "bot"), {}, 2, "KAPSULA_TELEGRAM__TOKEN: the bot process needs it"),
        (("serve",), {"KAPSULA_TELEGRAM__TOKEN": "x"}, 2, "not the form of a bot token"),
        (("serve",), {"KAPSULA_DATABASE_URL": "postgres://x@127.0.0.1:1/x"}, 1, "out of reach"),
        (("serve", "web"), {"KAPSULA_DATABASE_URL": "sqlite://k.sqlite3"}, 2, "one process only"),
    ],
)
async def test_what_is_wrong_at_the_start_is_one_line(
    start: Start,
    url: str,
    port: int,
    arguments: tuple[str, ...],
    changes: Mapping[str, str],
    code: int,
    says: str,
) -> None:
    async with start(*arguments, env={**environment(url, port), **changes}) as process:
        ended, said = await process.end()
    assert ended == code, said
    assert says in said
    assert len(said.strip().splitlines()) == 1, said


async def test_an_empty_database_is_told_to_be_migrated(start: Start, url: str, port: int) -> None:
    async with database(url, migrate=False):
        await query("DROP TABLE tortoise_migrations")
    async with start("serve", "web", env=environment(url, port)) as process:
        ended, said = await process.end()
    assert ended == 1
    assert "run `kapsula db migrate` first" in said
