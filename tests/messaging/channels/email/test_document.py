"""The page around the words, and the words without the page."""

import html
import re
import time
from html.parser import HTMLParser

import pytest
from hypothesis import given
from hypothesis import strategies as st

from messaging.channels.email.document import is_document, mail_document
from messaging.templates.plain import plain_text


class Seen(HTMLParser):
    """What a reader's program makes of a page: tags in order, and links."""

    def __init__(self) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.links: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.links += [value or "" for name, value in attrs if name == "href"]


def seen(page: str) -> Seen:
    reader = Seen()
    reader.feed(page)
    reader.close()
    return reader


def page_of(subject: str = "s", fragment: str = "<b>x</b>", **more: str) -> str:
    values = {"brand": "Капсула", "language": "ru"} | more
    return mail_document(subject, fragment, **values)


def test_it_is_a_page_for_phones_and_for_the_dark() -> None:
    page = page_of()
    assert is_document(page)
    assert '<html lang="ru"' in page
    assert "width=device-width" in page
    assert "prefers-color-scheme: dark" in page
    assert "supported-color-schemes" in page
    assert "fonts.googleapis" not in page
    assert max(map(len, page.split("\n"))) < 900
    assert len(page) < 5_000, "it is sent with every mail"


def test_its_foot_has_the_ways_out_that_there_are() -> None:
    leave, choose = "https://s.example/l?a=1&b=2", "https://s.example/p"
    assert seen(page_of()).links == []
    assert seen(page_of(unsubscribe_url=leave)).links == [leave]
    both = page_of(unsubscribe_url=leave, preferences_url=choose, language="en")
    assert seen(both).links == [choose, leave]
    assert "Unsubscribe" in both
    assert "Отписаться" in page_of(unsubscribe_url=leave)


@given(st.text() | st.sampled_from(['"><script>', "</title><b>", "@@content@@", "@@@@subject@@"]))
def test_nothing_that_is_filled_in_makes_a_tag_or_another_place(text: str) -> None:
    plain = seen(page_of(unsubscribe_url="https://x.example")).tags
    assert seen(page_of(text, unsubscribe_url="https://x.example")).tags == plain
    assert seen(page_of(preview=text, unsubscribe_url="https://x.example")).tags == plain
    linked = seen(page_of(unsubscribe_url="https://x.example/" + text))
    assert linked.tags == plain
    if "\r" not in text and "\x00" not in text:
        assert linked.links == ["https://x.example/" + text]


@pytest.mark.parametrize("brand", ["A & B <c>", '"', "@@content@@", "{x}", "</mj-text>", "{"])
def test_any_brand_is_only_a_brand(brand: str) -> None:
    page = page_of(brand=brand, fragment="<b>words</b>")
    assert page.count("<b>words</b>") == 1
    assert seen(page).tags == seen(page_of()).tags
    assert html.escape(brand.replace("@@", "@ @")) in page


def test_line_breaks_of_a_chat_count_and_those_of_a_page_do_not() -> None:
    assert "one<br>\ntwo" in page_of(fragment="one\ntwo")
    assert "<p>one\ntwo</p>" in page_of(fragment="<p>one\ntwo</p>")
    assert "<span>secret</span>" in page_of(fragment="<tg-spoiler>secret</tg-spoiler>")


def test_a_head_of_a_table_stands_where_it_says() -> None:
    page = page_of(fragment='<table><tr><th>a</th><th align="right">b</th></tr></table>')
    assert '<th style="padding:6px 0;text-align:left">a' in page
    assert '<th style="padding:6px 0" align="right">b' in page


@pytest.mark.parametrize(
    ("markup", "whole"),
    [
        ("<!doctype html><p>x", True),
        ("\n <!-- x --> <HTML lang=ru>", True),
        ("<b>x</b>", False),
        ("<htmlx>", False),
        ("words about <html>", False),
    ],
)
def test_what_is_a_whole_page(markup: str, whole: bool) -> None:
    assert is_document(markup) == whole


@pytest.mark.parametrize(
    ("markup", "text"),
    [
        ("<p>one</p><p>two</p>", "one\n\ntwo"),
        ("one<br>two<br/>three", "one\ntwo\nthree"),
        ("a   b\n c", "a b c"),
        ("&lt;b&gt; &amp; &quot;x&quot; &nbsp; y", '<b> & "x" y'),
        ('<a href="https://x.example/a?b&amp;c">go</a>', "go (https://x.example/a?b&c)"),
        ('<a href="https://x.example">https://x.example</a>', "https://x.example"),
        ('<a href="mailto:a@b.example">a@b.example</a>', "a@b.example"),
        ('<a href="tel:+7900"><b>call</b> us</a>', "call us (tel:+7900)"),
        ('<a href="javascript:x()">x</a>', "x"),
        ('<a href="https://x.example"><img src=x alt="logo"></a>', "logo (https://x.example)"),
        ("<ul><li>one</li><li>two</li></ul>", "- one\n- two"),
        ("<table><tr><td>a</td><td>b</td></tr><tr><td>c</td></tr></table>", "a b\nc"),
        ("<style>p{}</style><title>t</title><script>x</script>y<!-- no -->", "y"),
        ('<div style="color:red; display: none">hidden</div>shown', "shown"),
        ("1 < 2 and 3 > 2", "1 < 2 and 3 > 2"),
    ],
)
def test_words_without_the_page(markup: str, text: str) -> None:
    assert plain_text(markup) == text


def test_words_of_a_chat_keep_their_lines() -> None:
    assert plain_text("<b>one</b>\n\ntwo  three", breaks_kept=True) == "one\n\ntwo three"


def test_a_page_of_ours_reads_well_as_text() -> None:
    page = page_of("Чек", "<b>Чек № 5</b>\nНачислено", unsubscribe_url="https://x.example/l")
    text = plain_text(page)
    assert "Чек № 5\nНачислено" in text
    assert "Отписаться (https://x.example/l)" in text
    assert "color-scheme" not in text
    assert text.count("Чек № 5") == 1


@given(st.text())
def test_any_markup_gives_some_text(markup: str) -> None:
    plain_text(markup)
    plain_text(markup, breaks_kept=True)


@pytest.mark.parametrize(
    "piece",
    [
        "<a",
        "<div ",
        "<!--",
        "<!-- -->",
        "<style>",
        "<div style=display",
        "  ",
        " \n",
        "&",
        "</a>",
        "<a>",
    ],
)
def test_no_markup_takes_long(piece: str) -> None:
    markup = piece * 40_000 + "</a>" * 40_000
    started = time.process_time()
    plain_text(markup)
    plain_text(markup, breaks_kept=True)
    is_document(markup)
    assert time.process_time() - started < 2


def test_tags_of_a_template_have_their_looks_with_them() -> None:
    fragment = (
        '<h2>T</h2><table><tr><td align="right">1</td><td style="color:red">2</td></tr></table>'
        '<p><a class="button" href="https://shop.example/?a=1">Go</a> <a href="tel:+7">call</a></p>'
    )
    page = mail_document("S", fragment, brand="B", language="en")
    assert '<h2 style="line-height:1.25">T</h2>' in page
    assert '<td style="padding:6px 0;border-bottom:1px solid #aab4b9" align="right">1</td>' in page
    assert '<td style="color:red">2</td>' in page
    assert re.search(r'<a class="button" style="[^"]+" href="https://shop.example/\?a=1">', page)
    assert '<a href="tel:+7">call</a>' in page
