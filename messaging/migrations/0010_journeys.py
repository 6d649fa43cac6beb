"""Journeys: what is published and switched, who is inside, which steps were taken."""

from tortoise import migrations
from tortoise.migrations import operations as ops
from loyalty.ids import next_id
from loyalty.schema import append_only, sql
from loyalty.models.fields import InstantField
from tortoise import fields

class Migration(migrations.Migration):
    dependencies = [('messaging', '0009_webpush')]

    initial = False

    operations = [
        ops.CreateModel(
            name='Enrolment',
            fields=[
                ('id', fields.BigIntField(primary_key=True, default=next_id, generated=False)),
                ('journey', fields.CharField(max_length=32)),
                ('revision', fields.IntField()),
                ('customer_id', fields.BigIntField()),
                ('trigger_key', fields.CharField(max_length=120)),
                ('step', fields.CharField(max_length=32)),
                ('begun', fields.BooleanField()),
                ('data', fields.TextField(unique=False)),
                ('heard', fields.TextField(default='', unique=False)),
                ('entered_at', InstantField(generated=False, null=False, unique=False)),
                ('due_at', InstantField(generated=False, null=False, unique=False)),
                ('wakes_at', InstantField(generated=False, null=False, unique=False)),
                ('ended_at', InstantField(null=True, generated=False, unique=False)),
                ('outcome', fields.CharField(default='', max_length=48)),
            ],
            options={'table': 'enrolment', 'app': 'messaging', 'unique_together': (('journey', 'customer_id', 'trigger_key'),), 'pk_attr': 'id', 'table_description': "One customer's way through a journey: asleep until `wakes_at`, or ended with an outcome."},
            bases=['Model'],
        ),
        ops.CreateModel(
            name='JourneyChange',
            fields=[
                ('id', fields.BigIntField(primary_key=True, default=next_id, generated=False)),
                ('journey', fields.CharField(max_length=32)),
                ('at', InstantField(generated=False, null=False, unique=False)),
                ('author', fields.CharField(max_length=64)),
                ('before', fields.TextField(unique=False)),
                ('after', fields.TextField(unique=False)),
            ],
            options={'table': 'journey_change', 'app': 'messaging', 'pk_attr': 'id', 'table_description': "Who has set a journey's switches when, from what to what. Append-only."},
            bases=['Model'],
        ),
        ops.CreateModel(
            name='JourneyRevision',
            fields=[
                ('id', fields.BigIntField(primary_key=True, default=next_id, generated=False)),
                ('journey', fields.CharField(max_length=32)),
                ('number', fields.IntField()),
                ('document', fields.TextField(unique=False)),
                ('moves_inside', fields.BooleanField()),
                ('author', fields.CharField(max_length=64)),
                ('key', fields.CharField(unique=True, max_length=120)),
                ('at', InstantField(generated=False, null=False, unique=False)),
            ],
            options={'table': 'journey_revision', 'app': 'messaging', 'unique_together': (('journey', 'number'),), 'pk_attr': 'id', 'table_description': 'A journey as it was published once. Append-only. The highest number takes who enters.'},
            bases=['Model'],
        ),
        ops.CreateModel(
            name='JourneyScan',
            fields=[
                ('journey', fields.CharField(primary_key=True, unique=True, db_index=True, max_length=32)),
                ('at', InstantField(generated=False, null=False, unique=False)),
            ],
            options={'table': 'journey_scan', 'app': 'messaging', 'pk_attr': 'journey', 'table_description': 'When a journey has last looked for those whose time has come.'},
            bases=['Model'],
        ),
        ops.CreateModel(
            name='JourneySwitch',
            fields=[
                ('journey', fields.CharField(primary_key=True, unique=True, db_index=True, max_length=32)),
                ('document', fields.TextField(unique=False)),
                ('changed_at', InstantField(generated=False, null=False, unique=False)),
            ],
            options={'table': 'journey_switch', 'app': 'messaging', 'pk_attr': 'journey', 'table_description': 'What staff have set about a journey, over what it declares. No row: as declared, and on.'},
            bases=['Model'],
        ),
        ops.AddField(
            model_name='Message',
            name='enrolment_id',
            field=fields.BigIntField(null=True),
        ),
        sql("""
        CREATE TABLE enrolment_step (
            enrolment_id BIGINT NOT NULL, step VARCHAR(32) NOT NULL, edge VARCHAR(32) NOT NULL,
            at BIGINT NOT NULL, PRIMARY KEY (enrolment_id, step));
        CREATE INDEX enrolment_due ON enrolment (wakes_at) WHERE ended_at IS NULL;
        CREATE INDEX enrolment_alive ON enrolment (customer_id) WHERE ended_at IS NULL;
        """),
        append_only("journey_revision"),
        append_only("journey_change"),
    ]
