"""Partial indexes and checks of messaging."""

from tortoise import migrations

from loyalty.schema import check, sql


class Migration(migrations.Migration):
    dependencies = [("messaging", "0001_tables")]

    operations = [
        sql("""
        CREATE INDEX message_due ON message (priority, not_before, id) WHERE state = 'queued';
        CREATE INDEX message_lease ON message (lease_until) WHERE state = 'sending';
        """),
        check(
            "message",
            "message_state",
            "{}state IN ('queued', 'sending', 'sent', 'skipped', 'failed', 'unknown')",
        ),
        check("attempt", "attempt_state", "{}state IN ('sending', 'sent', 'failed', 'unknown')"),
    ]
