"""Turnover by month, revisions that nobody changes, and what a customer's turnover may be."""

from tortoise import migrations

from loyalty.schema import append_only, check, sql


class Migration(migrations.Migration):
    dependencies = [("loyalty", "0020_rules_and_turnover")]

    operations = [
        sql("""
        CREATE TABLE customer_month (
            customer_id BIGINT NOT NULL, month INTEGER NOT NULL, turnover_minor BIGINT NOT NULL,
            receipts BIGINT NOT NULL, PRIMARY KEY (customer_id, month));
        """),
        append_only("rule_revision"),
        check("rule_revision", "rule_revision_number", "{}number > 0"),
        check("customer_turnover", "customer_turnover_receipts", "{}receipts >= 0"),
    ]
