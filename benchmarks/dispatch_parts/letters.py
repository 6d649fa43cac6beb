"""The messages that are sent: one for a messenger, and a personal letter with HTML and text."""

import html
import json
from typing import Any

from messaging import templates
from messaging.channels.base import Outgoing
from messaging.i18n import points
from messaging.templates import Context, Reader

SHORT = "welcome"
SHORT_CONTEXT: dict[str, Any] = {"programme": "Аптека на углу", "points": "@"}
LETTER = "bench_letter"
LETTER_CONTEXT: dict[str, Any] = {
    "name": "Анна @",
    "points": "@",
    "offers": [
        [f"Предложение {n}", f"https://pharmacy.example/offers/{n}?card=@"] for n in range(1, 4)
    ],
}


def provide_templates() -> None:
    """Make the letter known to this process."""
    declared = frozenset(LETTER_CONTEXT)
    templates.TEMPLATES = {**templates.TEMPLATES, LETTER: (declared, _letter)}


def _letter(context: Context, reader: Reader) -> str:
    offers = "\n".join(
        f'<li><a href="{html.escape(link)}">{html.escape(name)}</a>, только до конца недели</li>'
        for name, link in context["offers"]
    )
    earned = points(reader.language, context["points"])
    return f"""<h2>Здравствуйте, {html.escape(context["name"])}!</h2>
<p>На вашей карте <b>{earned}</b>: ими можно оплатить до трети покупки.</p>
<p>Для вас на этой неделе:</p>
<ul>
{offers}
</ul>
<p>Ждём вас каждый день с восьми до десяти. <a href="https://pharmacy.example/shops">Аптеки рядом
с вами</a> знают, что есть на полках.</p>"""


def a_letter(number: int) -> Outgoing:
    """The letter to this customer, as the dispatcher hands it to a channel."""
    filled = json.dumps(LETTER_CONTEXT).replace('"@"', str(number)).replace("@", str(number))
    return Outgoing(
        message_id=number,
        attempt_id=number,
        address_kind="email",
        address=f"customer{number}@mail{number % 7}.example",
        body=templates.render(LETTER, json.loads(filled), Reader("ru")),
        topic="marketing",
    )
