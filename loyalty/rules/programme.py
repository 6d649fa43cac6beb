"""The rules of the programme that the owner sets, as one frozen value."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property

from loyalty.rules.commands import Clawback
from loyalty.rules.earning import Pricing
from loyalty.rules.earning_rules import EarningRules, Multiplier
from loyalty.rules.reasons import Reason
from loyalty.rules.referral import ReferralRules
from loyalty.rules.tiers import TierRules


@dataclass(frozen=True, kw_only=True)
class ProgrammeRules:
    """Names and defaults are those of the settings; `earning` and `tiers` are the document's alone.

    `points_minor` is what one point pays: 100 minor units, that is 1.00 of the currency.
    `cash_min_minor` is the part of each receipt that stays to be paid in money.
    `cancel_clawback` says what to do when the points of a cancelled or returned receipt have been
    spent already, `cancel_grace_days` how long spent points live that expired before they came
    back, `return_days_max` how old a receipt may be that goods come back of (0: any age).
    """

    name: str = "Капсула"
    currency: str = "RUB"
    region: str = "RU"
    timezone: str = "Europe/Moscow"
    earn_permille: int = 50
    points_minor: int = 100
    points_live_days: int = 365
    points_pending_days: int = 0
    spend_percent_max: int = 30
    cash_min_minor: int = 100
    cancel_clawback: Clawback = Clawback.WITHIN_BALANCE
    cancel_grace_days: int = 7
    return_days_max: int = 365
    welcome_points: int = 100
    welcome_points_live_days: int = 30
    hold_minutes: int = 15
    card_picture_s: int = 180
    offline_days_max: int = 3
    earning: EarningRules = field(default_factory=EarningRules)
    tiers: TierRules = field(default_factory=TierRules)
    referral: ReferralRules = field(default_factory=ReferralRules)

    def name_of(self, reason: Reason, language: str) -> str | None:
        """The name of the multiplier or of the tier that a reason is about."""
        if reason.code == "multiplier":
            known = self._named.get(str(reason.data["code"]))
            return known.name(language) if known else None
        tier = self.tiers.get(str(reason.data["tier"])) if "tier" in reason.data else None
        return tier.name(language) if tier else None

    @cached_property
    def _named(self) -> Mapping[str, Multiplier]:
        return {multiplier.code: multiplier for multiplier in self.earning.multipliers}

    @cached_property
    def pricing(self) -> Pricing:
        """These rules made ready for receipts; kept, since it is asked for at each."""
        return Pricing(self)
