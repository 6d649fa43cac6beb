"""Surveys that were handed out. `survey_answer` (sheet, question, value) has a key of three columns
and so no model: the migration makes it."""

from tortoise import fields
from tortoise.models import Model

from loyalty.ids import next_id
from loyalty.models.fields import InstantField


class SurveySheet(Model):
    """One survey for one customer, handed out once by its key, about a receipt or about nothing."""

    id = fields.BigIntField(primary_key=True, default=next_id, generated=False)
    key = fields.CharField(max_length=200, unique=True)
    survey = fields.CharField(max_length=32)  # nps | interests
    customer_id = fields.BigIntField()
    receipt_id = fields.BigIntField(null=True)
    shop_id = fields.BigIntField(null=True)  # of the receipt
    asked_at = InstantField()
    answered_at = InstantField(null=True)  # first
    changed_at = InstantField(null=True)
    ended_at = InstantField(null=True)  # all questions were before her
    score = fields.IntField(null=True)
    words = fields.CharField(max_length=1000, default="")
    unreached = fields.BooleanField(db_default=False)  # its message has not gone out

    class Meta:
        table = "survey_sheet"
        indexes = (("customer_id", "survey", "asked_at"), ("survey", "answered_at"))
