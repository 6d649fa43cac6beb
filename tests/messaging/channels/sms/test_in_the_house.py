"""SMS as a process of production sends them: from the settings to the telephone and back."""

import asyncio
import signal
from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from aiohttp import ClientSession, web

from app.assembly import House, open_house
from app.errors import SettingsError
from app.outgoing import CodeSender
from app.settings import Settings, setting_rows
from app.sms import sms_channel, sms_inquiries
from loyalty.clock import SystemClock
from loyalty.database import query
from messaging.channels.folder import FolderSms, kept_sms
from messaging.channels.sms.channel import SmsTerms
from tests.app.conftest import Start
from tests.conftest import SECRET
from tests.messaging.channels.sms.conftest import QUICK
from tests.messaging.channels.sms.gateway_servers import (
    DROP,
    LOGIN,
    PASSWORD,
    SMSC_LOGIN,
    SMSC_PASSWORD,
    SMSC_SECRET,
    SmscRu,
    Twilio,
    running,
)
from tests.messaging.channels.sms.smsc import PASSWORD as SMPP_PASSWORD
from tests.messaging.channels.sms.smsc import SILENT, SYSTEM_ID, THROTTLED, Smsc, receipt
from tests.messaging.conftest import states, until

PHONE = "+79001234567"
PUBLIC_URL = "https://loyalty.example.com"


@pytest.fixture(autouse=True)
def _nothing_set(monkeypatch: pytest.MonkeyPatch) -> None:
    for row in setting_rows():
        monkeypatch.delenv(row.name, raising=False)


def settings(db_url: str, **sms: Any) -> Settings:
    return Settings(
        _env_file=None,  # type: ignore[call-arg]
        database_url=db_url,
        web={"public_url": PUBLIC_URL},
        sms={"sender": "Kapsula", "price": "+7=4.35 12", **sms},
    )


def by_smpp(db_url: str, smsc: Smsc, **sms: Any) -> Settings:
    where = {"smpp_host": "127.0.0.1", "smpp_port": smsc.port}
    who = {"login": SYSTEM_ID, "password": SMPP_PASSWORD}
    return settings(db_url, gateway="smpp", **where, **who, **sms)


def opened(with_settings: Settings, **parts: Any) -> AbstractAsyncContextManager[House]:
    return open_house(with_settings, secret=SECRET, clock=SystemClock(), **parts)


async def send_code(house: House) -> None:
    send = CodeSender(house.clock, lambda: house.programme.rules.name, house.wakeups)
    await send(PHONE, "482913", "ru")


async def the_attempt() -> Any:
    rows = await query("SELECT * FROM attempt")
    assert len(rows) == 1
    return rows[0]


async def test_a_code_arrives_at_the_telephone_and_its_receipt_is_kept(
    db_url: str, smsc: Smsc
) -> None:
    async with opened(by_smpp(db_url, smsc)) as house:
        await send_code(house)
        await house.dispatcher.drain()
        assert smsc.inbox == [("79001234567", "Капсула: ваш код 482913. Никому его не говорите.")]
        assert [state for state, _ in (await states()).values()] == ["sent"]
        attempt = await the_attempt()
        assert (attempt["channel"], attempt["provider_id"], attempt["body"]) == ("sms", "id-1", "")

        smsc.deliver(receipt("id-1"))

        async def delivered() -> bool:
            return bool((await the_attempt())["status"] == "delivered")

        await until(delivered)

        async def acknowledged() -> bool:  # once it is kept, so a moment later
            return smsc.acknowledged == [0]

        await until(acknowledged)


async def test_a_delivery_receipt_that_comes_at_once_is_not_lost(db_url: str, smsc: Smsc) -> None:
    smsc.receipts = lambda part: receipt(part.id, "REJECTD")
    async with opened(by_smpp(db_url, smsc, segments_per_s=1_000)) as house:
        for _ in range(50):
            await send_code(house)
        await house.dispatcher.drain()

        async def all_rejected() -> bool:
            rows = await query("SELECT status FROM attempt")
            return {row["status"] for row in rows} == {"undelivered"}

        await until(all_rejected)
        assert len(smsc.inbox) == 50


async def test_a_code_of_which_nothing_is_known_is_not_sent_again(
    db_url: str, smsc: Smsc, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("messaging.channels.sms.smpp.SmppTimes", lambda: QUICK)
    async with opened(by_smpp(db_url, smsc)) as house:
        smsc.script.append(SILENT)
        await send_code(house)
        for _ in range(3):
            await house.dispatcher.drain()
        assert list((await states()).values()) == [("unknown", "no_answer_in_time")]
        assert len(smsc.inbox) == 1


async def test_a_throttled_code_waits_its_turn(db_url: str, smsc: Smsc) -> None:
    async with opened(by_smpp(db_url, smsc)) as house:
        smsc.script.append(THROTTLED)
        await send_code(house)
        await house.dispatcher.drain()
        ((state, _),) = (await states()).values()
        assert state == "queued"
        assert (await the_attempt())["error"] == "temporary: rate_limited (ESME_RTHROTTLED)"


@asynccontextmanager
async def listening(house: House) -> AsyncIterator[str]:
    runner = web.AppRunner(house.web_application(), access_log=None, shutdown_timeout=0.1)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    yield f"http://127.0.0.1:{site._server.sockets[0].getsockname()[1]}"  # type: ignore[union-attr]
    await runner.cleanup()


async def post(url: str, form: dict[str, str], headers: dict[str, str] | None = None) -> int:
    async with ClientSession() as session, session.post(url, data=form, headers=headers) as answer:
        return answer.status


async def test_twilio_takes_a_code_and_tells_what_became_of_it(db_url: str) -> None:
    async with running(Twilio()) as twilio:
        who = {"login": LOGIN, "password": PASSWORD, "api_url": twilio.url}
        async with opened(settings(db_url, gateway="twilio", **who)) as house:
            await send_code(house)
            await house.dispatcher.drain()
            (got,) = twilio.got
            assert got["Body"] == "Капсула: ваш код 482913. Никому его не говорите."
            async with listening(house) as ours:
                told = {
                    "MessageSid": (await the_attempt())["provider_id"],
                    "MessageStatus": "delivered",
                }
                called = got["StatusCallback"]
                signature = {"X-Twilio-Signature": twilio.signature(called, told)}
                assert await post(ours + called.removeprefix(PUBLIC_URL), told) == 403
                assert await post(ours + called.removeprefix(PUBLIC_URL), told, signature) == 200
                assert (await the_attempt())["status"] == "delivered"


async def test_a_word_of_twilio_resolves_a_code_of_which_nothing_was_known(db_url: str) -> None:
    async with running(Twilio()) as twilio:
        who = {"login": LOGIN, "password": PASSWORD, "api_url": twilio.url}
        async with opened(settings(db_url, gateway="twilio", **who)) as house:
            twilio.script.append("drop")
            await send_code(house)
            await house.dispatcher.drain()
            assert list((await states()).values()) == [("unknown", "no_answer")]
            async with listening(house) as ours:
                called = twilio.got[0]["StatusCallback"]
                told = {"MessageSid": "SM1", "MessageStatus": "delivered"}
                signature = {"X-Twilio-Signature": twilio.signature(called, told)}
                assert await post(ours + called.removeprefix(PUBLIC_URL), told, signature) == 200
                assert [state for state, _ in (await states()).values()] == ["sent"]


async def test_smsc_takes_a_code_and_tells_what_became_of_it(db_url: str) -> None:
    async with running(SmscRu()) as smsc_ru:
        who = {"login": SMSC_LOGIN, "password": SMSC_PASSWORD, "webhook_secret": SMSC_SECRET}
        async with opened(settings(db_url, gateway="smsc", api_url=smsc_ru.url, **who)) as house:
            await send_code(house)
            await house.dispatcher.drain()
            assert smsc_ru.got[0]["mes"] == "Капсула: ваш код 482913. Никому его не говорите."
            async with listening(house) as ours:
                told = {"id": smsc_ru.got[0]["id"], "phone": "79001234567", "status": "1"}
                assert await post(ours + "/webhooks/sms/smsc", told) == 403
                assert await post(ours + "/webhooks/sms/smsc", smsc_ru.signed(told, "sha1")) == 200
                assert (await the_attempt())["status"] == "delivered"
                assert await post(ours + "/webhooks/sms/twilio", told) == 404


async def test_smsc_is_asked_about_what_it_has_not_answered(db_url: str) -> None:
    async with running(SmscRu()) as smsc_ru:
        smsc_ru.script.append(DROP)
        who = {"login": SMSC_LOGIN, "password": SMSC_PASSWORD, "webhook_secret": SMSC_SECRET}
        async with opened(settings(db_url, gateway="smsc", api_url=smsc_ru.url, **who)) as house:
            inquiries = sms_inquiries(house.sms, house.clock)
            assert inquiries is not None
            await send_code(house)
            await house.dispatcher.drain()
            assert list((await states()).values()) == [("unknown", "no_answer")]
            assert await inquiries.ask_due() == 0  # it is too soon
            await query("UPDATE attempt SET started_at = started_at - 31000000")
            assert await inquiries.ask_due() == 1
            assert list((await states()).values()) == [("sent", "")]
            assert len(smsc_ru.got) == 2, "it is not sent again"
            async with listening(house) as ours:
                told = {"id": smsc_ru.got[0]["id"], "phone": "79001234567", "status": "1"}
                assert await post(ours + "/webhooks/sms/smsc", smsc_ru.signed(told, "sha1")) == 200
            assert (await the_attempt())["status"] == "delivered"


async def test_a_channel_that_is_given_comes_before_the_settings(
    db_url: str, smsc: Smsc, tmp_path: Path
) -> None:
    given = FolderSms(SmsTerms(sender="Kapsula"), tmp_path, clock=SystemClock())
    async with opened(by_smpp(db_url, smsc), channels=[given]) as house:
        await send_code(house)
        await house.dispatcher.drain()
        assert (house.sms, smsc.binds) == (None, 0)
        assert [sms.phone for sms in kept_sms(tmp_path)] == [PHONE]


@pytest.mark.parametrize(
    ("sms", "says"),
    [
        ({"gateway": "smpp"}, "KAPSULA_SMS__PASSWORD: the gateway smpp needs it"),
        ({"gateway": "smpp", "password": "p"}, "KAPSULA_SMS__LOGIN: the gateway smpp needs it"),
        (
            {"gateway": "smpp", "password": "p", "login": "l"},
            "KAPSULA_SMS__SMPP_HOST: the gateway smpp needs it",
        ),
        (
            {"gateway": "smpp", "password": "p" * 9, "login": "l", "smpp_host": "h"},
            "KAPSULA_SMS__PASSWORD: at most 8 Latin letters in SMPP",
        ),
        (
            {"gateway": "smpp", "password": "p", "login": "логин", "smpp_host": "h"},
            "KAPSULA_SMS__LOGIN: at most 15 Latin letters in SMPP",
        ),
        (
            {"gateway": "twilio", "password": "p", "login": "l", "sender": ""},
            "KAPSULA_SMS__SENDER: the gateway twilio needs it",
        ),
        ({"gateway": "twilio", "password": "p", "login": "a:b"}, "KAPSULA_SMS__LOGIN: has a colon"),
    ],
)
def test_what_is_missing_is_one_line(sms: dict[str, Any], says: str) -> None:
    with pytest.raises(SettingsError) as caught:
        sms_channel(settings("sqlite://unused", **sms), SystemClock())
    assert str(caught.value).startswith(says)
    assert "\n" not in str(caught.value)


def test_none_is_none() -> None:
    assert sms_channel(settings("sqlite://unused"), SystemClock()) is None


async def test_a_worker_hears_receipts_before_it_has_sent_anything(db_url: str, smsc: Smsc) -> None:
    async with opened(by_smpp(db_url, smsc)) as house:
        assert house.sms is not None
        await house.sms.open()
        async with asyncio.timeout(3):
            while not smsc.binds:  # noqa: ASYNC110
                await asyncio.sleep(0.01)


async def test_a_process_binds_when_it_starts_and_takes_leave_when_it_stops(
    start: Start, port: int, smsc: Smsc
) -> None:
    told = {
        "KAPSULA_SECRET": SECRET.decode(),
        "KAPSULA_WEB__PORT": str(port),
        "KAPSULA_SMS__GATEWAY": "smpp",
        "KAPSULA_SMS__LOGIN": SYSTEM_ID,
        "KAPSULA_SMS__PASSWORD": SMPP_PASSWORD,
        "KAPSULA_SMS__SENDER": "Kapsula",
        "KAPSULA_SMS__SMPP_HOST": "127.0.0.1",
        "KAPSULA_SMS__SMPP_PORT": str(smsc.port),
    }

    async def bound() -> bool:
        return smsc.binds == 1

    async with start("serve", "all", env=told) as process:
        await until(bound, seconds=90)
        code, said = await process.stop(signal.SIGTERM)
    assert (code, smsc.unbinds) == (0, 1), said
