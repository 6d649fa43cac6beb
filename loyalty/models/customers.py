"""Who the customer is, by what she is known, and what she agreed to."""

from tortoise import fields
from tortoise.models import Model

from loyalty.ids import next_id
from loyalty.models.fields import InstantField


class Customer(Model):
    """One person, however many channels she uses. Her points account has the same id."""

    id = fields.BigIntField(primary_key=True, default=next_id, generated=False)
    name = fields.CharField(max_length=200, default="")
    born_on = fields.DateField(null=True)
    city = fields.CharField(max_length=120, default="")
    language = fields.CharField(max_length=8, default="ru")
    timezone = fields.CharField(max_length=64, default="Europe/Moscow")
    joined_at = InstantField()
    erased_at = InstantField(null=True)

    class Meta:
        table = "customer"


class Identity(Model):
    """A phone, e-mail, Telegram or web-chat id, or card number. Of the open rows (kind, value) is unique."""  # noqa: E501

    id = fields.BigIntField(primary_key=True, default=next_id, generated=False)
    customer: fields.ForeignKeyRelation[Customer] = fields.ForeignKeyField(
        "loyalty.Customer", related_name="identities", on_delete=fields.RESTRICT
    )
    kind = fields.CharField(max_length=16)  # phone | email | telegram | webchat | card
    value = fields.CharField(max_length=254)
    # own_contact | one_time_code | opt_in | front | issued | staff | imported
    proof = fields.CharField(max_length=24)
    created_at = InstantField()
    ended_at = InstantField(null=True)

    class Meta:
        table = "identity"
        indexes = (("customer_id",),)


class ConsentFact(Model):
    """One "yes" or "no" of the customer. The latest fact of a purpose and channel holds. Append-only."""  # noqa: E501

    id = fields.BigIntField(primary_key=True, default=next_id, generated=False)
    customer: fields.ForeignKeyRelation[Customer] = fields.ForeignKeyField(
        "loyalty.Customer", related_name="consents", on_delete=fields.RESTRICT
    )
    purpose = fields.CharField(max_length=24)  # processing | marketing
    channel = fields.CharField(max_length=16, default="")  # "" means every channel
    granted = fields.BooleanField()
    at = InstantField()
    # where it was said: telegram | webchat | link | till | panel | import
    source = fields.CharField(max_length=24)
    wording = fields.CharField(max_length=32)  # version of the text that was shown

    class Meta:
        table = "consent_fact"
        indexes = (("customer_id",),)


class OneTimeCode(Model):
    """A code sent to an address to prove that it is hers: hashed, few tries, short life."""

    id = fields.BigIntField(primary_key=True, default=next_id, generated=False)
    purpose = fields.CharField(max_length=24)
    kind = fields.CharField(max_length=16)
    address = fields.CharField(max_length=254)
    code_hash = fields.BinaryField()
    attempts_left = fields.IntField()
    issued_at = InstantField()
    expires_at = InstantField()
    used_at = InstantField(null=True)

    class Meta:
        table = "one_time_code"
        indexes = (("address", "purpose"),)
