"""One open quote per receipt of a till; a cancel's key stands for one cancel."""

from tortoise import migrations

from loyalty.schema import check, sql


class Migration(migrations.Migration):
    dependencies = [("loyalty", "0003_checkout_states")]

    operations = [
        sql("""
        CREATE UNIQUE INDEX quote_open ON quote (till_id, receipt_number) WHERE state = 'open';
        CREATE UNIQUE INDEX receipt_cancel_key ON receipt (cancel_key) WHERE cancel_key IS NOT NULL;
        """),
        check("quote", "quote_state", "{}state IN ('open', 'committed', 'released', 'replaced')"),
    ]
