"""Courses of medicines, what came to them, and how fast the base uses each medicine up."""

from tortoise import migrations
from tortoise.migrations import operations as ops
from loyalty.ids import next_id
from loyalty.models.fields import InstantField
from tortoise import fields
from tortoise.indexes import Index
from loyalty.schema import check, sql

class Migration(migrations.Migration):
    dependencies = [("loyalty", "0045_promo_points")]

    initial = False

    operations = [
        ops.CreateModel(
            name='RefillCourse',
            fields=[
                ('id', fields.BigIntField(primary_key=True, default=next_id, generated=False)),
                ('customer_id', fields.BigIntField()),
                ('item', fields.CharField(max_length=210)),
                ('sku', fields.CharField(default='', max_length=64)),
                ('name', fields.CharField(max_length=200)),
                ('prescription_only', fields.BooleanField(default=False)),
                ('pack_units', fields.IntField()),
                ('daily_milli', fields.BigIntField()),
                ('daily_told', fields.BooleanField(default=False)),
                ('base_at', InstantField(null=True, generated=False, unique=False)),
                ('base_milli', fields.BigIntField(default=0)),
                ('base_told', fields.BooleanField(default=False)),
                ('regime', fields.IntField(default=0)),
                ('state', fields.CharField(default='active', max_length=8)),
                ('snoozed_until', InstantField(null=True, generated=False, unique=False)),
                ('cycle', fields.IntField(default=1)),
                ('told_cycle', fields.IntField(default=0)),
                ('version', fields.BigIntField(default=1)),
                ('settled_version', fields.BigIntField(default=0)),
                ('run_out_at', InstantField(null=True, generated=False, unique=False)),
                ('due_at', InstantField(null=True, generated=False, unique=False)),
                ('expected_at', InstantField(null=True, generated=False, unique=False)),
                ('pace_permille', fields.IntField(default=1000)),
                ('intervals', fields.IntField(default=0)),
                ('created_at', InstantField(generated=False, null=False, unique=False)),
            ],
            options={'table': 'refill_course', 'app': 'loyalty', 'pk_attr': 'id', 'table_description': 'One medicine of one customer, whatever the pack (`item` says which, see `rules.refill`).'},
            bases=['Model'],
        ),
        ops.CreateModel(
            name='RefillPace',
            fields=[
                ('item', fields.CharField(primary_key=True, unique=True, db_index=True, max_length=210)),
                ('courses', fields.BigIntField()),
                ('pace_permille', fields.IntField()),
                ('late_milli', fields.BigIntField()),
                ('learned_at', InstantField(generated=False, null=False, unique=False)),
            ],
            options={'table': 'refill_pace', 'app': 'loyalty', 'pk_attr': 'item', 'table_description': 'How fast all who take one medicine use it up. "" stands for all medicines together.'},
            bases=['Model'],
        ),
        ops.CreateModel(
            name='RefillSupply',
            fields=[
                ('id', fields.BigIntField(primary_key=True, default=next_id, generated=False)),
                ('course_id', fields.BigIntField()),
                ('receipt_id', fields.BigIntField(null=True)),
                ('pack_units', fields.IntField()),
                ('at', InstantField(generated=False, null=False, unique=False)),
                ('units_milli', fields.BigIntField()),
                ('back_milli', fields.BigIntField(default=0)),
                ('back_at', InstantField(null=True, generated=False, unique=False)),
                ('regime', fields.IntField(default=0)),
            ],
            options={'table': 'refill_supply', 'app': 'loyalty', 'indexes': [Index(fields=['course_id', 'at'])], 'pk_attr': 'id', 'table_description': "Goods that came to a course. The id is that of the receipt's line where there is one."},
            bases=['Model'],
        ),
        ops.AddField(
            model_name='Product',
            name='daily_milli',
            field=fields.BigIntField(db_default=0),
        ),
        ops.AddField(
            model_name='Product',
            name='medicine',
            field=fields.CharField(db_default='', max_length=200),
        ),
        sql("""
        CREATE UNIQUE INDEX refill_course_item ON refill_course (customer_id, item);
        CREATE INDEX refill_course_due ON refill_course (due_at)
            WHERE state = 'active' AND told_cycle < cycle AND due_at IS NOT NULL;
        CREATE INDEX refill_course_unsettled ON refill_course (id) WHERE settled_version < version;
        CREATE INDEX refill_supply_receipt ON refill_supply (receipt_id)
            WHERE receipt_id IS NOT NULL;
        """),
        check("refill_course", "refill_course_state", "{}state IN ('active', 'stopped')"),
        check(
            "refill_course",
            "refill_course_figures",
            "{}pack_units > 0 AND {}daily_milli > 0 AND {}base_milli >= 0 AND {}pace_permille > 0",
        ),
        check(
            "refill_supply",
            "refill_supply_units",
            "{}units_milli > 0 AND {}back_milli >= 0 AND {}back_milli <= {}units_milli",
        ),
    ]
