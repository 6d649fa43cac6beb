"""What was bought: quotes at the till, receipts with lines, claimed card codes, events."""

from tortoise import fields
from tortoise.models import Model

from loyalty.ids import next_id
from loyalty.models.customers import Customer
from loyalty.models.fields import InstantField
from loyalty.models.shops import Till


class CardClaim(Model):
    """A rotating or short card code that a till has scanned: from then on it is this till's alone."""  # noqa: E501

    code_hash = fields.CharField(max_length=64, primary_key=True)
    customer_id = fields.BigIntField()
    till_id = fields.BigIntField()
    claimed_at = InstantField()
    expires_at = InstantField()
    receipt_id = fields.BigIntField(null=True)  # set once a receipt has used it

    class Meta:
        table = "card_claim"
        indexes = (("expires_at",),)


class ShortCode(Model):
    """The six digits beside the QR, for a cashier without a scanner. Unique among the living."""

    code = fields.CharField(max_length=8, primary_key=True)
    customer_id = fields.BigIntField()
    code_hash = fields.CharField(max_length=64, db_default="")  # of the picture it stands beside
    expires_at = InstantField()

    class Meta:
        table = "short_code"
        indexes = (("customer_id",), ("expires_at",))


class CardGuess(Model):
    """How often a till's device has named a card that does not exist, until the count starts anew."""  # noqa: E501

    scope = fields.CharField(max_length=160, primary_key=True)  # till, or till/device
    wrong = fields.IntField()
    ends_at = InstantField()

    class Meta:
        table = "card_guess"


class Quote(Model):
    """A price with points for one receipt. Holds the points it promises until it expires.

    A till's receipt has one open quote at most: a newer one replaces it.
    """

    id = fields.BigIntField(primary_key=True, default=next_id, generated=False)
    till_id = fields.BigIntField()
    customer_id = fields.BigIntField()
    receipt_number = fields.CharField(max_length=64)
    key = fields.CharField(max_length=200, unique=True)
    fingerprint = fields.BinaryField()
    card_hash = fields.CharField(max_length=64)
    body = fields.TextField()  # JSON: the lines as priced and what each earns
    total_minor = fields.BigIntField()
    spend_points = fields.BigIntField()
    earn_points = fields.BigIntField()
    hold_id = fields.BigIntField(null=True)
    # static | picture | live | short | phone
    card_how = fields.CharField(max_length=8, db_default="")
    # open | committed | released | replaced
    state = fields.CharField(max_length=12, db_default="open")
    rules_revision = fields.BigIntField(db_default=0)
    # what was known of the customer: priced anew at the commit when it has changed
    turnover_version = fields.BigIntField(db_default=0)
    at = InstantField()
    expires_at = InstantField()

    class Meta:
        table = "quote"
        indexes = (("till_id", "receipt_number"),)


class Receipt(Model):
    """A sale to a known customer. Money in minor units. (till, number) is unique for ever."""

    id = fields.BigIntField(primary_key=True, default=next_id, generated=False)
    customer: fields.ForeignKeyRelation[Customer] = fields.ForeignKeyField(
        "loyalty.Customer", related_name="receipts", on_delete=fields.RESTRICT
    )
    till: fields.ForeignKeyRelation[Till] = fields.ForeignKeyField(
        "loyalty.Till", related_name="receipts", on_delete=fields.RESTRICT
    )
    number = fields.CharField(max_length=64)
    state = fields.CharField(max_length=12)  # committed | cancelled | returned (all of it)
    staff_id = fields.BigIntField(null=True)
    at = InstantField()
    recorded_at = InstantField()
    cancelled_at = InstantField(null=True)
    total_minor = fields.BigIntField()
    paid_minor = fields.BigIntField()
    spent_points = fields.BigIntField()
    earned_points = fields.BigIntField()
    accrual_id = fields.BigIntField(null=True)
    redemption_id = fields.BigIntField(null=True)
    key = fields.CharField(max_length=200, unique=True)
    fingerprint = fields.BinaryField()
    answer = fields.TextField()  # JSON: the first answer, given again to a repeated command
    # static | picture | live | short | phone
    card_how = fields.CharField(max_length=8, db_default="")
    rules_revision = fields.BigIntField(db_default=0)  # 0: from before there were revisions
    cancelled_by = fields.BigIntField(null=True)  # staff id
    cancel_key = fields.CharField(max_length=200, null=True)
    cancel_fingerprint = fields.BinaryField(null=True)
    cancel_answer = fields.TextField(null=True)
    returns = fields.IntField(db_default=0)  # how many; each return expects the number it has seen
    goods_back_minor = fields.BigIntField(db_default=0)  # of total_minor, what has been returned
    promo_points = fields.BigIntField(db_default=0)  # of earned_points, what promo codes have added

    class Meta:
        table = "receipt"
        unique_together = (("till", "number"),)
        indexes = (("customer_id", "at"), ("till_id", "recorded_at"))


class ReceiptLine(Model):
    id = fields.BigIntField(primary_key=True, default=next_id, generated=False)
    receipt: fields.ForeignKeyRelation[Receipt] = fields.ForeignKeyField(
        "loyalty.Receipt", related_name="lines", on_delete=fields.RESTRICT
    )
    position = fields.IntField()
    sku = fields.CharField(max_length=64)
    name = fields.CharField(max_length=200)
    category = fields.CharField(max_length=64, default="")
    quantity_milli = fields.BigIntField()  # thousandths of a unit: 1500 is one and a half
    price_minor = fields.BigIntField()
    amount_minor = fields.BigIntField()
    spent_points = fields.BigIntField()
    earned_points = fields.BigIntField()
    explanation = fields.CharField(max_length=300, default="")
    returned_milli = fields.BigIntField(db_default=0)  # of quantity_milli, what has come back

    class Meta:
        table = "receipt_line"
        indexes = (("receipt_id", "position"),)


class Event(Model):
    """A fact for others to react to, written in the same transaction as the fact itself."""

    id = fields.BigIntField(primary_key=True, default=next_id, generated=False)
    # customer.joined | receipt.committed | receipt.cancelled …
    kind = fields.CharField(max_length=48)
    customer_id = fields.BigIntField()
    at = InstantField()
    payload = fields.TextField()  # JSON
    handled_at = InstantField(null=True)

    class Meta:
        table = "event"
        indexes = (("customer_id", "at"),)
