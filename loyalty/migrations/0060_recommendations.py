"""Products that are bought by the same people."""

from tortoise import migrations
from loyalty.schema import check, sql
from tortoise.migrations import operations as ops
from loyalty.models.fields import InstantField
from tortoise import fields
from tortoise.indexes import Index


class Migration(migrations.Migration):
    dependencies = [("loyalty", "0050_refills")]

    initial = False

    operations = [
        ops.CreateModel(
            name="ProductReach",
            fields=[
                ("sku", fields.CharField(primary_key=True, unique=True, db_index=True, max_length=64)),
                ("buyers", fields.BigIntField()),
            ],
            options={"table": "product_reach", "app": "loyalty", "indexes": [Index(fields=["buyers"])], "pk_attr": "sku", "table_description": "How many of the customers that were counted have bought the product."},
            bases=["Model"],
        ),
        ops.CreateModel(
            name="PairCount",
            fields=[
                ("id", fields.IntField(primary_key=True, generated=False)),
                ("counted_at", InstantField(generated=False, null=False, unique=False)),
                ("customers", fields.BigIntField()),
            ],
            options={"table": "pair_count", "app": "loyalty", "pk_attr": "id", "table_description": "The latest count of pairs: one row, and none before the first."},
            bases=["Model"],
        ),
        sql("""
        CREATE TABLE product_pair (
            sku VARCHAR(64) NOT NULL, other_sku VARCHAR(64) NOT NULL, together BIGINT NOT NULL,
            PRIMARY KEY (sku, other_sku));
        """),
        check("pair_count", "pair_count_one", "{}id = 1"),
        check("product_pair", "product_pair_two", "{}sku <> {}other_sku"),
    ]
