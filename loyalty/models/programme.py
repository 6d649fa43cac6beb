"""The rules of the programme as they were from when on, and what customers have turned over."""

from tortoise import fields
from tortoise.models import Model

from loyalty.models.fields import InstantField


class RuleRevision(Model):
    """The rules as somebody saved them. Append-only: receipts say by which revision they were made."""  # noqa: E501

    number = fields.BigIntField(primary_key=True, generated=False)
    at = InstantField()
    saved_by = fields.CharField(max_length=64)
    comment = fields.CharField(max_length=500, default="")
    document = fields.TextField()  # JSON, see loyalty.programme_document

    class Meta:
        table = "rule_revision"


class CustomerTurnover(Model):
    """The tier that a customer holds, and how much she has bought. Written with each receipt.

    What one writer has judged by holds while `version` is the same. The money itself, by calendar
    month of the programme, is in the table customer_month.
    """

    customer_id = fields.BigIntField(primary_key=True, generated=False)
    version = fields.BigIntField()
    receipts = fields.BigIntField()  # committed and not cancelled
    tier = fields.CharField(max_length=16)
    rises = fields.TextField()  # JSON: [tier, since] of each step up to it
    # instants in microseconds, as the ledger keeps them: the end of the grace period, or NEVER
    falls_at = fields.BigIntField()
    near_told = fields.CharField(max_length=16)
    near_at = fields.BigIntField()
    turnover_minor = fields.BigIntField()  # of the window, when it was last assessed
    due_at = fields.BigIntField()  # when time alone may change it, or NEVER

    class Meta:
        table = "customer_turnover"
        indexes = (("due_at",),)
