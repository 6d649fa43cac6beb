"""The demo: a believable year that adds up, served on this machine alone, stopped cleanly."""

import asyncio
import signal
import socket
import stat
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from app.database import database
from app.demo.catalogue import goods
from app.demo.seed import Seeded, seed
from loyalty.clock import VirtualClock
from loyalty.database import query
from loyalty.ledger import verify
from loyalty.programme import build_programme
from loyalty.rules.programme import ProgrammeRules
from tests.app.conftest import Start

NOW = datetime(2026, 3, 10, 15, 0, tzinfo=UTC)
RULES = ProgrammeRules()


async def make(path: Path, customers: int = 60) -> Seeded:
    async with database(f"sqlite://{path}"):
        return await seed(VirtualClock(NOW), RULES, lambda *_: None, customers=customers)


@pytest.fixture(scope="module")
def pharmacy(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A small demo, made once."""
    path = tmp_path_factory.mktemp("pharmacy") / "kapsula.sqlite3"
    asyncio.run(make(path))
    return path


@pytest.fixture
def folder(pharmacy: Path, tmp_path: Path) -> Path:
    """The same in a folder of the test's own."""
    place = tmp_path / "demo"
    place.mkdir()
    (place / "kapsula.sqlite3").write_bytes(pharmacy.read_bytes())
    return place


def test_the_catalogue_is_a_pharmacys() -> None:
    found = goods()
    assert len(found) >= 300
    assert len({good.category for good in found}) >= 15
    assert len({good.sku for good in found}) == len({good.barcode for good in found}) == len(found)
    assert 0.2 < sum(good.prescription_only for good in found) / len(found) < 0.5
    assert all(5_00 <= good.price_minor <= 10_000_00 for good in found)


async def test_its_ledger_adds_up_and_nobody_is_told_of_history(pharmacy: Path) -> None:
    async with database(f"sqlite://{pharmacy}"):
        assert (await verify()).findings == []
        assert (await query("SELECT COUNT(*) AS n FROM event"))[0]["n"] == 0


async def test_the_same_seed_makes_the_same_life(pharmacy: Path, tmp_path: Path) -> None:
    totals = (
        "SELECT COUNT(*) AS n, SUM(total_minor) AS money, SUM(earned_points) AS points FROM receipt"
    )
    await make(tmp_path / "again.sqlite3")
    found = []
    for path in (pharmacy, tmp_path / "again.sqlite3"):
        async with database(f"sqlite://{path}"):
            found.append(tuple((await query(totals))[0]))
    assert found[0] == found[1]


async def test_a_receipt_of_its_past_can_be_cancelled(folder: Path) -> None:
    async with database(f"sqlite://{folder / 'kapsula.sqlite3'}"):
        programme = build_programme(clock=VirtualClock(NOW), secret=b"s" * 32, rules=RULES)
        [row] = await query(
            "SELECT till_id, number, customer_id, spent_points FROM receipt "
            "WHERE spent_points > 0 ORDER BY at DESC LIMIT 1"
        )
        answer: Any = await programme.checkout.cancel(
            till_id=row["till_id"], key="cancel-it-once", receipt_number=row["number"]
        )
        assert (answer.state, answer.returned) == ("cancelled", row["spent_points"])
        assert (await verify()).findings == []
        await programme.stop()


async def _get(session: aiohttp.ClientSession, url: str, **options: Any) -> tuple[int, str]:
    async with session.get(url, **options) as answer:
        return answer.status, await answer.text()


async def _answers(port: int, path: str = "/healthz") -> None:
    async with asyncio.timeout(90), aiohttp.ClientSession() as session:
        while True:
            try:
                if (await _get(session, f"http://127.0.0.1:{port}{path}"))[0] == 200:
                    return
            except aiohttp.ClientError:
                await asyncio.sleep(0.1)


async def test_it_is_served_and_stopped(start: Start, folder: Path, port: int) -> None:
    async with start("demo", "--dir", str(folder), "--port", str(port)) as running:
        await _answers(port)
        base = f"http://127.0.0.1:{port}"
        async with aiohttp.ClientSession() as session:
            for path in ("/", "/shop", "/shop?q=парацетамол", "/demo/phone", "/demo/mailbox",
                         "/readyz", "/metrics"):  # fmt: skip
                assert (await _get(session, base + path))[0] == 200, path
            assert "Парацетамол" in (await _get(session, base + "/shop?q=ПАРАЦЕТ"))[1]
            assert "&lt;b&gt;" in (await _get(session, base + "/shop?q=<b>"))[1]
            assert "receipts of a year" in (await _get(session, base + "/?language=en"))[1]
            assert (await _get(session, base + "/demo/static/../pages.py"))[0] == 404
            strange = {"Host": "evil.example"}
            for path in ("/demo/phone.json", "/demo/mailbox.json", "/demo/mailbox", "/"):
                assert (await _get(session, base + path, headers=strange))[0] == 403
            await _a_mail_comes(session, base)
        code, said = await running.stop(signal.SIGINT)
    assert code == 0, said
    assert f"{base}/shop" in said
    assert "Traceback" not in said
    assert "lives on" in said
    assert stat.S_IMODE((folder / "secret").stat().st_mode) == 0o600


async def _a_mail_comes(session: aiohttp.ClientSession, base: str) -> None:
    """The form puts it into the outbox, the dispatcher into the folder, the page shows it."""
    form = {"template": "welcome", "channel": "email"}
    elsewhere = {"Origin": "https://evil.example"}
    async with session.post(base + "/demo/samples", data=form, headers=elsewhere) as answer:
        assert answer.status == 403
    async with session.post(base + "/demo/samples", data={"template": "none"}) as answer:
        assert answer.status == 400
    async with session.post(base + "/demo/samples", data=form) as answer:
        assert answer.status == 200
    mails: list[Any] = []
    async with asyncio.timeout(60):
        while not mails:
            await asyncio.sleep(0.1)
            async with session.get(base + "/demo/mailbox.json") as answer:
                mails = await answer.json()
    [mail] = mails
    assert mail["to"] == "anna@kapsula.example"
    status, page = await _get(session, f"{base}/demo/mailbox/{mail['id']}")
    assert (status, mail["subject"] in page) == (200, True)
    async with session.get(f"{base}/demo/mailbox/{mail['id']}/letter") as answer:
        assert "sandbox" in answer.headers["Content-Security-Policy"]
        assert "script-src" not in answer.headers["Content-Security-Policy"]
    assert (await _get(session, f"{base}/demo/mailbox/5"))[0] == 404
    assert (await _get(session, f"{base}/demo/mailbox/..%2f..%2fx"))[0] == 404


async def test_a_second_one_in_the_same_folder_is_refused_kindly(
    start: Start, folder: Path, port: int
) -> None:
    async with start("demo", "--dir", str(folder), "--port", str(port)) as first:
        await _answers(port)
        async with start("demo", "--dir", str(folder), "--port", str(port), "--fresh") as second:
            code, said = await second.end()
        assert code == 1
        assert "already in use by another Kapsula process" in said
        assert "Traceback" not in said
        assert (await first.stop(signal.SIGTERM))[0] == 0


async def test_a_port_that_is_taken_gives_the_next(start: Start, folder: Path, port: int) -> None:
    with socket.socket() as other:
        other.bind(("127.0.0.1", port))
        other.listen()
        async with start("demo", "--dir", str(folder), "--port", str(port)) as running:
            await _answers(port + 1, "/shop")
            code, said = await running.stop(signal.SIGINT)
    assert code == 0
    assert f"Port {port} is taken" in said
