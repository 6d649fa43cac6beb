"""The messages that are sent: one for a messenger, and a personal letter with HTML and text."""

import json
from datetime import UTC, datetime
from typing import Any

from messaging.channels.base import Outgoing
from messaging.templates import BOOK, Reader, render
from messaging.templates.saving import Saved, save

SHORT = "welcome"
SHORT_CONTEXT: dict[str, Any] = {"programme": "Аптека на углу", "points": "@"}
LETTER = "bench_letter"
LETTER_CONTEXT: dict[str, Any] = {
    "name": "Анна @",
    "points": "@",
    "offers": [f"Предложение {n}" for n in range(1, 4)],
    "link": "https://pharmacy.example/offers?card=@",
    "shops": "https://pharmacy.example/shops",
}
_WORDS = {
    "ru": (
        "{{ name }}, на вашей карте {{ points|points }}",
        "Здравствуйте, {{ name }}!",
        "На вашей карте <b>{{ points|points }}</b>: ими можно оплатить до трети покупки.",
        "Для вас до конца недели:",
        "Все предложения",
        "Ждём вас каждый день с восьми до десяти. Что есть на полках, знают",
        "аптеки рядом с вами",
    ),
    "en": (
        "{{ name }}, there are {{ points|points }} on your card",
        "Dear {{ name }},",
        "There are <b>{{ points|points }}</b> on your card: they pay for a third of a purchase.",
        "For you until the end of the week:",
        "All offers",
        "We are open every day from eight to ten. What is on the shelves is known to",
        "the pharmacies near you",
    ),
}
_PAGE = """
[{language}.email]
subject = "{0}"
html = '''
<h2>{1}</h2>
<p>{2}</p>
<p>{3}</p>
<ul>
{{% for each in offers %}}
<li>{{{{ each }}}}</li>
{{% endfor %}}
</ul>
<p><a class="button" href="{{{{ link }}}}">{4}</a></p>
<p>{5} <a href="{{{{ shops }}}}">{6}</a>.</p>
'''

[{language}.messenger]
text = "{0}"
"""
_LETTER = f"""
name = "{LETTER}"
topic = "marketing"
about = {{ ru = "Письмо", en = "A letter" }}

[variables]
name = {{ type = "text", sample = "Анна" }}
points = {{ type = "points", sample = 100 }}
offers = {{ type = "list of text", sample = ["Витамины", "Кремы"] }}
link = "url"
shops = "url"
""" + "".join(_PAGE.format(*words, language=language) for language, words in _WORDS.items())


async def provide_templates() -> None:
    """Save the letter as staff would, in the open database, and let this process know it."""
    saved = await save(_LETTER, author="benchmark", key=LETTER, at=datetime.now(UTC))
    assert isinstance(saved, Saved), saved
    await BOOK.refresh(at_once=True)


def a_letter(number: int) -> Outgoing:
    """The letter to this customer, as the dispatcher hands it to a channel."""
    filled = json.dumps(LETTER_CONTEXT).replace('"@"', str(number)).replace("@", str(number))
    return Outgoing(
        message_id=number,
        attempt_id=number,
        address_kind="email",
        address=f"customer{number}@mail{number % 7}.example",
        body=render(LETTER, json.loads(filled), Reader("ru"), channel="email"),
        topic="marketing",
    )
