"""Whole numbers look as Babel writes them."""

import pytest
from babel.numbers import format_decimal
from hypothesis import given
from hypothesis import strategies as st

from messaging.i18n import LANGUAGES, locale, number


@pytest.mark.parametrize("language", LANGUAGES)
@given(value=st.integers(-(10**15), 10**15))
def test_digits_are_grouped_as_babel_groups_them(language: str, value: int) -> None:
    assert number(language, value) == format_decimal(value, locale=locale(language))
