"""Buttons under a message: as a template writes them, and as a messenger gets them."""

import pytest

from messaging.channels.messenger import _keyboard
from messaging.links import Links
from messaging.policy.advertising import Drugs
from messaging.templates import Reader, TemplateError
from messaging.templates.bodies import Body
from messaging.templates.buttons import Button, ButtonsError, rows_of
from messaging.templates.checking import check
from messaging.templates.definition import Template
from messaging.templates.files import read
from messaging.templates.problems import Flaw
from messaging.templates.writing import Writer
from messaging.wrapping import track

FILE = """
name = "asking"
topic = "survey"
[variables]
ask = "id"
name = {type = "optional text", sample = "Анна"}
[ru.messenger]
text = "Как вам?"
buttons = '''
[Хорошо](ask:{{ ask }}:1) [Плохо](ask:{{ ask }}:0)
{% if name %}
[Открыть](https://shop.example/a?b=1)
{% endif %}
'''
[en.messenger]
text = "How was it?"
"""


def template(source: str = FILE) -> Template:
    found, problems = read(source)
    assert problems == []
    return found


@pytest.mark.parametrize(
    ("text", "rows"),
    [
        ("", []),
        ("\n \n", []),
        ("[a](x:1)", [["a"]]),
        ("[a](x:1)[b](y)  [c](z-1.2_3)", [["a", "b", "c"]]),
        ("[a b](x)\n\n[👍](y)", [["a b"], ["👍"]]),
    ],
)
def test_a_row_a_line(text: str, rows: list[list[str]]) -> None:
    assert [[button.words for button in row] for row in rows_of(text)] == rows


@pytest.mark.parametrize(
    "text",
    [
        "words", "[a]", "[](x)", "[ ](x)", "[a]()", "[a](x) and", "[a](x y)", "[a](x|y)",
        "[a](javascript://x)", "[a](ftp://x.example)", "[a](" + "x" * 65 + ")",
        "[" + "a" * 65 + "](x)", "[a](x)" * 9, "[a](x)\n" * 13, "[a](нет)" + "я" * 40,
    ],
)  # fmt: skip
def test_what_is_no_button(text: str) -> None:
    with pytest.raises(ButtonsError):
        rows_of(text)


def test_they_are_written_for_messengers_alone() -> None:
    writer = Writer(template())
    body = writer.write({"ask": 57, "name": "Анна"}, Reader("ru"))
    assert body.buttons == (
        (Button("Хорошо", "ask:57:1"), Button("Плохо", "ask:57:0")),
        (Button("Открыть", "https://shop.example/a?b=1"),),
    )
    assert len(writer.write({"ask": "57"}, Reader("ru")).buttons) == 1
    assert writer.write({"ask": 57}, Reader("en")).buttons == ()
    assert writer.write({"ask": 57}, Reader("ru"), "sms").buttons == ()
    for wrong in ("5 7", "", "5)(", "я", None):
        with pytest.raises(TemplateError):
            writer.write({"ask": wrong}, Reader("ru"))


def test_a_file_with_broken_buttons_is_refused() -> None:
    assert [p.flaw for p in check(FILE, known_drugs=Drugs()).refusals] == []
    broken = FILE.replace("[Плохо](ask:{{ ask }}:0)", "[{{ ask }}](два слова)")
    flaws = {p.flaw for p in check(broken, known_drugs=Drugs()).refusals}
    assert flaws == {Flaw.NO_BUTTONS}


def test_a_link_under_a_mailing_is_counted_and_data_stays() -> None:
    body = Writer(template()).write({"ask": 57, "name": "А"}, Reader("ru"))
    links = Links(b"a secret of the tests, 32 bytes or more", "https://k.example")
    tracked = track(body, links, attempt_id=5, channel="messenger", topic="survey")
    [row] = tracked.rows
    assert row.url == "https://shop.example/a?b=1"
    first, second = tracked.body.buttons
    assert first == body.buttons[0]
    assert second[0].leads.startswith("https://k.example/c/")


def test_what_a_messenger_gets() -> None:
    assert _keyboard(Body("x")) is None
    markup = _keyboard(Body("x", buttons=rows_of("[a](x:1) [b](https://s.example/)")))
    assert markup is not None
    [[first, second]] = markup.inline_keyboard
    assert (first.callback_data, first.url) == ("x:1", None)
    assert (second.callback_data, second.url) == (None, "https://s.example/")
