"""Spellings of phones, e-mails and names: one form each, or the reason why not."""

import pytest

from loyalty.identities import normalise_email, normalise_name, normalise_phone
from loyalty.refusals import No, Refusal

PHONES = """
+79001234567          +79001234567
8 (900) 123-45-67     +79001234567
79001234567           +79001234567
900 123 45 67         +79001234567
4915112345678         +4915112345678
+49 151 12345678      +4915112345678
+998901234567         +998901234567
12345                 too_short
+7900123456789        length
+71111111111          no_such_number
+999123456789         country_code
phone                 not_a_number
"""

EMAILS = """
Anna@Example.COM      anna@example.com
a.b+c@sub.example.ru  a.b+c@sub.example.ru
anna@пример.рф        anna@xn--e1afmkfd.xn--p1ai
anna                  no_at
anna@                 incomplete
anna@localhost        domain
a..b@example.com      name
"a b"@example.com     name
anna@exa_mple.com     domain
anna@-example.com     domain
anna@10.0.0.1         domain
anna@@example.com     name
"""


def table(text: str) -> list[list[str]]:
    return [line.rsplit(maxsplit=1) for line in text.strip().splitlines()]


@pytest.mark.parametrize(("spelling", "expected"), table(PHONES))
def test_a_phone_has_one_spelling_or_a_reason(spelling: str, expected: str) -> None:
    answer = normalise_phone(spelling.strip())
    if isinstance(answer, Refusal):
        assert answer.code is No.INVALID_PHONE
        answer = str(answer.data["reason"])
    assert answer == expected


@pytest.mark.parametrize(("spelling", "expected"), table(EMAILS))
def test_an_email_has_one_spelling_or_a_reason(spelling: str, expected: str) -> None:
    answer = normalise_email(spelling.strip())
    if isinstance(answer, Refusal):
        assert answer.code is No.INVALID_EMAIL
        answer = str(answer.data["reason"])
    assert answer == expected


@pytest.mark.parametrize("text", ["", "   ", "\x00", "\ud800", "7" * 41, "+7900\x001234567"])
def test_garbage_is_no_phone(text: str) -> None:
    answer = normalise_phone(text)
    assert isinstance(answer, Refusal)
    assert answer.code is No.INVALID_PHONE


@pytest.mark.parametrize(
    "text", ["\ud800@a.com", "a\x00@b.com", "a" * 65 + "@b.com", "a@" + "b" * 400]
)
def test_garbage_is_no_email(text: str) -> None:
    answer = normalise_email(text)
    assert isinstance(answer, Refusal)
    assert answer.code is No.INVALID_EMAIL


def test_a_name_is_kept_as_written_but_for_its_spaces() -> None:
    assert normalise_name("  Анна   Каренина ") == "Анна Каренина"
    assert normalise_name("") == ""
    assert normalise_name("O’Brien-Смит 3") == "O’Brien-Смит 3"


@pytest.mark.parametrize("text", ["a" * 201, "a\x00b", "\ud83d", "evil\u202eeman"])
def test_a_name_that_cannot_be_shown_is_refused(text: str) -> None:
    answer = normalise_name(text)
    assert isinstance(answer, Refusal)
    assert answer.code is No.INVALID_NAME
