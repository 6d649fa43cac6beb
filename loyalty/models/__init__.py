"""Tortoise tables of the programme, one file per noun family."""

from loyalty.models.customers import ConsentFact, Customer, Identity, OneTimeCode
from loyalty.models.ledger import LedgerAccount, LedgerHold, LedgerLot, LedgerTransaction
from loyalty.models.programme import CustomerTurnover, RuleRevision
from loyalty.models.promo import (
    PromoBatch,
    PromoCampaign,
    PromoCode,
    PromoGuess,
    PromoUse,
    Referral,
    ReferralCode,
)
from loyalty.models.receipts import (
    CardClaim,
    CardGuess,
    Event,
    Quote,
    Receipt,
    ReceiptLine,
    ShortCode,
)
from loyalty.models.recommendations import PairCount, ProductReach
from loyalty.models.refills import RefillCourse, RefillPace, RefillSupply
from loyalty.models.returns import ReceiptReturn, ReceiptReturnLine
from loyalty.models.shops import ApiKey, Product, Shop, StaffMember, StaffSession, Till
from loyalty.models.sites import Site, SiteEventRow
from loyalty.models.surveys import SurveySheet

__all__ = [
    "ApiKey",
    "CardClaim",
    "CardGuess",
    "ConsentFact",
    "Customer",
    "CustomerTurnover",
    "Event",
    "Identity",
    "LedgerAccount",
    "LedgerHold",
    "LedgerLot",
    "LedgerTransaction",
    "OneTimeCode",
    "PairCount",
    "Product",
    "ProductReach",
    "PromoBatch",
    "PromoCampaign",
    "PromoCode",
    "PromoGuess",
    "PromoUse",
    "Quote",
    "Receipt",
    "ReceiptLine",
    "ReceiptReturn",
    "ReceiptReturnLine",
    "Referral",
    "ReferralCode",
    "RefillCourse",
    "RefillPace",
    "RefillSupply",
    "RuleRevision",
    "Shop",
    "ShortCode",
    "Site",
    "SiteEventRow",
    "StaffMember",
    "StaffSession",
    "SurveySheet",
    "Till",
]
