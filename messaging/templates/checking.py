"""Everything that is wrong with a template, at once, before anybody is written to.

What can be read off is read off; then each text is really written with sample values.
"""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass

from messaging.i18n import LANGUAGES
from messaging.policy.advertising import Drugs, named
from messaging.policy.sms_segments import segments
from messaging.templates.bodies import CHANNELS, Reader, TemplateError
from messaging.templates.buttons import ButtonsError, rows_of
from messaging.templates.definition import Place, Template
from messaging.templates.files import read
from messaging.templates.markup import EMAIL, TELEGRAM, Fault, Subset, faults, looks_like_markup
from messaging.templates.plain import plain_text
from messaging.templates.problems import Flaw, Problem
from messaging.templates.samples import Sample, samples
from messaging.templates.sandbox import glued, linear, mistakes_in, names_in
from messaging.templates.urls import URL
from messaging.templates.values import Value, values_of
from messaging.templates.writing import (
    MESSENGER_SHOWN_MAX,
    NOTIFICATION_LENGTH_MAX,
    TITLE_LENGTH_MAX,
    Writer,
    cheap,
)

SMS_SEGMENTS_MAX = 6
SMS_SEGMENTS_WARNED = 2
SUBJECT_LENGTH_MAX = 150
_TIMEZONE = "Europe/Moscow"
_MAY_BE_EMPTY = frozenset({"empty texts", "without what is optional"})


@dataclass(frozen=True, slots=True)
class Checked:
    """`problems` has the refusing ones first."""

    template: Template
    problems: tuple[Problem, ...]

    @property
    def refusals(self) -> list[Problem]:
        return [problem for problem in self.problems if problem.refuses]

    @property
    def warnings(self) -> list[Problem]:
        return [problem for problem in self.problems if not problem.refuses]


def check(source: str, *, known_drugs: Drugs, house: Template | None = None) -> Checked:
    """`house`: the programme's own template of this name, whose values the words have to do with.

    A marketing template is searched for `known_drugs`.
    """
    template, found = read(source)
    if not template.words and found:
        return Checked(template, tuple(found))
    found = [*found, *_rules(template), *_house_rules(template, house), *_texts(template)]
    if template.topic == "marketing":
        found += _advertised(template, known_drugs)
    return Checked(template, tuple(sorted(dict.fromkeys(found), key=lambda p: not p.refuses)))


def _rules(template: Template) -> Iterator[Problem]:
    """Of the file as a whole."""
    used = {name for source in template.words.values() for name in names_in(source)}
    for name in sorted(template.variables.keys() - used):
        yield Problem(Flaw.UNUSED_VARIABLE, f"variables.{name}", name)
    for language in LANGUAGES:
        if not template.has(language, "messenger"):
            continue
        if template.topic == "marketing":
            if not template.has(language, "email"):
                yield Problem(Flaw.NO_SUBJECT, f"{language}.email")
            if not template.has(language, "sms"):
                yield Problem(Flaw.NO_WORDS_FOR_SMS, f"{language}.sms")
        yield from _borrowed_medicine(template, language)


def _borrowed_medicine(template: Template, language: str) -> Iterator[Problem]:
    """Channels without words of their own would say the messenger's, which name the medicine."""
    named_there = names_in(template.words[Place(language, "messenger", "text")])
    for name, variable in template.variables.items():
        if variable.kind != "medicine" or name not in named_there:
            continue
        for channel in CHANNELS:
            if not template.has(language, channel):
                yield Problem(Flaw.MEDICINE_IN_SIGHT, f"{language}.{channel}", name)


def _house_rules(template: Template, house: Template | None) -> Iterator[Problem]:
    """A template of the house is filled by the programme, which gives what it always gave."""
    if house is None:
        return
    if template.topic != house.topic:
        yield Problem(Flaw.NOT_AS_BUILT_IN, "topic", f"topic = {house.topic}")
    for name, variable in template.variables.items():
        given = house.variables.get(name)
        where = f"variables.{name}"
        if given is None:
            yield Problem(Flaw.NOT_AS_BUILT_IN, where, f"{name}: ?")
        elif (given.kind, given.many) != (variable.kind, variable.many):
            kind = ("list of " if given.many else "") + given.kind
            yield Problem(Flaw.NOT_AS_BUILT_IN, where, f"{name} = {kind}")
        elif given.optional and not variable.optional:
            yield Problem(Flaw.NOT_AS_BUILT_IN, where, f"{name} = optional {given.kind}")


def _texts(template: Template) -> Iterator[Problem]:
    """Each text by itself: what is understood of it, and if it is, what it writes."""
    declared = {name: variable.many for name, variable in template.variables.items()}
    writer = Writer(template)
    tried = {language: list(_tried(template, language)) for language in LANGUAGES}
    for place, source in template.words.items():
        found = [
            Problem(mistake.flaw, str(place), mistake.detail, mistake.line)
            for mistake in mistakes_in(source, declared, language=place.language)
        ]
        found += _in_branches(place, source)
        if place.is_in_sight:
            for name in sorted(names_in(source)):
                if name in declared and template.variables[name].kind == "medicine":
                    found.append(Problem(Flaw.MEDICINE_IN_SIGHT, str(place), name))
        yield from found
        if not found:
            yield from _written(writer, place, tried[place.language])


Tried = tuple[Sample, dict[str, Value]]


def _tried(template: Template, language: str) -> Iterator[Tried]:
    for sample in samples(template, language):
        try:
            yield sample, dict(values_of(template, sample.context))
        except TemplateError:
            continue  # a sample of our own that the variable does not take: nothing to try


def _subset(place: Place) -> Subset | None:
    if not place.is_html:
        return None
    return TELEGRAM if place.channel == "messenger" else EMAIL


def _in_branches(place: Place, source: str) -> list[Problem]:
    """What stands in the text itself, also where no sample leads."""
    subset = _subset(place)
    words = linear(source, "https://x" if subset else "x")
    if subset is None:
        meant = looks_like_markup(words)
        found = [Problem(Flaw.MARKUP_IN_PLAIN_TEXT, str(place), meant)] if meant else []
        if place.is_line and "\n" in source.strip():
            found.append(Problem(Flaw.LINE_BREAK, str(place)))
        return found
    return [_fault(place, one) for one in faults(words, subset, balanced=False)]


def _fault(place: Place, fault: Fault, sample: str = "") -> Problem:
    flaw, detail, above = fault
    return Problem(flaw, str(place), detail, None if sample else above + 1)


def _written(writer: Writer, place: Place, tried: Iterable[Tried]) -> Iterator[Problem]:
    """The first trouble with each kind of values."""
    reader = Reader(place.language, _TIMEZONE)
    subset = _subset(place)
    seen: set[Flaw] = set()
    for sample, values in tried:
        try:
            pieces = writer.pieces(
                place.language, place.channel, place.part, values=values, reader=reader
            )
        except TemplateError as error:
            found = [Problem(Flaw.BREAKS, str(place), _with(str(error), sample))]
        else:
            text = glued(pieces)
            found = [_fault(place, one, "sample") for one in faults(text, subset)] if subset else []
            found += _too_long(place, sample, text)
            if place.part == "buttons":
                found += _no_buttons(place, text)
            elif place.part == "link":
                if text and not URL.fullmatch(text):
                    found.append(Problem(Flaw.LINK_REFUSED, str(place), text[:30]))
            elif not text and sample.name not in _MAY_BE_EMPTY:
                found.append(Problem(Flaw.EMPTY, str(place), sample.name or "–"))
        for problem in found:
            if problem.flaw not in seen:
                seen.add(problem.flaw)
                yield problem


def _no_buttons(place: Place, text: str) -> list[Problem]:
    try:
        rows_of(text)
    except ButtonsError as error:
        return [Problem(Flaw.NO_BUTTONS, str(place), str(error))]
    return []


def _with(text: str, sample: Sample) -> str:
    why = text.partition(": ")[2]
    return f"{why} ({sample.name})" if sample.name else why


def _too_long(place: Place, sample: Sample, text: str) -> list[Problem]:
    """Lengths are those of usual values: rare ones are the campaign's to see in its preview."""
    if sample.name:
        return []
    where = str(place)
    match place.channel, place.part:
        case "sms", _:
            parts = segments(cheap(text)).parts
            if parts > SMS_SEGMENTS_MAX:
                return [Problem(Flaw.SMS_TOO_LONG, where, f"{parts} > {SMS_SEGMENTS_MAX}")]
            return (
                [Problem(Flaw.SMS_LONG, where, str(parts))] if parts > SMS_SEGMENTS_WARNED else []
            )
        case "messenger", "text":
            length, length_max = len(plain_text(text, breaks_kept=True)), MESSENGER_SHOWN_MAX
        case "email", "subject":
            length, length_max = len(text), SUBJECT_LENGTH_MAX
        case "webpush", "title":
            length, length_max = len(text), TITLE_LENGTH_MAX
        case "webpush", _:
            length, length_max = len(text), NOTIFICATION_LENGTH_MAX
        case _:
            return []
    if length <= length_max:
        return []
    return [Problem(Flaw.WORDS_TOO_LONG, where, f"{length} > {length_max}")]


def _advertised(template: Template, known_drugs: Drugs) -> Iterator[Problem]:
    """In any branch, in a sample, or put together from both."""
    for where, text in _sayings(template):
        if found := named(text, known_drugs):
            yield Problem(Flaw.PRESCRIPTION_ADVERTISED, where, ", ".join(found[:5]))


def _sayings(template: Template) -> Iterator[tuple[str, str]]:
    for place, source in template.words.items():
        strip: Callable[[str], str] = plain_text if place.is_html else str
        yield str(place), f"{strip(linear(source, ' '))} {source}"
    for name, variable in template.variables.items():
        if variable.sample is not None:
            yield f"variables.{name}", str(variable.sample)
