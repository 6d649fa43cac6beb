"""Strangers' events, which are forgotten first, by age."""

from tortoise import migrations

from loyalty.schema import sql


class Migration(migrations.Migration):
    dependencies = [("loyalty", "0062_sites")]

    operations = [
        sql("""
        CREATE INDEX site_event_strangers ON site_event (received_at) WHERE customer_id IS NULL;
        """),
    ]
