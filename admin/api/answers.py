"""The programme's values as the bodies of `admin.api.models`, and back."""

from typing import cast

from admin.api import models
from loyalty.checkout import Line, Lookup, QuoteAnswer, QuotedLine, ReceiptAnswer
from loyalty.ledger import Balance, Expiring
from loyalty.promo import OwnCode
from loyalty.rules.programme import ProgrammeRules
from loyalty.rules.promo import Outcome
from loyalty.rules.promo_codes import grouped
from loyalty.rules.reasons import reasons_of
from loyalty.rules.tiers import TierStanding, tier_standing


def line_of(line: models.LineIn) -> Line:
    return Line(
        sku=line.sku,
        name=line.name,
        quantity_milli=line.quantity_milli,
        price_minor=line.price_minor,
        amount_minor=line.amount_minor,
        category=line.category,
    )


def expiring_out(expiring: Expiring | None) -> models.ExpiringOut | None:
    return models.ExpiringOut(points=expiring.points, at=expiring.at) if expiring else None


def balance_out(balance: Balance) -> models.BalanceOut:
    return models.BalanceOut(
        available=balance.available,
        posted=balance.posted,
        held=balance.held,
        pending=balance.pending,
        next_expiry=expiring_out(balance.next_expiry),
    )


def lookup_out(lookup: Lookup, language: str) -> models.LookupOut:
    return models.LookupOut(
        customer_id=str(lookup.customer_id),
        name=lookup.name,
        card_number=lookup.card_number_masked,
        balance=balance_out(lookup.balance),
        may_spend=lookup.may_spend,
        how=lookup.how,
        tier=_tier_out(lookup.standing, language),
        promos=[_own_promo_out(code) for code in lookup.promos],
    )


def _own_promo_out(code: OwnCode) -> models.OwnPromoOut:
    terms = code.terms
    return models.OwnPromoOut(
        code=grouped(code.code),
        title=code.title,
        kind=terms.kind,
        permille=terms.permille,
        amount_minor=terms.amount_minor,
        points=terms.points,
        gift=terms.gift_name or terms.gift_sku,
        min_total_minor=terms.min_total_minor,
        categories=list(terms.categories),
        stackable=terms.stackable,
        ends_at=code.ends_at,
    )


def _promo_out(outcome: Outcome) -> models.PromoOut:
    return models.PromoOut(
        asked=outcome.asked,
        code=grouped(outcome.code),
        title=outcome.title,
        kind=outcome.kind,
        applied=outcome.is_applied,
        discount_minor=outcome.discount_minor,
        points=outcome.points,
        gift=outcome.gift,
        refusal=outcome.refusal,
        data=dict(outcome.data),
    )


def quote_out(quote: QuoteAnswer, rules: ProgrammeRules, language: str) -> models.QuoteOut:
    """`rules` are those of the quote's revision."""
    standing = tier_standing(quote.tier, quote.turnover_minor, rules.tiers)
    return models.QuoteOut(
        quote_id=str(quote.quote_id),
        customer_id=str(quote.customer_id),
        name=quote.name,
        may_spend=quote.may_spend,
        available=quote.available,
        spendable_max=quote.spendable_max,
        spend=quote.spend,
        earn=quote.earn,
        total_minor=quote.total_minor,
        to_pay_minor=quote.to_pay_minor,
        expires_at=quote.expires_at,
        rules_revision=quote.revision,
        tier=_tier_out(standing, language),
        lines=[_line_out(line, rules, language) for line in quote.lines],
        discount_minor=quote.discount_minor,
        promos=[_promo_out(outcome) for outcome in quote.promos],
    )


def receipt_out(receipt: ReceiptAnswer, rules: ProgrammeRules, language: str) -> models.ReceiptOut:
    """`rules` are those of the receipt's revision."""
    return models.ReceiptOut(
        receipt_id=str(receipt.receipt_id),
        receipt_number=receipt.receipt_number,
        customer_id=str(receipt.customer_id),
        name=receipt.name,
        state=cast(models.ReceiptState, receipt.state),
        at=receipt.at,
        cancelled_at=receipt.cancelled_at,
        total_minor=receipt.total_minor,
        paid_minor=receipt.paid_minor,
        spent=receipt.spent,
        earned=receipt.earned,
        returned=receipt.returned,
        taken_back=receipt.taken_back,
        goods_back_minor=receipt.goods_back_minor,
        balance=receipt.balance,
        next_expiry=expiring_out(receipt.next_expiry),
        rules_revision=receipt.revision,
        lines=[_line_out(line, rules, language) for line in receipt.lines],
        discount_minor=receipt.discount_minor,
        promos=[_promo_out(outcome) for outcome in receipt.promos],
    )


def _tier_out(standing: TierStanding | None, language: str) -> models.TierOut | None:
    if standing is None:
        return None
    held, above = standing.tier, standing.next
    return models.TierOut(
        code=held.code if held else "",
        name=held.name(language) if held else "",
        turnover_minor=standing.turnover_minor,
        next_name=above.name(language) if above else None,
        missing_minor=standing.missing_minor,
    )


def _line_out(line: QuotedLine, rules: ProgrammeRules, language: str) -> models.LineOut:
    return models.LineOut(
        sku=line.sku,
        name=line.name,
        category=line.category,
        quantity_milli=line.quantity_milli,
        price_minor=line.price_minor,
        amount_minor=line.amount_minor,
        spent=line.spent,
        earned=line.earned,
        reasons=[
            models.ReasonOut(
                code=reason.code, data=dict(reason.data), name=rules.name_of(reason, language)
            )
            for reason in reasons_of(line.explanation)
        ],
    )
