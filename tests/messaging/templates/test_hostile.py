"""Whatever a context holds: no tag of its own, no header of its own, no hang, no other error."""

import html
import re
from collections.abc import Iterable
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from markupsafe import escape

from loyalty.clock import VirtualClock
from messaging.channels.base import Outgoing
from messaging.channels.email.mime import Composer, Sender
from messaging.channels.email.tokens import Tokens
from messaging.templates import CHANNELS, Body, Reader, TemplateError
from messaging.templates.book import built_in
from messaging.templates.definition import Template, Variable
from messaging.templates.markup import EMAIL, TELEGRAM, Subset, faults
from messaging.templates.outline import Written
from messaging.templates.plain import plain_text
from messaging.templates.samples import usual
from messaging.templates.values import values_of

PIECES = ("<", ">", "&", '"', "'", "</b>", "<script>", "javascript:", "\r\n", "\n", "\0", "\x1b",
          "{{", "}}", "{%", "%}", "{0}", "%s", "Bcc: x@example.com", "=?utf-8?q?", "--", "\ud800",
          "\u202e", "&#", "&amp;", "@@content@@", "слово", "𝔸")  # fmt: skip
texts = st.lists(st.sampled_from(PIECES) | st.text(max_size=5), max_size=12).map("".join)
anything = st.recursive(
    texts | st.integers() | st.floats() | st.none() | st.booleans(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(texts, inner, max_size=2),
    max_leaves=4,
)
COMPOSER = Composer(
    Sender(address="news@shop.example", name="Shop", brand="Shop"),
    Tokens(b"a key of the tests"),
    clock=VirtualClock(datetime(2026, 1, 1, tzinfo=UTC)),
)
TAG = re.compile(r"</?([a-zA-Z][a-zA-Z0-9-]*)")
READERS = st.sampled_from(("ru", "en", "", "xx")).map(lambda language: Reader(language, "UTC"))


def tags(markup: str) -> list[str]:
    return TAG.findall(markup)


def hostile(template: Template) -> st.SearchStrategy[dict[str, Any]]:
    """Any text where the template takes text; its own samples elsewhere."""

    def values(variable: Variable, sample: Any) -> st.SearchStrategy[Any]:
        if variable.kind not in ("text", "medicine"):
            return st.just(sample)
        return st.lists(texts, max_size=3) if variable.many else texts

    start = usual(template, "ru")
    return st.fixed_dictionaries({n: values(v, start[n]) for n, v in template.variables.items()})


@pytest.mark.parametrize("name", sorted(built_in()))
@settings(max_examples=60, deadline=None)
@given(data=st.data(), reader=READERS)
def test_hostile_texts_stay_texts(name: str, data: st.DataObject, reader: Reader) -> None:
    writer = built_in()[name]
    context = data.draw(hostile(writer.template))
    for channel in CHANNELS:
        try:
            body = writer.write(context, reader, channel)
        except TemplateError:
            continue
        assert list(faults(body.html, EMAIL if channel == "email" else TELEGRAM)) == []
        assert not set("\r\n") & set(body.subject)
        meek = writer.write(harmless(writer.template, context), reader, channel)
        assert tags(body.html) == tags(meek.html)
        if channel == "email":
            sent_as_one_mail(body)


def harmless(template: Template, context: dict[str, Any]) -> dict[str, Any]:
    """The same with an `x` for each text, so that the same branches are taken."""
    found = dict(context)
    for name, value in values_of(template, context).items():
        if template.variables[name].kind == "text":
            found[name] = ["x" for _ in value] if isinstance(value, list) else value and "x"
    return found


@settings(max_examples=200, deadline=None)
@given(scheme=st.sampled_from(("https://", "http://", "", "javascript:")), rest=texts)
def test_an_address_that_is_taken_is_a_link_and_no_more(scheme: str, rest: str) -> None:
    writer = built_in()["offer"]
    context = {**usual(writer.template, "ru"), "link": scheme + rest}
    for channel in ("messenger", "email"):
        try:
            body = writer.write(context, Reader("ru"), channel)
        except TemplateError:
            continue
        [address] = re.findall(r'href="([^"]*)"', body.html)
        assert html.unescape(address) == scheme + rest
        assert scheme.startswith("http") or rest.startswith("http")


def sent_as_one_mail(body: Body) -> None:
    """The header has our fields alone, each once, and the body comes after it."""
    outgoing = Outgoing(
        message_id=1, attempt_id=1, address_kind="email", address="a@b.example", body=body,
        topic="marketing", unsubscribe_url="https://shop.example/u",
    )  # fmt: skip
    head = COMPOSER.compose(outgoing).content.partition(b"\r\n\r\n")[0].decode()
    names = [line.partition(":")[0] for line in head.split("\r\n") if line[:1] not in (" ", "\t")]
    assert len(names) == len(set(names))
    assert "Bcc" not in names
    assert names[:4] == ["From", "To", "Subject", "Date"]


@pytest.mark.parametrize("name", sorted(built_in()))
@settings(max_examples=60, deadline=None)
@given(data=st.data(), reader=READERS, channel=st.sampled_from((*CHANNELS, "pigeon")))
def test_any_context_gives_a_body_or_a_template_error(
    name: str, data: st.DataObject, reader: Reader, channel: str
) -> None:
    writer = built_in()[name]
    keys = sorted(writer.template.variables)
    context = data.draw(st.fixed_dictionaries({}, optional=dict.fromkeys(keys, anything)))
    try:
        body = writer.write(context, reader, channel)
    except TemplateError:
        return
    assert isinstance(body.plain, str)
    body.html.encode()  # no half of a character is left
    body.subject.encode()


MARKUP = ("<b>", "</b>", "<i>", "</i>", "<p>", "</p>", "<br>", "<br/>", "<a>", "</a>", "<img>",
          "< b>", "<b >", "<b x>", '<a href="https://a.example">', '<a\thref="https://a.example">',
          '<a href="https://a.example" href="https://b.example">', '<a\nonclick="x">', "<span>",
          '<a href="', '<a href="mailto:', '<img src="https://x.example" alt="', '">', '"', "<td ",
          '<a href="javascript:x">', '<td align="left">', "<td\tx>", "<3", ">", "<", "&", "&amp;",
          "&nbsp;", " ", "\n", "<ul>", "<li>", "</li>", "</ul>", "<tr>", "</tr>", "</td>", "</p>",
          "\ue000" "0" "\ue001", "г.", ".", "слово")  # fmt: skip
"""What a template may be glued from: right, wrong, and nearly right."""
SAID = ("", " ", "\n", "\xa0 x", "a  b", "<b>", '"', "&", "&amp;", "amp;", "https://b.example",
        "a@b.example", "javascript:x", "1", "г.", ".", "\ue000" "1" "\ue001", "слово")  # fmt: skip
glue = st.sampled_from(MARKUP) | st.sampled_from(SAID).map(escape)
LINKED = ('<p><a href="', "https://b.example", "?x=", "a b", '">', "a@b.example", "</a></p>")


def as_written(words: Iterable[str]) -> list[str]:
    return [escape(each) if n % 2 else each for n, each in enumerate(words)]


@settings(max_examples=2500, deadline=None)
@given(pieces=st.lists(glue, max_size=9), subset=st.sampled_from((TELEGRAM, EMAIL)))
@example(as_written(LINKED), EMAIL)
@example(as_written([*LINKED[:3], "1", *LINKED[4:]]), EMAIL)
@example(as_written(['<a href="mailto:', "a@b.example", '">', "a@b.example", "</a>"]), EMAIL)
@example(as_written(['<img src="https://x.example" alt="', 'a "b" &\n c', '">']), EMAIL)
def test_what_is_known_of_the_pieces_holds_for_the_whole(pieces: list[str], subset: Subset) -> None:
    written = Written(pieces, subset)
    whole = list(faults(written.markup, subset))
    assert bool(list(written.faults())) == bool(whole)
    if subset is EMAIL and not whole:
        assert written.text() == plain_text(written.markup)
