"""Encryption and the signed word, by the examples of the standards and by somebody else's code."""

import json
from base64 import urlsafe_b64decode
from datetime import timedelta

import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
)
from hypothesis import given
from hypothesis import strategies as st

from loyalty.clock import VirtualClock
from messaging.channels.webpush.encryption import TEXT_BYTES_MAX, encrypt, spell, unspell
from messaging.channels.webpush.vapid import KeyRefusedError, Vapid, VapidKey
from tests.messaging.channels.webpush.push_service import BrowserKeys

BROWSER = BrowserKeys()


def private(scalar: str) -> ec.EllipticCurvePrivateKey:
    return ec.derive_private_key(int.from_bytes(unspell(scalar), "big"), ec.SECP256R1())


def test_the_example_of_rfc_8291() -> None:
    content = encrypt(
        b"When I grow up, I want to be a watermelon",
        p256dh=unspell(
            "BCVxsr7N_eNgVRqvHtD0zTZsEc6-VV-JvLexhqUzORcxaOzi6-AYWXvTBHm4bjyPjs7Vd8pZGH6SRpkNtoIAiw4"
        ),
        auth=unspell("BTBZMqHH6r4Tts7J_aSIgg"),
        salt=unspell("DGv6ra1nlYgDCS1FRnbzlw"),
        sender=private("yfWPiYE-n46HLnH0KqZOF1fJJU3MYrct3AELtAQ-oRw"),
    )
    assert spell(content) == (
        "DGv6ra1nlYgDCS1FRnbzlwAAEABBBP4z9KsN6nGRTbVYI_c7VJSPQTBtkgcy27mlmlMoZIIgDll6e3vCYLoc"
        "InmYWAmS6TlzAC8wEqKK6PBru3jl7A_yl95bQpu6cVPTpK4Mqgkf1CXztLVBSt2Ks3oZwbuwXPXLWyouBWLV"
        "WGNWQexSgSxsj_Qulcy4a-fN"
    )


@given(st.text(max_size=900))
def test_the_browser_reads_what_was_written(text: str) -> None:
    written = json.dumps(text).encode()[:TEXT_BYTES_MAX]
    if len(written) < TEXT_BYTES_MAX:
        content = encrypt(written, p256dh=unspell(BROWSER.p256dh), auth=BROWSER.auth)
        assert BROWSER.read(content) == text


def test_it_fills_what_a_push_service_takes_and_no_more() -> None:
    keys = {"p256dh": unspell(BROWSER.p256dh), "auth": BROWSER.auth}
    assert len(encrypt(b"x" * TEXT_BYTES_MAX, **keys)) == 4096
    with pytest.raises(ValueError, match="3993"):
        encrypt(b"x" * (TEXT_BYTES_MAX + 1), **keys)


def test_no_two_are_alike() -> None:
    keys = {"p256dh": unspell(BROWSER.p256dh), "auth": BROWSER.auth}
    first, second = encrypt(b"x", **keys), encrypt(b"x", **keys)
    assert first[:16] != second[:16]  # the salt
    assert first[21:86] != second[21:86]  # our key


@pytest.mark.parametrize("text", ["", "AQID", "AQI", "AQI=", "_-8"])
def test_padding_may_be_there_or_not(text: str) -> None:
    assert unspell(text) == urlsafe_b64decode(text.rstrip("=") + "=" * (-len(text.rstrip("=")) % 4))


@pytest.mark.parametrize("text", ["A", "AQ D", "AQ+D", "AQ/D", "é", "AQID\n", "AR"])
def test_what_is_not_base64url_is_refused(text: str) -> None:
    with pytest.raises(ValueError):  # noqa: PT011 - binascii's words are its own
        unspell(text)


class TestKeys:
    def test_a_key_can_be_spelled_and_read(self) -> None:
        key = VapidKey.new()
        assert VapidKey.read(f" {key.spelled}\n").public == key.public
        assert len(unspell(key.public)) == 65

    def test_pem_in_one_line_or_in_many(self) -> None:
        made = ec.generate_private_key(ec.SECP256R1())
        pem = made.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode()
        public = VapidKey.read(pem).public
        assert VapidKey.read(pem.replace("\n", "\\n")).public == public

    @pytest.mark.parametrize("text", ["", "x", "AQID", "-----BEGIN PRIVATE KEY-----", "A" * 43])
    def test_what_is_none_is_refused(self, text: str) -> None:
        with pytest.raises(KeyRefusedError):
            VapidKey.read(text)

    def test_another_curve_is_refused(self) -> None:
        other = ec.generate_private_key(ec.SECP384R1())
        pem = other.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode()
        with pytest.raises(KeyRefusedError, match="P-256"):
            VapidKey.read(pem)

    def test_a_push_service_gets_one_word_until_it_grows_old(self, clock: VirtualClock) -> None:
        vapid = Vapid(VapidKey.new(), "mailto:x@kapsula.example", clock)
        first = vapid.authorization("https://push.example")
        assert vapid.authorization("https://push.example") == first
        assert vapid.authorization("https://other.example") != first
        clock.set(clock.now() + timedelta(hours=7))
        assert vapid.authorization("https://push.example") != first
