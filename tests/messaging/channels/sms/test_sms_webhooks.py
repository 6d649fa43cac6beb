"""What providers post about their messages, signed by them, by others, or by nobody."""

import gzip
import io
import random
from collections.abc import AsyncIterator, Mapping
from typing import Any
from urllib.parse import urlencode

import pytest
from aiohttp import ClientSession, web
from yarl import URL

from loyalty.clock import VirtualClock
from loyalty.instants import to_micros
from messaging.channels.base import Report, Status
from messaging.channels.sms.gateways import SMSC, TWILIO
from messaging.channels.sms.http_gateway import HttpAccount
from messaging.sms_webhooks import add_sms_webhook
from tests.messaging.channels.sms.conftest import Reports
from tests.messaging.channels.sms.gateway_servers import (
    LOGIN,
    PASSWORD,
    SMSC_SECRET,
    SmscRu,
    Twilio,
)

PUBLIC_URL = "https://loyalty.example.com"
TWILIO_PATH = "/webhooks/sms/twilio"
SMSC_PATH = "/webhooks/sms/smsc"
SID = "SM" + "a" * 32
FORM = "application/x-www-form-urlencoded"


class Door:
    """The server of ours, and how a provider knocks."""

    def __init__(self, url: str, session: ClientSession) -> None:
        self.url = url
        self.session = session

    async def post(self, path: str, body: Any, headers: Mapping[str, str] | None = None) -> int:
        headers = {"Content-Type": FORM, **(headers or {})}
        async with self.session.post(self.url + path, data=body, headers=headers) as answer:
            return answer.status

    async def twilio(
        self,
        form: Mapping[str, str],
        *,
        path: str = TWILIO_PATH,
        called: str = "",
        token: str = PASSWORD,
    ) -> int:
        signature = Twilio.signature(called or PUBLIC_URL + path, form, token)
        return await self.post(path, urlencode(form), {"X-Twilio-Signature": signature})

    async def smsc(self, form: Mapping[str, str]) -> int:
        return await self.post(SMSC_PATH, urlencode(form))


@pytest.fixture
async def door(reports: Reports, clock: VirtualClock) -> AsyncIterator[Door]:
    app = web.Application(client_max_size=2 * 1024 * 1024)
    twilio = HttpAccount(login=LOGIN, password=PASSWORD, public_url=PUBLIC_URL)
    smsc = HttpAccount(login="l", password="p", webhook_secret=SMSC_SECRET, public_url=PUBLIC_URL)
    add_sms_webhook(app, TWILIO, twilio, clock=clock, take_reports=reports.take)
    add_sms_webhook(app, SMSC, smsc, clock=clock, take_reports=reports.take)
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    port = site._server.sockets[0].getsockname()[1]  # type: ignore[union-attr]
    async with ClientSession() as session:
        yield Door(f"http://127.0.0.1:{port}", session)
    await runner.cleanup()


def told(status: str = "delivered", **more: str) -> dict[str, str]:
    return {
        "AccountSid": LOGIN,
        "ApiVersion": "2010-04-01",
        "From": "Капсула",
        "To": "+79001234567",
        "MessageSid": SID,
        "MessageStatus": status,
        "SmsStatus": status,
        **more,
    }


def told_by_smsc(status: str = "1", **more: str) -> dict[str, str]:
    return {
        "id": "1001",
        "phone": "79001234567",
        "status": status,
        "time": "01.01.2026 12:00:00",
        "err": "0",
        **more,
    }


class TestTwilio:
    async def test_a_signed_word_is_a_report(
        self, door: Door, reports: Reports, clock: VirtualClock
    ) -> None:
        assert await door.twilio(told(), path=f"{TWILIO_PATH}?attempt=42") == 200
        assert reports == [
            Report(
                channel="sms",
                status=Status.DELIVERED,
                at=to_micros(clock.now()),
                provider_id=SID,
                attempt_id=42,
                detail="delivered",
            )
        ]

    async def test_it_may_come_twice(self, door: Door, reports: Reports) -> None:
        assert [await door.twilio(told()) for _ in range(2)] == [200, 200]
        assert reports.told == [(SID, "delivered")] * 2

    @pytest.mark.parametrize(
        ("status", "error", "reported"),
        [
            ("queued", "", None),
            ("sent", "", None),
            ("read", "", "read"),
            ("undelivered", "30003", "undelivered"),
            ("failed", "30007", "undelivered"),
            ("undelivered", "30005", "bounced"),
            ("undelivered", "30006", "bounced"),
            ("a word of tomorrow", "", None),
        ],
    )
    async def test_what_its_words_mean(
        self, door: Door, reports: Reports, status: str, error: str, reported: str | None
    ) -> None:
        more = {"ErrorCode": error} if error else {}
        assert await door.twilio(told(status, **more)) == 200
        assert reports.told == ([(SID, reported)] if reported else [])

    async def test_without_a_right_signature_nothing_is_believed(
        self, door: Door, reports: Reports
    ) -> None:
        body = urlencode(told())
        right = Twilio.signature(PUBLIC_URL + TWILIO_PATH, told())
        forged = [
            await door.post(TWILIO_PATH, body),
            await door.post(TWILIO_PATH, body, {"X-Twilio-Signature": ""}),
            await door.post(TWILIO_PATH, body, {"X-Twilio-Signature": "подпись"}),
            await door.post(TWILIO_PATH, body, {"X-Twilio-Signature": right[:-1]}),
            await door.post(TWILIO_PATH, body + "&x=1", {"X-Twilio-Signature": right}),
            await door.post(TWILIO_PATH + "?attempt=7", body, {"X-Twilio-Signature": right}),
            await door.post(TWILIO_PATH, urlencode(told("failed")), {"X-Twilio-Signature": right}),
            await door.twilio(told(), token="somebody else's"),
            await door.twilio(told(), called=f"https://evil.example.com{TWILIO_PATH}"),
        ]
        assert forged == [403] * len(forged)
        assert reports == []

    async def test_the_standard_port_may_be_named_or_not(self, door: Door) -> None:
        called = f"https://loyalty.example.com:443{TWILIO_PATH}"
        assert await door.twilio(told(), called=called) == 200
        called = f"https://loyalty.example.com:8443{TWILIO_PATH}"
        assert await door.twilio(told(), called=called) == 403

    @pytest.mark.parametrize("attempt", ["", "x", "-1", "9" * 19, "9" * 5000, "٤٢", "%00", "%ff"])
    async def test_a_strange_attempt_is_none(
        self, door: Door, reports: Reports, attempt: str
    ) -> None:
        sent_as = URL(f"{TWILIO_PATH}?attempt={attempt}").raw_path_qs
        status = await door.twilio(told(), path=sent_as)
        assert status in (200, 400)  # a line of HTTP has its limits
        assert [report.attempt_id for report in reports] == [None] * len(reports)

    @pytest.mark.parametrize("missing", ["MessageSid", "MessageStatus"])
    async def test_what_lacks_its_id_or_status_is_malformed(
        self, door: Door, reports: Reports, missing: str
    ) -> None:
        assert await door.twilio({k: v for k, v in told().items() if k != missing}) == 400
        assert reports == []

    @pytest.mark.parametrize("id_", ["SM\0x", "x" * 121, "a\nb"])
    async def test_an_id_is_an_id(self, door: Door, id_: str) -> None:
        assert await door.twilio(told(MessageSid=id_)) == 400

    async def test_words_of_the_provider_are_kept_short_and_clean(
        self, door: Door, reports: Reports
    ) -> None:
        assert await door.twilio(told("failed", ErrorCode="\0\n" + "9" * 500)) == 200
        assert reports[0].detail == ("failed " + "9" * 500)[:80]

    async def test_what_could_not_be_kept_may_come_again(
        self, door: Door, reports: Reports
    ) -> None:
        reports.broken = True
        assert await door.twilio(told()) == 503
        reports.broken = False
        assert await door.twilio(told()) == 200


class TestSmscRu:
    @pytest.mark.parametrize("digests", [("sha1",), ("md5",), ("sha1", "md5")])
    async def test_a_signed_word_is_a_report(
        self, door: Door, reports: Reports, digests: tuple[str, ...]
    ) -> None:
        assert await door.smsc(SmscRu.signed(told_by_smsc(), *digests)) == 200
        assert reports.told == [("1001", "delivered")]

    @pytest.mark.parametrize(
        ("status", "reported"),
        [
            ("-1", None),
            ("0", None),
            ("2", "read"),
            ("3", "undelivered"),
            ("20", "undelivered"),
            ("22", "bounced"),
            ("99", None),
        ],
    )
    async def test_what_its_numbers_mean(
        self, door: Door, reports: Reports, status: str, reported: str | None
    ) -> None:
        assert await door.smsc(SmscRu.signed(told_by_smsc(status), "sha1")) == 200
        assert reports.told == ([("1001", reported)] if reported else [])

    async def test_an_error_that_is_not_signed_makes_no_address_dead(
        self, door: Door, reports: Reports
    ) -> None:
        form = SmscRu.signed(told_by_smsc("20", err="1"), "sha1")
        assert await door.smsc(form) == 200
        assert reports.told == [("1001", "undelivered")]

    async def test_without_a_right_signature_nothing_is_believed(
        self, door: Door, reports: Reports
    ) -> None:
        signed = SmscRu.signed(told_by_smsc(), "sha1", "md5")
        forged = [
            await door.smsc(told_by_smsc()),
            await door.smsc({**told_by_smsc(), "sha1": "", "md5": ""}),
            await door.smsc({**signed, "status": "22"}),
            await door.smsc({**signed, "id": "1002"}),
            await door.smsc({**signed, "md5": "0" * 32}),
            await door.smsc({**signed, "sha1": "я" * 40}),
            await door.smsc(SmscRu.signed(told_by_smsc(), "sha1", secret="guess")),
            await door.smsc(SmscRu.signed(told_by_smsc(), "sha1", secret="")),
        ]
        assert forged == [403] * len(forged)
        assert reports == []


@pytest.mark.parametrize("path", [TWILIO_PATH, SMSC_PATH])
class TestMalformed:
    @pytest.mark.parametrize(
        "body",
        [
            b"",
            b"\x00\x01\x02\xff",
            "id=код".encode(),
            b"id=%ed%a0%80&status=1",  # half of a pair
            b"id=%ff",
            b"id=%00&MessageSid=%00&status=1&MessageStatus=read",
            b"&".join(b"x=%d" % n for n in range(200)),
            b'{"id": 1}',
            b"=" * 1000,
            b"%" * 1000,
        ],
    )
    async def test_it_is_never_more_than_a_complaint(
        self, door: Door, reports: Reports, path: str, body: bytes
    ) -> None:
        assert await door.post(path, body) in (400, 403)
        assert reports == []

    async def test_ten_megabytes_are_too_much(self, door: Door, path: str) -> None:
        assert await door.post(path, io.BytesIO(b"id=" + b"x" * 10_000_000)) == 413

    async def test_a_bomb_is_too_much(self, door: Door, path: str) -> None:
        bomb = gzip.compress(b"x" * 50_000_000)
        assert await door.post(path, bomb, {"Content-Encoding": "gzip"}) == 413

    async def test_what_is_said_to_be_packed_and_is_not(self, door: Door, path: str) -> None:
        assert await door.post(path, b"not gzip at all", {"Content-Encoding": "gzip"}) == 400

    async def test_only_post(self, door: Door, path: str) -> None:
        async with door.session.get(door.url + path) as answer:
            assert answer.status == 405

    async def test_garbage_of_any_kind(self, door: Door, reports: Reports, path: str) -> None:
        chance = random.Random(path)
        for length in range(120):
            body = bytes(chance.choices(b"id=&%+;0aF\xff\0\xd0status1" + SID.encode(), k=length))
            assert await door.post(path, body) in (400, 403), body
        assert reports == []


async def test_who_has_agreed_upon_no_secret_is_not_listened_to(clock: VirtualClock) -> None:
    app = web.Application()
    account = HttpAccount(login="l", password="p", public_url=PUBLIC_URL)
    add_sms_webhook(app, SMSC, account, clock=clock, take_reports=Reports().take)
    assert len(app.router.resources()) == 0
