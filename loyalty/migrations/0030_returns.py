from tortoise import migrations
from tortoise.migrations import operations as ops
from loyalty.ids import next_id
from loyalty.models.fields import InstantField
from tortoise.fields.base import OnDelete
from tortoise import fields
from tortoise.indexes import Index
from loyalty.schema import RunSQLPerDialect, append_only, check

# A receipt may now also be returned, all of it: the check of 0002 gives way to a wider one.
FORGET_STATES = RunSQLPerDialect(
    postgres="ALTER TABLE receipt DROP CONSTRAINT receipt_state;",
    sqlite="DROP TRIGGER receipt_state_insert; DROP TRIGGER receipt_state_update;",
)

class Migration(migrations.Migration):
    dependencies = [('loyalty', '0021_rules_constraints')]

    initial = False

    operations = [
        ops.CreateModel(
            name='ReceiptReturn',
            fields=[
                ('id', fields.BigIntField(primary_key=True, default=next_id, generated=False)),
                ('receipt', fields.ForeignKeyField('loyalty.Receipt', source_field='receipt_id', db_constraint=True, to_field='id', related_name='return_rows', on_delete=OnDelete.RESTRICT)),
                ('customer', fields.ForeignKeyField('loyalty.Customer', source_field='customer_id', db_constraint=True, to_field='id', related_name='returns', on_delete=OnDelete.RESTRICT)),
                ('till', fields.ForeignKeyField('loyalty.Till', source_field='till_id', db_constraint=True, to_field='id', related_name='returns', on_delete=OnDelete.RESTRICT)),
                ('number', fields.CharField(max_length=64)),
                ('nth', fields.IntField()),
                ('staff_id', fields.BigIntField(null=True)),
                ('at', InstantField(generated=False, null=False, unique=False)),
                ('recorded_at', InstantField(generated=False, null=False, unique=False)),
                ('amount_minor', fields.BigIntField()),
                ('refund_minor', fields.BigIntField()),
                ('given_back', fields.BigIntField()),
                ('taken_back', fields.BigIntField()),
                ('forgiven', fields.BigIntField()),
                ('give_back_id', fields.BigIntField(null=True)),
                ('take_back_id', fields.BigIntField(null=True)),
                ('key', fields.CharField(unique=True, max_length=200)),
                ('fingerprint', fields.BinaryField()),
                ('answer', fields.TextField(unique=False)),
            ],
            options={'table': 'receipt_return', 'app': 'loyalty', 'unique_together': (('till', 'number'), ('receipt', 'nth')), 'indexes': [Index(fields=['till_id', 'recorded_at']), Index(fields=['customer_id', 'at'])], 'pk_attr': 'id', 'table_description': 'A return of all or a part of a receipt, at any till. (till, number) is unique for ever.'},
            bases=['Model'],
        ),
        ops.CreateModel(
            name='ReceiptReturnLine',
            fields=[
                ('id', fields.BigIntField(primary_key=True, default=next_id, generated=False)),
                ('receipt_return', fields.ForeignKeyField('loyalty.ReceiptReturn', source_field='receipt_return_id', db_constraint=True, to_field='id', related_name='lines', on_delete=OnDelete.RESTRICT)),
                ('line', fields.ForeignKeyField('loyalty.ReceiptLine', source_field='line_id', db_constraint=True, to_field='id', related_name='returns', on_delete=OnDelete.RESTRICT)),
                ('quantity_milli', fields.BigIntField()),
                ('amount_minor', fields.BigIntField()),
                ('refund_minor', fields.BigIntField()),
                ('give_back', fields.BigIntField()),
                ('take_back', fields.BigIntField()),
            ],
            options={'table': 'receipt_return_line', 'app': 'loyalty', 'indexes': [Index(fields=['receipt_return_id']), Index(fields=['line_id'])], 'pk_attr': 'id', 'table_description': 'What came back of one line. Points are what the rules ask for, whatever the policy lets.'},
            bases=['Model'],
        ),
        ops.AddField(
            model_name='Receipt',
            name='goods_back_minor',
            field=fields.BigIntField(db_default=0),
        ),
        ops.AddField(
            model_name='Receipt',
            name='returns',
            field=fields.IntField(db_default=0),
        ),
        ops.AddField(
            model_name='ReceiptLine',
            name='returned_milli',
            field=fields.BigIntField(db_default=0),
        ),
        FORGET_STATES,
        check("receipt", "receipt_state", "{}state IN ('committed', 'cancelled', 'returned')"),
        check("receipt", "receipt_goods_back",
              "{}returns >= 0 AND {}goods_back_minor >= 0 AND {}goods_back_minor <= {}total_minor"),
        check("receipt_line", "receipt_line_returned",
              "{}returned_milli >= 0 AND {}returned_milli <= {}quantity_milli"),
        check("receipt_return", "receipt_return_sums",
              "{}amount_minor >= 0 AND {}refund_minor >= 0 AND {}given_back >= 0 "
              "AND {}taken_back >= 0 AND {}forgiven >= 0"),
        check("receipt_return_line", "receipt_return_line_quantity", "{}quantity_milli > 0"),
        append_only("receipt_return_line"),
    ]
