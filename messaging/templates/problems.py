"""What can be wrong with a template, by name, and the sentences for it."""

from dataclasses import dataclass
from enum import StrEnum

from messaging.i18n import gettext


class Flaw(StrEnum):
    """The names. Those in WARNINGS do not keep a template from being saved."""

    # the file
    UNREADABLE = "unreadable"
    TOO_LONG = "too_long"
    UNKNOWN_ENTRY = "unknown_entry"
    BAD_NAME = "bad_name"
    BAD_TOPIC = "bad_topic"
    BAD_KIND = "bad_kind"
    BAD_VARIABLE = "bad_variable"
    BAD_SAMPLE = "bad_sample"
    MISSING_LANGUAGE = "missing_language"
    MISSING_CHANNEL = "missing_channel"
    MISSING_PART = "missing_part"
    NOT_AS_BUILT_IN = "not_as_built_in"
    # its language
    SYNTAX = "syntax"
    NOT_UNDERSTOOD = "not_understood"
    UNDECLARED_VARIABLE = "undeclared_variable"
    UNUSED_VARIABLE = "unused_variable"
    PLURAL_FORMS = "plural_forms"
    # what it writes
    BREAKS = "breaks"
    EMPTY = "empty"
    TAG_REFUSED = "tag_refused"
    ATTRIBUTE_REFUSED = "attribute_refused"
    TAG_UNBALANCED = "tag_unbalanced"
    BARE_CHARACTER = "bare_character"
    LINK_REFUSED = "link_refused"
    NO_BUTTONS = "no_buttons"
    MARKUP_IN_PLAIN_TEXT = "markup_in_plain_text"
    LINE_BREAK = "line_break"
    WORDS_TOO_LONG = "words_too_long"
    SMS_TOO_LONG = "sms_too_long"
    SMS_LONG = "sms_long"
    # what may be said where
    MEDICINE_IN_SIGHT = "medicine_in_sight"
    PRESCRIPTION_ADVERTISED = "prescription_advertised"
    NO_SUBJECT = "no_subject"
    NO_WORDS_FOR_SMS = "no_words_for_sms"
    # saving
    EDITED_MEANWHILE = "edited_meanwhile"


WARNINGS = frozenset({Flaw.UNUSED_VARIABLE, Flaw.SMS_LONG, Flaw.NO_WORDS_FOR_SMS})


@dataclass(frozen=True, slots=True)
class Problem:
    """`where` is a place of the file such as `ru.sms.text`; `line` counts within that text."""

    flaw: Flaw
    where: str = ""
    detail: str = ""
    line: int | None = None

    @property
    def refuses(self) -> bool:
        return self.flaw not in WARNINGS


def sentence(problem: Problem, language: str) -> str:
    """For a person, without the place."""
    return _sentences(language, problem.detail)[problem.flaw]


def _sentences(language: str, detail: str) -> dict[Flaw, str]:
    def say(message: str) -> str:
        return gettext(language, message, detail=detail)

    _ = say
    return {
        Flaw.UNREADABLE: _("The file cannot be read: {detail}"),
        Flaw.TOO_LONG: _("Longer than {detail} characters"),
        Flaw.UNKNOWN_ENTRY: _("Nobody knows the entry “{detail}”"),
        Flaw.BAD_NAME: _("A name is of small Latin letters, digits and _: “{detail}”"),
        Flaw.BAD_TOPIC: _("The topic is service, marketing or survey, not “{detail}”"),
        Flaw.BAD_KIND: _("A kind is of small Latin letters, digits and _: “{detail}”"),
        Flaw.BAD_VARIABLE: _("This is no variable: {detail}"),
        Flaw.BAD_SAMPLE: _("The sample does not fit its variable: {detail}"),
        Flaw.MISSING_LANGUAGE: _("The words in “{detail}” are missing"),
        Flaw.MISSING_CHANNEL: _("The messenger's words are missing: other channels borrow them"),
        Flaw.MISSING_PART: _("“{detail}” is missing"),
        Flaw.NOT_AS_BUILT_IN: _("The programme cannot use it so: {detail}"),
        Flaw.SYNTAX: _("A mistake in the template: {detail}"),
        Flaw.NOT_UNDERSTOOD: _("Templates do not understand {detail}"),
        Flaw.UNDECLARED_VARIABLE: _("“{detail}” is not declared among the variables"),
        Flaw.UNUSED_VARIABLE: _("“{detail}” is declared and nowhere used"),
        Flaw.PLURAL_FORMS: _("plural() needs as many forms as the language has: {detail}"),
        Flaw.BREAKS: _("It cannot be written with sample values: {detail}"),
        Flaw.EMPTY: _("With sample values nothing is written: {detail}"),
        Flaw.TAG_REFUSED: _("The tag <{detail}> is not allowed here"),
        Flaw.ATTRIBUTE_REFUSED: _("This attribute is not allowed here: {detail}"),
        Flaw.TAG_UNBALANCED: _("A tag is not closed, or closed in the wrong order: <{detail}>"),
        Flaw.BARE_CHARACTER: _("Write &lt; for < and &amp; for &, near “{detail}”"),
        Flaw.LINK_REFUSED: _("A link leads to http(s)://, tel: or mailto:, not to “{detail}”"),
        Flaw.NO_BUTTONS: _("Buttons are written [Words](data), a row a line: “{detail}”"),
        Flaw.MARKUP_IN_PLAIN_TEXT: _("No HTML is shown here: “{detail}”"),
        Flaw.LINE_BREAK: _("It has to be one line"),
        Flaw.WORDS_TOO_LONG: _("Too long: {detail} characters"),
        Flaw.SMS_TOO_LONG: _("The SMS is too long, in segments: {detail}"),
        Flaw.SMS_LONG: _("Each of these SMS is paid for, in segments: {detail}"),
        Flaw.MEDICINE_IN_SIGHT: _("A stranger might read the medicine's name here: “{detail}”"),
        Flaw.PRESCRIPTION_ADVERTISED: _("Prescription drugs are not advertised: {detail}"),
        Flaw.NO_SUBJECT: _("A marketing mail needs words of its own, with a subject"),
        Flaw.NO_WORDS_FOR_SMS: _("A marketing SMS borrows the messenger's words, which cost more"),
        Flaw.EDITED_MEANWHILE: _("Somebody has saved it meanwhile: {detail}"),
    }  # fmt: skip
