"""A mail as the standard library reads it, and DKIM as an independent implementation checks it."""

import base64
import email
import email.policy
import re
from dataclasses import replace
from email.message import EmailMessage
from functools import lru_cache

import dkim
import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from hypothesis import given
from hypothesis import strategies as st

from loyalty.clock import SystemClock
from messaging.channels.email.headers import one_line, phrase, unstructured
from messaging.channels.email.mime import Composer, Mail, Sender, part
from messaging.channels.email.signing import KeyRefusedError, Signer
from messaging.channels.email.tokens import Tokens
from messaging.templates import Body
from tests.messaging.channels.email.conftest import SENDER, TOKENS, outgoing

LEAVE = "https://shop.example/leave/abc"


@lru_cache
def key_and_record(bits: int = 1024) -> tuple[bytes, bytes]:
    key = rsa.generate_private_key(65537, bits)
    public = key.public_key().public_bytes(
        serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo
    )
    return pem(key), b"v=DKIM1; k=rsa; p=" + base64.b64encode(public)


def pem(key: rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey) -> bytes:
    return key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    )


def composed(sender: Sender = SENDER, signer: Signer | None = None, **fields: object) -> Mail:
    composer = Composer(sender, TOKENS, clock=SystemClock(), signer=signer)
    return composer.compose(outgoing(**fields))


def parsed(mail: Mail) -> EmailMessage:
    message = email.message_from_bytes(mail.content, policy=email.policy.default)
    assert isinstance(message, EmailMessage)
    return message


def text_of(message: EmailMessage, subtype: str) -> str:
    found = message.get_body((subtype,))
    assert found is not None
    return str(found.get_content()).replace("\r\n", "\n")


def test_headers_of_a_service_mail() -> None:
    message = parsed(composed(attempt_id=5))
    assert message.defects == []
    assert message["From"] == "Аптека «Капсула» <news@kapsula.example>"
    assert message["To"] == "anna@example.com"
    assert message["Subject"] == "Ваш чек"
    assert message["Date"].datetime is not None
    assert message["Message-ID"] == f"<{TOKENS.make(5)}@kapsula.example>"
    assert message["MIME-Version"] == "1.0"
    assert message["Auto-Submitted"] == "auto-generated"
    for absent in ("List-Unsubscribe", "List-Unsubscribe-Post", "Precedence", "Feedback-ID"):
        assert absent not in message


def test_a_mailing_can_be_left_with_one_click_and_by_mail() -> None:
    mail = composed(attempt_id=5, topic="marketing", unsubscribe_url=LEAVE)
    message = parsed(mail)
    address = f"unsubscribe+{TOKENS.make(5)}@b.kapsula.example"
    assert message["List-Unsubscribe"] == f"<{LEAVE}>, <mailto:{address}?subject=unsubscribe>"
    assert message["List-Unsubscribe-Post"] == "List-Unsubscribe=One-Click"
    assert message["Precedence"] == "bulk"
    assert message["Feedback-ID"] == "marketing:::kapsula"
    assert LEAVE in text_of(message, "plain")
    assert LEAVE in text_of(message, "html")
    unread = replace(SENDER, leaves_by_mail=False)
    assert parsed(composed(unread, unsubscribe_url=LEAVE))["List-Unsubscribe"] == f"<{LEAVE}>"


def test_a_mailing_leads_to_where_one_chooses() -> None:
    url = "https://k.example/p/abc"
    message = parsed(composed(topic="marketing", preferences_url=url))
    assert url in text_of(message, "plain")
    assert url in text_of(message, "html")


def test_without_a_bounce_domain_mail_comes_from_the_sender() -> None:
    plain = replace(SENDER, bounce_domain="")
    mail = composed(plain, unsubscribe_url=LEAVE)
    assert mail.sender == "news@kapsula.example"
    assert "mailto:" not in parsed(mail)["List-Unsubscribe"]


def test_a_providers_trace_carries_the_token() -> None:
    traced = replace(SENDER, trace_field=("X-Mailgun-Variables", '{"attempt": "{token}"}'))
    value = parsed(composed(traced, attempt_id=5))["X-Mailgun-Variables"]
    assert value == f'{{"attempt": "{TOKENS.make(5)}"}}'


@pytest.mark.parametrize(
    "url", ["ftp://x", "javascript:alert(1)", "https://x/\r\nX: y", "https://x/>"]
)
def test_a_link_that_is_none_is_a_bug(url: str) -> None:
    with pytest.raises(ValueError, match="link"):
        composed(unsubscribe_url=url)


# Whatever is written, it stays where it belongs.

PIECES = [
    *("\r", "\n", "\r\n", "\t", " ", "\x00", "\x85", "\u2028", "\ud800", "é", "Ж", "🧾", "a" * 90),
    *("Bcc: eve@x.example", ": ", "=?utf-8?q?a?=", "?=", '"', "\\", "<x@y.z>", ",", ";"),
]
NASTY = st.text() | st.lists(st.sampled_from(PIECES)).map("".join)


@given(NASTY)
def test_no_subject_makes_a_header(text: str) -> None:
    mail = composed(body=Body("<b>x</b>", subject=text))
    message = parsed(mail)
    assert message.keys() == parsed(composed()).keys()
    if one_line(text):
        assert " ".join(message["Subject"].split()) == " ".join(one_line(text).split())
    assert _head_is_sound(mail)


@given(NASTY)
def test_no_name_makes_a_header(text: str) -> None:
    mail = composed(replace(SENDER, name=text))
    message = parsed(mail)
    assert message.keys() == parsed(composed()).keys()
    assert [a.addr_spec for a in message["From"].addresses] == ["news@kapsula.example"]
    assert _head_is_sound(mail)


@given(NASTY, NASTY)
def test_no_body_breaks_out_of_its_part(text: str, page: str) -> None:
    mail = composed(body=Body(page, subject="s", text=text))
    message = parsed(mail)
    parts = list(message.iter_parts())
    assert [p.get_content_type() for p in parts] == ["text/plain", "text/html"]
    assert message.defects == []
    assert all(len(line) <= 998 for line in mail.content.split(b"\r\n"))
    assert b"\n" not in mail.content.replace(b"\r\n", b"")
    assert b"\r" not in mail.content.replace(b"\r\n", b"")


def _head_is_sound(mail: Mail) -> bool:
    head = mail.content.partition(b"\r\n\r\n")[0]
    lines = head.split(b"\r\n")
    return head.isascii() and all(
        len(line) <= 120 and re.match(rb"[A-Za-z-]+: |[ ]\S", line) for line in lines
    )


@given(st.text(max_size=3000))
def test_a_part_reads_as_it_was_written(text: str) -> None:
    message = email.message_from_bytes(part(text, "plain"), policy=email.policy.default)
    wanted = text.replace("\r\n", "\n").replace("\r", "\n").encode("utf-8", "replace").decode()
    wanted = wanted if wanted.endswith("\n") else wanted + "\n"
    raw = message.get_payload(decode=True)
    assert isinstance(raw, bytes)
    assert raw.decode().replace("\r\n", "\n") == wanted


@pytest.mark.parametrize(
    ("text", "encoding"),
    [
        ("hello", "7bit"),
        ("x" * 900, "7bit"),
        ("x" * 901, "quoted-printable"),
        ("From here on", "quoted-printable"),
        ("a space at the end \n", "quoted-printable"),
        (
            "a € in much text that has no other letter than those of ASCII, as you see",
            "quoted-printable",
        ),
        ("привет", "base64"),
        ("x " * 5000, "base64"),
    ],
)
def test_each_text_in_the_encoding_that_fits(text: str, encoding: str) -> None:
    raw = part(text, "plain")
    message = email.message_from_bytes(raw, policy=email.policy.default)
    assert message["Content-Transfer-Encoding"] == encoding
    assert b"\nFrom " not in raw


def test_encoded_words_tear_no_letter_apart() -> None:
    for text in ("Ж" * 200, "🧾" * 100, "aЖ🧾" * 60):
        for word in unstructured(text).split("\r\n "):
            letters = base64.b64decode(word.removeprefix("=?utf-8?b?").removesuffix("?="))
            letters.decode()
            assert len(word) <= 75
    assert phrase('O"Brien \\ Co') == '"O\\"Brien \\\\ Co"'


# What a body lacks is made from the rest.


def test_a_fragment_gets_a_page_and_a_text() -> None:
    body = Body('<b>Чек</b>\n<a href="https://s.example/a?b=1&amp;c=2">Открыть</a>')
    message = parsed(composed(body=body))
    assert message["Subject"] == "Чек"
    assert text_of(message, "plain") == "Чек\nОткрыть (https://s.example/a?b=1&c=2)\n"
    page = text_of(message, "html")
    assert page.startswith("<!doctype html>")
    assert "<b>Чек</b><br>" in page


def test_a_whole_page_passes_as_it_is() -> None:
    page = "<!DOCTYPE html><html><head><style>p{}</style></head><body><p>Hi</p></body></html>\n"
    message = parsed(composed(body=Body(page, subject="s")))
    assert text_of(message, "html") == page
    assert text_of(message, "plain") == "Hi\n"


# DKIM.


@given(subject=NASTY, text=NASTY)
def test_every_mail_is_signed_soundly(subject: str, text: str) -> None:
    key, record = key_and_record()
    signer = Signer(domain="kapsula.example", selector="s1", key_pem=key)
    body = Body("<b>x</b>", subject=subject, text=text)
    mail = composed(signer=signer, body=body, topic="marketing", unsubscribe_url=LEAVE)
    asked: list[bytes] = []

    def dns(name: bytes, timeout: int = 5) -> bytes:
        asked.append(name)
        return record

    assert dkim.verify(mail.content, dnsfunc=dns)
    assert asked == [b"s1._domainkey.kapsula.example."]


def test_what_is_signed_and_what_breaks_it() -> None:
    key, record = key_and_record(2048)
    signer = Signer(domain="kapsula.example", selector="s1", key_pem=key)
    content = composed(signer=signer, topic="marketing", unsubscribe_url=LEAVE).content

    def sound(mail: bytes) -> bool:
        return bool(dkim.verify(mail, dnsfunc=lambda _name, timeout=5: record))

    signed = " ".join(str(email.message_from_bytes(content)["DKIM-Signature"]).split())
    for name in ("from", "to", "subject", "list-unsubscribe", "list-unsubscribe-post"):
        assert re.search(rf"h=[^;]*\b{name}\b", signed), name
    assert sound(content)
    assert not sound(content.replace(b"leave/abc", b"leave/abd"))
    assert not sound(content.replace(b"To: anna", b"To: eve"))
    assert not sound(content.replace(b"\r\nDate:", b"\r\nSubject: other\r\nDate:"))
    assert not sound(content.replace(b"\r\nDate:", b"\r\nFrom: eve@x.example\r\nDate:"))
    assert not sound(content[:-80] + b"x" + content[-79:])
    assert sound(b"Received: from x by y\r\n" + content + b"\r\n")


@pytest.mark.parametrize(
    ("key", "why"),
    [
        (b"nonsense", "PEM"),
        (pem(ec.generate_private_key(ec.SECP256R1())), "RSA"),
        (b"-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n", "PEM"),
    ],
)
def test_a_key_to_sign_with_is_looked_at(key: bytes, why: str) -> None:
    with pytest.raises(KeyRefusedError, match=why):
        Signer(domain="x.example", selector="s", key_pem=key)


# Tokens.


@given(st.integers(0, (1 << 63) - 1))
def test_a_token_is_read_in_any_case_and_no_other_key_makes_it(attempt_id: int) -> None:
    token = TOKENS.make(attempt_id)
    assert TOKENS.read(token) == TOKENS.read(token.upper()) == attempt_id
    assert TOKENS.find(f"Return-Path: <bounce+{token}@b.example>") == attempt_id
    assert Tokens(b"other" * 8).read(token) is None
    assert len(f"unsubscribe+{token}") <= 64


@given(
    st.integers(0, 1 << 40), st.integers(0, 28), st.sampled_from("abcdefghijklmnopqrstuvwxyz234567")
)
def test_a_token_with_another_letter_is_none(attempt_id: int, place: int, letter: str) -> None:
    token = TOKENS.make(attempt_id)
    other = token[:place] + letter + token[place + 1 :]
    assert (TOKENS.read(other) is None) == (other != token)
