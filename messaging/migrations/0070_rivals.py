"""The index over a customer's waiting messages is spelled so that only what asks for it uses it.

While the queue is empty any of its indexes seems as good as another to a planner, and the plan that
it makes then is kept when the queue is long.
"""

from tortoise import migrations

from loyalty.schema import sql


class Migration(migrations.Migration):
    dependencies = [("messaging", "0061_mailings")]

    initial = False

    operations = [
        sql("""
        DROP INDEX message_rivals;
        CREATE INDEX message_rivals ON message (customer_id)
            WHERE state || '' = 'queued' AND topic <> 'service';
        """),
    ]
