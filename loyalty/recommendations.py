"""What else a customer may like: from her past purchases and those of people who bought the same.

Pairs of products are counted anew at night, out of the receipts of a year. Prescription medicines
are neither suggested nor a reason to suggest anything; nor is anything suggested that earns nothing
by the rules (what one does not promote), that she has just bought or brought back, that is one of
her courses, or that the caller excludes.
"""

import json
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Literal

from loyalty.clock import Clock
from loyalty.database import analysis, query
from loyalty.instants import to_micros
from loyalty.rule_book import RuleBook
from loyalty.rules.recommending import Pair, rank, support_floor
from loyalty.sql import recommendations as sql

COUNTED_DAYS = 365
"""How far back purchases are counted."""
HERS_DAYS = 730
"""How far back her own purchases speak: who is to come back has been away for long."""
FRESH_DAYS = 60
"""What she bought within these days she has."""
CUSTOMERS_MAX = 200_000
"""About so many customers are counted; of a larger base every second, third, … one."""
SMALL_BASE = 1_000
EVERY_DAYS, EVERY_DAYS_SMALL = 7, 1
"""A year of purchases is another one after a week; of a small base after a day. The days are those
of UTC: they begin when pharmacies are shut or quiet, from Kaliningrad to Vladivostok."""


@dataclass(frozen=True, slots=True)
class Recommended:
    """`why` together: people who bought `because` bought it too; popular: everybody does."""

    sku: str
    name: str
    category: str
    price_minor: int
    why: Literal["together", "popular"]
    because: str = ""  # the name of one of her products
    score_permille: int = 0


class Recommendations:
    def __init__(self, clock: Clock, book: RuleBook) -> None:
        self._clock = clock
        self._book = book

    async def refresh_due(self) -> bool:
        """Count pairs anew if it is time; whether it was done now. Any worker may ask anytime."""
        today = self._clock.now().replace(hour=0, minute=0, second=0, microsecond=0)
        rows = await query(sql.COUNTED_AT)
        is_small = not rows or rows[0]["customers"] < SMALL_BASE
        days = EVERY_DAYS_SMALL if is_small else EVERY_DAYS
        before = today - timedelta(days=days - 1)
        if rows and rows[0]["counted_at"] >= to_micros(before):
            return False
        return await self.count_pairs(before=before)

    async def count_pairs(self, *, before: datetime | None = None) -> bool:
        """Count pairs of products anew, in one transaction: what was counted earlier holds until
        its end. With `before` only if the last count is from before then; whether it was done."""
        now = self._clock.now()
        since = to_micros(now - timedelta(days=COUNTED_DAYS))
        async with analysis():
            if not await query(sql.BEGIN, None, to_micros(now), to_micros(before)):
                return False
            [[buyers]] = await query(sql.BUYERS, None, since)
            await query(sql.MAKE_BASKETS)
            await query(sql.FILL_BASKETS, None, since, _every_nth(buyers))
            await query(sql.INDEX_BASKETS)
            [[customers]] = await query(sql.SIZE)
            for statement in sql.FORGET:
                await query(statement)
            await query(sql.FILL_REACH)
            await query(sql.FILL_PAIRS, None, support_floor(customers), customers)
            await query(sql.DROP_BASKETS)
            await query(sql.END, None, customers)
        return True

    async def recommend(
        self, customer_id: int, count: int, *, excluding: Collection[str] = ()
    ) -> Sequence[Recommended]:
        """Up to `count` products, the best first; what is widely bought fills up what is missing.

        `excluding` are skus that must not be among them.
        """
        asked = self._asked(customer_id, excluding)
        best = rank((Pair(*tuple(row)) for row in await query(*sql.HER_PAIRS, *asked)), count)
        chosen = {each.sku for each in best}
        missing = count - len(best)
        popular = await query(*sql.POPULAR, *asked, count) if missing else []
        rest = [row["sku"] for row in popular if row["sku"] not in chosen][:missing]
        names = await _names([*chosen, *rest, *(each.because for each in best)])
        found = [
            Recommended(
                *names[each.sku], "together", names[each.because][1], round(each.score * 1000)
            )
            for each in best
        ]
        return found + [Recommended(*names[sku], "popular") for sku in rest]

    def _asked(self, customer_id: int, excluding: Collection[str]) -> tuple[int | str, ...]:
        """What both questions are asked with: whose, since when, and what is not promoted."""
        now, kept_back = self._clock.now(), self._book.rules.earning.not_earning
        return (
            customer_id,
            to_micros(now - timedelta(days=HERS_DAYS)),
            to_micros(now - timedelta(days=FRESH_DAYS)),
            json.dumps(sorted(kept_back.skus.union(excluding))),
            json.dumps(sorted(kept_back.categories)),
        )


async def _names(skus: Sequence[str]) -> dict[str, tuple[str, str, str, int]]:
    """sku, name, category and price of each, by sku."""
    rows = await query(*sql.NAMES, list(skus))
    return {
        row["sku"]: (row["sku"], row["name"], row["category"], row["price_minor"]) for row in rows
    }


def _every_nth(buyers: int) -> int:
    """Of how many customers one is counted. Odd: the last bits of an id are not chance."""
    nth = -(-buyers // CUSTOMERS_MAX)
    return nth if nth % 2 else nth + 1
