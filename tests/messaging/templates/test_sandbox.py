"""The templates' language: what is understood, what is not, and that nothing of it runs away."""

import time
from collections.abc import Mapping
from typing import Any

import pytest

from messaging.templates import Reader, TemplateError
from messaging.templates.files import read
from messaging.templates.sandbox import Words, compiled, glued, mistakes_in
from messaging.templates.values import LIST_LENGTH_MAX, TEXT_LENGTH_MAX
from messaging.templates.writing import Writer
from tests.messaging.templates.samples import FINE, changed, in_chat, with_words

DECLARED = {"title": False, "n": False, "until": False, "xs": True, "ys": True}
RU, EN = Reader("ru", "Europe/Moscow"), Reader("en")
VALUES: Mapping[str, Any] = {"title": "Мир <b>", "n": 5, "until": None, "xs": ["a", "b"], "ys": []}


def write(source: str, reader: Reader = RU, *, escapes: bool = False, **values: Any) -> str:
    words = compiled(source, DECLARED, escapes=escapes, length_max=2_000)
    return glued(words.pieces({**VALUES, **values}, reader))


@pytest.mark.parametrize(
    ("source", "written"),
    [
        ("{{ title }}", "Мир <b>"),
        ("{{ n + 1 }} {{ n * 2 - 3 }} {{ n // 2 }} {{ n % 2 }} {{ -n }}", "6 7 2 1 -5"),
        ('{{ title ~ "!" if n > 4 and not until else "" }}', "Мир <b>!"),
        ("{% for x in xs %}{{ loop.index }}{{ x }}{{ ',' if not loop.last else '' }}{% endfor %}",
         "1a,2b"),
        ("{% for y in ys %}{{ y }}{% else %}none{% endfor %}", "none"),
        ("{{ xs|join }} {{ xs|length }} {{ xs[1] }}", "a, b 2 b"),
        ('{{ n }} {{ n|plural("день", "дня", "дней") }}', "5 дней"),
        ("{{ title|upper }} {{ title|lower }} {{ 'вот'|capitalize }}", "МИР <B> мир <b> Вот"),
        ('{{ "раз два три"|short(9) }}', "раз два…"),
        ("{{ until|default('-') }} {{ 'x' if until is none else 'y' }}", "- x"),
        ("{{ n }}{# a remark #}", "5"),
        ("{% raw %}{{ x }}{% endraw %}", "{{ x }}"),
        ("a\n{% if n %}\nb\n{% endif %}\nc", "a\nb\nc"),
        ("a\n  {% if n %}{# x #}  \nb\n  {% endif %}\n\nc", "a\nb\n\nc"),
        ("a\n{% if n %} b {% endif %}\nc", "a\n b \nc"),
    ],
)  # fmt: skip
def test_what_is_understood(source: str, written: str) -> None:
    assert list(mistakes_in(source, DECLARED, language="ru")) == []
    assert write(source) == written


@pytest.mark.parametrize(
    ("n", "ru", "en"),
    [(0, "0 пачек", "0 packs"), (1, "1 пачка", "1 pack"), (2, "2 пачки", "2 packs"),
     (5, "5 пачек", "5 packs"), (11, "11 пачек", "11 packs"), (21, "21 пачка", "21 packs"),
     (-1, "-1 пачка", "-1 pack")],
)  # fmt: skip
def test_plural_forms(n: int, ru: str, en: str) -> None:
    assert write('{{ n }} {{ n|plural("пачка", "пачки", "пачек") }}', RU, n=n) == ru
    assert write('{{ n }} {{ n|plural("pack", "packs") }}', EN, n=n) == en


def test_only_where_html_is_meant_it_is_escaped() -> None:
    assert write("<b>{{ title }}</b>{{ '<i>' ~ title }}", escapes=True) == (
        "<b>Мир &lt;b&gt;</b>&lt;i&gt;Мир &lt;b&gt;"
    )
    assert write("{{ title }}") == "Мир <b>"


@pytest.mark.parametrize(
    "source",
    [
        "{{ ''.__class__ }}",
        "{{ title.__class__.__mro__ }}",
        "{{ title['__class__'] }}",
        "{{ title|attr('__class__') }}",
        "{{ title.format(1) }}",
        "{{ range(10) }}",
        "{% for i in range(10**9) %}x{% endfor %}",
        "{% for i in 'abc' %}x{% endfor %}",
        "{% for i in title %}x{% endfor %}",
        "{% for x in xs %}{% for y in ys %}x{% endfor %}{% endfor %}",
        "{% for x in xs recursive %}{{ loop(xs) }}{% endfor %}",
        "{% for a, b in xs %}{% endfor %}",
        "{{ cycler() }}",
        "{{ lipsum(1000) }}",
        "{{ dict(a=1) }}",
        "{{ self }}",
        "{{ loop.index }}",
        "{% set x = 1 %}",
        "{% set x %}1{% endset %}",
        "{% macro m() %}{% endmacro %}",
        "{% include 'x' %}",
        "{% import 'x' as y %}",
        "{% extends 'x' %}",
        "{% block b %}{% endblock %}",
        "{% with %}{% endwith %}",
        "{% filter upper %}x{% endfilter %}",
        "{% autoescape false %}x{% endautoescape %}",
        "{{ title|safe }}",
        "{{ title|e }}",
        "{{ title|replace('a', 'aa') }}",
        "{{ title|center(99999999) }}",
        "{{ '%999999999d'|format(1) }}",
        "{{ xs|map('upper') }}",
        "{{ [1, 2] }}",
        "{{ {'a': 1} }}",
        "{{ (1, 2) }}",
        "{{ 2 ** 99999 }}",
        "{{ 1 / 3 }}",
        "{{ 0.1 + 0.2 }}",
        "{{ title[1:] }}",
        "{{ xs[n] }}",
        "{{ title is defined }}",
        "{{ title is sameas n }}",
        "{{ " + "not " * 60 + "n }}",
    ],
)  # fmt: skip
def test_what_is_not_understood(source: str) -> None:
    assert list(mistakes_in(source, DECLARED, language="ru"))
    with pytest.raises(Exception):  # noqa: B017, PT011 - whoever meets it first refuses it
        write(source)


@pytest.mark.parametrize(
    "source",
    [
        "{{ '%9999999999d' % n }}",
        "{{ 'x' * 9999999999 }}",
        "{{ title * 5 }}",
        "{{ xs + xs }}",
        "{{ xs * 1000 }}",
        "{{ 9999999999 * 9999999999 }}",
        "{{ n // 0 }}",
        "{{ none }}",
        "{{ true }}",
        "{{ until }}",
        "{{ xs }}",
        "{{ xs[7] }}",
        "{{ loop }}",
        "{{ title|points }}",
        "{{ n|upper }}",
        '{{ n|plural("a") }}',
    ],
)
def test_what_breaks_when_it_is_written(source: str) -> None:
    with pytest.raises(Exception):  # noqa: B017, PT011
        write(source)


def test_it_stops_when_it_grows_too_long() -> None:
    words = compiled("{% for x in xs %}" + "а" * 100 + "{% endfor %}", DECLARED, escapes=False,
                     length_max=1_000)  # fmt: skip
    with pytest.raises(Exception, match="longer than 1000"):
        words.pieces({**VALUES, "xs": ["a"] * LIST_LENGTH_MAX}, RU)


@pytest.mark.parametrize(
    "source",
    [
        "{{ " + " ~ ".join(["title"] * 1_000) + " }}",
        "{% for x in xs %}{{ " + " ~ ".join(["title"] * 500) + " }}{% endfor %}",
        "{{ " + "title|upper" + "|lower|upper" * 700 + " }}",
        "{{ xs|join(xs|join(xs|join(title))) }}",
        "{% for x in xs %}" + "{% if n == 7 %}{% endif %}" * 350 + "{% endfor %}",
        "{% if n %}" * 900,
        "{{ " * 3_000,
        "{% " * 3_000,
        "{{ " + "(" * 4_000,
        "{{ " + "-" * 5_000 + "1 }}",
        "{#" * 4_000,
        "{%a%}" * 1_990 + "x",
        "<b " * 3_000,
    ],
)
def test_nothing_takes_long_whatever_is_written(source: str) -> None:
    """Five seconds on a machine with other work; each takes some milliseconds."""
    began = time.process_time()
    try:
        list(mistakes_in(source, DECLARED, language="ru"))
        write(source, title="ы" * TEXT_LENGTH_MAX, xs=["я" * TEXT_LENGTH_MAX] * LIST_LENGTH_MAX)
    except Exception:
        pass
    assert time.process_time() - began < 5


def writer(source: str = FINE) -> Writer:
    template, problems = read(source)
    assert problems == []
    return Writer(template)


CONTEXT = {"title": "T", "n": 1, "link": "https://a.example/x", "products": ["p"]}


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"n": None}, "spring lacks n"),
        ({"n": "5"}, "n is no whole number"),
        ({"n": True}, "n is no whole number"),
        ({"n": 10**30}, "n is no whole number"),
        ({"n": 1.5}, "n is no whole number"),
        ({"title": ["x"]}, "title is no text"),
        ({"title": "x" * 2_001}, "title is longer than 2000"),
        ({"link": "javascript:alert(1)"}, "link is no http"),
        ({"link": 'https://a.example/"x'}, "link is no http"),
        ({"link": "https://a.example/\nx"}, "link is no http"),
        ({"until": "tomorrow"}, "until is no date"),
        ({"products": "p"}, "products is no list"),
        ({"products": ["p"] * 51}, "products is no list"),
        ({"products": [5.0]}, "products is no text"),
    ],
)
def test_a_context_has_to_fit(change: Mapping[str, Any], says: str) -> None:
    with pytest.raises(TemplateError, match=says):
        writer().write({**CONTEXT, **change}, RU)


def test_what_may_be_absent() -> None:
    body = writer(changed(('"list of text"', '"optional list of text"')))
    context = {"title": "T", "n": 21, "link": "https://a.example/?a=1&b=2", "until": None, "x": 5}
    assert body.write(context, RU).html == (
        '<b>T</b>\n21 бонус, 21 пачка <a href="https://a.example/?a=1&amp;b=2">тут</a>'
    )


def test_dates_are_of_the_readers_calendar() -> None:
    late = {**CONTEXT, "until": "2026-02-28T22:30:00+00:00"}
    assert "1 марта" in writer().write(late, RU).plain
    assert "28 февраля" in writer().write(late, Reader("ru", "UTC")).plain
    assert "28 февраля" in writer().write({**CONTEXT, "until": "2026-02-28"}, RU).plain


def test_a_part_that_breaks_takes_no_other_with_it() -> None:
    broken = writer(with_words("{{ title|nonsense }}"))
    for _ in range(2):
        with pytest.raises(TemplateError, match=r"ru\.sms\.text"):
            broken.write(CONTEXT, RU, "sms")
    assert broken.write(CONTEXT, RU).plain.startswith("T")
    assert broken.write(CONTEXT, EN, "sms").plain == "T: 1 point"


def test_markup_that_is_refused_is_not_sent_even_if_nobody_has_checked_it() -> None:
    for words in (
        *("<b>{{ title }}", "<script>{{ title }}</script>", "{{ title }} & co"),
        *("I <3 {{ title }}", "{{ title }} <3> 2", "< b>{{ title }}</b>", "<b x>{{ title }}</b>"),
    ):
        with pytest.raises(TemplateError):
            writer(in_chat(words)).write(CONTEXT, EN)
    assert isinstance(compiled("x", {}, escapes=False, length_max=5), Words)
