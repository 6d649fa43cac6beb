"""What a receipt may look like, and when it may have happened. Pure; a refusal names the field."""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Literal

from loyalty.instants import to_micros
from loyalty.refusals import No, Refusal, refuse
from loyalty.rules.texts import is_plain

LINES_MAX = 200
MONEY_MAX_MINOR = 1_000_000_000_000
QUANTITY_MAX_MILLI = 1_000_000_000
POINTS_MAX = 1_000_000_000_000
KEY_LENGTH_MAX = 128
NUMBER_LENGTH_MAX = 64
CARD_LENGTH_MAX = 64

SECOND = 1_000_000
DAY = 86_400 * SECOND
AHEAD_MAX = 300 * SECOND
"""How far ahead of ours a till's clock may be."""

Spend = int | Literal["max"]


@dataclass(frozen=True, slots=True)
class Line:
    """Goods as the till rang them up: thousandths of a unit, money in minor units.

    `amount_minor` is what the line costs after the till's own discounts.
    """

    sku: str
    name: str
    quantity_milli: int
    price_minor: int
    amount_minor: int
    category: str = ""


def check_names(*, key: str, receipt_number: str) -> Refusal | None:
    """Refused: invalid_receipt with the field and the reason."""
    if not key or not is_plain(key, KEY_LENGTH_MAX):
        return _invalid("key", "text")
    if not receipt_number.strip() or not is_plain(receipt_number, NUMBER_LENGTH_MAX):
        return _invalid("receipt_number", "text")
    return None


def check_card(card: str) -> Refusal | None:
    return None if is_plain(card.strip(), CARD_LENGTH_MAX) else refuse(No.CARD_UNKNOWN)


def check_lines(lines: Sequence[Line]) -> Refusal | None:
    """Refused: invalid_receipt with the field (`lines[2].amount_minor`) and the reason."""
    if not 1 <= len(lines) <= LINES_MAX:
        return _invalid("lines", "count", count_max=LINES_MAX)
    for i, line in enumerate(lines):
        field = _wrong_field(line)
        if field is not None:
            is_text = field in ("sku", "name", "category")
            return _invalid(f"lines[{i}].{field}", "text" if is_text else "range")
    if sum(line.amount_minor for line in lines) > MONEY_MAX_MINOR:
        return _invalid("lines", "total", total_max_minor=MONEY_MAX_MINOR)
    return None


def check_spend(spend: Spend) -> Refusal | None:
    if spend == "max" or (_is_whole(spend) and 0 <= spend <= POINTS_MAX):
        return None
    return _invalid("spend", "range")


def event_time(at: datetime | None, now: int, offline_days_max: int) -> int | Refusal:
    """When it happened, in microseconds: now, or as an offline till says it.

    A till's clock that runs a little ahead is set right. Refused: event_time_refused.
    """
    if at is None:
        return now
    if at.tzinfo is None:
        return _invalid("at", "no_time_zone")
    then = to_micros(at)
    if then > now + AHEAD_MAX:
        return refuse(No.EVENT_TIME_REFUSED, reason="in_the_future")
    if then < now - offline_days_max * DAY:
        return refuse(No.EVENT_TIME_REFUSED, reason="too_old", days_max=offline_days_max)
    return min(then, now)


def fingerprint(*meaning: object) -> bytes:
    """Sixteen bytes that tell whether a repeated key repeats the same command."""
    return hashlib.blake2b(repr(meaning).encode("utf-8", "surrogatepass"), digest_size=16).digest()


def _wrong_field(line: Line) -> str | None:
    texts = (("sku", line.sku, 64), ("name", line.name, 200), ("category", line.category, 64))
    for field, text, length_max in texts:
        if not is_plain(text, length_max):
            return field
    numbers = (
        ("quantity_milli", line.quantity_milli, 1, QUANTITY_MAX_MILLI),
        ("price_minor", line.price_minor, 0, MONEY_MAX_MINOR),
        ("amount_minor", line.amount_minor, 0, MONEY_MAX_MINOR),
    )
    for field, number, least, most in numbers:
        if not (_is_whole(number) and least <= number <= most):
            return field
    return None


def _is_whole(number: object) -> bool:
    """An int and not a bool: True is not a price."""
    return type(number) is int


def _invalid(field: str, reason: str, **limits: int) -> Refusal:
    return refuse(No.INVALID_RECEIPT, field=field, reason=reason, **limits)
