"""The browser's own number of a text: sent twice, it is stored once."""

from tortoise import fields, migrations
from tortoise.migrations import operations as ops

from loyalty.schema import sql


class Migration(migrations.Migration):
    dependencies = [("messaging", "0002_constraints")]

    initial = False

    operations = [
        ops.AddField(
            model_name="ChatMessage",
            name="client_id",
            field=fields.CharField(null=True, max_length=40),
        ),
        sql("CREATE UNIQUE INDEX chat_message_client ON chat_message (thread_id, client_id);"),
    ]
