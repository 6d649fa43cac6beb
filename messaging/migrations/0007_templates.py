"""Saved templates, each revision a row that stays."""

from tortoise import fields, migrations
from tortoise.migrations import operations as ops

from loyalty.ids import next_id
from loyalty.models.fields import InstantField
from loyalty.schema import append_only, check


class Migration(migrations.Migration):
    dependencies = [("messaging", "0005_dispatcher_constraints")]

    initial = False

    operations = [
        ops.CreateModel(
            name="TemplateRevision",
            fields=[
                ("id", fields.BigIntField(primary_key=True, default=next_id, generated=False)),
                ("name", fields.CharField(max_length=64)),
                ("revision", fields.IntField()),
                ("source", fields.TextField(unique=False)),
                ("author", fields.CharField(max_length=64)),
                ("key", fields.CharField(unique=True, max_length=120)),
                ("at", InstantField(generated=False, null=False, unique=False)),
            ],
            options={"table": "template_revision", "app": "messaging", "unique_together": (("name", "revision"),), "pk_attr": "id", "table_description": "The whole template as a file, at one save. Append-only. The highest number holds."},
            bases=["Model"],
        ),
        check("template_revision", "template_revision_number", "{}revision > 0"),
        append_only("template_revision"),
    ]
