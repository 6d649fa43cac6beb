"""What the dispatcher looks up, and two tables with two-column keys."""

from tortoise import migrations

from loyalty.schema import append_only, check, sql


class Migration(migrations.Migration):
    dependencies = [("messaging", "0004_dispatcher")]

    operations = [
        sql("""
        CREATE TABLE provider_message (
            channel VARCHAR(16) NOT NULL, provider_id VARCHAR(120) NOT NULL,
            attempt_id BIGINT NOT NULL, status VARCHAR(12) NOT NULL,
            PRIMARY KEY (channel, provider_id));
        CREATE INDEX provider_message_attempt ON provider_message (attempt_id);
        CREATE TABLE habit (
            customer_id BIGINT NOT NULL, channel VARCHAR(16) NOT NULL,
            sent BIGINT NOT NULL, seen BIGINT NOT NULL, PRIMARY KEY (customer_id, channel));
        CREATE INDEX message_fallback ON message (fallback_at) WHERE fallback_at IS NOT NULL;
        CREATE INDEX message_rivals ON message (customer_id)
            WHERE state = 'queued' AND topic <> 'service';
        CREATE INDEX suppression_open ON suppression (address_kind, address)
            WHERE lifted_at IS NULL;
        """),
        check("message", "message_wants", "{}wants IN ('', 'delivered', 'read')"),
        check("habit", "habit_counts", "{}seen >= 0 AND {}sent >= {}seen"),
        append_only("decision"),
    ]
