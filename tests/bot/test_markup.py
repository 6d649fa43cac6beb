"""The HTML subset: what it becomes, and what is refused."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.webchat.markup import MarkupError, parse, runs, safe_link, utf16_length


@pytest.mark.parametrize(
    ("html", "shown"),
    [
        ("plain", [{"text": "plain"}]),
        ("  <b>bold</b> ", [{"text": "bold", "styles": ["bold"]}]),
        (
            "a<b>b<i>c</i></b>",
            [
                {"text": "a"},
                {"text": "b", "styles": ["bold"]},
                {"text": "c", "styles": ["bold", "italic"]},
            ],
        ),
        ("1 &lt; 2 &amp;&amp; &quot;x&quot;", [{"text": '1 < 2 && "x"'}]),
        ("&lt;script&gt;", [{"text": "<script>"}]),
        ('<a href="https://x.ru/?a=1&amp;b=2">x</a>',
         [{"text": "x", "href": "https://x.ru/?a=1&b=2"}]),
        ('<a href="javascript:alert(1)">x</a>', [{"text": "x"}]),
        ('<a href=" JaVaScript:alert(1)">x</a>', [{"text": "x"}]),
        ('<a href="data:text/html,x">x</a>', [{"text": "x"}]),
        ('<a href="tel:+79001234567">☎</a>', [{"text": "☎", "href": "tel:+79001234567"}]),
        ("🎁 <b>100</b>", [{"text": "🎁 "}, {"text": "100", "styles": ["bold"]}]),
        ("см. https://x.ru/a, да", [{"text": "см. "}, {"text": "https://x.ru/a",
          "href": "https://x.ru/a"}, {"text": ", да"}]),
    ],
)  # fmt: skip
def test_what_is_shown(html: str, shown: list[dict[str, object]]) -> None:
    marked = parse(html)
    assert runs(marked.text, marked.entities) == shown


@pytest.mark.parametrize(
    "html",
    ["<script>x</script>", "<b>x", "x</b>", "<b><i>x</b></i>", "<img src=x>", "a & b", "<br/>",
     "<!-- x -->", "&nbsp;", "<b/>", "<div>x</div>", "<?php ?>", "<!DOCTYPE html>"],
)  # fmt: skip
def test_what_is_refused(html: str) -> None:
    with pytest.raises(MarkupError):
        parse(html)


@pytest.mark.parametrize("url", ["javascript:x", "//x.ru", "x", "", "file:///etc", "http", "[x"])
def test_links_that_are_not_opened(url: str) -> None:
    assert safe_link(url) is None


@given(st.text(st.characters(exclude_categories=["Cs"])))
def test_escaped_text_comes_out_as_it_went_in(text: str) -> None:
    escaped = text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
    marked = parse(escaped)
    assert "".join(run["text"] for run in runs(marked.text, marked.entities)) == text.strip()


@given(st.text())
def test_no_text_makes_the_parser_fall(text: str) -> None:
    try:
        marked = parse(text)
    except MarkupError:
        return
    end = utf16_length(marked.text)
    assert all(e["offset"] >= 0 and e["offset"] + e["length"] <= end for e in marked.entities)
