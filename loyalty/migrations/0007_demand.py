"""`kapsula_demand`: lets one statement undo itself, by the name of what was not met."""

from tortoise import migrations

from loyalty.schema import RunSQLPerDialect

FUNCTION = """
CREATE FUNCTION kapsula_demand(met BOOLEAN, name TEXT) RETURNS BOOLEAN LANGUAGE plpgsql AS $$
BEGIN
  IF met IS NOT TRUE THEN RAISE EXCEPTION USING ERRCODE = 'KA001', MESSAGE = name; END IF;
  RETURN TRUE;
END $$;
"""


class Migration(migrations.Migration):
    dependencies = [("loyalty", "0006_receipts_of_a_till")]

    operations = [RunSQLPerDialect(postgres=FUNCTION, sqlite="")]
