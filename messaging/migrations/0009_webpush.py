from tortoise import migrations
from tortoise.migrations import operations as ops
from loyalty.ids import next_id
from loyalty.models.fields import InstantField
from loyalty.schema import check, sql
from tortoise import fields

class Migration(migrations.Migration):
    dependencies = [('messaging', '0008_tracking')]

    initial = False

    operations = [
        ops.CreateModel(
            name='PushSubscription',
            fields=[
                ('id', fields.BigIntField(primary_key=True, default=next_id, generated=False)),
                ('thread_id', fields.BigIntField()),
                ('endpoint', fields.CharField(max_length=1024)),
                ('endpoint_hash', fields.CharField(max_length=64)),
                ('p256dh', fields.CharField(max_length=90)),
                ('auth', fields.CharField(max_length=24)),
                ('server_key', fields.CharField(max_length=90)),
                ('created_at', InstantField(generated=False, null=False, unique=False)),
                ('seen_at', InstantField(generated=False, null=False, unique=False)),
                ('ended_at', InstantField(null=True, generated=False, unique=False)),
                ('ended_why', fields.CharField(default='', max_length=16)),
            ],
            options={'table': 'push_subscription', 'app': 'messaging', 'pk_attr': 'id', 'table_description': "One browser's consent to be notified, of the web chat's thread that is open in it."},
            bases=['Model'],
        ),
        sql("""
        CREATE UNIQUE INDEX push_subscription_thread ON push_subscription (thread_id)
            WHERE ended_at IS NULL;
        CREATE UNIQUE INDEX push_subscription_endpoint ON push_subscription (endpoint_hash)
            WHERE ended_at IS NULL;
        """),
        check("push_subscription", "push_subscription_forgets",
              "{}ended_at IS NULL OR ({}endpoint = '' AND {}p256dh = '' AND {}auth = '')"),
    ]
