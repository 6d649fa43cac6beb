"""Goods that came back: returns of receipts, with their lines."""

from tortoise import fields
from tortoise.models import Model

from loyalty.ids import next_id
from loyalty.models.customers import Customer
from loyalty.models.fields import InstantField
from loyalty.models.receipts import Receipt, ReceiptLine
from loyalty.models.shops import Till


class ReceiptReturn(Model):
    """A return of all or a part of a receipt, at any till. (till, number) is unique for ever.

    `till` is where the goods came back. `taken_back` is what the policy let be taken of the earned
    points, `forgiven` what it let go.
    """

    id = fields.BigIntField(primary_key=True, default=next_id, generated=False)
    receipt: fields.ForeignKeyRelation[Receipt] = fields.ForeignKeyField(
        "loyalty.Receipt", related_name="return_rows", on_delete=fields.RESTRICT
    )
    customer: fields.ForeignKeyRelation[Customer] = fields.ForeignKeyField(
        "loyalty.Customer", related_name="returns", on_delete=fields.RESTRICT
    )
    till: fields.ForeignKeyRelation[Till] = fields.ForeignKeyField(
        "loyalty.Till", related_name="returns", on_delete=fields.RESTRICT
    )
    number = fields.CharField(max_length=64)
    nth = fields.IntField()  # of its receipt, from 1
    staff_id = fields.BigIntField(null=True)
    at = InstantField()
    recorded_at = InstantField()
    amount_minor = fields.BigIntField()  # the goods at the price they were charged
    refund_minor = fields.BigIntField()  # money of it
    given_back = fields.BigIntField()
    taken_back = fields.BigIntField()
    forgiven = fields.BigIntField()
    give_back_id = fields.BigIntField(null=True)  # ledger transactions
    take_back_id = fields.BigIntField(null=True)
    key = fields.CharField(max_length=200, unique=True)
    fingerprint = fields.BinaryField()
    answer = fields.TextField()  # JSON: the first answer, given again to a repeated command

    class Meta:
        table = "receipt_return"
        unique_together = (("till", "number"), ("receipt", "nth"))
        indexes = (("till_id", "recorded_at"), ("customer_id", "at"))


class ReceiptReturnLine(Model):
    """What came back of one line. Points are what the rules ask for, whatever the policy lets."""

    id = fields.BigIntField(primary_key=True, default=next_id, generated=False)
    receipt_return: fields.ForeignKeyRelation[ReceiptReturn] = fields.ForeignKeyField(
        "loyalty.ReceiptReturn", related_name="lines", on_delete=fields.RESTRICT
    )
    line: fields.ForeignKeyRelation[ReceiptLine] = fields.ForeignKeyField(
        "loyalty.ReceiptLine", related_name="returns", on_delete=fields.RESTRICT
    )
    quantity_milli = fields.BigIntField()
    amount_minor = fields.BigIntField()
    refund_minor = fields.BigIntField()
    give_back = fields.BigIntField()
    take_back = fields.BigIntField()

    class Meta:
        table = "receipt_return_line"
        indexes = (("receipt_return_id",), ("line_id",))
