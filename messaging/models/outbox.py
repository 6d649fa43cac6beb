"""A message is a row before it is a send; every try of a channel is a row too."""

from tortoise import fields
from tortoise.models import Model

from loyalty.ids import next_id
from loyalty.models.fields import InstantField


class Message(Model):
    """Why, to whom, about what. Ends in `sent`, `skipped` or `failed`, always with a reason.

    queued   waits for `not_before` and a worker
    sending  claimed: `lease_until` and `lease_owner` say by whom and how long
    sent     a channel has accepted it
    skipped  it was right not to send it; `reason` says why
    failed   no channel could; `reason` says why
    unknown  the request was written but no answer came; resolved later, never blindly resent
    """

    id = fields.BigIntField(primary_key=True, default=next_id, generated=False)
    dedupe_key = fields.CharField(max_length=200, unique=True)
    customer_id = fields.BigIntField(null=True)
    address_kind = fields.CharField(max_length=16, default="")  # set when it goes to a bare address
    address = fields.CharField(max_length=254, default="")
    topic = fields.CharField(max_length=16)  # service | marketing | survey
    template = fields.CharField(max_length=64)
    context = fields.TextField()  # JSON
    language = fields.CharField(max_length=8, default="")  # "" means the customer's own
    priority = fields.IntField(default=5)
    state = fields.CharField(max_length=12)
    reason = fields.CharField(max_length=200, default="")
    created_at = InstantField()
    not_before = InstantField()
    expires_at = InstantField()
    lease_owner = fields.CharField(max_length=64, default="")
    lease_until = InstantField(null=True)
    tries = fields.IntField(default=0)
    closed_at = InstantField(null=True)

    class Meta:
        table = "message"
        indexes = (("customer_id", "created_at"),)


class Attempt(Model):
    id = fields.BigIntField(primary_key=True, default=next_id, generated=False)
    message: fields.ForeignKeyRelation[Message] = fields.ForeignKeyField(
        "messaging.Message", related_name="attempts", on_delete=fields.RESTRICT
    )
    channel = fields.CharField(max_length=16)
    address = fields.CharField(max_length=254)
    body = fields.TextField(default="")
    state = fields.CharField(max_length=12)  # sending | sent | failed | unknown
    provider_id = fields.CharField(max_length=120, default="")
    error = fields.CharField(max_length=300, default="")
    cost_minor = fields.BigIntField(default=0)
    started_at = InstantField()
    finished_at = InstantField(null=True)

    class Meta:
        table = "attempt"
        indexes = (("message_id",), ("channel", "address"))
