"""What Tortoise cannot say: two-column keys, checks, partial indexes, append-only tables."""

from tortoise import migrations

from loyalty.schema import RunSQLPerDialect, append_only, check, sql

STRIPES = 16
_OPEN_LOTS = """
ALTER TABLE ledger_lot ADD COLUMN open BOOLEAN GENERATED ALWAYS AS (remaining > 0) {};
CREATE INDEX ledger_lot_open ON ledger_lot (account_id, expires_at, id) WHERE open;
CREATE INDEX ledger_lot_due ON ledger_lot (expires_at) WHERE open;
CREATE INDEX ledger_lot_pending ON ledger_lot (account_id, available_at) WHERE open AND delayed;
"""
PROGRAMME_KINDS = ((1, "issued"), (2, "redeemed"), (3, "expired"), (4, "adjusted"))


def _programme_accounts(empty_head: str) -> str:
    rows = ",".join(
        f"({kind * 100 + stripe}, '{name}', 0, 0, 0, 0, FALSE, {empty_head})"
        for kind, name in PROGRAMME_KINDS
        for stripe in range(STRIPES)
    )
    columns = "id, kind, balance, deficit, version, seq, slides, head"
    return f"INSERT INTO ledger_account ({columns}) VALUES {rows};"


class Migration(migrations.Migration):
    dependencies = [("loyalty", "0001_tables")]

    operations = [
        sql("""
        CREATE TABLE ledger_posting (
            account_id BIGINT NOT NULL, seq BIGINT NOT NULL, transaction_id BIGINT NOT NULL,
            points BIGINT NOT NULL, balance_after BIGINT NOT NULL, PRIMARY KEY (account_id, seq));
        CREATE TABLE ledger_take (
            transaction_id BIGINT NOT NULL, lot_id BIGINT NOT NULL, account_id BIGINT NOT NULL,
            points BIGINT NOT NULL, PRIMARY KEY (transaction_id, lot_id));
        CREATE INDEX ledger_take_lot ON ledger_take (lot_id);
        CREATE TABLE ledger_hold_share (
            hold_id BIGINT NOT NULL, lot_id BIGINT NOT NULL, account_id BIGINT NOT NULL,
            points BIGINT NOT NULL, PRIMARY KEY (hold_id, lot_id));
        CREATE UNIQUE INDEX ledger_transaction_business_key ON ledger_transaction (business_key)
            WHERE business_key IS NOT NULL;
        CREATE INDEX ledger_transaction_reverses ON ledger_transaction (reverses_id)
            WHERE reverses_id IS NOT NULL;
        CREATE INDEX ledger_hold_open ON ledger_hold (account_id) WHERE state = 'held';
        CREATE INDEX ledger_hold_due ON ledger_hold (expires_at) WHERE state = 'held';
        CREATE UNIQUE INDEX identity_open ON identity (kind, value) WHERE ended_at IS NULL;
        CREATE INDEX event_unhandled ON event (id) WHERE handled_at IS NULL;
        """),
        RunSQLPerDialect(
            postgres="""
            ALTER TABLE ledger_account SET (fillfactor = 70);
            ALTER TABLE ledger_lot SET (fillfactor = 85);
            """
            + _programme_accounts("''::bytea"),
            sqlite=_programme_accounts("x''"),
        ),
        check("ledger_account", "ledger_account_deficit", "{}deficit >= 0"),
        check("ledger_account", "ledger_account_overdraft",
              "{}kind <> 'customer' OR {}balance >= 0 - {}deficit"),
        check("ledger_lot", "ledger_lot_shares",
              "{}points > 0 AND {}held >= 0 AND {}remaining >= {}held AND {}remaining <= {}points"),
        check("ledger_posting", "ledger_posting_moves", "{}points <> 0"),
        check("ledger_take", "ledger_take_moves", "{}points <> 0"),
        check("ledger_hold", "ledger_hold_points",
              "{}points > 0 AND {}captured >= 0 AND {}captured <= {}points"),
        check("ledger_hold", "ledger_hold_state",
              "{}state IN ('held', 'captured', 'released', 'timed_out')"),
        check("receipt", "receipt_state", "{}state IN ('committed', 'cancelled')"),
        check("receipt", "receipt_money",
              "{}total_minor >= 0 AND {}paid_minor >= 0 AND {}spent_points >= 0 "
              "AND {}earned_points >= 0"),
        append_only("ledger_transaction"),
        append_only("ledger_posting"),
        append_only("ledger_take"),
        append_only("consent_fact"),
        # A generated column of SQLite's can be added later only if it is not stored.
        RunSQLPerDialect(postgres=_OPEN_LOTS.format("STORED"), sqlite=_OPEN_LOTS.format("VIRTUAL")),
    ]
