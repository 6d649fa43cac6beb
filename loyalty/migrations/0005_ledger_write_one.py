"""The one-transaction write of the ledger as a function: one round trip, a handful of plain rows.

Called by `loyalty.ledger.sql_postgres`. A changed body comes as a new function with a new name, so
that processes of both versions can run side by side while a release is rolled out.
"""

from tortoise import migrations

from loyalty.schema import RunSQLPerDialect

FUNCTION = """
CREATE FUNCTION ledger_write_one(
  account_ BIGINT, was_ BIGINT, balance_ BIGINT, deficit_ BIGINT, version_ BIGINT, seq_ BIGINT,
  slides_ BOOLEAN, head_ BYTEA, counter_ BIGINT,
  id_ BIGINT, kind_ TEXT, points_ BIGINT, at_ BIGINT, recorded_at_ BIGINT, key_ TEXT,
  business_key_ TEXT, reverses_id_ BIGINT, reason_ TEXT, reference_ TEXT, fingerprint_ BYTEA,
  link_ BYTEA,
  lot_id_ BIGINT, lot_points_ BIGINT, lot_remaining_ BIGINT, lot_available_at_ BIGINT,
  lot_delayed_ BOOLEAN, lot_expires_at_ BIGINT, lot_sliding_days_ INTEGER,
  take_lots_ BIGINT[], take_points_ BIGINT[],
  changed_lots_ BIGINT[], changed_remaining_ BIGINT[], changed_held_ BIGINT[],
  changed_expires_at_ BIGINT[]
) RETURNS BOOLEAN LANGUAGE plpgsql AS $$
DECLARE counter_balance BIGINT; counter_seq BIGINT;
BEGIN
  -- The customer first, then the programme's stripe: the same order as everywhere.
  UPDATE ledger_account SET balance = balance_, deficit = deficit_, version = version_, seq = seq_,
    slides = slides_, head = head_
  WHERE id = account_ AND version = was_;
  IF NOT FOUND THEN RETURN FALSE; END IF;
  IF EXISTS (SELECT FROM ledger_hold WHERE key = key_) THEN RAISE unique_violation; END IF;
  INSERT INTO ledger_transaction (id, account_id, seq, kind, points, at, recorded_at, key,
    business_key, reverses_id, reason, reference, fingerprint, link)
  VALUES (id_, account_, seq_, kind_, points_, at_, recorded_at_, key_, business_key_,
    reverses_id_, reason_, reference_, fingerprint_, link_);
  IF lot_id_ IS NOT NULL THEN
    INSERT INTO ledger_lot (id, account_id, transaction_id, points, remaining, held, available_at,
      delayed, expires_at, sliding_days)
    VALUES (lot_id_, account_, id_, lot_points_, lot_remaining_, 0, lot_available_at_,
      lot_delayed_, lot_expires_at_, lot_sliding_days_);
  END IF;
  FOR i IN 1 .. COALESCE(array_length(take_lots_, 1), 0) LOOP
    INSERT INTO ledger_take (transaction_id, lot_id, account_id, points)
    VALUES (id_, take_lots_[i], account_, take_points_[i]);
  END LOOP;
  FOR i IN 1 .. COALESCE(array_length(changed_lots_, 1), 0) LOOP
    UPDATE ledger_lot SET remaining = changed_remaining_[i], held = changed_held_[i],
      expires_at = changed_expires_at_[i]
    WHERE id = changed_lots_[i];
  END LOOP;
  UPDATE ledger_account SET balance = balance - points_, seq = seq + 1, version = version + 1
  WHERE id = counter_ RETURNING balance, seq INTO counter_balance, counter_seq;
  INSERT INTO ledger_posting (account_id, seq, transaction_id, points, balance_after)
  VALUES (account_, seq_, id_, points_, balance_),
    (counter_, counter_seq, id_, -points_, counter_balance);
  RETURN TRUE;
END $$;
"""


class Migration(migrations.Migration):
    dependencies = [("loyalty", "0004_checkout_constraints")]

    operations = [RunSQLPerDialect(postgres=FUNCTION, sqlite="")]
