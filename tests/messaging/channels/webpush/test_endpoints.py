"""Whom a stranger may have us post to: the push services that are known, and nobody else."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from yarl import URL

from messaging.channels.webpush.endpoints import Services, read_keys
from tests.messaging.channels.webpush.push_service import BrowserKeys, b64

KNOWN = Services()
OWN = Services("push.kapsula.example *.push.apple.com http://127.0.0.1:9000")
BROWSER = BrowserKeys()


@pytest.mark.parametrize(
    ("endpoint", "origin"),
    [
        (
            "https://fcm.googleapis.com/fcm/send/cX1:APA91b-_x",
            "https://fcm.googleapis.com",
        ),
        (
            "https://updates.push.services.mozilla.com/wpush/v2/gAAAA",
            "https://updates.push.services.mozilla.com",
        ),
        ("https://web.push.apple.com/QGx-_y", "https://web.push.apple.com"),
        (
            "https://wns2-par02p.notify.windows.com/w/?token=BQYA%2fb%3d%3d",
            "https://wns2-par02p.notify.windows.com",
        ),
    ],
)
def test_the_browsers_push_services_are_known(endpoint: str, origin: str) -> None:
    assert KNOWN.origin_of(endpoint) == origin


@pytest.mark.parametrize(
    "endpoint",
    [
        "",
        "https://fcm.googleapis.com",
        "https://fcm.googleapis.com/",
        "http://fcm.googleapis.com/fcm/send/x",
        "HTTPS://fcm.googleapis.com/fcm/send/x",
        "https://fcm.googleapis.com:8443/fcm/send/x",
        "https://fcm.googleapis.com:443/fcm/send/x",
        "https://fcm.googleapis.com.evil.example/x",
        "https://evil.example/fcm.googleapis.com/x",
        "https://evilfcm.googleapis.com/x",
        "https://evil-notify.windows.com/x",
        "https://notify.windows.com/x",
        "https://x@fcm.googleapis.com/x",
        "https://fcm.googleapis.com@evil.example/x",
        "https://fcm.googleapis.com\\@evil.example/x",
        "https://evil.example\\.push.apple.com/x",
        "https://evil.example#.push.apple.com/x",
        "https://evil.example?.push.apple.com/x",
        "https://127.0.0.1/x",
        "https://[::1]/x",
        "https://localhost/x",
        "https://169.254.169.254/latest/meta-data",
        "https://10.0.0.1/x",
        "https://2130706433/x",
        "https://web.push.apple.com/x y",
        "https://web.push.apple.com/x\r\nHost: evil.example",
        "https://web.push.apple.com/x\0",
        "https://web.push.apple.com/ж",
        "https://web.push.apple.com/x#y",
        "https://web.push.apple.com/" + "x" * 1_000,
        "javascript:alert(1)",
        "file:///etc/passwd",
        "gopher://fcm.googleapis.com/x",
    ],
)
def test_nothing_else_is(endpoint: str) -> None:
    assert KNOWN.origin_of(endpoint) is None


def test_a_push_service_of_ones_own() -> None:
    assert OWN.origin_of("http://127.0.0.1:9000/push/x") == "http://127.0.0.1:9000"
    assert OWN.origin_of("https://push.kapsula.example/x") == "https://push.kapsula.example"
    assert OWN.origin_of("http://127.0.0.1:9001/push/x") is None
    assert OWN.origin_of("http://push.kapsula.example/x") is None
    assert OWN.origin_of("https://fcm.googleapis.com/x") is None


@given(st.text(max_size=60), st.sampled_from(["https://{}fcm.googleapis.com/x", "https://{}/x",
       "https://web.push.apple.com{}", "https://web.push.apple.com/{}"]))  # fmt: skip
def test_what_is_taken_is_posted_there(text: str, form: str) -> None:
    """The HTTP client reads the same host out of it as we do."""
    endpoint = form.format(text)
    if (origin := KNOWN.origin_of(endpoint)) is not None:
        url = URL(endpoint, encoded=True)
        assert str(url.origin()) == origin
        assert url.scheme == "https"
        assert (url.user, url.explicit_port) == (None, None)


@pytest.mark.parametrize("word", ["*", "push", "https://", "https://push.example/x", "a.b c_d.e"])
def test_a_wrong_word_is_named(word: str) -> None:
    with pytest.raises(ValueError, match="is neither a host nor an origin"):
        Services(word)


def test_keys_of_a_browser() -> None:
    keys = read_keys(**BROWSER.given)
    assert keys is not None
    assert (keys.p256dh[0], len(keys.p256dh), keys.auth) == (4, 65, BROWSER.auth)
    assert read_keys(BROWSER.p256dh + "=", b64(BROWSER.auth) + "==") == keys


@pytest.mark.parametrize(
    ("p256dh", "auth"),
    [
        ("", b64(b"a" * 16)),
        (BROWSER.p256dh, ""),
        (BROWSER.p256dh, b64(b"a" * 15)),
        (BROWSER.p256dh, b64(b"a" * 17)),
        (BROWSER.p256dh[:-4], b64(b"a" * 16)),
        (b64(b"\x04" + b"\x01" * 64), b64(b"a" * 16)),  # no point of the curve
        (b64(b"\x00" * 65), b64(b"a" * 16)),
        (b64(b"\x02" + b"\x01" * 32), b64(b"a" * 16)),  # compressed
        ("ж" * 87, b64(b"a" * 16)),
        (BROWSER.p256dh + "\n", b64(b"a" * 16)),
    ],
)
def test_keys_that_are_none(p256dh: str, auth: str) -> None:
    assert read_keys(p256dh, auth) is None
