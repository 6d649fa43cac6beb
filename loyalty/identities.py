"""By what a customer is known, in one spelling each: phones as E.164, e-mails in lower case."""

import re

import phonenumbers
from phonenumbers import NumberParseException, ValidationResult

from loyalty.refusals import No, Refusal, refuse
from loyalty.rules.texts import is_plain

FRONTS = ("telegram", "webchat")
"""Where a customer talks with us; an identity of such a kind is a conversation, not an address."""
KINDS = ("phone", "email", "card", *FRONTS)

PHONE_LENGTH_MAX = 40
EMAIL_LENGTH_MAX = 254
NAME_LENGTH_MAX = 200

_PARSE_REASONS = {
    NumberParseException.INVALID_COUNTRY_CODE: "country_code",
    NumberParseException.NOT_A_NUMBER: "not_a_number",
    NumberParseException.TOO_SHORT_AFTER_IDD: "too_short",
    NumberParseException.TOO_SHORT_NSN: "too_short",
    NumberParseException.TOO_LONG: "too_long",
}
_LENGTH_REASONS = {
    ValidationResult.TOO_SHORT: "too_short",
    ValidationResult.TOO_LONG: "too_long",
    ValidationResult.INVALID_COUNTRY_CODE: "country_code",
    ValidationResult.INVALID_LENGTH: "length",
    ValidationResult.IS_POSSIBLE_LOCAL_ONLY: "too_short",
}
_EMAIL_LOCAL = re.compile(r"[a-z0-9!#$%&'*+/=?^_`{|}~-]+(\.[a-z0-9!#$%&'*+/=?^_`{|}~-]+)*")
_DOMAIN_LABEL = re.compile(r"[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?")


def normalise_phone(text: str, region: str = "RU") -> str | Refusal:
    """Any usual spelling as E.164. Refused: invalid_phone with the reason.

    Without a "+" the number is read as one of `region`; failing that, as an international one
    whose plus was left out, which is how messengers write the numbers of contacts.
    """
    if not is_plain(text, PHONE_LENGTH_MAX):
        return refuse(No.INVALID_PHONE, reason="not_a_number")
    stripped = text.strip()
    if not stripped:
        return refuse(No.INVALID_PHONE, reason="empty")
    national = _parse_phone(stripped, region)
    if national or stripped.startswith("+") or not re.fullmatch(r"[\d\s()-]{11,}", stripped):
        return national
    return _parse_phone("+" + stripped, region) or national


def _parse_phone(text: str, region: str) -> str | Refusal:
    try:
        number = phonenumbers.parse(text, region)
    except NumberParseException as error:
        return refuse(No.INVALID_PHONE, reason=_PARSE_REASONS.get(error.error_type, "not_a_number"))
    possible = phonenumbers.is_possible_number_with_reason(number)
    if possible != ValidationResult.IS_POSSIBLE:
        return refuse(No.INVALID_PHONE, reason=_LENGTH_REASONS.get(possible, "length"))
    if not phonenumbers.is_valid_number(number):
        return refuse(No.INVALID_PHONE, reason="no_such_number")
    return str(phonenumbers.format_number(number, phonenumbers.PhoneNumberFormat.E164))


def normalise_email(text: str) -> str | Refusal:
    """Lower case, the domain in its ASCII form. Refused: invalid_email with the reason."""
    if not is_plain(text, 320):
        return refuse(No.INVALID_EMAIL, reason="characters")
    local, at, domain = text.strip().lower().rpartition("@")
    if not at or not local or not domain:
        return refuse(No.INVALID_EMAIL, reason="no_at" if not at else "incomplete")
    if len(local) > 64 or not _EMAIL_LOCAL.fullmatch(local):
        return refuse(No.INVALID_EMAIL, reason="name")
    try:
        ascii_domain = domain.encode("idna").decode()
    except UnicodeError:
        return refuse(No.INVALID_EMAIL, reason="domain")
    labels = ascii_domain.split(".")
    if len(labels) < 2 or not all(map(_DOMAIN_LABEL.fullmatch, labels)) or labels[-1].isdigit():
        return refuse(No.INVALID_EMAIL, reason="domain")
    address = f"{local}@{ascii_domain}"
    if len(address) > EMAIL_LENGTH_MAX:
        return refuse(No.INVALID_EMAIL, reason="too_long")
    return address


def normalise_name(text: str) -> str | Refusal:
    """A name as the person writes it, single-spaced; empty is fine. Refused: invalid_name."""
    if not isinstance(text, str):
        return refuse(No.INVALID_NAME, reason="characters")
    name = " ".join(text.split())
    if len(name) > NAME_LENGTH_MAX:
        return refuse(No.INVALID_NAME, reason="too_long", length_max=NAME_LENGTH_MAX)
    if not is_plain(name, NAME_LENGTH_MAX):
        return refuse(No.INVALID_NAME, reason="characters")
    return name
