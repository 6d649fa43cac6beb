"""A template with a fault is not saved, and all its faults are told at once, by name and place."""

import pytest

from messaging.i18n import LANGUAGES
from messaging.templates.problems import Flaw, Problem, sentence
from tests.messaging.templates.samples import (
    FINE,
    changed,
    found,
    in_chat,
    in_mail,
    looked_at,
    with_words,
)

CHAT, MAIL, SMS = "en.messenger.text", "ru.email.html", "ru.sms.text"


def test_nothing_is_wrong_with_a_good_one() -> None:
    assert looked_at(FINE).problems == ()


@pytest.mark.parametrize(
    ("source", "flaw", "where"),
    [
        # the file
        ("name = ", "unreadable", ""),
        ("x" * 70_000, "too_long", ""),
        ('name = "a"\ntopic = "service"', "missing_language", "ru"),
        (changed(('"spring"', '"Весна"')), "bad_name", "name"),
        (changed(('"spring"', '"../x"')), "bad_name", "name"),
        (changed(('"marketing"', '"news"')), "bad_topic", "topic"),
        (changed(('kind = "offer"', "kind = 5")), "bad_kind", "kind"),
        (changed(('kind = "offer"', 'knid = "offer"')), "unknown_entry", ""),
        (changed(("[ru.webpush]", "[ru.pigeon]")), "unknown_entry", "ru"),
        (changed(("[ru.sms]\ntext", "[ru.sms]\nwords = '1'\ntext")), "unknown_entry", "ru.sms"),
        (changed(('n = "points"', 'n = "many points"')), "bad_variable", "variables.n"),
        (changed(('n = "points"', 'loop = "points"')), "bad_variable", "variables.loop"),
        (changed(('n = "points"', 'n = { type = "points", max = 5 }')), "bad_variable",
         "variables.n"),
        (changed(('n = "points"', 'n = { type = "points", sample = "five" }')), "bad_sample",
         "variables.n"),
        (changed(('link = "url"', 'link = { type = "url", sample = "javascript:1" }')),
         "bad_sample", "variables.link"),
        (changed(("[en.messenger]", "[en.webpush]\ntitle = '1'")), "missing_channel",
         "en.messenger"),
        (changed(('[ru.email]\nsubject = "{{ title }}"', "[ru.email]")), "missing_part",
         "ru.email"),
        # the language
        (with_words("{{ title"), "syntax", SMS),
        (with_words("{% if n %}{{ title }}"), "syntax", SMS),
        (with_words("{{ titel }}"), "undeclared_variable", SMS),
        (with_words("{% if n %}{{ n }}{% else %}{{ nn }}{% endif %}"), "undeclared_variable", SMS),
        (with_words("{% for p in products %}{{ p }}{% endfor %}{{ p }}"), "undeclared_variable",
         SMS),
        (with_words('{{ n|plural("пачка", "пачки") }}'), "plural_forms", SMS),
        # what it writes
        (with_words("{{ until|day }}"), "breaks", SMS),
        (with_words("{{ until }}"), "breaks", SMS),
        (with_words("{{ title|points }}"), "breaks", SMS),
        (with_words("{{ products }}"), "breaks", SMS),
        (with_words("{{ products[0] }}"), "breaks", SMS),
        (with_words("{{ 100 // n }}"), "breaks", SMS),
        (with_words('{{ n|money("XXXX") if n > 20 else "1" }}'), "breaks", SMS),
        (with_words("{% if until %}{{ until|day }}{% endif %}"), "empty", SMS),
        (changed(("[ru.webpush]", "[ru.webpush]\nlink = '{{ title }}'")), "link_refused",
         "ru.webpush.link"),
        (changed(("[ru.webpush]", "[ru.webpush]\nlink = 'ftp://x/{{ n }}'")), "link_refused",
         "ru.webpush.link"),
        (with_words("{{ title }} <b>{{ n }}</b>"), "markup_in_plain_text", SMS),
        (with_words("{{ title }}&nbsp;{{ n }}"), "markup_in_plain_text", SMS),
        (with_words("Слова " * 80), "sms_too_long", SMS),
        (in_chat("слово " * 800 + "{{ title }}{{ n }}"), "words_too_long", CHAT),
        (changed(('subject = "{{ title }}"', "subject = '''{{ title }}\nBcc: a@b.c'''")),
         "line_break", "ru.email.subject"),
        (changed(('subject = "{{ title }}"', f"subject = '{'а' * 200}'")), "words_too_long",
         "ru.email.subject"),
        # what may be said where
        (changed(("[ru.email]", "[ru.messenger.x]"), ('subject = "{{ title }}"', "a = 1"),
                 ('html = "<p>{{ title }}</p>"', "b = 1")), "no_subject", "ru.email"),
        (changed(('title = "text"', 'title = "medicine"')), "medicine_in_sight", SMS),
        (changed(('title = "text"', 'title = "medicine"')), "medicine_in_sight",
         "ru.webpush.title"),
        (changed(('title = "text"', 'title = "medicine"')), "medicine_in_sight", "en.webpush"),
        (changed(('title = "text"', 'title = "medicine"')), "medicine_in_sight",
         "ru.email.subject"),
        (in_chat("{{ title }}{{ n }} АМЛОДИПИНА"), "prescription_advertised", CHAT),
        (in_chat("{{ title }}{{ n }} Амло<b>дипин</b>"), "prescription_advertised", CHAT),
        (in_chat('{{ title }}{% if n == 77 %}{{ "Амлодипин" }}{% endif %}'),
         "prescription_advertised", CHAT),
        (changed(('title = "text"', 'title = { type = "text", sample = "Амлодипин -20 %" }')),
         "prescription_advertised", "variables.title"),
    ],
)  # fmt: skip
def test_what_refuses_a_template(source: str, flaw: str, where: str) -> None:
    assert (flaw, where) in found(source)


@pytest.mark.parametrize(
    ("words", "flaw"),
    [
        ("<p>{{ title }}</p>", "tag_refused"),
        ("{{ title }}<br>", "tag_refused"),
        ("{{ title }}<script>1</script>", "tag_refused"),
        ("{{ title }}{% if n == 77 %}<marquee>{% endif %}", "tag_refused"),
        ("<b/>{{ title }}", "tag_refused"),
        ("<b onclick=\"x\">{{ title }}</b>", "attribute_refused"),
        ("<b {{ title }}>x</b>", "bare_character"),
        ("<{{ title }}>x", "bare_character"),
        ("<a href={{ link }}>{{ title }}</a>", "bare_character"),
        ("<a>{{ title }}</a>", "attribute_refused"),
        ("<span class=\"big\">{{ title }}</span>", "attribute_refused"),
        ("<a href=\"{{ title }}\">x</a>", "link_refused"),
        ("<a href=\"javascript:x\">{{ title }}</a>", "link_refused"),
        ("<a href=\"//evil.example\">{{ title }}</a>", "link_refused"),
        ("<b>{{ title }}", "tag_unbalanced"),
        ("{{ title }}</b>", "tag_unbalanced"),
        ("<b><i>{{ title }}</b></i>", "tag_unbalanced"),
        ("{% if n > 5 %}<b>{% endif %}{{ title }}</b>", "tag_unbalanced"),
        ("{{ title }} < 5", "bare_character"),
        ("Мама & малыш {{ title }}", "bare_character"),
        ("{{ title }}&nbsp;", "bare_character"),
    ],
)  # fmt: skip
def test_what_telegram_does_not_understand(words: str, flaw: str) -> None:
    assert (flaw, CHAT) in found(in_chat(words))


@pytest.mark.parametrize(
    ("words", "flaw"),
    [
        ("<p style=\"color:red\">{{ title }}</p>", "attribute_refused"),
        ("<img src=\"http://a.example/x.png\">{{ title }}", "link_refused"),
        ("<iframe>{{ title }}</iframe>", "tag_refused"),
        ("<form>{{ title }}</form>", "tag_refused"),
        ("<p>{{ title }}</br></p>", "tag_refused"),
        ("<ul><li>{{ title }}</ul></li>", "tag_unbalanced"),
        ("<p>{{ title }}<!-- x --></p>", "bare_character"),
    ],
)  # fmt: skip
def test_what_a_mail_may_not_hold(words: str, flaw: str) -> None:
    assert (flaw, MAIL) in found(in_mail(words))


@pytest.mark.parametrize(
    "words",
    [
        "<h1>{{ title }}</h1><p>a<br>b<br/>c&nbsp;&mdash; d</p><hr>",
        "<p><a class=\"button\" href=\"{{ link }}\">{{ title }}</a></p>",
        "<p><a href=\"tel:+79001234567\">x</a> <a href=\"mailto:a@b.example\">{{ title }}</a></p>",
        "<img src=\"https://a.example/{{ n }}.png\" alt=\"{{ title }}\" width=\"200\">",
        "<table><tr><td align=\"right\">{{ title }}</td></tr></table>",
    ],
)  # fmt: skip
def test_what_a_mail_may_hold(words: str) -> None:
    assert found(in_mail(words)) == []


def test_all_faults_are_told_at_once_with_their_lines() -> None:
    source = changed(
        ('name = "spring"', 'name = "Spring!"'),
        ("<b>{{ title }}</b>\n{% if until %}", "<b>{{ title }}</b>\n<h1>{% if untill %}"),
        ('text = "<b>{{ title }}</b> {{ n|points }}"', 'text = "{{ a }} {{ b }} амлодипин"'),
    )
    told = [(str(p.flaw), p.where, p.line, p.detail) for p in looked_at(source).refusals]
    assert ("bad_name", "name", None, "Spring!") in told
    assert ("undeclared_variable", "ru.messenger.text", 2, "untill") in told
    assert ("tag_refused", "ru.messenger.text", 2, "h1") in told
    assert ("undeclared_variable", CHAT, 1, "a") in told
    assert ("undeclared_variable", CHAT, 1, "b") in told
    assert ("prescription_advertised", CHAT, None, "амлодипин") in told


def test_warnings_do_not_refuse() -> None:
    source = changed(
        ('n = "points"', 'n = "points"\nspare = "text"'),
        ("[en.sms]\ntext", "[en.webpush]\ntitle = 'x'\ntext"),
    )
    result = looked_at(source)
    assert result.refusals == []
    assert {(str(p.flaw), p.where) for p in result.warnings} == {
        ("unused_variable", "variables.spare"),
        ("no_words_for_sms", "en.sms"),
    }
    three = with_words("Слово " * 25)
    assert [(p.flaw, p.detail) for p in looked_at(three).warnings] == [(Flaw.SMS_LONG, "3")]


def test_a_service_template_may_name_a_medicine_and_needs_no_words_for_mail() -> None:
    source = in_chat("{{ title }}{{ n }} Амлодипин").replace('"marketing"', '"service"')
    assert found(source) == []


def test_a_word_that_is_also_sold_freely_may_be_advertised() -> None:
    assert found(in_chat("{{ title }} Ибупрофен")) == []


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("flaw", list(Flaw))
def test_every_fault_is_said_in_words(flaw: Flaw, language: str) -> None:
    said = sentence(Problem(flaw, detail="{x}"), language)
    assert len(said) > 5
    assert said != str(flaw)
