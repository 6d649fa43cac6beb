"""The codes themselves: every slip of the pen is caught, every way to type one is understood."""

import random
import secrets

import pytest
from hypothesis import given
from hypothesis import strategies as st

from loyalty.rules.promo_codes import (
    ALPHABET,
    LENGTH_MAX,
    PAYLOAD,
    SHORT_PAYLOAD,
    code_of,
    grouped,
    is_intact,
    normal,
    spellings,
)

numbers = st.integers(0, 2 ** (5 * (LENGTH_MAX - 1)) - 1)
payloads = st.integers(1, LENGTH_MAX - 1)


@given(numbers, payloads)
def test_a_code_is_intact_and_as_long_as_asked(number: int, payload: int) -> None:
    code = code_of(number, payload)
    assert len(code) == payload + 1
    assert set(code) <= set(ALPHABET)
    assert is_intact(code)


@pytest.mark.parametrize("payload", [1, SHORT_PAYLOAD, PAYLOAD, LENGTH_MAX - 1])
def test_every_single_wrong_character_is_caught(payload: int) -> None:
    chance = random.Random(payload)
    for _ in range(20):
        code = code_of(chance.getrandbits(200), payload)
        for place in range(len(code)):
            for letter in set(ALPHABET) - {code[place]}:
                assert not is_intact(code[:place] + letter + code[place + 1 :])


@given(numbers, payloads)
def test_every_two_that_changed_places_are_caught(number: int, payload: int) -> None:
    code = code_of(number, payload)
    for one in range(len(code)):
        for other in range(one + 1, len(code)):
            if code[one] == code[other]:
                continue
            letters = list(code)
            letters[one], letters[other] = letters[other], letters[one]
            assert not is_intact("".join(letters))


@given(numbers)
def test_different_numbers_make_different_codes(number: int) -> None:
    other = number ^ 1
    assert code_of(number) != code_of(other)


@pytest.mark.parametrize("text", ["", "A", "0", "ABCU", "-" * 12, "7" * (LENGTH_MAX + 1)])
def test_what_is_no_code(text: str) -> None:
    assert not is_intact(text)


RUSSIAN_KEYS = str.maketrans("QWERTYUIOPASDFGHJKLZXCVBNM", "ЙЦУКЕНГШЩЗФЫВАПРОЛДЯЧСМИТЬ")


@given(st.integers(0, 2**55 - 1), st.randoms())
def test_however_it_is_typed_the_code_is_meant(number: int, chance: random.Random) -> None:
    code = code_of(number)
    shown = grouped(code)
    typed = (
        shown,
        shown.lower(),
        f" {shown.replace('-', ' ')} ",
        shown.replace("-", "—"),
        code.replace("0", "O").replace("1", chance.choice("IL")),
        code.translate(RUSSIAN_KEYS),
        code.translate(RUSSIAN_KEYS).lower(),
        code.translate(str.maketrans("ABEKMHPCTXY", "АВЕКМНРСТХУ")),
    )
    for text in typed:
        assert code in spellings(text), text


@pytest.mark.parametrize(
    ("typed", "kept"),
    [
        ("spring-10", "SPRING10"),
        ("ВЕСНА 10", "ВЕСНА10"),
        ("весна10", "ВЕСНА10"),
        ("DTCYF10", "ВЕСНА10"),
        ("ЫЗКШТП10", "SPRING10"),
        ("САММА", "CAMMA"),
        ("ＳＰＲＩＮＧ", "SPRING"),
    ],
)
def test_a_word_is_understood_too(typed: str, kept: str) -> None:
    assert kept in spellings(typed)


@pytest.mark.parametrize(
    "text", ["", "AB", "a" * 33, "x" * 65, "<b>AB</b>", "a\0b", "'; --", "a/b"]
)
def test_what_cannot_be_a_code(text: str) -> None:
    assert normal(text) is None
    assert spellings(text) == ()


@given(st.text(max_size=80))
def test_whatever_is_typed_few_spellings_come_of_it(text: str) -> None:
    found = spellings(text)
    assert len(found) <= 6
    assert all(normal(each) == each for each in found)


def test_groups_of_four_for_reading() -> None:
    code = code_of(secrets.randbits(55))
    assert [len(part) for part in grouped(code).split("-")] == [4, 4, 4]
    assert grouped("SPRING10") == "SPRING10"
