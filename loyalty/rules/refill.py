"""When a medicine runs out: stock that carries over, several packs, what goes back. Pure.

`run-out = when bought + (stock left + packs × units) ÷ units a day`, for each supply in turn. Units
(tablets, doses) and units a day are whole thousandths, instants microseconds; nothing is rounded
before the end. How fast a customer really uses it up is `loyalty.rules.rhythm`.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from loyalty.refusals import No, Refusal, refuse
from loyalty.rules.receipts import DAY
from loyalty.rules.texts import is_plain

MILLI = 1000
PACK_UNITS_MAX = 10_000
DAILY_MIN_MILLI, DAILY_MAX_MILLI = 10, 100 * MILLI
"""From a dose in a hundred days to a hundred a day."""
STOCK_MAX_MILLI = 100_000 * MILLI
PACKS_MAX = 100
NAME_LENGTH_MAX = 120
SNOOZE_DAYS_MAX = 60
LEAD_DAYS = 5
"""How long before the run-out one is reminded, unless the journey says otherwise."""
STALE_DAYS = 7
"""So long after the run-out nobody is reminded any more: she has bought elsewhere, or stopped."""
LATEST = 500 * 366 * DAY
"""No run-out is later than this instant (in 2470), however many packs somebody rings up."""
CONFIRMED_DAYS = 3
"""Who says that she has bought, and shows a receipt so near to that, has bought once."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Supply:
    """Goods that came to a course: a line of a receipt, or (`told`) what she has said to have
    bought. `back_milli` of its units have been returned, lastly at `back_at`.

    `settled`: it is a part of the base already (see Base).
    """

    at: int
    units_milli: int
    back_milli: int = 0
    back_at: int | None = None
    told: bool = False
    settled: bool = False

    @property
    def kept_milli(self) -> int:
        return self.units_milli - self.back_milli


@dataclass(frozen=True, slots=True)
class Base:
    """What she had at an instant: by her own count (`told`), or as it was reckoned when her dose
    changed. Supplies from before are a part of it."""

    at: int
    units_milli: int
    told: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Course:
    """A medicine that one customer takes. `supplies` are in the order of time."""

    daily_milli: int
    supplies: Sequence[Supply]
    base: Base | None = None

    def run_out_at(self) -> int | None:
        """The instant at which nothing is left; None when there never was anything."""
        ends = self._ends()
        return None if ends is None else min(ends // self.daily_milli, LATEST)

    def stock_milli(self, at: int) -> int:
        """Units that are left at `at`, of what had come by then."""
        ends = self._ends(at)
        return 0 if ends is None else max(0, ends - at * self.daily_milli) // DAY

    def is_asleep(self) -> bool:
        """Whether what she bought last has all gone back, and she has not said since what she has:
        who returns a medicine is not told to buy it."""
        if not self.supplies or self.supplies[-1].kept_milli:
            return False
        told_at = self.base.at if self.base is not None and self.base.told else None
        back_at = self.supplies[-1].back_at
        return told_at is None or back_at is None or told_at < back_at

    def _ends(self, until: int | None = None) -> int | None:
        """The run-out in microseconds × daily_milli: a whole number, whatever the dose."""
        daily, ends = self.daily_milli, None
        if self.base is not None:
            ends = self.base.at * daily + self.base.units_milli * DAY
        for supply in confirmed(self.supplies):
            if supply.settled or not supply.kept_milli:
                continue
            if until is not None and supply.at > until:
                continue
            begins = supply.at if self.base is None else max(supply.at, self.base.at)
            ends = max(begins * daily, ends or 0) + supply.kept_milli * DAY
        return ends


def confirmed(supplies: Sequence[Supply]) -> list[Supply]:
    """Without what she has said to have bought where a receipt says the same, unless its goods had
    gone back by then."""
    receipts = [supply for supply in supplies if not supply.told]
    return [s for s in supplies if not (s.told and any(_is_same(s, r) for r in receipts))]


def _is_same(told: Supply, receipt: Supply) -> bool:
    gone_before = not receipt.kept_milli and (receipt.back_at or 0) <= told.at
    return abs(receipt.at - told.at) <= CONFIRMED_DAYS * DAY and not gone_before


def check_course(
    *, name: str = "-", pack_units: int = 1, daily_milli: int = MILLI, stock_milli: int = 0
) -> Refusal | None:
    """Refused: invalid_course with the `field` (name, pack_units, daily or stock)."""
    if not name.strip() or not is_plain(name, NAME_LENGTH_MAX):
        return refuse(No.INVALID_COURSE, field="name")
    if not 1 <= pack_units <= PACK_UNITS_MAX:
        return refuse(No.INVALID_COURSE, field="pack_units")
    if not DAILY_MIN_MILLI <= daily_milli <= DAILY_MAX_MILLI:
        return refuse(No.INVALID_COURSE, field="daily")
    if not 0 <= stock_milli <= STOCK_MAX_MILLI:
        return refuse(No.INVALID_COURSE, field="stock")
    return None
