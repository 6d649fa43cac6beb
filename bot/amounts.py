"""Amounts as people type them: `1,5`, `½`, `1 1/2`, `полтаблетки`, `раз в неделю`."""

import re
from fractions import Fraction

ONCE_A_WEEK_MILLI = 143
_FRACTIONS = {"½": "1/2", "¼": "1/4", "¾": "3/4", "⅓": "1/3", "⅔": "2/3"}
_AMOUNT = re.compile(r"(?:(\d{1,7})\s+)?(\d{1,7})\s*/\s*(\d{1,3})|(\d{1,7})(?:[.,](\d{1,3}))?")
_HALF = re.compile(r"\b(?:пол|half)", re.IGNORECASE)
_ONE_AND_A_HALF = re.compile(r"полтор|one and a half", re.IGNORECASE)
_WEEK = re.compile(r"недел|week", re.IGNORECASE)


def amount_milli(text: str) -> int | None:
    """The first amount in `text` in thousandths; None when there is none."""
    if _ONE_AND_A_HALF.search(text):
        return 1500
    for sign, spelled in _FRACTIONS.items():
        text = text.replace(sign, f" {spelled}")
    found = _AMOUNT.search(text)
    if found is None:
        return 500 if _HALF.search(text) else None
    whole, above, below, plain, rest = found.groups()
    if plain is not None:
        return int(plain) * 1000 + int((rest or "0").ljust(3, "0"))
    if int(below) == 0:
        return None
    return int((int(whole or 0) + Fraction(int(above), int(below))) * 1000)


def dose_milli(text: str) -> int | None:
    """Thousandths of a unit a day: as `amount_milli`, or so much a week."""
    amount = amount_milli(text)
    if _WEEK.search(text):
        return ONCE_A_WEEK_MILLI if amount is None else round(amount / 7)
    return amount
