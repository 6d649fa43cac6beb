"""Tasks for operators. What Tortoise cannot say comes last."""

from tortoise import migrations
from loyalty.schema import check, sql
from tortoise.migrations import operations as ops
from loyalty.ids import next_id
from loyalty.models.fields import InstantField
from tortoise import fields
from tortoise.indexes import Index


class Migration(migrations.Migration):
    dependencies = [("messaging", "0040_medicine_names")]

    initial = False

    operations = [
        ops.CreateModel(
            name="Task",
            fields=[
                ("id", fields.BigIntField(primary_key=True, default=next_id, generated=False)),
                ("key", fields.CharField(unique=True, max_length=200)),
                ("kind", fields.CharField(max_length=32)),
                ("customer_id", fields.BigIntField()),
                ("why", fields.CharField(max_length=500)),
                ("opened_at", InstantField(generated=False, null=False, unique=False)),
                ("due_at", InstantField(generated=False, null=False, unique=False)),
                ("taken_at", InstantField(null=True, generated=False, unique=False)),
                ("taken_by", fields.CharField(default="", max_length=64)),
                ("done_at", InstantField(null=True, generated=False, unique=False)),
                ("done_by", fields.CharField(default="", max_length=64)),
                ("outcome", fields.CharField(default="", max_length=16)),
                ("note", fields.CharField(default="", max_length=1000)),
                ("answer", fields.CharField(default="", max_length=500)),
            ],
            options={"table": "task", "app": "messaging", "indexes": [Index(fields=["customer_id", "opened_at"])], "pk_attr": "id", "table_description": "Opened once by its key, may be taken, ends as done with who and how."},
            bases=["Model"],
        ),
        sql("CREATE INDEX task_open ON task (due_at, id) WHERE done_at IS NULL;"),
        check("task", "task_outcome",
              "({}done_at IS NULL AND {}outcome = '') OR "
              "({}done_at IS NOT NULL AND {}outcome IN ('reached', 'no_answer', 'needless'))"),
    ]
