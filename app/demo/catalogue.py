"""The goods of the demo's pharmacies, from `catalogue.csv`, by what people need them for."""

import csv
import re
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from importlib.resources import files


@dataclass(frozen=True, slots=True)
class Good:
    """One product. `need` says why people buy it: pressure, cold, baby …

    `daily_milli` are thousandths of a unit that one takes a day, 0 when it is taken now and then.
    """

    sku: str
    barcode: str
    category: str
    name: str
    units_per_pack: int
    daily_milli: int
    price_minor: int
    prescription_only: bool
    need: str

    @property
    def medicine(self) -> str:
        """Its name without the pack, where it is a medicine taken over time."""
        return _PACK.sub("", self.name) if self.daily_milli else ""


_PACK = re.compile(r"\s*№\s*\d+$")


@lru_cache(maxsize=1)
def goods() -> Sequence[Good]:
    """Every product, in the order of the file."""
    with files("app.demo").joinpath("catalogue.csv").open(encoding="utf-8") as lines:
        return tuple(
            Good(
                sku=row["sku"],
                barcode=row["barcode"],
                category=row["category"],
                name=row["name"],
                units_per_pack=int(row["units_per_pack"]),
                daily_milli=round(float(row["units_a_day"] or 0) * 1000),
                price_minor=int(row["price_rub"]) * 100,
                prescription_only=row["prescription_only"] == "1",
                need=row["need"],
            )
            for row in csv.DictReader(lines)
        )


@lru_cache(maxsize=1)
def goods_by_need() -> Mapping[str, Sequence[Good]]:
    found: defaultdict[str, list[Good]] = defaultdict(list)
    for good in goods():
        found[good.need].append(good)
    return found
