from tortoise import migrations
from tortoise.migrations import operations as ops
from tortoise.indexes import Index

class Migration(migrations.Migration):
    dependencies = [('loyalty', '0005_ledger_write_one')]

    initial = False

    operations = [
        ops.AddIndex(
            model_name='Receipt',
            index=Index(fields=['till_id', 'recorded_at']),
        ),
    ]
