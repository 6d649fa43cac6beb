"""A template without fault, and ways to spoil it."""

from collections.abc import Sequence

from messaging.policy.advertising import Drugs, drugs
from messaging.templates.checking import Checked, check

KNOWN_DRUGS = drugs(
    ["Амлодипин 5 мг табл. №30", "Ибупрофен 800 мг табл. №20"], ["Ибупрофен 200 мг табл. №20"]
)
FINE = """
name = "spring"
topic = "marketing"
kind = "offer"

[variables]
title = "text"
n = "points"
until = "optional date"
link = "url"
products = "list of text"

[ru.messenger]
text = '''
<b>{{ title }}</b>
{% if until %}
До {{ until|day }}
{% endif %}
{% for product in products %}
{{ loop.index }}. {{ product }}
{% endfor %}
{{ n|points }}, {{ n }} {{ n|plural("пачка", "пачки", "пачек") }} <a href="{{ link }}">тут</a>
'''

[ru.email]
subject = "{{ title }}"
html = "<p>{{ title }}</p>"

[ru.sms]
text = "{{ title|short(40) }}: {{ n|points }}"

[ru.webpush]
title = "{{ title }}"
text = "{{ n|points }}"

[en.messenger]
text = "<b>{{ title }}</b> {{ n|points }}"

[en.email]
subject = "{{ title }}"
html = "<p>{{ title }}</p>"

[en.sms]
text = "{{ title|short(40) }}: {{ n|points }}"
"""


def changed(*changes: tuple[str, str]) -> str:
    """FINE with each first text, which must be there, replaced by the second."""
    source = FINE
    for old, new in changes:
        assert old in source, old
        source = source.replace(old, new, 1)
    return source


def with_words(text: str) -> str:
    """FINE whose Russian SMS says this."""
    return changed(('[ru.sms]\ntext = "{{ title|short(40) }}: {{ n|points }}"',
                    f"[ru.sms]\ntext = '''{text}'''"))  # fmt: skip


def in_chat(text: str) -> str:
    """FINE whose English chat says this."""
    return changed(('text = "<b>{{ title }}</b> {{ n|points }}"', f"text = '''{text}'''"))


def in_mail(text: str) -> str:
    """FINE whose Russian mail says this."""
    return changed(('html = "<p>{{ title }}</p>"', f"html = '''{text}'''"))


def looked_at(source: str, known_drugs: Drugs = KNOWN_DRUGS) -> Checked:
    return check(source, known_drugs=known_drugs)


def found(source: str) -> Sequence[tuple[str, str]]:
    """What refuses it: names and places."""
    return [(str(p.flaw), p.where) for p in looked_at(source).refusals]
