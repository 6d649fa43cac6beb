"""Whether a customer lets SMS and locked screens name what she takes."""

from tortoise import fields, migrations
from tortoise.migrations import operations as ops


class Migration(migrations.Migration):
    dependencies = [("messaging", "0010_journeys")]

    initial = False

    operations = [
        ops.AddField(
            model_name="Preference",
            name="medicine_names",
            field=fields.BooleanField(db_default=False),
        ),
    ]
