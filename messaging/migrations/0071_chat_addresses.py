"""Only chats are asked what was sent to an address of theirs, so only theirs are kept in order."""

from tortoise import migrations

from loyalty.schema import ForgetIndex, sql


class Migration(migrations.Migration):
    dependencies = [("messaging", "0070_rivals")]

    initial = False

    operations = [
        ForgetIndex(model_name="Attempt", fields=["channel", "address"]),
        sql("""
        DROP INDEX idx_attempt_channel_4dff17;
        CREATE INDEX attempt_chat_address ON attempt (address) WHERE channel = 'messenger';
        """),
    ]
