from tortoise import migrations
from tortoise.migrations import operations as ops
from loyalty.ids import next_id
from loyalty.models.fields import InstantField
from tortoise import fields
from tortoise.indexes import Index

class Migration(migrations.Migration):
    dependencies = [('messaging', '0003_client_ids')]

    initial = False

    operations = [
        ops.CreateModel(
            name='Contact',
            fields=[
                ('message_id', fields.BigIntField(primary_key=True, generated=False)),
                ('customer_id', fields.BigIntField()),
                ('topic', fields.CharField(max_length=16)),
                ('kind', fields.CharField(default='', max_length=32)),
                ('channel', fields.CharField(max_length=16)),
                ('at', InstantField(generated=False, null=False, unique=False)),
            ],
            options={'table': 'contact', 'app': 'messaging', 'indexes': [Index(fields=['customer_id', 'at'])], 'pk_attr': 'message_id', 'table_description': 'A message that presses upon a customer: what the caps count. Taken back if nothing went.'},
            bases=['Model'],
        ),
        ops.CreateModel(
            name='Decision',
            fields=[
                ('id', fields.BigIntField(primary_key=True, default=next_id, generated=False)),
                ('message_id', fields.BigIntField()),
                ('at', InstantField(generated=False, null=False, unique=False)),
                ('verdict', fields.CharField(max_length=8)),
                ('reason', fields.CharField(default='', max_length=200)),
                ('details', fields.TextField(default='', unique=False)),
            ],
            options={'table': 'decision', 'app': 'messaging', 'indexes': [Index(fields=['message_id'])], 'pk_attr': 'id', 'table_description': 'What was decided about a message at one moment, and upon what. Append-only.'},
            bases=['Model'],
        ),
        ops.CreateModel(
            name='Preference',
            fields=[
                ('customer_id', fields.BigIntField(primary_key=True, generated=False)),
                ('quiet_from', fields.IntField(null=True)),
                ('quiet_until', fields.IntField(null=True)),
                ('weekly_max', fields.IntField(null=True)),
                ('updated_at', InstantField(generated=False, null=False, unique=False)),
            ],
            options={'table': 'preference', 'app': 'messaging', 'pk_attr': 'customer_id', 'table_description': "How a customer wants to be written to, else by the programme's default."},
            bases=['Model'],
        ),
        ops.CreateModel(
            name='Suppression',
            fields=[
                ('id', fields.BigIntField(primary_key=True, default=next_id, generated=False)),
                ('address_kind', fields.CharField(max_length=16)),
                ('address', fields.CharField(max_length=254)),
                ('topic', fields.CharField(default='', max_length=16)),
                ('reason', fields.CharField(max_length=32)),
                ('at', InstantField(generated=False, null=False, unique=False)),
                ('until', InstantField(generated=False, null=False, unique=False)),
                ('lifted_at', InstantField(null=True, generated=False, unique=False)),
            ],
            options={'table': 'suppression', 'app': 'messaging', 'pk_attr': 'id', 'table_description': 'An address that is not written to, unless `topic` or `until` narrow it.'},
            bases=['Model'],
        ),
    ]
