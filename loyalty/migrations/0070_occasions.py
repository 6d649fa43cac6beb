"""What looks at the clock find their customers by: birthdays, days of joining, last purchases.

A receipt's index by time is a summary of ranges on Postgres: it costs the till nothing.
"""

from tortoise import migrations

from loyalty.schema import RunSQLPerDialect, sql


class Migration(migrations.Migration):
    dependencies = [("loyalty", "0061_surveys")]

    operations = [
        RunSQLPerDialect(
            postgres="""
            CREATE INDEX customer_birthday ON customer
                ((EXTRACT(MONTH FROM born_on) * 100 + EXTRACT(DAY FROM born_on)), id)
                WHERE born_on IS NOT NULL;
            CREATE INDEX receipt_time ON receipt USING brin (at) WITH (pages_per_range = 32);
            """,
            sqlite="""
            CREATE INDEX customer_birthday ON customer
                (CAST(strftime('%m%d', born_on) AS INTEGER), id) WHERE born_on IS NOT NULL;
            CREATE INDEX receipt_time ON receipt (at);
            """,
        ),
        sql("""
        CREATE INDEX customer_joined ON customer (joined_at);
        CREATE INDEX promo_code_held ON promo_code (campaign_id, customer_id)
            WHERE customer_id IS NOT NULL;
        """),
    ]
