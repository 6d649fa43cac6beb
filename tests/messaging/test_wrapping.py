"""Links become clicks of ours, and nothing else in a body changes."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from messaging.channels.email.document import mail_document
from messaging.links import LINKS_MAX, SHORT_LENGTH, TRAP_NTH, Links
from messaging.policy.hits import Kind
from messaging.templates import Body
from messaging.templates.plain import plain_text
from messaging.wrapping import LinkRow, Tracked, is_web_address, track
from tests.conftest import SECRET

BASE = "https://k.example"
LINKS = Links(SECRET, BASE)
ATTEMPT = (1 << 62) + 12345
CLICK = re.compile(r"https://k\.example/c/([0-9A-Za-z]{19})")


def tracked(
    body: Body, channel: str = "messenger", topic: str = "marketing", **more: object
) -> Tracked:
    return track(body, LINKS, attempt_id=ATTEMPT, channel=channel, topic=topic, **more)  # type: ignore[arg-type]


def resolved(text: str, rows: tuple[LinkRow, ...]) -> str:
    """The text with each click as `[number]`."""
    known = {row.nth for row in rows}

    def number(found: re.Match[str]) -> str:
        read = LINKS.hits.read(Kind.CLICK, found[1])
        assert read is not None
        assert read[0] == ATTEMPT
        assert read[1] in known
        return f"[{read[1]}]"

    return CLICK.sub(number, text)


CHAT = [
    ("no links", "no links", []),
    ('<a href="https://s.example/a">x</a>', '<a href="[0]">x</a>', ["https://s.example/a"]),
    ("<a href='https://s.example/a'>x</a>", '<a href="[0]">x</a>', ["https://s.example/a"]),
    (
        '<a href="https://s.example/?a=1&amp;b=2">x</a>',
        '<a href="[0]">x</a>',
        ["https://s.example/?a=1&b=2"],
    ),
    (
        "see https://s.example/a, now",
        'see <a href="[0]">https://s.example/a</a>, now',
        ["https://s.example/a"],
    ),
    (
        '<a href="https://s.example/a">https://s.example/a</a> and <b>https://s.example/b</b>.',
        '<a href="[0]">https://s.example/a</a> and <b><a href="[1]">https://s.example/b</a></b>.',
        ["https://s.example/a", "https://s.example/b"],
    ),
    (
        '<a href="https://s.example/a"><b>bold</b> https://s.example/z</a>',
        '<a href="[0]"><b>bold</b> https://s.example/z</a>',
        ["https://s.example/a"],
    ),
    ("(https://s.example/a_(b))", '(<a href="[0]">https://s.example/a_(b)</a>)',
     ["https://s.example/a_(b)"]),
    ('<a href="mailto:a@s.example">x</a>', '<a href="mailto:a@s.example">x</a>', []),
    ('<a href="tel:+79001234567">x</a>', '<a href="tel:+79001234567">x</a>', []),
    ('<a href="javascript:alert(1)">x</a>', '<a href="javascript:alert(1)">x</a>', []),
    ('<a href="https://u:p@s.example/">x</a>', '<a href="https://u:p@s.example/">x</a>', []),
    (f'<a href="{BASE}/p/abc">x</a>', f'<a href="{BASE}/p/abc">x</a>', []),
    ("http://", "http://", []),
]  # fmt: skip


@pytest.mark.parametrize(("before", "after", "targets"), CHAT, ids=[each[0][:40] for each in CHAT])
def test_links_of_a_chat(before: str, after: str, targets: list[str]) -> None:
    found = tracked(Body(before))
    assert resolved(found.body.html, found.rows) == after
    assert [row.url for row in found.rows] == targets


def test_an_sms_has_the_short_link_in_its_text() -> None:
    found = tracked(Body("Скидка 10 %: https://shop.example/very/long/address?utm=sms."), "sms")
    assert resolved(found.body.plain, found.rows) == "Скидка 10 %: [0]."
    [link] = CLICK.findall(found.body.plain)
    assert len(link) == SHORT_LENGTH


def test_an_sms_of_markup_keeps_its_words() -> None:
    found = tracked(Body("<b>Скидка</b> &amp; подарок https://s.example/a"), "sms")
    assert resolved(found.body.plain, found.rows) == "Скидка & подарок [0]"


def test_the_same_address_is_one_link_in_page_and_text() -> None:
    page = '<html><body><a style="x" href="https://s.example/a">x</a></body></html>'
    found = tracked(Body(page, subject="S", text="go: https://s.example/a"), "email")
    assert found.body.subject == "S"
    assert resolved(found.body.text, found.rows) == "go: [0]"
    assert [(row.nth, row.url) for row in found.rows] == [
        (0, "https://s.example/a"), (TRAP_NTH, "https://s.example/a"),
    ]  # fmt: skip


def test_a_mail_has_a_point_and_a_trap_that_its_reader_does_not_see() -> None:
    page = mail_document(
        "S", '<p><a href="https://s.example/a">x</a></p>', brand="B", language="ru"
    )
    found = tracked(Body(page, "S"), "email")
    assert re.search(r'<img src="https://k\.example/o/\w{19}\.gif" width="1"', found.body.html)
    assert found.body.html.count(f"{BASE}/c/") == 2
    text = plain_text(found.body.html)
    assert resolved(text, found.rows).count("[") == 1, "the trap is in no text"


def test_the_words_of_a_mail_keep_their_line_breaks() -> None:
    found = tracked(Body("<b>Hello</b>\nsecond line", "S"), "email")
    document = mail_document("S", found.body.html, brand="B", language="ru")
    assert "<b>Hello</b><br>\nsecond line<img" in document
    assert plain_text(found.body.html, breaks_kept=True) == "Hello\nsecond line"


@pytest.mark.parametrize("channel", ["messenger", "email", "sms", "webpush"])
def test_service_goes_out_as_it_is(channel: str) -> None:
    body = Body('<a href="https://s.example/a">x</a> https://s.example/b')
    assert tracked(body, channel, "service") == Tracked(body)
    assert tracked(body, channel, "service", asked=True).rows


def test_who_may_leave_has_a_link_for_it() -> None:
    for_her = tracked(Body("x"), "email", "marketing", customer_id=77)
    read = LINKS.leaving.read(for_her.unsubscribe_url.rsplit("/", 1)[1])
    assert read == ATTEMPT
    assert LINKS.preferring.read(for_her.preferences_url.rsplit("/", 1)[1]) == 77
    stranger = tracked(Body("x"), "email", "survey")
    assert stranger.unsubscribe_url
    assert stranger.preferences_url == ""
    assert tracked(Body("x"), "email", "service", customer_id=77).unsubscribe_url == ""


def test_only_declared_links_when_some_are() -> None:
    body = Body("https://s.example/a https://evil.example/b")
    found = tracked(body, "sms", declared={"https://s.example/a"})
    assert resolved(found.body.text, found.rows) == "[0] https://evil.example/b"


def test_more_links_than_fit_stay_as_they_are() -> None:
    addresses = [f"https://s.example/{n}" for n in range(LINKS_MAX + 3)]
    found = tracked(Body(" ".join(addresses)), "sms")
    assert len(found.rows) == LINKS_MAX
    assert found.body.text.endswith(" ".join(addresses[LINKS_MAX:]))


@pytest.mark.parametrize(
    ("url", "fit"),
    [
        ("https://s.example/a", True),
        ("http://s.example", True),
        ("https://аптека.рф/скидки", True),
        ("https://s.example:99999/", False),
        ("https:///a", False),
        ("https://s.example/a\nb", False),
        ("https://s.example/a b", False),
        ("https://s.example\\@evil.example/", False),
        ("ftp://s.example/", False),
        ("https://[::1", False),
    ],
)
def test_where_a_browser_may_be_sent(url: str, fit: bool) -> None:
    assert is_web_address(url) is fit


@given(st.text(max_size=300))
def test_any_text_survives(text: str) -> None:
    """Whatever is no link of the web comes out as it went in."""
    for channel in ("messenger", "sms", "email"):
        found = tracked(Body(text, text=text), channel)
        if not found.rows:
            assert found.body.text == text
            assert found.body.html.startswith(
                text[: text.rfind("</body>")] if "</body>" in text else text
            )


@given(st.integers(0, (1 << 63) - 1), st.integers(0, TRAP_NTH), st.sampled_from(["click", "open"]))
def test_tokens_come_back(attempt_id: int, nth: int, kind: str) -> None:
    token = LINKS.hits.make(Kind(kind), attempt_id, nth)
    assert len(token) == SHORT_LENGTH
    assert LINKS.hits.read(Kind(kind), token) == (attempt_id, nth)
    other = Kind.OPEN if kind == "click" else Kind.CLICK
    assert LINKS.hits.read(other, token) is None


@given(st.text(max_size=40))
def test_no_invented_token_is_ours(token: str) -> None:
    for kind in (Kind.CLICK, Kind.OPEN):
        assert LINKS.hits.read(kind, token) is None


def test_a_token_with_any_letter_changed_is_forged() -> None:
    token = LINKS.hits.make(Kind.CLICK, ATTEMPT, 3)
    for i in range(len(token)):
        for letter in "0aZz":
            changed = token[:i] + letter + token[i + 1 :]
            assert changed == token or LINKS.hits.read(Kind.CLICK, changed) is None


def test_links_of_one_kind_open_no_other_page() -> None:
    token = LINKS.leaving.make(77)
    assert LINKS.preferring.read(token) is None
    assert LINKS.confirming.read(token) is None
