"""The commands as an operator types them, on SQLite."""

import asyncio
import json
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from app.commands.root import app
from app.commands.session import overrides
from app.database import database
from loyalty.clock import SystemClock
from loyalty.database import query
from loyalty.ledger import Ledger
from loyalty.models import Customer, Identity
from messaging.channels.webpush.vapid import VapidKey
from messaging.dispatcher import Dispatcher
from messaging.notices import Notices
from messaging.outbox import Draft, enqueue
from tests.messaging.conftest import ToldChannel


@pytest.fixture
def url(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "200")
    yield f"sqlite://{tmp_path / 'k.sqlite3'}"
    overrides.clear()


def kapsula(url: str, *arguments: str, **options: object) -> Result:
    return CliRunner().invoke(app, ["--database", url, *arguments], **options)  # type: ignore[arg-type]


def said(url: str, *arguments: str) -> str:
    result = kapsula(url, *arguments)
    assert result.exit_code == 0, result.output
    return result.stdout


def refused(url: str, *arguments: str, code: int = 1) -> str:
    """The one line of an error."""
    result = kapsula(url, *arguments)
    assert result.exit_code == code, result.output
    lines = result.stderr.strip().splitlines()
    assert len(lines) == 1, lines
    assert "Traceback" not in result.output
    return lines[0]


def two_customers(url: str) -> None:
    async def make() -> None:
        async with database(url):
            now = datetime.now(UTC)
            for i in (1, 2):
                await Customer.create(id=7000 + i, name=f"К{i}", joined_at=now)
                await Identity.create(
                    customer_id=7000 + i, kind="phone", value=f"+7900123456{i}", proof="staff",
                    created_at=now,
                )  # fmt: skip
            await Ledger(SystemClock()).open_accounts([7001, 7002])

    asyncio.run(make())


def test_a_shop_is_opened_with_a_till_people_and_a_key(url: str) -> None:
    assert "Added: msk-1" in said(url, "shops", "add", "msk-1", "--name", "Лесная")
    assert "Added: till msk-1-1" in said(url, "shops", "till", "msk-1", "msk-1-1")
    arguments = ("staff", "add", "anna", "--role", "cashier", "--shop", "msk-1")
    result = kapsula(url, *arguments, input="long enough\nlong enough\n")
    assert result.exit_code == 0, result.output
    key = said(url, "keys", "add", "msk-1-1").strip()
    assert key.startswith("kap_")
    [listed] = json.loads(said(url, "keys", "list", "--json"))
    assert listed["till"] == "msk-1-1"
    assert key.startswith(listed["begins"])
    said(url, "keys", "revoke", listed["id"])
    assert json.loads(said(url, "keys", "list", "--json"))[0]["works"] is False
    assert json.loads(said(url, "shops", "list", "--json"))[0]["tills"] == "msk-1-1"
    said(url, "staff", "disable", "anna")
    assert json.loads(said(url, "staff", "list", "--json"))[0]["open"] is False


def test_what_cannot_be_is_one_line(url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    said(url, "shops", "add", "s", "--name", "S")
    monkeypatch.setenv("KAPSULA_NEW_PASSWORD", "long enough")
    assert "there is a shop 's' already" in refused(url, "shops", "add", "s", "--name", "S")
    assert "no shop 'x'" in refused(url, "shops", "till", "x", "x-1")
    assert "no till 'x'" in refused(url, "keys", "add", "x")
    assert "no key 5" in refused(url, "keys", "revoke", "5")
    assert "works in a shop" in refused(url, "staff", "add", "anna", "--role", "cashier")
    assert "role_not_allowed" in refused(url, "staff", "add", "anna", "--role", "boss")
    assert "no account 'eve'" in refused(url, "staff", "password", "eve")
    assert "nobody is known by" in refused(url, "ledger", "statement", "+7 999 000 00 00")
    assert "either --all" in refused(url, "ledger", "grant", "5", "--key", "k")
    assert "not known" in refused(url, "shops", "add", "t", "--name", "T", "--timezone", "Mars")
    wrong = refused("mysql://x", "db", "check", code=2)
    assert "KAPSULA_DATABASE_URL" in wrong
    assert "out of reach" in refused("postgres://nobody@127.0.0.1:1/x", "db", "check")


def test_a_gift_is_given_once_however_often_it_is_repeated(url: str) -> None:
    two_customers(url)
    first = json.loads(said(url, "ledger", "grant", "50", "--key", "spring", "--all", "--json"))
    again = json.loads(said(url, "ledger", "grant", "50", "--key", "spring", "--all", "--json"))
    assert (first["done"], first["done_before"]) == (2, 0)
    assert again["done"] == 0
    said(
        url, "ledger", "grant", "7", "--key", "hers", "--customer", "8 900 123-45-61", "--days", "0"
    )
    rows = json.loads(said(url, "ledger", "statement", "+79001234561", "--json"))
    assert [(row["points"], row["balance"]) for row in rows] == [(7, 57), (50, 50)]
    assert rows[0]["expires"] is None
    assert json.loads(said(url, "ledger", "liability", "--json"))["outstanding"] == 107
    assert "Everything adds up" in said(url, "ledger", "verify")


def test_verify_says_what_does_not_add_up(url: str) -> None:
    two_customers(url)
    said(url, "ledger", "grant", "50", "--key", "spring", "--all")

    async def meddle() -> None:
        async with database(url):
            await query("UPDATE ledger_account SET balance = 1000 WHERE id = 7001")

    asyncio.run(meddle())
    result = kapsula(url, "ledger", "verify", "--json")
    assert result.exit_code == 1
    assert {f["account"] for f in json.loads(result.stdout)["findings"]} >= {"7001"}


def test_the_schema_is_checked_and_migrated(url: str) -> None:
    result = kapsula(url, "db", "check")
    assert result.exit_code == 1
    assert "Lacks" in result.stdout
    assert "Applied loyalty.0001" in said(url, "db", "migrate").replace("\n", " ")
    assert "Nothing to do" in said(url, "db", "migrate")
    assert "is of the latest schema" in said(url, "db", "check")


def test_every_setting_is_listed(url: str) -> None:
    names = [row["name"] for row in json.loads(said(url, "settings", "--json"))]
    assert "KAPSULA_SECRET" in names
    assert len(names) == len(set(names))


def test_a_message_explains_itself(url: str) -> None:
    two_customers(url)

    async def send() -> None:
        async with database(url):
            now = datetime.now(UTC)
            await Identity.create(
                customer_id=7001, kind="telegram", value="5", proof="front", created_at=now
            )
            drafts = [
                Draft(dedupe_key=f"m{n}", topic="service", template="welcome", customer_id=7000 + n,
                      source="event:12", urgent=True, context={"programme": "К", "points": 0})
                for n in (1, 2)
            ]  # fmt: skip
            await enqueue(drafts, at=now)
            await Dispatcher(SystemClock(), [ToldChannel("telegram")], Notices("RUB")).drain()

    asyncio.run(send())
    [line] = json.loads(said(url, "messages", "list", "7001", "--json"))
    assert (line["template"], line["state"], line["reason"]) == ("welcome", "sent", "")
    story = json.loads(said(url, "messages", "explain", line["id"], "--json"))
    assert story["called_for_by"] == "event:12"
    assert [m["what"] for m in story["moments"]] == ["decided: send", "tried", "answered: sent"]
    assert "decided: send" in said(url, "messages", "explain", line["id"])
    [other] = json.loads(said(url, "messages", "list", "+79001234562", "--json"))
    assert (other["state"], other["reason"]) == ("skipped", "no_address")
    assert "no message 5" in refused(url, "messages", "explain", "5")


def test_a_key_for_web_push_is_made_anew_each_time(url: str) -> None:
    made = [json.loads(said(url, "webpush", "keys", "--json")) for _ in range(2)]
    assert made[0] != made[1]
    for pair in made:
        assert VapidKey.read(pair["private"]).public == pair["public"]
    [line] = [line for line in said(url, "webpush", "keys").splitlines() if "KEY=" in line]
    assert VapidKey.read(line.removeprefix("KAPSULA_WEBPUSH__KEY=")).public


def test_an_address_is_suppressed_and_lifted_by_hand(url: str) -> None:
    assert "No address" in said(url, "messages", "suppressed")
    said(url, "messages", "suppress", "phone", "+79001234561")
    said(url, "messages", "suppress", "phone", "+79001234561")
    [entry] = json.loads(said(url, "messages", "suppressed", "--json"))
    assert (entry["reason"], entry["topic"], entry["lifted"]) == ("by_hand", "every", None)
    assert "Lifted: by_hand" in said(url, "messages", "lift", "phone", "+79001234561")
    assert "nothing that can be lifted" in refused(url, "messages", "lift", "phone", "+7")
    assert "no kind of address" in refused(url, "messages", "suppress", "pigeon", "5")
