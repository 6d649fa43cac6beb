"""What mail providers post, believed with their secret or signature alone."""

import hashlib
import hmac
import io
import json
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from typing import Any

import pytest
from aiohttp import ClientSession, web
from hypothesis import given
from hypothesis import strategies as st

from loyalty.clock import VirtualClock
from loyalty.instants import to_micros
from messaging.channels.base import Report, Status
from messaging.channels.email.providers import (
    PROVIDERS,
    ForgedError,
    UnreadableError,
    read_call,
)
from messaging.channels.email.tokens import Tokens
from messaging.mail_webhooks import add_mail_webhook
from tests.messaging.channels.email.conftest import TOKENS

URL_TOKEN = "a-long-url-token-1"
KEY = "key-of-mailgun"
ATTEMPT = 77
TRACE = TOKENS.make(ATTEMPT)
AT = 1_900_000_000_000_000


def sns(message: Mapping[str, Any]) -> dict[str, Any]:
    return {"Type": "Notification", "MessageId": "x", "Message": json.dumps(message)}


def ses_bounce(kind: str = "Permanent", **recipient: str) -> dict[str, Any]:
    who = {"emailAddress": "anna@example.com", "status": "5.1.1", "diagnosticCode": "smtp; 550"}
    return sns(
        {
            "notificationType": "Bounce",
            "mail": {"messageId": "0100-abc", "tags": {"attempt": [TRACE]}},
            "bounce": {
                "bounceType": kind,
                "bouncedRecipients": [who | recipient],
                "timestamp": "2026-01-01T08:00:00.000Z",
            },
        }
    )


def postmark(record: str = "Bounce", kind: str = "HardBounce", **more: Any) -> dict[str, Any]:
    return {
        "RecordType": record,
        "Type": kind,
        "MessageID": "883953f4",
        "Details": "smtp;550 5.1.1 no such user",
        "Email": "anna@example.com",
        "BouncedAt": "2026-01-01T08:00:00Z",
        "Metadata": {"attempt": TRACE},
        **more,
    }


def mailgun(event: str = "failed", *, key: str = KEY, **data: Any) -> dict[str, Any]:
    signature = hmac.new(key.encode(), b"1767254400" + b"abc", hashlib.sha256).hexdigest()
    return {
        "signature": {"timestamp": "1767254400", "token": "abc", "signature": signature},
        "event-data": {
            "event": event,
            "severity": "permanent",
            "timestamp": 1767254400.5,
            "recipient": "anna@example.com",
            "message": {"headers": {"message-id": f"{TRACE}@kapsula.example"}},
            "delivery-status": {"code": 550, "message": "5.1.1 no such user"},
            **data,
        },
    }


def read(name: str, data: Any) -> list[Report]:
    body = json.dumps(data).encode()
    return read_call(PROVIDERS[name], body, key=KEY, tokens=TOKENS, at=AT).reports


@pytest.mark.parametrize(
    ("name", "data", "status"),
    [
        ("ses", ses_bounce(), Status.BOUNCED),
        ("ses", ses_bounce("Transient"), Status.UNDELIVERED),
        ("ses", ses_bounce("Undetermined"), Status.BOUNCED),
        ("ses", ses_bounce("Undetermined", status="5.7.1"), Status.UNDELIVERED),
        ("ses", json.loads(ses_bounce()["Message"]), Status.BOUNCED),  # raw delivery
        ("postmark", postmark(), Status.BOUNCED),
        ("postmark", postmark(kind="SoftBounce"), Status.UNDELIVERED),
        ("postmark", postmark("SpamComplaint", "SpamComplaint"), Status.COMPLAINED),
        ("postmark", postmark(kind="AutoResponder"), None),
        ("postmark", postmark("Delivery", ""), None),
        ("mailgun", mailgun(), Status.BOUNCED),
        ("mailgun", mailgun(severity="temporary"), None),
        ("mailgun", mailgun("complained", severity=None), Status.COMPLAINED),
        (
            "mailgun",
            mailgun(**{"delivery-status": {"code": 552, "message": "5.2.2 mailbox full"}}),
            Status.UNDELIVERED,
        ),
        ("mailgun", mailgun("delivered", severity=None), None),
    ],
)
def test_events(name: str, data: Any, status: Status | None) -> None:
    reports = read(name, data)
    assert [report.status for report in reports] == ([status] if status else [])
    assert all(report.attempt_id == ATTEMPT for report in reports)
    assert all(report.at < AT for report in reports)


def test_the_providers_own_id_and_instant_are_kept() -> None:
    (report,) = read("ses", ses_bounce())
    assert (report.provider_id, report.at) == ("0100-abc", 1_767_254_400_000_000)
    assert report.address == ""


def test_a_forged_trace_is_ignored() -> None:
    forged = Tokens(b"other" * 8).make(ATTEMPT)
    assert read("postmark", postmark(MessageID="", Metadata={"attempt": forged})) == []
    (report,) = read("postmark", postmark(Metadata={"attempt": forged}))
    assert report.attempt_id is None


def test_several_events_in_one_call() -> None:
    assert len(read("postmark", [postmark(), postmark()])) == 2


@pytest.mark.parametrize("name", PROVIDERS)
@pytest.mark.parametrize("body", [b"", b"[", b"7", b'"x"', b"[" * 100_000, b"\xff", b"null"])
def test_what_is_no_event(name: str, body: bytes) -> None:
    with pytest.raises(UnreadableError):
        read_call(PROVIDERS[name], body, key=KEY, tokens=TOKENS, at=AT)


JSON = st.recursive(
    st.none() | st.booleans() | st.floats() | st.integers() | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=10,
)


@given(st.sampled_from(sorted(PROVIDERS)), JSON, JSON, JSON)
def test_any_json_is_read_without_harm(name: str, first: Any, second: Any, third: Any) -> None:
    event = {
        "notificationType": first, "bounce": second, "mail": third,
        "RecordType": first, "Type": second, "Details": third, "BouncedAt": second,
        "event-data": third, "signature": first, "Message": second, "MessageID": third,
    }  # fmt: skip
    for data in (first, event, mailgun() | {"event-data": event}, ses_bounce() | event):
        try:
            read(name, data)
        except (UnreadableError, ForgedError):
            continue


class Door:
    def __init__(self, url: str, reports: list[Report]) -> None:
        self.url = url
        self.reports = reports

    async def post(self, body: bytes | Mapping[str, Any], token: str = URL_TOKEN) -> int:
        raw = body if isinstance(body, bytes) else json.dumps(body).encode()
        async with (
            ClientSession() as session,
            session.post(f"{self.url}/webhooks/email/{token}", data=raw) as answer,
        ):
            return answer.status


@asynccontextmanager
async def door(name: str, clock: VirtualClock) -> AsyncIterator[Door]:
    reports: list[Report] = []

    async def take(told: Sequence[Report]) -> None:
        if any(report.detail.endswith("no database") for report in told):
            raise OSError("no database")
        reports.extend(told)

    app = web.Application(client_max_size=100 * 1024 * 1024)
    add_mail_webhook(
        app,
        PROVIDERS[name],
        token=URL_TOKEN,
        key=KEY,
        tokens=TOKENS,
        clock=clock,
        take_reports=take,
    )
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    port = site._server.sockets[0].getsockname()[1]  # type: ignore[union-attr]
    try:
        yield Door(f"http://127.0.0.1:{port}", reports)
    finally:
        await runner.cleanup()


async def test_the_right_secret_is_heard(clock: VirtualClock) -> None:
    async with door("postmark", clock) as there:
        assert await there.post(postmark()) == 200
        assert [report.status for report in there.reports] == [Status.BOUNCED]
        assert there.reports[0].at <= to_micros(clock.now())
        assert await there.post(postmark("Open", "")) == 200
        assert len(there.reports) == 1


@pytest.mark.parametrize("token", ["wrong", URL_TOKEN + "x", URL_TOKEN[:-1], "%D0%96", "%FF"])
async def test_a_wrong_secret_is_403(clock: VirtualClock, token: str) -> None:
    async with door("postmark", clock) as there:
        assert await there.post(postmark(), token) == 403
        assert there.reports == []


async def test_a_wrong_signature_is_403(clock: VirtualClock) -> None:
    async with door("mailgun", clock) as there:
        assert await there.post(mailgun()) == 200
        assert await there.post(mailgun(key="another key")) == 403
        unsigned = {"event-data": mailgun()["event-data"]}
        assert await there.post(unsigned) == 403
        odd = mailgun() | {"signature": {"timestamp": [], "token": 7, "signature": "é"}}
        assert await there.post(odd) == 403
        assert len(there.reports) == 1


@pytest.mark.parametrize("body", [b"", b"nonsense", b"{}", b"[1]", b"\xff\xfe"])
async def test_what_is_no_event_is_400(clock: VirtualClock, body: bytes) -> None:
    async with door("postmark", clock) as there:
        assert await there.post(body) == 400


async def test_ten_megabytes_are_413(clock: VirtualClock) -> None:
    async def in_chunks() -> AsyncIterator[bytes]:
        for _ in range(100):
            yield b"x" * 102_400

    async with door("postmark", clock) as there:
        url = f"{there.url}/webhooks/email/{URL_TOKEN}"
        whole = io.BytesIO(b"x" * 10_000_000)
        async with ClientSession() as session, session.post(url, data=whole) as answer:
            assert answer.status == 413
        async with ClientSession() as session, session.post(url, data=in_chunks()) as answer:
            assert answer.status == 413


async def test_what_cannot_be_kept_is_asked_for_again(clock: VirtualClock) -> None:
    async with door("postmark", clock) as there:
        assert await there.post(postmark(Details="no database")) == 500


async def test_a_subscription_to_confirm_is_told_to_a_person(clock: VirtualClock) -> None:
    async with door("ses", clock) as there:
        ask = {"Type": "SubscriptionConfirmation", "SubscribeURL": "https://sns.example/confirm"}
        assert await there.post(ask) == 200
        assert there.reports == []


def test_a_door_without_a_secret_is_not_opened(clock: VirtualClock) -> None:
    async def take(_told: Sequence[Report]) -> None: ...

    for name, token, key in (("ses", "", ""), ("mailgun", URL_TOKEN, "")):
        with pytest.raises(ValueError, match="secret"):
            add_mail_webhook(
                web.Application(),
                PROVIDERS[name],
                token=token,
                key=key,
                tokens=TOKENS,
                clock=clock,
                take_reports=take,
            )
