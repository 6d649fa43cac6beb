"""E-mail as a process of production sends it: from the settings to the mailbox and back."""

import email
import email.policy
from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from aiohttp import ClientSession, web

from app.assembly import House, open_house
from app.errors import SettingsError
from app.mail import mail_room
from app.settings import Settings, load_settings, setting_rows
from loyalty.clock import SystemClock
from loyalty.database import query
from messaging.outbox import Draft, enqueue
from messaging.templates import Body
from tests.conftest import SECRET
from tests.messaging.channels.email import returned
from tests.messaging.channels.email.peers import Inbox, serving
from tests.messaging.channels.email.test_mime import key_and_record
from tests.messaging.conftest import states


@pytest.fixture(autouse=True)
def _nothing_set(monkeypatch: pytest.MonkeyPatch) -> None:
    for row in setting_rows():
        monkeypatch.delenv(row.name, raising=False)


def settings(db_url: str = "sqlite://x", **mail: Any) -> Settings:
    values = {"host": "127.0.0.1", "security": "none", "sender": "news@kapsula.example"}
    return Settings(
        _env_file=None,  # type: ignore[call-arg]
        database_url=db_url,
        email=values | mail,
    )


def opened(with_settings: Settings) -> AbstractAsyncContextManager[House]:
    return open_house(with_settings, secret=SECRET, clock=SystemClock())


async def write(house: House, key: str = "welcome:1") -> None:
    draft = Draft(
        dedupe_key=key,
        topic="service",
        template="welcome",
        context={"programme": "Капсула", "points": 100},
        address_kind="email",
        address="anna@example.com",
        language="ru",
    )
    await enqueue([draft], at=house.clock.now())
    await house.dispatcher.drain()


async def suppressed() -> list[tuple[str, str, str]]:
    rows = await query("SELECT address, topic, reason FROM suppression")
    return [(row["address"], row["topic"], row["reason"]) for row in rows]


def make_maildir(folder: Path) -> Path:
    for name in ("new", "cur", "tmp"):
        (folder / name).mkdir()
    return folder


async def test_a_mail_arrives_bounces_and_its_address_is_not_written_to_again(
    db_url: str, tmp_path: Path
) -> None:
    inbox, maildir = Inbox(), make_maildir(tmp_path)
    async with serving(inbox) as port:
        mail = {"bounce_domain": "b.kapsula.example", "bounce_mailbox": f"maildir://{maildir}"}
        async with opened(settings(db_url, port=port, **mail)) as house:
            await write(house)
            assert list((await states()).values()) == [("sent", "")]
            (envelope,) = inbox.envelopes
            content = email.message_from_bytes(
                bytes(envelope.content or b""), policy=email.policy.default
            )
            assert content["From"] == "Капсула <news@kapsula.example>"
            token = str(envelope.mail_from).partition("+")[2].partition("@")[0]
            bounce = returned.EXCHANGE.replace("{token}", token)
            (maildir / "new" / "1.bounce").write_text(bounce)
            assert house.mail is not None
            assert house.mail.reader is not None
            await house.mail.reader.read_some()
            (attempt,) = await query("SELECT status, provider_id FROM attempt")
            assert (attempt["status"], attempt["provider_id"]) == ("bounced", "ABC1")
            assert await suppressed() == [("anna@example.com", "", "bounced")]
            await write(house, "welcome:2")
            assert (await states())["welcome:2"][0] != "sent"
            assert len(inbox.envelopes) == 1


async def test_who_asks_by_mail_is_left_alone(db_url: str, tmp_path: Path) -> None:
    inbox, maildir = Inbox(), make_maildir(tmp_path)
    async with serving(inbox) as port:
        mail = {"bounce_domain": "b.kapsula.example", "bounce_mailbox": f"maildir://{maildir}"}
        async with opened(settings(db_url, port=port, **mail)) as house:
            await write(house)
            await query("UPDATE message SET topic = 'marketing'")
            token = str(inbox.envelopes[0].mail_from).partition("+")[2].partition("@")[0]
            leaving = returned.LEAVING.replace("{token}", token)
            (maildir / "new" / "1.leaving").write_text(leaving)
            assert house.mail is not None
            assert house.mail.reader is not None
            await house.mail.reader.read_some()
            assert await suppressed() == [("anna@example.com", "marketing", "unsubscribed")]


@asynccontextmanager
async def listening(house: House) -> AsyncIterator[str]:
    runner = web.AppRunner(house.web_application(), access_log=None, shutdown_timeout=0.1)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    yield f"http://127.0.0.1:{site._server.sockets[0].getsockname()[1]}"  # type: ignore[union-attr]
    await runner.cleanup()


async def test_a_provider_tells_of_a_complaint(db_url: str) -> None:
    inbox, secret = Inbox(), "a-long-url-token-1"
    posts = {"webhook_provider": "postmark", "webhook_token": secret}
    async with (
        serving(inbox) as port,
        opened(settings(db_url, port=port, **posts)) as house,
        listening(house) as url,
    ):
        await write(house)
        mail = email.message_from_bytes(bytes(inbox.envelopes[0].content or b""))
        event = {
            "RecordType": "SpamComplaint",
            "Metadata": {"attempt": mail["X-PM-Metadata-attempt"]},
        }
        async with (
            ClientSession() as session,
            session.post(f"{url}/webhooks/email/{secret}", json=event) as answer,
        ):
            assert answer.status == 200
        assert ("anna@example.com", "marketing", "complained") in await suppressed()


async def test_without_a_host_there_is_no_channel_and_no_door(db_url: str) -> None:
    async with opened(settings(db_url, host="")) as house, listening(house) as url:
        assert house.mail is None
        async with ClientSession() as session, session.post(f"{url}/webhooks/email/x") as answer:
            assert answer.status == 404


def test_a_key_is_given_as_text_or_as_a_file(tmp_path: Path) -> None:
    key, _ = key_and_record()
    file = tmp_path / "dkim.pem"
    file.write_bytes(key)
    escaped = key.decode().replace("\n", "\\n")
    for given in (key.decode(), escaped, str(file)):
        room = mail_room(settings(dkim_selector="s1", dkim_key=given), SystemClock(), secret=SECRET)
        assert room is not None


@pytest.mark.parametrize(
    ("mail", "says"),
    [
        ({"sender": ""}, "SENDER: is needed"),
        ({"sender": "news"}, "SENDER: is not an address"),
        ({"sender": "ньюс@shop.example"}, "SENDER: has letters"),
        ({"user": "x", "host": "smtp.example"}, "PASSWORD: is needed"),
        ({"user": "x", "password": "y", "host": "smtp.example"}, "SECURITY: none would send"),
        ({"bounce_domain": "x y"}, "BOUNCE_DOMAIN: is not a domain"),
        ({"bounce_mailbox": "nonsense"}, "BOUNCE_MAILBOX: write maildir:"),
        ({"dkim_selector": "s"}, "DKIM_KEY: is needed"),
        ({"dkim_key": "nowhere.pem", "dkim_selector": "s"}, "DKIM_KEY: is neither"),
        ({"dkim_key": "nowhere.pem"}, "DKIM_SELECTOR: is needed"),
        (
            {"dkim_key": "-----BEGIN PRIVATE KEY-----\n", "dkim_selector": "s"},
            "DKIM_KEY: is not a private key",
        ),
        ({"webhook_provider": "ses"}, "WEBHOOK_TOKEN: is needed"),
        (
            {"webhook_provider": "mailgun", "webhook_token": "x" * 16},
            "WEBHOOK_KEY: is needed",
        ),
    ],
)
def test_what_is_missing_or_wrong_is_one_line(mail: dict[str, str], says: str) -> None:
    with pytest.raises(SettingsError) as caught:
        mail_room(settings(**mail), SystemClock(), secret=SECRET)
    assert f"KAPSULA_EMAIL__{says}" in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("name", "value"), [("POOL", "0"), ("SECURITY", "ssl"), ("PRICE", "-1"), ("HOTS", "x")]
)
def test_a_wrong_value_stops_the_start(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, name: str, value: str
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv(f"KAPSULA_EMAIL__{name}", value)
    with pytest.raises(SettingsError, match=f"KAPSULA_EMAIL__{name}"):
        load_settings()


def test_a_price_in_the_currency_is_exact() -> None:
    room = mail_room(settings(price="0.015"), SystemClock(), secret=SECRET)
    assert room is not None
    assert room.channel.price(lambda: Body(""), "anna@example.com") == 15_000
