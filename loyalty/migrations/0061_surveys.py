"""Surveys and their answers."""

from tortoise import migrations
from loyalty.schema import check, sql
from tortoise.migrations import operations as ops
from loyalty.ids import next_id
from loyalty.models.fields import InstantField
from tortoise import fields
from tortoise.indexes import Index


class Migration(migrations.Migration):
    dependencies = [("loyalty", "0060_recommendations")]

    initial = False

    operations = [
        ops.CreateModel(
            name="SurveySheet",
            fields=[
                ("id", fields.BigIntField(primary_key=True, default=next_id, generated=False)),
                ("key", fields.CharField(unique=True, max_length=200)),
                ("survey", fields.CharField(max_length=32)),
                ("customer_id", fields.BigIntField()),
                ("receipt_id", fields.BigIntField(null=True)),
                ("shop_id", fields.BigIntField(null=True)),
                ("asked_at", InstantField(generated=False, null=False, unique=False)),
                ("answered_at", InstantField(null=True, generated=False, unique=False)),
                ("changed_at", InstantField(null=True, generated=False, unique=False)),
                ("ended_at", InstantField(null=True, generated=False, unique=False)),
                ("score", fields.IntField(null=True)),
                ("words", fields.CharField(default="", max_length=1000)),
            ],
            options={"table": "survey_sheet", "app": "loyalty", "indexes": [Index(fields=["customer_id", "survey", "asked_at"]), Index(fields=["survey", "answered_at"])], "pk_attr": "id", "table_description": "One survey for one customer, handed out once by its key, about a receipt or about nothing."},
            bases=["Model"],
        ),
        sql("""
        CREATE TABLE survey_answer (
            sheet_id BIGINT NOT NULL, question VARCHAR(32) NOT NULL, value VARCHAR(32) NOT NULL,
            customer_id BIGINT NOT NULL, PRIMARY KEY (sheet_id, question, value));
        CREATE INDEX survey_answer_value ON survey_answer (question, value, customer_id);
        """),
        check("survey_sheet", "survey_sheet_score", "{}score IS NULL OR ({}score >= 0 AND {}score <= 10)"),
    ]
