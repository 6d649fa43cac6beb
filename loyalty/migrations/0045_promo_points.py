"""Of a receipt's points, those that its promo codes have added: caps of earning rules leave them out."""

from tortoise import migrations
from tortoise.migrations import operations as ops
from tortoise import fields
from loyalty.schema import check, sql


class Migration(migrations.Migration):
    dependencies = [("loyalty", "0040_promo")]

    initial = False

    operations = [
        ops.AddField(
            model_name="Receipt",
            name="promo_points",
            field=fields.BigIntField(db_default=0),
        ),
        sql("""
        UPDATE receipt SET promo_points = (
            SELECT SUM(u.points) FROM promo_use AS u
            WHERE u.receipt_id = receipt.id AND u.state IN ('redeemed', 'freed'))
        WHERE EXISTS (SELECT 1 FROM promo_use AS u
            WHERE u.receipt_id = receipt.id AND u.state IN ('redeemed', 'freed'));
        """),
        check(
            "receipt",
            "receipt_promo_points",
            "{}promo_points >= 0 AND {}promo_points <= {}earned_points",
        ),
    ]
