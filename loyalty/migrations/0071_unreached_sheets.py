"""Which survey sheets never reached who they were for, so that they are not counted as asked."""

from tortoise import fields, migrations
from tortoise.migrations import operations as ops


class Migration(migrations.Migration):
    dependencies = [("loyalty", "0063_old_site_events")]

    initial = False

    operations = [
        ops.AddField(
            model_name="SurveySheet",
            name="unreached",
            field=fields.BooleanField(db_default=False),
        ),
    ]
