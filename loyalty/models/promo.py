"""Promo campaigns, their codes, and each use of a code; who brought whom.

Three tables with two-column keys have no model, because Tortoise has no such keys; the migration
makes them: `promo_tally` (how often a campaign with a limit has been used, by everybody and by one
customer), `promo_wallet` (which codes a customer has), `promo_segment` (whom a campaign is for).
"""

from tortoise import fields
from tortoise.models import Model

from loyalty.ids import next_id
from loyalty.models.fields import InstantField


class PromoCampaign(Model):
    """One offer with its codes. `name` is how staff call it, `title` what customers read."""

    id = fields.BigIntField(primary_key=True, default=next_id, generated=False)
    name = fields.CharField(max_length=64, unique=True)
    title = fields.CharField(max_length=120)
    terms = fields.TextField()  # JSON, never changed: `rules.promo.Terms`
    ends_at = InstantField()
    created_at = InstantField()
    revoked_at = InstantField(null=True)

    class Meta:
        table = "promo_campaign"


class PromoBatch(Model):
    """Codes that were generated or imported by one command, however often it was broken off."""

    id = fields.BigIntField(primary_key=True, default=next_id, generated=False)
    campaign_id = fields.BigIntField()
    key = fields.CharField(max_length=200, unique=True)
    wanted = fields.BigIntField()  # 0: imported
    made = fields.BigIntField(default=0)
    at = InstantField()

    class Meta:
        table = "promo_batch"
        indexes = (("campaign_id",),)


class PromoCode(Model):
    """A code as it is kept (`rules.promo_codes.normal`).

    `uses_max` 1: personal, and `taken` says whether it is used or reserved; null: shared, counted
    in `promo_tally` if its campaign has a limit.
    """

    code = fields.CharField(max_length=32, primary_key=True)
    campaign_id = fields.BigIntField()
    batch_id = fields.BigIntField(null=True)
    customer_id = fields.BigIntField(null=True)  # whose it is
    uses_max = fields.IntField(null=True)
    taken = fields.IntField(default=0)
    revoked_at = InstantField(null=True)

    class Meta:
        table = "promo_code"
        indexes = (("batch_id",),)


class PromoUse(Model):
    """A code on one receipt: reserved by its quote, redeemed with it, or let go."""

    id = fields.BigIntField(primary_key=True, default=next_id, generated=False)
    campaign_id = fields.BigIntField()
    code = fields.CharField(max_length=32)
    customer_id = fields.BigIntField()
    quote_id = fields.BigIntField()
    receipt_id = fields.BigIntField(null=True)
    # reserved | redeemed | released | lapsed | freed
    state = fields.CharField(max_length=12)
    frees_on_cancel = fields.BooleanField()
    discount_minor = fields.BigIntField()
    points = fields.BigIntField()
    at = InstantField()
    expires_at = InstantField()
    closed_at = InstantField(null=True)

    class Meta:
        table = "promo_use"
        indexes = (("quote_id",), ("customer_id", "at"), ("campaign_id",))


class PromoGuess(Model):
    """How often an account, a device or an address has named a code that does not exist."""

    scope = fields.CharField(max_length=120, primary_key=True)
    wrong = fields.IntField()
    ends_at = InstantField()

    class Meta:
        table = "promo_guess"


class ReferralCode(Model):
    """The code by which a customer brings her friends. One for each, for ever."""

    code = fields.CharField(max_length=32, primary_key=True)
    customer_id = fields.BigIntField(unique=True)
    at = InstantField()

    class Meta:
        table = "referral_code"


class Referral(Model):
    """A friend who was brought, once and by one. The reward is that of one receipt of hers."""

    friend_id = fields.BigIntField(primary_key=True, generated=False)
    referrer_id = fields.BigIntField()
    joined_at = InstantField()
    at = InstantField()
    # waiting | due | rewarded | undone (all or some of the purchase: to be looked at again)
    state = fields.CharField(max_length=12)
    receipt_id = fields.BigIntField(null=True)
    friend_accrual_id = fields.BigIntField(null=True)
    referrer_accrual_id = fields.BigIntField(null=True)
    changed_at = InstantField()

    class Meta:
        table = "referral"
        indexes = (("referrer_id",),)
