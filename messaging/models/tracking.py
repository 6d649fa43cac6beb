"""What people do with messages: they open them, follow their links, confirm their addresses.

`link` (where a click leads, by attempt and number) has a two-column key and so no model: the
migration makes it.
"""

from tortoise import fields
from tortoise.models import Model

from loyalty.ids import next_id
from loyalty.models.fields import InstantField


class Hit(Model):
    """One request for a link or for the picture of a message, and who is behind it. Append-only.

    The verdict is what was known at that moment; what stands is `attempt.clicked_at`.
    """

    id = fields.BigIntField(primary_key=True, default=next_id, generated=False)
    attempt_id = fields.BigIntField()
    kind = fields.CharField(max_length=8)  # click | open | trap
    nth = fields.IntField(default=0)  # which link of the attempt
    at = InstantField()
    verdict = fields.CharField(max_length=8)  # person | machine
    reason = fields.CharField(max_length=24, default="")
    user_agent = fields.CharField(max_length=160, default="")

    class Meta:
        table = "hit"
        indexes = (("attempt_id",), ("at",))


class OptInRequest(Model):
    """A letter that asks the owner of an e-mail address to confirm it for one customer."""

    id = fields.BigIntField(primary_key=True, default=next_id, generated=False)
    customer_id = fields.BigIntField()
    address = fields.CharField(max_length=254)
    asked_at = InstantField()
    confirmed_at = InstantField(null=True)

    class Meta:
        table = "opt_in"
        indexes = (("customer_id",), ("address", "asked_at"))
