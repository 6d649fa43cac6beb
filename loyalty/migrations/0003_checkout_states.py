from tortoise import migrations
from tortoise.migrations import operations as ops
from loyalty.models.fields import InstantField
from tortoise import fields

class Migration(migrations.Migration):
    dependencies = [('loyalty', '0002_constraints')]

    initial = False

    operations = [
        ops.CreateModel(
            name='CardGuess',
            fields=[
                ('scope', fields.CharField(primary_key=True, unique=True, db_index=True, max_length=160)),
                ('wrong', fields.IntField()),
                ('ends_at', InstantField(generated=False, null=False, unique=False)),
            ],
            options={'table': 'card_guess', 'app': 'loyalty', 'pk_attr': 'scope', 'table_description': "How often a till's device has named a card that does not exist, until the count starts anew."},
            bases=['Model'],
        ),
        ops.AddField(
            model_name='Quote',
            name='card_how',
            field=fields.CharField(db_default='', max_length=8),
        ),
        ops.AddField(
            model_name='Quote',
            name='state',
            field=fields.CharField(db_default='open', max_length=12),
        ),
        ops.AddField(
            model_name='Receipt',
            name='cancel_answer',
            field=fields.TextField(null=True, unique=False),
        ),
        ops.AddField(
            model_name='Receipt',
            name='cancel_fingerprint',
            field=fields.BinaryField(null=True),
        ),
        ops.AddField(
            model_name='Receipt',
            name='cancel_key',
            field=fields.CharField(null=True, max_length=200),
        ),
        ops.AddField(
            model_name='Receipt',
            name='cancelled_by',
            field=fields.BigIntField(null=True),
        ),
        ops.AddField(
            model_name='Receipt',
            name='card_how',
            field=fields.CharField(db_default='', max_length=8),
        ),
        ops.AddField(
            model_name='ShortCode',
            name='code_hash',
            field=fields.CharField(db_default='', max_length=64),
        ),
    ]
