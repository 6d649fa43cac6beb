"""The forms of the card's digits, against known vectors and against a forger."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from loyalty.rules import card_codes
from loyalty.rules.card_codes import CardText

KEY, OTHER_KEY = b"key of the card", b"key of a forger"
NOW = 1_767_258_000
serials = st.integers(0, 10**10 - 1)
instants = st.integers(card_codes.PICTURE_EPOCH_S, card_codes.PICTURE_EPOCH_S + 10**9 - 1)


@pytest.mark.parametrize(
    ("twelve", "digit"),
    [("400638133393", "1"), ("590123412345", "7"), ("978014300723", "4"), ("000000000000", "0")],
)
def test_check_digit_of_known_barcodes(twelve: str, digit: str) -> None:
    assert card_codes.ean13_check_digit(twelve) == digit


@pytest.mark.parametrize(  # RFC 6238, appendix B, SHA-1
    ("at_s", "code"),
    [
        (59, "94287082"),
        (1111111109, "07081804"),
        (1111111111, "14050471"),
        (1234567890, "89005924"),
        (2000000000, "69279037"),
        (20000000000, "65353130"),
    ],
)
def test_totp_of_the_standard(at_s: int, code: str) -> None:
    assert card_codes.totp(b"12345678901234567890", at_s // 30) == code


KINDS = """
2900000000012                      static
 29 0000 0000 012\\r                static
900000000011767258000001234567890  picture
8000000000112345678                live
123456                             short
123-456                            short
+79001234567                       phone
8 900 123-45-67                    phone
(900) 1234567                      phone
hello                              none
https://example.org                none
１２３４５６                        none
"""


@pytest.mark.parametrize(
    ("text", "how"), [line.rsplit(maxsplit=1) for line in KINDS.strip().splitlines()]
)
def test_a_code_is_known_by_its_form(text: str, how: str) -> None:
    code = card_codes.recognise(text.replace("\\r", "\r"))
    assert (code.how if code else "none") == how


def test_an_endless_text_is_no_code() -> None:
    assert card_codes.recognise("1" * 100_000) is None


@given(serials)
def test_any_one_wrong_digit_of_a_card_number_shows(serial: int) -> None:
    number = card_codes.card_number(serial)
    assert card_codes.is_card_number(number)
    assert len(number) == 13
    for place in range(13):
        wrong = str((int(number[place]) + 1) % 10)
        assert not card_codes.is_card_number(number[:place] + wrong + number[place + 1 :])


@given(serials, instants, st.integers(0, 999))
def test_a_picture_code_is_33_digits_and_says_when(serial: int, at_s: int, nonce: int) -> None:
    number = card_codes.card_number(serial)
    code = card_codes.picture_code(KEY, number, at_s, nonce)
    assert card_codes.recognise(code) == CardText("picture", code)
    assert len(code) == 33
    assert card_codes.number_of(CardText("picture", code)) == number
    assert card_codes.picture_drawn_at(KEY, code) == at_s
    assert card_codes.picture_drawn_at(OTHER_KEY, code) is None


@given(serials, instants, st.integers(1, 32), st.integers(1, 9))
def test_a_picture_code_with_any_digit_changed_is_forged(
    serial: int, at_s: int, place: int, by: int
) -> None:
    code = card_codes.picture_code(KEY, card_codes.card_number(serial), at_s, 7)
    wrong = str((int(code[place]) + by) % 10)
    assert card_codes.picture_drawn_at(KEY, code[:place] + wrong + code[place + 1 :]) is None


@given(serials, instants, st.integers(-20, 20))
def test_a_live_code_tells_its_step_at_most_one_ahead(serial: int, at_s: int, steps: int) -> None:
    code = card_codes.live_code(KEY, card_codes.card_number(serial), at_s)
    later = at_s + steps * 30
    step = card_codes.live_step(KEY, code, later, back_s=900)
    assert card_codes.recognise(code) == CardText("live", code)
    if steps >= -1:
        assert step == at_s // card_codes.LIVE_STEP_S
    else:
        assert step is None


def test_a_live_code_of_another_card_is_forged() -> None:
    mine, hers = card_codes.card_number(1), card_codes.card_number(2)
    code = card_codes.live_code(KEY, mine, NOW)
    stolen = code[0] + card_codes.serial_of(hers) + code[-8:]
    assert card_codes.live_step(KEY, stolen, NOW, back_s=900) is None


@pytest.mark.parametrize(("at_s", "left"), [(NOW, 30), (NOW + 1, 29), (NOW + 29, 1)])
def test_seconds_until_the_live_code_changes(at_s: int, left: int) -> None:
    assert card_codes.live_seconds_left(at_s) == left


def test_a_cashier_sees_the_last_four_digits() -> None:
    assert card_codes.masked("2900000000012") == "•••••••••0012"
