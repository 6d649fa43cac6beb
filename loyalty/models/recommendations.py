"""What is bought by the same people. `product_pair` has a two-column key and so no model: the
migration makes it."""

from tortoise import fields
from tortoise.models import Model

from loyalty.models.fields import InstantField


class ProductReach(Model):
    """How many of the customers that were counted have bought the product."""

    sku = fields.CharField(max_length=64, primary_key=True)
    buyers = fields.BigIntField()

    class Meta:
        table = "product_reach"
        indexes = (("buyers",),)


class PairCount(Model):
    """The latest count of pairs: one row, and none before the first."""

    id = fields.IntField(primary_key=True, generated=False)
    counted_at = InstantField()
    customers = fields.BigIntField()

    class Meta:
        table = "pair_count"
