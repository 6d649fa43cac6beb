"""SMS by HTTP, told by servers that check what Twilio and SMSC.ru check."""

from collections.abc import AsyncIterator
from typing import Any

import pytest

from messaging.channels.base import Channel, Failed, Sent, Status, Unknown
from messaging.channels.http import HttpTimes
from messaging.channels.sms.gateways import SMSC, TWILIO
from messaging.channels.sms.http_gateway import HttpAccount, HttpSmsChannel
from messaging.templates import Body
from tests.messaging.channels.sms.conftest import PHONE, TERMS, sms
from tests.messaging.channels.sms.gateway_servers import (
    DROP,
    HANG,
    LOGIN,
    PASSWORD,
    SMSC_LOGIN,
    SMSC_PASSWORD,
    SMSC_SECRET,
    Scripted,
    SmscRu,
    Twilio,
    running,
)

TIMES = HttpTimes(connect_s=5.0, whole_s=5.0)
PUBLIC_URL = "https://loyalty.example.com"
TRICKY = "Код 1234 & 50% = «да»? +1 #2 €😀\nstr=a&psw=b"


@pytest.fixture
async def twilio() -> AsyncIterator[Twilio]:
    async with running(Twilio()) as server:
        yield server
        assert server.complaints == []


@pytest.fixture
async def smsc_ru() -> AsyncIterator[SmscRu]:
    async with running(SmscRu()) as server:
        yield server
        assert server.complaints == []


async def send_by_twilio(server: Twilio | str, *, account: Any = None, **fields: Any) -> Any:
    url = server if isinstance(server, str) else server.url
    values = {"login": LOGIN, "password": PASSWORD, "api_url": url, "public_url": PUBLIC_URL}
    channel = HttpSmsChannel(TWILIO, HttpAccount(**values | (account or {})), TERMS, times=TIMES)
    try:
        return await channel.send(sms(fields.pop("text", "код"), **fields))
    finally:
        await channel.close()


async def send_by_smsc(server: SmscRu, *, account: Any = None, **fields: Any) -> Any:
    values = {"login": SMSC_LOGIN, "password": SMSC_PASSWORD, "api_url": server.url}
    channel = HttpSmsChannel(SMSC, HttpAccount(**values | (account or {})), TERMS, times=TIMES)
    try:
        return await channel.send(sms(fields.pop("text", "код"), **fields))
    finally:
        await channel.close()


async def ask_smsc(server: SmscRu) -> Any:
    account = HttpAccount(login=SMSC_LOGIN, password=SMSC_PASSWORD, api_url=server.url)
    channel = HttpSmsChannel(SMSC, account, TERMS, times=TIMES)
    try:
        return await channel.ask(7, PHONE)
    finally:
        await channel.close()


class TestTwilio:
    async def test_it_takes_what_we_send(self, twilio: Twilio) -> None:
        result = await send_by_twilio(twilio, text=TRICKY, attempt_id=42, ttl_s=600)
        assert result == Sent(f"SM{1:032x}")
        assert twilio.got == [
            {
                "To": PHONE,
                "From": "Kapsula",
                "Body": TRICKY,
                "ValidityPeriod": "600",
                "StatusCallback": f"{PUBLIC_URL}/webhooks/sms/twilio?attempt=42",
            }
        ]

    async def test_a_plus_is_added_and_a_long_life_is_cut(self, twilio: Twilio) -> None:
        result = await send_by_twilio(twilio, to="79001234567", ttl_s=86_400)
        assert isinstance(result, Sent)
        assert (twilio.got[0]["To"], twilio.got[0]["ValidityPeriod"]) == (PHONE, "36000")

    async def test_nobody_is_to_call_where_nobody_hears(self, twilio: Twilio) -> None:
        await send_by_twilio(twilio, account={"public_url": ""})
        assert "StatusCallback" not in twilio.got[0]

    async def test_what_is_no_character_is_left_out(self, twilio: Twilio) -> None:
        await send_by_twilio(twilio, text="ко\0д \ud83d12")
        assert twilio.got[0]["Body"] == "код 12"

    async def test_a_wrong_token_is_nobodys_address(self, twilio: Twilio) -> None:
        result = await send_by_twilio(twilio, account={"password": "stale"})
        assert result == Failed("login_refused", False, None, "20003 Authenticate", True)

    async def test_a_login_cannot_leave_its_place_in_the_url(self, twilio: Twilio) -> None:
        result = await send_by_twilio(twilio, account={"login": "../../x?y=#z"})
        assert isinstance(result, Failed)
        assert twilio.complaints == []

    @pytest.mark.parametrize(
        ("scripted", "result"),
        [
            (
                (400, {"code": 21211, "message": "Invalid 'To'"}),
                Failed("address_unknown", True, None, "21211 Invalid 'To'"),
            ),
            (
                (400, {"code": 21614, "message": ""}),
                Failed("address_unknown", True, None, "21614"),
            ),
            (
                (400, {"code": 21610, "message": "STOP"}),
                Failed("blocked", True, None, "21610 STOP"),
            ),
            (
                (400, {"code": 21606, "message": ""}),
                Failed("sender_refused", False, None, "21606", True),
            ),
            (
                (400, {"code": 29999, "message": "new"}),
                Failed("refused_by_provider", True, None, "29999 new"),
            ),
            ((429, {"code": 20429, "message": ""}), Failed("rate_limited", False, 5.0, "20429")),
            ((429, "", {"Retry-After": "17"}), Failed("rate_limited", False, 17.0, "HTTP 429")),
            (
                (429, "", {"Retry-After": "Wed, 21 Oct 2026 07:28:00 GMT"}),
                Failed("rate_limited", False, 5.0, "HTTP 429"),
            ),
            ((500, "oops"), Failed("provider_down", False, None, "HTTP 500", True)),
            (
                (503, {"code": 20503, "message": "busy"}),
                Failed("provider_down", False, None, "20503 busy", True),
            ),
            ((302, "", {"Location": "/"}), Failed("provider_down", False, None, "HTTP 302", True)),
            ((504, "late"), Unknown("no_answer")),
            ((201, "<html>"), Unknown("answer_not_understood")),
            ((201, []), Unknown("answer_not_understood")),
            ((201, {"sid": ""}), Unknown("answer_not_understood")),
            ((201, "[" * 50_000), Unknown("answer_not_understood")),
            ((201, "x" * 1_000_000), Unknown("answer_not_understood")),
            (HANG, Unknown("no_answer_in_time")),
            (DROP, Unknown("no_answer")),
        ],
    )
    async def test_what_an_answer_means(
        self, twilio: Twilio, scripted: Scripted, result: object
    ) -> None:
        twilio.script.append(scripted)
        assert await send_by_twilio(twilio) == result
        assert len(twilio.got) == 1  # whatever came of it, it was asked once

    async def test_nobody_there_is_no_connection(self, port: int) -> None:
        result = await send_by_twilio(f"http://127.0.0.1:{port}")
        assert isinstance(result, Failed)
        assert (result.reason, result.permanent, result.provider_down) == (
            "no_connection",
            False,
            True,
        )

    async def test_an_unknown_host_is_no_connection(self) -> None:
        result = await send_by_twilio("http://no-such-host.invalid")
        assert isinstance(result, Failed)
        assert result.reason == "no_connection"

    async def test_what_is_no_number_is_not_asked_about(self, twilio: Twilio) -> None:
        result = await send_by_twilio(twilio, to="+7900?To=+1")
        assert isinstance(result, Failed)
        assert (result.reason, twilio.got) == ("address_unknown", [])


class TestSmscRu:
    async def test_it_takes_what_we_send(self, smsc_ru: SmscRu) -> None:
        assert await send_by_smsc(smsc_ru, text=TRICKY, ttl_s=5_401) == Sent("k7")
        assert smsc_ru.got == [
            {
                "login": SMSC_LOGIN,
                "psw": SMSC_PASSWORD,
                "charset": "utf-8",
                "fmt": "3",
                "phones": "79001234567",
                "mes": TRICKY,
                "sender": "Kapsula",
                "valid": "01:31",
                "id": "k7",
            }
        ]

    @pytest.mark.parametrize(
        ("answer", "fate"),
        [
            ({"status": -1}, "taken"),
            ({"status": "0"}, "taken"),
            ({"status": 1}, Status.DELIVERED),
            ({"status": 20, "err": 200}, Status.UNDELIVERED),
            ({"status": 22}, Status.BOUNCED),
            ({"status": -3}, "absent"),
            ({"status": 77}, None),  # not in its papers
            ({"error": "too many", "error_code": 9}, None),
            ("nonsense", None),
            ([1], None),
        ],
    )
    async def test_it_is_asked_what_has_become_of_a_message(
        self, smsc_ru: SmscRu, answer: Any, fate: Any
    ) -> None:
        smsc_ru.script.append((200, answer))
        assert await ask_smsc(smsc_ru) == fate
        assert smsc_ru.got == [
            {
                "login": SMSC_LOGIN,
                "psw": SMSC_PASSWORD,
                "charset": "utf-8",
                "fmt": "3",
                "phone": "79001234567",
                "id": "k7",
            }
        ]

    @pytest.mark.parametrize("scripted", [DROP, (500, "out of order")])
    async def test_who_does_not_answer_is_asked_another_time(
        self, smsc_ru: SmscRu, scripted: Scripted
    ) -> None:
        smsc_ru.script.append(scripted)
        assert await ask_smsc(smsc_ru) is None

    @pytest.mark.parametrize(("ttl_s", "valid"), [(1, "00:01"), (600, "00:10"), (10**6, "24:00")])
    async def test_its_times_are_hours_and_minutes(
        self, smsc_ru: SmscRu, ttl_s: int, valid: str
    ) -> None:
        assert isinstance(await send_by_smsc(smsc_ru, ttl_s=ttl_s), Sent)
        assert smsc_ru.got[0]["valid"] == valid

    async def test_a_wrong_password_is_nobodys_address(self, smsc_ru: SmscRu) -> None:
        result = await send_by_smsc(smsc_ru, account={"password": "stale"})
        assert result == Failed("login_refused", False, None, "2 authorise error", True)

    @pytest.mark.parametrize(
        ("code", "reason", "permanent", "retry_after_s", "provider_down"),
        [
            (1, "refused_by_provider", True, None, False),
            (3, "no_money", False, None, True),
            (4, "blocked_for_errors", False, 300.0, True),
            (6, "refused_by_provider", True, None, False),
            (7, "address_unknown", True, None, False),
            (8, "refused_by_provider", True, None, False),
            (9, "rate_limited", False, 60.0, False),
            (77, "refused_for_now", False, None, False),
        ],
    )
    async def test_its_errors_come_with_status_200(
        self,
        smsc_ru: SmscRu,
        code: int,
        reason: str,
        permanent: bool,
        retry_after_s: float | None,
        provider_down: bool,
    ) -> None:
        smsc_ru.script.append((200, {"error": "said", "error_code": code, "id": 5}))
        assert await send_by_smsc(smsc_ru) == Failed(
            reason, permanent, retry_after_s, f"{code} said", provider_down
        )

    async def test_nothing_of_ours_is_in_the_url(self, smsc_ru: SmscRu) -> None:
        """URLs are logged everywhere; the server here complains of any query."""
        await send_by_smsc(smsc_ru)


def test_it_tells_what_it_can_report() -> None:
    def made(gateway: Any, **account: str) -> Channel:
        return HttpSmsChannel(gateway, HttpAccount(login="l", password="p", **account), TERMS)

    known = {Status.DELIVERED, Status.READ, Status.UNDELIVERED, Status.BOUNCED}
    assert set(made(TWILIO, public_url=PUBLIC_URL).reports) == known
    assert set(made(TWILIO).reports) == set()
    assert set(made(SMSC, public_url=PUBLIC_URL, webhook_secret=SMSC_SECRET).reports) == known
    assert set(made(SMSC, public_url=PUBLIC_URL).reports) == set()
    channel = made(SMSC)
    assert channel.price(lambda: Body("", text="я" * 71), PHONE) == 2 * 4_350_000
