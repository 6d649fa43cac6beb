"""Promo campaigns, codes and their uses; referral. What Tortoise cannot say comes last."""

from tortoise import migrations
from loyalty.schema import RunSQLPerDialect, check, sql
from tortoise.migrations import operations as ops
from loyalty.ids import next_id
from loyalty.models.fields import InstantField
from tortoise import fields
from tortoise.indexes import Index


class Migration(migrations.Migration):
    dependencies = [("loyalty", "0030_returns")]

    initial = False

    operations = [
        ops.CreateModel(
            name="PromoBatch",
            fields=[
                (
                    "id",
                    fields.BigIntField(primary_key=True, default=next_id, generated=False),
                ),
                ("campaign_id", fields.BigIntField()),
                ("key", fields.CharField(unique=True, max_length=200)),
                ("wanted", fields.BigIntField()),
                ("made", fields.BigIntField(default=0)),
                ("at", InstantField(generated=False, null=False, unique=False)),
            ],
            options={
                "table": "promo_batch",
                "app": "loyalty",
                "indexes": [Index(fields=["campaign_id"])],
                "pk_attr": "id",
                "table_description": "Codes that were generated or imported by one command, however often it was broken off.",
            },
            bases=["Model"],
        ),
        ops.CreateModel(
            name="PromoCampaign",
            fields=[
                (
                    "id",
                    fields.BigIntField(primary_key=True, default=next_id, generated=False),
                ),
                ("name", fields.CharField(unique=True, max_length=64)),
                ("title", fields.CharField(max_length=120)),
                ("terms", fields.TextField(unique=False)),
                ("ends_at", InstantField(generated=False, null=False, unique=False)),
                ("created_at", InstantField(generated=False, null=False, unique=False)),
                ("revoked_at", InstantField(null=True, generated=False, unique=False)),
            ],
            options={
                "table": "promo_campaign",
                "app": "loyalty",
                "pk_attr": "id",
                "table_description": "One offer with its codes. `name` is how staff call it, `title` what customers read.",
            },
            bases=["Model"],
        ),
        ops.CreateModel(
            name="PromoCode",
            fields=[
                (
                    "code",
                    fields.CharField(primary_key=True, unique=True, db_index=True, max_length=32),
                ),
                ("campaign_id", fields.BigIntField()),
                ("batch_id", fields.BigIntField(null=True)),
                ("customer_id", fields.BigIntField(null=True)),
                ("uses_max", fields.IntField(null=True)),
                ("taken", fields.IntField(default=0)),
                ("revoked_at", InstantField(null=True, generated=False, unique=False)),
            ],
            options={
                "table": "promo_code",
                "app": "loyalty",
                "indexes": [Index(fields=["batch_id"])],
                "pk_attr": "code",
                "table_description": "A code as it is kept (`rules.promo_codes.normal`).",
            },
            bases=["Model"],
        ),
        ops.CreateModel(
            name="PromoGuess",
            fields=[
                (
                    "scope",
                    fields.CharField(primary_key=True, unique=True, db_index=True, max_length=120),
                ),
                ("wrong", fields.IntField()),
                ("ends_at", InstantField(generated=False, null=False, unique=False)),
            ],
            options={
                "table": "promo_guess",
                "app": "loyalty",
                "pk_attr": "scope",
                "table_description": "How often an account, a device or an address has named a code that does not exist.",
            },
            bases=["Model"],
        ),
        ops.CreateModel(
            name="PromoUse",
            fields=[
                (
                    "id",
                    fields.BigIntField(primary_key=True, default=next_id, generated=False),
                ),
                ("campaign_id", fields.BigIntField()),
                ("code", fields.CharField(max_length=32)),
                ("customer_id", fields.BigIntField()),
                ("quote_id", fields.BigIntField()),
                ("receipt_id", fields.BigIntField(null=True)),
                ("state", fields.CharField(max_length=12)),
                ("frees_on_cancel", fields.BooleanField()),
                ("discount_minor", fields.BigIntField()),
                ("points", fields.BigIntField()),
                ("at", InstantField(generated=False, null=False, unique=False)),
                ("expires_at", InstantField(generated=False, null=False, unique=False)),
                ("closed_at", InstantField(null=True, generated=False, unique=False)),
            ],
            options={
                "table": "promo_use",
                "app": "loyalty",
                "indexes": [
                    Index(fields=["quote_id"]),
                    Index(fields=["customer_id", "at"]),
                    Index(fields=["campaign_id"]),
                ],
                "pk_attr": "id",
                "table_description": "A code on one receipt: reserved by its quote, redeemed with it, or let go.",
            },
            bases=["Model"],
        ),
        ops.CreateModel(
            name="Referral",
            fields=[
                ("friend_id", fields.BigIntField(primary_key=True, generated=False)),
                ("referrer_id", fields.BigIntField()),
                ("joined_at", InstantField(generated=False, null=False, unique=False)),
                ("at", InstantField(generated=False, null=False, unique=False)),
                ("state", fields.CharField(max_length=12)),
                ("receipt_id", fields.BigIntField(null=True)),
                ("friend_accrual_id", fields.BigIntField(null=True)),
                ("referrer_accrual_id", fields.BigIntField(null=True)),
                ("changed_at", InstantField(generated=False, null=False, unique=False)),
            ],
            options={
                "table": "referral",
                "app": "loyalty",
                "indexes": [Index(fields=["referrer_id"])],
                "pk_attr": "friend_id",
                "table_description": "A friend who was brought, once and by one. The reward is that of one receipt of hers.",
            },
            bases=["Model"],
        ),
        ops.CreateModel(
            name="ReferralCode",
            fields=[
                (
                    "code",
                    fields.CharField(primary_key=True, unique=True, db_index=True, max_length=32),
                ),
                ("customer_id", fields.BigIntField(unique=True)),
                ("at", InstantField(generated=False, null=False, unique=False)),
            ],
            options={
                "table": "referral_code",
                "app": "loyalty",
                "pk_attr": "code",
                "table_description": "The code by which a customer brings her friends. One for each, for ever.",
            },
            bases=["Model"],
        ),
        sql("""
        CREATE TABLE promo_tally (
            campaign_id BIGINT NOT NULL, customer_id BIGINT NOT NULL, taken BIGINT NOT NULL,
            most BIGINT NOT NULL, PRIMARY KEY (campaign_id, customer_id));
        CREATE TABLE promo_wallet (
            customer_id BIGINT NOT NULL, code VARCHAR(32) NOT NULL, at BIGINT NOT NULL,
            key VARCHAR(200), PRIMARY KEY (customer_id, code));
        CREATE TABLE promo_segment (
            campaign_id BIGINT NOT NULL, customer_id BIGINT NOT NULL,
            PRIMARY KEY (campaign_id, customer_id));
        CREATE UNIQUE INDEX promo_wallet_key ON promo_wallet (key) WHERE key IS NOT NULL;
        CREATE INDEX promo_use_open ON promo_use (expires_at) WHERE closed_at IS NULL;
        CREATE INDEX promo_use_receipt ON promo_use (receipt_id) WHERE receipt_id IS NOT NULL;
        CREATE INDEX referral_open ON referral (state, friend_id)
            WHERE state IN ('due', 'undone');
        CREATE INDEX referral_receipt ON referral (receipt_id) WHERE receipt_id IS NOT NULL;
        """),
        RunSQLPerDialect(
            postgres="""
            ALTER TABLE promo_tally SET (fillfactor = 50);
            ALTER TABLE promo_code SET (fillfactor = 90);
            """,
            sqlite="",
        ),
        check("promo_tally", "promo_tally_limit", "{}taken >= 0 AND {}taken <= {}most"),
        check(
            "promo_code",
            "promo_code_limit",
            "{}taken >= 0 AND ({}uses_max IS NULL OR {}taken <= {}uses_max)",
        ),
        check(
            "promo_use",
            "promo_use_state",
            "{}state IN ('reserved', 'redeemed', 'released', 'lapsed', 'freed')",
        ),
        check("referral", "referral_state", "{}state IN ('waiting', 'due', 'rewarded', 'undone')"),
        check("referral", "referral_other", "{}friend_id <> {}referrer_id"),
    ]
