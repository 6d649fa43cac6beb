"""What comes back by mail, from every kind of server, and what is not believed."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from messaging.channels.base import Report, Status
from messaging.channels.email.bounces import Leave, read_mail
from messaging.channels.email.tokens import Tokens
from tests.messaging.channels.email import returned
from tests.messaging.channels.email.conftest import TOKENS

ATTEMPT = 123_456_789
AT = 1_800_000_000_000_000


def read(sample: str, *, token: str = "", **fields: str) -> Report | Leave | None:
    text = sample
    for name, value in {"token": token or TOKENS.make(ATTEMPT), **fields}.items():
        text = text.replace("{" + name + "}", value)
    return read_mail(text.replace("\n", "\r\n").encode(), TOKENS, at=AT)


def status(read_: Report | Leave | None) -> Status | None:
    assert read_ is None or isinstance(read_, Report)
    if read_ is not None:
        assert (read_.channel, read_.attempt_id, read_.at) == ("email", ATTEMPT, AT)
    return read_.status if read_ is not None else None


@pytest.mark.parametrize(
    ("action", "code", "diagnostic", "expected"),
    [
        ("failed", "5.1.1", "550 5.1.1 <anna@example.com>: User unknown", Status.BOUNCED),
        ("failed", "5.0.0", "550 5.1.1 no such user", Status.BOUNCED),
        ("failed", "5.0.0", "550 user unknown", Status.BOUNCED),
        ("failed", "5.4.4", "Host or domain name not found", Status.BOUNCED),
        ("failed", "5.2.1", "550 5.2.1 account disabled", Status.BOUNCED),
        ("failed", "5.2.2", "552 5.2.2 mailbox full", Status.UNDELIVERED),
        ("failed", "5.7.1", "550 5.7.1 message refused as spam", Status.UNDELIVERED),
        ("failed", "5.7.1", "550 5.7.1 user unknown to our policy", Status.UNDELIVERED),
        ("failed", "5.3.4", "552 5.3.4 too big", Status.UNDELIVERED),
        ("failed", "4.4.7", "delivery time expired", Status.UNDELIVERED),
        ("failed", "4.4.1", "connect to mx1.example.com: Connection timed out", Status.UNDELIVERED),
        ("failed", "5.0.0", "something odd", Status.UNDELIVERED),
        ("failed", "", "", Status.UNDELIVERED),
        ("delayed", "4.4.1", "Connection timed out", None),
        ("delivered", "2.0.0", "250 ok", None),
        ("relayed", "2.0.0", "250 ok", None),
    ],
)
def test_postfix(action: str, code: str, diagnostic: str, expected: Status | None) -> None:
    told = read(returned.POSTFIX, action=action, status=code, diagnostic=diagnostic)
    assert status(told) == expected


@pytest.mark.parametrize("name", ["EXIM", "OLD_EXIM", "EXCHANGE", "GMAIL"])
def test_the_others_know_no_such_user(name: str) -> None:
    told = read(getattr(returned, name))
    assert status(told) == Status.BOUNCED
    assert isinstance(told, Report)
    assert told.detail
    assert told.address == ""  # whatever it says, the address is that of our own try


@pytest.mark.parametrize(
    ("kind", "expected"),
    [("abuse", Status.COMPLAINED), ("fraud", Status.COMPLAINED), ("not-spam", None)],
)
def test_complaints(kind: str, expected: Status | None) -> None:
    assert status(read(returned.ARF, kind=kind)) == expected


def test_a_complaint_that_asks_to_be_taken_off_the_list() -> None:
    assert read(returned.ARF, kind="opt-out") == Leave(ATTEMPT)


def test_a_mail_to_leave_by() -> None:
    assert read(returned.LEAVING) == Leave(ATTEMPT)
    assert read(returned.LEAVING, token="a" * 29) is None


@pytest.mark.parametrize("name", ["VACATION", "LETTER"])
def test_what_people_and_their_programs_write_is_no_bounce(name: str) -> None:
    assert read(getattr(returned, name)) is None


@pytest.mark.parametrize("name", ["EXIM", "OLD_EXIM", "EXCHANGE", "GMAIL", "LEAVING", "ARF"])
def test_forged_tokens_tell_nothing(name: str) -> None:
    forged = Tokens(b"somebody else's key").make(ATTEMPT)
    assert read(getattr(returned, name), token=forged, kind="abuse") is None
    near = TOKENS.make(ATTEMPT)[:-2] + "aa"
    assert read(getattr(returned, name), token=near, kind="abuse") is None


def test_a_token_in_capitals_is_known() -> None:
    assert status(read(returned.EXIM, token=TOKENS.make(ATTEMPT).upper())) == Status.BOUNCED


@given(st.binary(max_size=2000))
def test_any_bytes_are_read_without_harm(raw: bytes) -> None:
    assert read_mail(raw, TOKENS, at=AT) is None


@given(st.data())
def test_a_mangled_report_is_read_without_harm(data: st.DataObject) -> None:
    whole = returned.POSTFIX.replace("{token}", TOKENS.make(ATTEMPT)).encode()
    start = data.draw(st.integers(0, len(whole)))
    end = data.draw(st.integers(start, len(whole)))
    junk = data.draw(st.binary(max_size=60))
    read_mail(whole[:start] + junk + whole[end:], TOKENS, at=AT)


def test_a_very_long_one_takes_no_time() -> None:
    long = returned.EXIM.replace("{token}", TOKENS.make(ATTEMPT)).encode() + b"aaaa " * 10_000_000
    assert status(read_mail(long, TOKENS, at=AT)) == Status.BOUNCED
