"""Sites, what happens on them, and which browser is whose."""

from tortoise import migrations
from loyalty.schema import check, sql
from tortoise.migrations import operations as ops
from loyalty.ids import next_id
from loyalty.models.fields import InstantField
from tortoise import fields
from tortoise.indexes import Index


class Migration(migrations.Migration):
    dependencies = [("loyalty", "0070_occasions")]

    initial = False

    operations = [
        ops.CreateModel(
            name="Site",
            fields=[
                ("id", fields.BigIntField(primary_key=True, default=next_id, generated=False)),
                ("name", fields.CharField(unique=True, max_length=64)),
                ("public_key", fields.CharField(unique=True, max_length=64)),
                ("secret_hash", fields.CharField(unique=True, max_length=64)),
                ("generation", fields.IntField(default=1)),
                ("origins", fields.TextField(unique=False)),
                ("created_at", InstantField(generated=False, null=False, unique=False)),
                ("closed_at", InstantField(null=True, generated=False, unique=False)),
            ],
            options={"table": "site", "app": "loyalty", "pk_attr": "id", "table_description": "A site that tells what happens on it."},
            bases=["Model"],
        ),
        ops.CreateModel(
            name="SiteEventRow",
            fields=[
                ("id", fields.BigIntField(primary_key=True, default=next_id, generated=False)),
                ("site_id", fields.BigIntField()),
                ("visitor", fields.CharField(max_length=64)),
                ("key", fields.CharField(max_length=64)),
                ("customer_id", fields.BigIntField(null=True)),
                ("kind", fields.CharField(max_length=12)),
                ("at", InstantField(generated=False, null=False, unique=False)),
                ("received_at", InstantField(generated=False, null=False, unique=False)),
                ("fact", fields.TextField(unique=False)),
            ],
            options={"table": "site_event", "app": "loyalty", "unique_together": (("site_id", "visitor", "key"),), "indexes": [Index(fields=["customer_id", "at"]), Index(fields=["received_at"])], "pk_attr": "id", "table_description": "Something that a visitor did. Nobody's (customer null) until her browser is known as hers."},
            bases=["Model"],
        ),
        sql("""
        CREATE TABLE site_visitor (
            site_id BIGINT NOT NULL, visitor VARCHAR(64) NOT NULL, customer_id BIGINT NOT NULL,
            joined_at BIGINT NOT NULL, PRIMARY KEY (site_id, visitor));
        CREATE INDEX site_event_adrift ON site_event (site_id, visitor) WHERE customer_id IS NULL;
        """),
        check("site_event", "site_event_kind",
              "{}kind IN ('view', 'search', 'favourite', 'cart', 'order')"),
    ]
