"""Amounts and doses as people type them."""

import pytest

from bot.amounts import amount_milli, dose_milli


@pytest.mark.parametrize(
    ("text", "milli"),
    [
        ("30", 30_000), ("1,5", 1500), ("1.5", 1500), ("0,125", 125), ("½", 500), ("1½", 1500),
        ("1 1/2", 1500), ("1/4", 250), ("2 таб.", 2000), ("по 1 таблетке", 1000),
        ("полтаблетки", 500), ("полторы", 1500), ("half", 500), ("1/0", None), ("", None),
        ("много", None), ("-5", 5000),
    ],
)  # fmt: skip
def test_amounts(text: str, milli: int | None) -> None:
    assert amount_milli(text) == milli


@pytest.mark.parametrize(
    ("text", "milli"),
    [("раз в неделю", 143), ("1 в неделю", 143), ("7 a week", 1000), ("2", 2000), ("once", None)],
)
def test_doses(text: str, milli: int | None) -> None:
    assert dose_milli(text) == milli
