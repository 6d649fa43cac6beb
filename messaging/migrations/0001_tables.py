from tortoise import migrations
from tortoise.migrations import operations as ops
from loyalty.ids import next_id
from loyalty.models.fields import InstantField
from tortoise.fields.base import OnDelete
from tortoise import fields
from tortoise.indexes import Index

class Migration(migrations.Migration):
    initial = True

    operations = [
        ops.CreateModel(
            name='ChatThread',
            fields=[
                ('id', fields.BigIntField(primary_key=True, generated=False)),
                ('secret_hash', fields.CharField(unique=True, max_length=64)),
                ('language', fields.CharField(default='ru', max_length=8)),
                ('last_message_id', fields.BigIntField(default=0)),
                ('keyboard', fields.TextField(default='', unique=False)),
                ('created_at', InstantField(generated=False, null=False, unique=False)),
                ('seen_at', InstantField(generated=False, null=False, unique=False)),
            ],
            options={'table': 'chat_thread', 'app': 'messaging', 'pk_attr': 'id', 'table_description': "One browser's conversation. `id` is the Bot API's chat id, and the visitor holds a secret."},
            bases=['Model'],
        ),
        ops.CreateModel(
            name='ChatMessage',
            fields=[
                ('id', fields.BigIntField(primary_key=True, default=next_id, generated=False)),
                ('thread', fields.ForeignKeyField('messaging.ChatThread', source_field='thread_id', db_constraint=True, to_field='id', related_name='messages', on_delete=OnDelete.CASCADE)),
                ('message_id', fields.BigIntField()),
                ('outgoing', fields.BooleanField()),
                ('body', fields.TextField(unique=False)),
                ('at', InstantField(generated=False, null=False, unique=False)),
                ('edited_at', InstantField(null=True, generated=False, unique=False)),
                ('deleted_at', InstantField(null=True, generated=False, unique=False)),
            ],
            options={'table': 'chat_message', 'app': 'messaging', 'unique_together': (('thread', 'message_id'),), 'pk_attr': 'id', 'table_description': 'One transcript row, as the browser shows it. `message_id` counts within its thread.'},
            bases=['Model'],
        ),
        ops.CreateModel(
            name='DialogueState',
            fields=[
                ('key', fields.CharField(primary_key=True, unique=True, db_index=True, max_length=200)),
                ('state', fields.CharField(null=True, max_length=120)),
                ('data', fields.TextField(default='{}', unique=False)),
                ('updated_at', InstantField(generated=False, null=False, unique=False)),
            ],
            options={'table': 'dialogue_state', 'app': 'messaging', 'pk_attr': 'key', 'table_description': "Where a conversation stands (aiogram's FSM) without Redis. Holds nothing of value."},
            bases=['Model'],
        ),
        ops.CreateModel(
            name='Message',
            fields=[
                ('id', fields.BigIntField(primary_key=True, default=next_id, generated=False)),
                ('dedupe_key', fields.CharField(unique=True, max_length=200)),
                ('customer_id', fields.BigIntField(null=True)),
                ('address_kind', fields.CharField(default='', max_length=16)),
                ('address', fields.CharField(default='', max_length=254)),
                ('topic', fields.CharField(max_length=16)),
                ('kind', fields.CharField(default='', max_length=32)),
                ('source', fields.CharField(default='', max_length=64)),
                ('template', fields.CharField(max_length=64)),
                ('context', fields.TextField(unique=False)),
                ('language', fields.CharField(default='', max_length=8)),
                ('priority', fields.IntField(default=5)),
                ('value', fields.BigIntField(default=0)),
                ('urgent', fields.BooleanField(default=False)),
                ('channels', fields.CharField(default='', max_length=64)),
                ('wants', fields.CharField(default='', max_length=12)),
                ('reach_permille', fields.IntField(default=0)),
                ('cost_max', fields.BigIntField(null=True)),
                ('goal', fields.CharField(default='', max_length=16)),
                ('state', fields.CharField(max_length=12)),
                ('reason', fields.CharField(default='', max_length=200)),
                ('created_at', InstantField(generated=False, null=False, unique=False)),
                ('not_before', InstantField(generated=False, null=False, unique=False)),
                ('expires_at', InstantField(generated=False, null=False, unique=False)),
                ('lease_owner', fields.CharField(default='', max_length=64)),
                ('lease_until', InstantField(null=True, generated=False, unique=False)),
                ('tries', fields.IntField(default=0)),
                ('fallback_at', InstantField(null=True, generated=False, unique=False)),
                ('closed_at', InstantField(null=True, generated=False, unique=False)),
            ],
            options={'table': 'message', 'app': 'messaging', 'indexes': [Index(fields=['customer_id', 'created_at'])], 'pk_attr': 'id', 'table_description': 'Why, to whom, about what. Ends in `sent`, `skipped` or `failed`, always with a reason.'},
            bases=['Model'],
        ),
        ops.CreateModel(
            name='Attempt',
            fields=[
                ('id', fields.BigIntField(primary_key=True, default=next_id, generated=False)),
                ('message', fields.ForeignKeyField('messaging.Message', source_field='message_id', db_constraint=True, to_field='id', related_name='attempts', on_delete=OnDelete.RESTRICT)),
                ('channel', fields.CharField(max_length=16)),
                ('address_kind', fields.CharField(max_length=16)),
                ('address', fields.CharField(max_length=254)),
                ('body', fields.TextField(default='', unique=False)),
                ('state', fields.CharField(max_length=12)),
                ('provider_id', fields.CharField(default='', max_length=120)),
                ('error', fields.CharField(default='', max_length=300)),
                ('cost', fields.BigIntField(default=0)),
                ('started_at', InstantField(generated=False, null=False, unique=False)),
                ('finished_at', InstantField(null=True, generated=False, unique=False)),
                ('status', fields.CharField(default='', max_length=12)),
                ('status_at', InstantField(null=True, generated=False, unique=False)),
                ('clicked_at', InstantField(null=True, generated=False, unique=False)),
            ],
            options={'table': 'attempt', 'app': 'messaging', 'indexes': [Index(fields=['message_id']), Index(fields=['channel', 'address'])], 'pk_attr': 'id', 'table_description': 'One try by one channel at one address.'},
            bases=['Model'],
        ),
        ops.CreateModel(
            name='UploadedFile',
            fields=[
                ('id', fields.CharField(primary_key=True, unique=True, db_index=True, max_length=64)),
                ('media_type', fields.CharField(max_length=64)),
                ('content', fields.BinaryField()),
                ('created_at', InstantField(generated=False, null=False, unique=False)),
            ],
            options={'table': 'uploaded_file', 'app': 'messaging', 'pk_attr': 'id', 'table_description': 'A picture that the bot sent, and its id is ours and outlives a restart.'},
            bases=['Model'],
        ),
    ]
