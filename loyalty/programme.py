"""The programme as one object: its parts, in the order in which they know each other."""

from dataclasses import dataclass

from loyalty.cards import Cards
from loyalty.checkout import Checkout
from loyalty.clock import Clock
from loyalty.customers import Customers
from loyalty.ledger import Ledger
from loyalty.one_time_codes import OneTimeCodes
from loyalty.promo import Promo
from loyalty.promo_campaigns import PromoCampaigns
from loyalty.referral import Referrals
from loyalty.rules.programme import ProgrammeRules
from loyalty.rules.referral import ReferralRules

DEFAULT_REFERRAL = ReferralRules()


@dataclass(frozen=True, slots=True)
class Programme:
    clock: Clock
    rules: ProgrammeRules
    ledger: Ledger
    customers: Customers
    codes: OneTimeCodes
    cards: Cards
    checkout: Checkout
    promo: Promo
    campaigns: PromoCampaigns
    referrals: Referrals

    async def tidy(self) -> None:
        """What has to be done now and then, by any one process: points whose time has come, holds
        that timed out, codes that are of no use to anybody."""
        await self.ledger.release_due()
        await self.ledger.expire_due()
        await self.promo.tidy()
        await self.referrals.settle()
        await self.checkout.forget_old()
        await self.cards.forget_old()
        await self.codes.forget_old()

    async def stop(self) -> None:
        """Finish what is under way; call it once, before the database is closed."""
        await self.ledger.stop()


def build_programme(
    *,
    clock: Clock,
    secret: bytes,
    rules: ProgrammeRules,
    referral: ReferralRules = DEFAULT_REFERRAL,
) -> Programme:
    """Put the programme together. `secret` (32 bytes or more) signs card codes and links."""
    ledger = Ledger(clock)
    cards = Cards(clock, secret, rules)
    promo = Promo(clock)
    return Programme(
        clock=clock,
        rules=rules,
        ledger=ledger,
        customers=Customers(clock, rules, ledger),
        codes=OneTimeCodes(clock, secret, rules.region),
        cards=cards,
        checkout=Checkout(clock, rules, ledger, cards, promo),
        promo=promo,
        campaigns=PromoCampaigns(clock),
        referrals=Referrals(clock, ledger, referral, rules.cancel_clawback),
    )
