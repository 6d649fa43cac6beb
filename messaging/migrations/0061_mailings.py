"""Which mailing a message is of, and at which addresses it has been."""

from tortoise import fields, migrations
from tortoise.migrations import operations as ops

from loyalty.schema import sql


class Migration(migrations.Migration):
    dependencies = [("messaging", "0060_inquiries")]

    initial = False

    operations = [
        ops.AddField(
            model_name="Message",
            name="mailing",
            field=fields.CharField(max_length=64, db_default=""),
        ),
        sql("""
        CREATE TABLE mailing_address (
            mailing VARCHAR(64) NOT NULL, address_kind VARCHAR(16) NOT NULL,
            address VARCHAR(254) NOT NULL, message_id BIGINT NOT NULL,
            PRIMARY KEY (mailing, address_kind, address));
        CREATE INDEX mailing_address_message ON mailing_address (message_id);
        """),
    ]
