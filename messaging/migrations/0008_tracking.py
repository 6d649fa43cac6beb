"""Links, hits, double opt-in, and the topics that a customer does not want."""

from tortoise import fields, migrations
from tortoise.indexes import Index
from tortoise.migrations import operations as ops

from loyalty.ids import next_id
from loyalty.models.fields import InstantField
from loyalty.schema import append_only, check, sql


class Migration(migrations.Migration):
    dependencies = [("messaging", "0007_templates")]

    initial = False

    operations = [
        ops.CreateModel(
            name='Hit',
            fields=[
                ('id', fields.BigIntField(primary_key=True, default=next_id, generated=False)),
                ('attempt_id', fields.BigIntField()),
                ('kind', fields.CharField(max_length=8)),
                ('nth', fields.IntField(default=0)),
                ('at', InstantField(generated=False, null=False, unique=False)),
                ('verdict', fields.CharField(max_length=8)),
                ('reason', fields.CharField(default='', max_length=24)),
                ('user_agent', fields.CharField(default='', max_length=160)),
            ],
            options={'table': 'hit', 'app': 'messaging', 'indexes': [Index(fields=['attempt_id']), Index(fields=['at'])], 'pk_attr': 'id', 'table_description': 'One request for a link or for the picture of a message, and who is behind it. Append-only.'},
            bases=['Model'],
        ),
        ops.CreateModel(
            name='OptInRequest',
            fields=[
                ('id', fields.BigIntField(primary_key=True, default=next_id, generated=False)),
                ('customer_id', fields.BigIntField()),
                ('address', fields.CharField(max_length=254)),
                ('asked_at', InstantField(generated=False, null=False, unique=False)),
                ('confirmed_at', InstantField(null=True, generated=False, unique=False)),
            ],
            options={'table': 'opt_in', 'app': 'messaging', 'indexes': [Index(fields=['customer_id']), Index(fields=['address', 'asked_at'])], 'pk_attr': 'id', 'table_description': 'A letter that asks the owner of an e-mail address to confirm it for one customer.'},
            bases=['Model'],
        ),
        ops.AddField(
            model_name='Preference',
            name='topics_off',
            field=fields.CharField(db_default='', max_length=64),
        ),
        sql("""
        CREATE TABLE link (
            attempt_id BIGINT NOT NULL, nth INTEGER NOT NULL, url TEXT NOT NULL,
            PRIMARY KEY (attempt_id, nth));
        """),
        check("hit", "hit_kind", "{}kind IN ('click', 'open', 'trap')"),
        check("hit", "hit_verdict", "{}verdict IN ('person', 'machine')"),
        append_only("hit"),
    ]
