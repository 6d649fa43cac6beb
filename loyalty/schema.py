"""Migration steps that Tortoise does not have: SQL per dialect, checks, append-only tables."""

from typing import Any

from tortoise.migrations.operations import RemoveIndex, RunPython


class RunSQLPerDialect(RunPython):
    """Run one text on Postgres and another on SQLite."""

    def __init__(self, *, postgres: str, sqlite: str) -> None:
        async def run(_apps: Any, editor: Any) -> None:
            script = postgres if editor.client.capabilities.dialect == "postgres" else sqlite
            await editor.client.execute_script(script)

        super().__init__(run, RunPython.noop)


def sql(text: str) -> RunSQLPerDialect:
    """The same text on both."""
    return RunSQLPerDialect(postgres=text, sqlite=text)


def check(table: str, name: str, condition: str) -> RunSQLPerDialect:
    """A CHECK constraint; `{}` stands before each column name: `"{}points > 0"`.

    SQLite cannot add a constraint to a table: there two triggers refuse the row by the same name.
    """
    refuse = f"SELECT RAISE(ABORT, 'CHECK constraint failed: {name}');"
    triggers = "".join(
        f"CREATE TRIGGER {name}_{verb.lower()} BEFORE {verb} ON {table} "
        f"WHEN NOT ({condition.format(*['NEW.'] * condition.count('{}'))}) BEGIN {refuse} END;\n"
        for verb in ("INSERT", "UPDATE")
    )
    plain = condition.format(*[""] * condition.count("{}"))
    return RunSQLPerDialect(
        postgres=f"ALTER TABLE {table} ADD CONSTRAINT {name} CHECK ({plain});", sqlite=triggers
    )


def append_only(table: str) -> RunSQLPerDialect:
    """Rows of `table` can be neither changed nor deleted, whoever asks."""
    name = f"{table}_append_only"
    message = f"{table} is append-only"
    return RunSQLPerDialect(
        postgres=f"""
        CREATE FUNCTION {name}() RETURNS trigger LANGUAGE plpgsql AS
        $$ BEGIN RAISE EXCEPTION '{message}' USING ERRCODE = 'restrict_violation'; END $$;
        CREATE TRIGGER {name} BEFORE UPDATE OR DELETE ON {table}
        FOR EACH ROW EXECUTE FUNCTION {name}();
        """,
        sqlite=f"""
        CREATE TRIGGER {name}_update BEFORE UPDATE ON {table}
        BEGIN SELECT RAISE(ABORT, '{message}'); END;
        CREATE TRIGGER {name}_delete BEFORE DELETE ON {table}
        BEGIN SELECT RAISE(ABORT, '{message}'); END;
        """,
    )


class ForgetIndex(RemoveIndex):
    """The models have this index no more; a `sql` beside it drops it from the database.

    Tortoise's own looks for its name in the models as they were before, of which `app.database`
    keeps no copy.
    """

    async def database_forward(self, *_: Any, **__: Any) -> None:
        """Nothing."""
