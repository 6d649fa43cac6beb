"""When the provider of an unknown try is asked again."""

from tortoise import migrations
from tortoise.migrations import operations as ops
from loyalty.models.fields import InstantField
from loyalty.schema import sql


class Migration(migrations.Migration):
    dependencies = [("messaging", "0050_tasks")]

    initial = False

    operations = [
        ops.AddField(
            model_name="Attempt",
            name="ask_at",
            field=InstantField(null=True, generated=False, unique=False),
        ),
        sql("""
        CREATE INDEX attempt_unknown ON attempt (channel, started_at) WHERE state = 'unknown';
        """),
    ]
