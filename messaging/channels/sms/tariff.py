"""What an SMS costs: so much a segment, by the country that the number begins with."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from decimal import Decimal

_ENTRY = re.compile(r"(?:(\+\d{1,7})=)?(\d{1,5}(?:\.\d{1,6})?)", re.ASCII)
_MILLION = 1_000_000


@dataclass(frozen=True, slots=True)
class Tariff:
    """Prices of a segment in millionths of the currency. The longest prefix counts."""

    elsewhere: int = 0
    by_prefix: Mapping[str, int] = field(default_factory=dict)

    def segment_price(self, address: str) -> int:
        number = "+" + address.removeprefix("+")
        known = (p for p in self.by_prefix if number.startswith(p))
        prefix = max(known, key=len, default=None)
        return self.elsewhere if prefix is None else self.by_prefix[prefix]


def parse_tariff(text: str) -> Tariff:
    """Read `4.35`, or `+7=4.35 +375=9.10 12`: by prefix, and for everywhere else.

    Raises ValueError saying what is wrong with it.
    """
    elsewhere: list[int] = []
    by_prefix: dict[str, int] = {}
    for entry in text.split():
        found = _ENTRY.fullmatch(entry)
        if found is None:
            raise ValueError("is no price, such as 4.35 or +7=4.35 +375=9.10 12")
        prefix, price = found.groups()
        millionths = int(Decimal(price) * _MILLION)
        if not prefix:
            elsewhere.append(millionths)
        elif prefix in by_prefix:
            raise ValueError(f"has two prices for {prefix}")
        else:
            by_prefix[prefix] = millionths
    if len(elsewhere) != 1:
        raise ValueError("needs one price without a prefix, for all other numbers")
    return Tariff(elsewhere[0], by_prefix)
