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
from loyalty.recommendations import Recommendations
from loyalty.referral import Referrals
from loyalty.refills import Refills
from loyalty.rule_book import RuleBook
from loyalty.rules.programme import ProgrammeRules
from loyalty.site_events import SiteEvents
from loyalty.sites import Sites
from loyalty.surveys import Surveys
from loyalty.turnover import Tiers


@dataclass(frozen=True, slots=True)
class Programme:
    clock: Clock
    book: RuleBook
    ledger: Ledger
    customers: Customers
    codes: OneTimeCodes
    cards: Cards
    checkout: Checkout
    tiers: Tiers
    promo: Promo
    campaigns: PromoCampaigns
    referrals: Referrals
    recommendations: Recommendations
    surveys: Surveys
    sites: Sites
    site_events: SiteEvents
    refills: Refills

    @property
    def rules(self) -> ProgrammeRules:
        """The rules that are in force now."""
        return self.book.rules

    async def tidy(self) -> None:
        """What has to be done now and then, by any one process: points whose time has come, holds
        that timed out, tiers whose time has come, codes that are of no use to anybody, what is
        bought together, medicines whose figures are to be reckoned."""
        await self.ledger.release_due()
        await self.ledger.expire_due()
        await self.tiers.assess_due()
        await self.promo.tidy()
        await self.referrals.settle()
        await self.recommendations.refresh_due()
        await self.refills.tidy()
        await self.checkout.forget_old()
        await self.cards.forget_old()
        await self.codes.forget_old()
        await self.site_events.forget_old()

    async def stop(self) -> None:
        """Finish what is under way; call it once, before the database is closed."""
        await self.ledger.stop()


def build_programme(*, clock: Clock, secret: bytes, rules: ProgrammeRules) -> Programme:
    """Put the programme together. `secret` (32 bytes or more) signs card codes and links; `rules`
    are in force until `Programme.book` has been opened, or refreshed, and knows others."""
    ledger, book, promo = Ledger(clock), RuleBook(clock, rules), Promo(clock)
    cards, sites = Cards(clock, secret, book), Sites(clock, secret)
    return Programme(
        clock=clock,
        book=book,
        ledger=ledger,
        customers=Customers(clock, book, ledger),
        codes=OneTimeCodes(clock, secret, rules.region),
        cards=cards,
        checkout=Checkout(clock, book, ledger, cards, promo),
        tiers=Tiers(clock, book),
        promo=promo,
        campaigns=PromoCampaigns(clock),
        referrals=Referrals(clock, ledger, book),
        recommendations=Recommendations(clock, book),
        surveys=Surveys(clock),
        sites=sites,
        site_events=SiteEvents(clock, sites, rules.region),
        refills=Refills(clock),
    )
