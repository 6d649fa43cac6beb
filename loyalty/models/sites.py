"""The shop's sites and what happens on them. `site_visitor` (who a browser belongs to) has a
two-column key and so no model: the migration makes it."""

from tortoise import fields
from tortoise.models import Model

from loyalty.ids import next_id
from loyalty.models.fields import InstantField


class Site(Model):
    """A site that tells what happens on it.

    Its public key stands in its pages; its secret key is made of the programme's secret and kept
    as a hash.
    """

    id = fields.BigIntField(primary_key=True, default=next_id, generated=False)
    name = fields.CharField(max_length=64, unique=True)
    public_key = fields.CharField(max_length=64, unique=True)
    secret_hash = fields.CharField(max_length=64, unique=True)
    generation = fields.IntField(default=1)  # of the secret key: a new one ends the old
    origins = fields.TextField()  # with spaces: https://shop.example https://m.shop.example
    created_at = InstantField()
    closed_at = InstantField(null=True)

    class Meta:
        table = "site"


class SiteEventRow(Model):
    """Something that a visitor did. Nobody's (customer null) until her browser is known as hers."""

    id = fields.BigIntField(primary_key=True, default=next_id, generated=False)
    site_id = fields.BigIntField()
    visitor = fields.CharField(max_length=64)  # "": told by the site's server of a customer
    key = fields.CharField(max_length=64)  # the site's own id of it
    customer_id = fields.BigIntField(null=True)
    kind = fields.CharField(max_length=12)  # view | search | favourite | cart | order
    at = InstantField()
    received_at = InstantField()
    fact = fields.TextField()  # JSON

    class Meta:
        table = "site_event"
        unique_together = (("site_id", "visitor", "key"),)
        indexes = (("customer_id", "at"), ("received_at",))
