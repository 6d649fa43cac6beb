"""Tiers: what a customer has reached by turnover, and what happens when it is less. Pure.

Turnover is what she paid in money (without the part that points paid), less what was returned or
cancelled, over the current calendar month and the eleven before it, by the programme's clock. Never
her balance. Instants in microseconds.
"""

from dataclasses import dataclass, replace
from enum import StrEnum

from loyalty.instants import NEVER
from loyalty.rules.receipts import DAY

MONTHS = 12
"""Calendar months that make the window, the current one included."""


class WhenLess(StrEnum):
    """What becomes of a tier when the turnover no longer reaches it."""

    KEEP = "keep"
    """It is kept for ever."""
    STEP_DOWN = "step_down"
    """One step down, after the grace period; then another grace period."""
    REASSESS = "reassess"
    """To what the turnover gives, after the grace period."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Tier:
    """`earn_permille` None: as without a tier."""

    code: str
    from_minor: int
    earn_permille: int | None = None
    name_ru: str = ""
    name_en: str = ""

    def name(self, language: str) -> str:
        """How customers read it; the other language's name, or the code, if there is none."""
        first, second = self.name_ru, self.name_en
        if language == "en":
            first, second = second, first
        return first or second or self.code


@dataclass(frozen=True, slots=True, kw_only=True)
class TierRules:
    """Levels from the lowest. `near_percent`: how much of a tier's threshold may be missing for it
    to be near; 0: nobody is told."""

    levels: tuple[Tier, ...] = ()
    when_less: WhenLess = WhenLess.STEP_DOWN
    grace_days: int = 30
    near_percent: int = 10

    def reached(self, turnover_minor: int) -> int:
        """Place of the highest tier that this turnover gives; -1: none."""
        return sum(tier.from_minor <= turnover_minor for tier in self.levels) - 1

    def place(self, code: str) -> int:
        """Place of a tier; -1 for none, or for one that is no longer in the rules."""
        return next((n for n, tier in enumerate(self.levels) if tier.code == code), -1)

    def held(self, code: str) -> str:
        """The tier that a customer with this code holds: at the least the one that costs nothing.

        "" when there is none, or when the tier is no longer in the rules.
        """
        place = max(self.place(code), self.reached(0))
        return self.levels[place].code if place >= 0 else ""

    def get(self, code: str) -> Tier | None:
        return next((tier for tier in self.levels if tier.code == code), None)

    def next_after(self, code: str) -> Tier | None:
        """The tier above; None at the top."""
        place = self.place(code) + 1
        return self.levels[place] if place < len(self.levels) else None


@dataclass(frozen=True, slots=True)
class TierStanding:
    """A tier as it is shown: the one she holds, and how far it is to the next."""

    tier: Tier | None
    turnover_minor: int
    next: Tier | None
    missing_minor: int


def tier_standing(code: str, turnover_minor: int, rules: TierRules) -> TierStanding | None:
    """None where the programme has no tiers."""
    if not rules.levels:
        return None
    held = rules.held(code)
    above = rules.next_after(held)
    missing = max(above.from_minor - turnover_minor, 0) if above else 0
    return TierStanding(rules.get(held), turnover_minor, above, missing)


Rise = tuple[str, int]
"""A tier and since when it is held."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Holding:
    """The tier that a customer holds, and the steps by which it rose, the last one its own.

    `falls_at`: the end of the grace period, NEVER while the turnover reaches the tier. `near_told`
    is the tier that she has been told is near, and `near_at` when.
    """

    tier: str = ""
    rises: tuple[Rise, ...] = ()
    falls_at: int = NEVER
    near_told: str = ""
    near_at: int = 0


@dataclass(frozen=True, slots=True)
class Changed:
    """`why`: reached (by turnover), expired (time went by), undone (a return or a cancel)."""

    was: str
    now: str
    why: str


@dataclass(frozen=True, slots=True)
class Near:
    """How much turnover is missing for the next tier."""

    tier: str
    missing_minor: int


@dataclass(frozen=True, slots=True)
class Assessed:
    holding: Holding
    changed: Changed | None
    near: Near | None


def assess(
    holding: Holding,
    turnover_minor: int,
    rules: TierRules,
    *,
    now: int,
    month_ends_at: int,
    undone_at: int | None = None,
) -> Assessed:
    """The tier that she holds from now on, and what there is to tell.

    Up at once; down as the rules say, one step a month at the most. `undone_at`: when the receipt
    was recorded that is now returned or cancelled: a tier reached since is taken back at once, down
    to the one before it or to what the turnover gives, since grace is for time that goes by.
    """
    was, why = rules.held(holding.tier), "expired"
    held, reached = rules.place(was), rules.reached(max(turnover_minor, 0))
    after = replace(holding, tier=was)
    if reached > held:
        risen = (*holding.rises, (_code(rules, reached), now))
        after, why = replace(after, tier=risen[-1][0], rises=risen), "reached"
    elif reached < held and undone_at is not None:
        after = _without(after, rules, reached, undone_at)
        why = "undone"
    if rules.place(after.tier) <= reached or rules.when_less is WhenLess.KEEP:
        after = replace(after, falls_at=NEVER)
    else:
        standing = after.tier
        after = _falling(after, rules, reached, now=now, month_ends_at=month_ends_at)
        why = "expired" if after.tier != standing else why
    changed = Changed(was, after.tier, why) if after.tier != was else None
    # Goods have come back: no moment to speak of how little is missing.
    near = _near(after, turnover_minor, rules, now) if undone_at is None else None
    if near is not None:
        after = replace(after, near_told=near.tier, near_at=now)
    return Assessed(after, changed, near)


def _without(holding: Holding, rules: TierRules, reached: int, undone_at: int) -> Holding:
    """Without the steps that were made since a receipt that is undone, as far as the turnover no
    longer gives them."""
    place, kept = rules.place(holding.tier), list(holding.rises)
    while kept and kept[-1][1] >= undone_at and rules.place(kept[-1][0]) > reached:
        kept.pop()
        place = max(reached, rules.place(kept[-1][0]) if kept else -1)
    return _down_to(holding, rules, place)


def _falling(
    holding: Holding, rules: TierRules, reached: int, *, now: int, month_ends_at: int
) -> Holding:
    """The turnover does not reach the tier: begin the grace period, or end it."""
    if holding.falls_at == NEVER:
        holding = replace(holding, falls_at=now + rules.grace_days * DAY)
    if holding.falls_at > now:
        return holding
    place = rules.place(holding.tier) - 1 if rules.when_less is WhenLess.STEP_DOWN else reached
    fallen = replace(_down_to(holding, rules, place), falls_at=NEVER)
    if place <= reached:
        return fallen
    return replace(fallen, falls_at=max(now + rules.grace_days * DAY, month_ends_at))


def _down_to(holding: Holding, rules: TierRules, place: int) -> Holding:
    """The steps up to a place; one that was jumped over is held since she jumped."""
    kept = [rise for rise in holding.rises if rules.place(rise[0]) <= place]
    gone = holding.rises[len(kept) :]
    if gone and place >= 0 and (not kept or rules.place(kept[-1][0]) < place):
        kept.append((_code(rules, place), gone[0][1]))
    return replace(holding, tier=_code(rules, place), rises=tuple(kept))


def _near(holding: Holding, turnover_minor: int, rules: TierRules, now: int) -> Near | None:
    """The next tier, if it is near and she has not been told within a year."""
    above = rules.next_after(holding.tier)
    if above is None or not rules.near_percent:
        return None
    missing = above.from_minor - turnover_minor
    if not 0 < missing <= above.from_minor * rules.near_percent // 100:
        return None
    if holding.near_told == above.code and now < holding.near_at + 365 * DAY:
        return None
    return Near(above.code, missing)


def _code(rules: TierRules, place: int) -> str:
    return rules.levels[place].code if place >= 0 else ""


def window(month: int) -> tuple[int, int]:
    """First and last month of the window that ends with `month` (see `rules.months`)."""
    return month - MONTHS + 1, month
