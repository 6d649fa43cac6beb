"""The earning rules as data: what multiplies, what is excluded, what caps. Frozen values only.

How they are applied is `loyalty.rules.earning`; how they are written down and checked is
`loyalty.programme_document`. Codes name a rule for ever: receipts keep them as reasons.
"""

from dataclasses import dataclass, field
from datetime import date
from enum import StrEnum


class Combine(StrEnum):
    """What happens when several multipliers fit one line."""

    BEST = "best"
    """The one that is best for the customer counts alone. The default."""
    ADD = "add"
    """What each gives on top is added: double and triple make four times."""
    MULTIPLY = "multiply"
    """One upon the other: double and triple make six times."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Selection:
    """Goods: by category, by product, or all that need a prescription. Any of these is enough."""

    categories: frozenset[str] = frozenset()
    skus: frozenset[str] = frozenset()
    prescription: bool = False

    def __bool__(self) -> bool:
        return bool(self.categories or self.skus or self.prescription)


@dataclass(frozen=True, slots=True, kw_only=True)
class When:
    """Conditions upon the receipt as a whole; all that are set have to hold.

    Weekdays (1 is Monday), hours (minutes of the day, from and before; past midnight if the first
    is the later one) and dates are those of the shop's clock. `birthday`: days before and after.
    """

    shops: frozenset[str] = frozenset()
    weekdays: frozenset[int] = frozenset()
    hours: tuple[int, int] | None = None
    since: date | None = None
    until: date | None = None
    birthday: tuple[int, int] | None = None
    first_purchase: bool = False
    tiers: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True, kw_only=True)
class Multiplier:
    """Points of the lines that are chosen, times `times_percent` hundredths, when it holds."""

    code: str
    times_percent: int
    goods: Selection = field(default_factory=Selection)
    """Which lines; none named: every line."""
    when: When = field(default_factory=When)
    name_ru: str = ""
    name_en: str = ""

    def name(self, language: str) -> str:
        """How customers read it; the other language's name, or the code, if there is none."""
        first, second = self.name_ru, self.name_en
        if language == "en":
            first, second = second, first
        return first or second or self.code


@dataclass(frozen=True, slots=True, kw_only=True)
class EarningCaps:
    """The most points that are earned; None: no cap. Days and months are the programme's."""

    receipt: int | None = None
    day: int | None = None
    month: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class EarningRules:
    """Everything beyond the flat rate. `receipt_min_minor`: a smaller receipt earns nothing."""

    receipt_min_minor: int = 0
    combine: Combine = Combine.BEST
    multipliers: tuple[Multiplier, ...] = ()
    caps: EarningCaps = field(default_factory=EarningCaps)
    not_earning: Selection = field(default_factory=Selection)
    not_payable: Selection = field(default_factory=Selection)
