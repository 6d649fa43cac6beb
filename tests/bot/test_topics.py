"""What somebody asks for in her own words, and what only looks so."""

import pytest

from bot.menu import topic_of
from loyalty.rules.promo_codes import is_intact, is_own_code


@pytest.mark.parametrize(
    ("text", "topic"),
    [
        ("мой QR, пожалуйста", "card"),
        ("qr-код", "card"),
        ("сколько у меня бонусов?", "points"),
        ("мои промокоды", "codes"),
        ("2tpr-2qr0-4bc7", None),
        ("абвгд", None),
    ],
)
def test_her_own_words(text: str, topic: str | None) -> None:
    assert topic_of(text) == topic


def test_a_code_is_one_whatever_word_it_begins_like() -> None:
    [code] = [f"CARD2QR04BC{last}" for last in "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
              if is_intact(f"CARD2QR04BC{last}")]  # fmt: skip
    assert is_own_code(code)
    assert topic_of(f" {code[:4]}-{code[4:8]}-{code[8:]} ".lower()) is None
