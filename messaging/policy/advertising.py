"""Prescription drugs are not advertised: does a text name one? Pure.

A catalogue calls a drug by its name and then by form, dose and pack: «Амлодипин 5 мг табл. №30».
The first word that is no form is what people know it by, whatever the ending it takes in a
sentence: амлодипина, амлодипином. Where the same word begins the name of something sold freely
(ibuprofen is both), only the drug's whole name says which is meant.
"""

import re
from collections.abc import Iterable, Mapping

from msgspec import Struct, field

WORD_LENGTH_MIN = 4
ENDING_LENGTH_MAX, LONG_ENDING_LENGTH_MAX = 3, 5
"""What may follow a stem; after seven letters also what makes an adjective of it."""
_LONG_STEM = 7
_WORD = re.compile(r"[^\W\d_]+(?:-[^\W\d_]+)*")
_DOSE = re.compile(r"\d|№")
_ENDING = re.compile(r"(?:ая|яя|ое|ее|ый|ий|ой|[аяоеиыуюйь])$")
_FORMS = (
    "аэрозоль бальзам гель гранулы драже капли капсулы карандаш крем линимент мазь масло настойка "
    "паста пастилки пластырь порошок раствор свечи сироп спрей суппозитории суспензия таблетки "
    "экстракт эмульсия кислота хлорид натрия калия магния кальция для при витамин "
    "tablets capsules cream ointment drops spray syrup solution powder acid sodium potassium"
)
_NO_NAMES = frozenset(_FORMS.split())


class Drugs(Struct, frozen=True):
    """What may not be advertised. `stems` by their drug, `phrases` are whole names of others."""

    stems: Mapping[str, str] = field(default_factory=dict)
    phrases: Mapping[tuple[str, ...], str] = field(default_factory=dict)


def drugs(prescription: Iterable[str], free: Iterable[str]) -> Drugs:
    """From the names in the catalogue: those by prescription only, and the rest."""
    common = {_known_by(name) for name in free} - {""}
    stems: dict[str, str] = {}
    phrases: dict[tuple[str, ...], str] = {}
    for name in prescription:
        word = _known_by(name)
        if word and word not in common:
            stems.setdefault(_stem(word), word)
        elif words := _words(name):
            phrases.setdefault(words, name)
    return Drugs(stems, phrases)


def named(text: str, known: Drugs) -> list[str]:
    """The drugs that the text names, each once, in its order."""
    words = _words(text)
    found = [drug for word in words for drug in _by_stem(word, known.stems)]
    if known.phrases:
        joined = " ".join(("", *words, ""))
        found += [
            name for phrase, name in known.phrases.items() if f" {' '.join(phrase)} " in joined
        ]
    return list(dict.fromkeys(found))


def _by_stem(word: str, stems: Mapping[str, str]) -> Iterable[str]:
    """The beginnings of the word that leave no more than an ending, in it or before its hyphen."""
    for part in {word, *word.split("-")}:
        shortest = max(WORD_LENGTH_MIN, len(part) - LONG_ENDING_LENGTH_MAX)
        for length in range(shortest, len(part) + 1):
            ending_max = ENDING_LENGTH_MAX if length < _LONG_STEM else LONG_ENDING_LENGTH_MAX
            if part[:length] in stems and len(part) - length <= ending_max:
                yield stems[part[:length]]


def _known_by(name: str) -> str:
    """The word that people call it by, or nothing."""
    head = _DOSE.split(name, maxsplit=1)[0]
    for word in _words(head):
        if len(word) >= WORD_LENGTH_MIN and word not in _NO_NAMES:
            return word
    return ""


def _stem(word: str) -> str:
    short = _ENDING.sub("", word)
    return short if len(short) >= WORD_LENGTH_MIN else word


def _words(text: str) -> tuple[str, ...]:
    return tuple(_WORD.findall(text.casefold().replace("ё", "е")))
