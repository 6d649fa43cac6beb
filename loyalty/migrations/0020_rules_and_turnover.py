from tortoise import migrations
from tortoise.migrations import operations as ops
from loyalty.models.fields import InstantField
from tortoise import fields
from tortoise.indexes import Index

class Migration(migrations.Migration):
    dependencies = [('loyalty', '0007_demand')]

    initial = False

    operations = [
        ops.CreateModel(
            name='CustomerTurnover',
            fields=[
                ('customer_id', fields.BigIntField(primary_key=True, generated=False)),
                ('version', fields.BigIntField()),
                ('receipts', fields.BigIntField()),
                ('tier', fields.CharField(max_length=16)),
                ('rises', fields.TextField(unique=False)),
                ('falls_at', fields.BigIntField()),
                ('near_told', fields.CharField(max_length=16)),
                ('near_at', fields.BigIntField()),
                ('turnover_minor', fields.BigIntField()),
                ('due_at', fields.BigIntField()),
            ],
            options={'table': 'customer_turnover', 'app': 'loyalty', 'indexes': [Index(fields=['due_at'])], 'pk_attr': 'customer_id', 'table_description': 'The tier that a customer holds, and how much she has bought. Written with each receipt.'},
            bases=['Model'],
        ),
        ops.CreateModel(
            name='RuleRevision',
            fields=[
                ('number', fields.BigIntField(primary_key=True, generated=False)),
                ('at', InstantField(generated=False, null=False, unique=False)),
                ('saved_by', fields.CharField(max_length=64)),
                ('comment', fields.CharField(default='', max_length=500)),
                ('document', fields.TextField(unique=False)),
            ],
            options={'table': 'rule_revision', 'app': 'loyalty', 'pk_attr': 'number', 'table_description': 'The rules as somebody saved them. Append-only: receipts say by which revision they were made.'},
            bases=['Model'],
        ),
        ops.AddField(
            model_name='Quote',
            name='rules_revision',
            field=fields.BigIntField(db_default=0),
        ),
        ops.AddField(
            model_name='Quote',
            name='turnover_version',
            field=fields.BigIntField(db_default=0),
        ),
        ops.AddField(
            model_name='Receipt',
            name='rules_revision',
            field=fields.BigIntField(db_default=0),
        ),
    ]
