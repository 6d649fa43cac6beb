"""Migrations are the models, on both databases, and leave the rows of a filled one alone."""

import asyncio
from pathlib import Path

from tortoise import Tortoise
from tortoise.migrations import operations as ops
from tortoise.migrations.autodetector import MigrationAutodetector
from tortoise.migrations.executor import MigrationExecutor, MigrationTarget

from app.database import APPS, MIGRATIONS_CONFIG, database, pending_migrations
from loyalty.database import connection, dialect, query
from loyalty.instants import to_micros
from loyalty.schema import ForgetIndex
from tests.backends import Backend

FORWARD = (
    ops.AddField, ops.AddIndex, ops.CreateModel, ops.RunPython, ops.RunSQL, ForgetIndex,
)  # fmt: skip
GIVEN_UP = {"idx_attempt_channel_4dff17"}
"""Indexes that a later migration drops on purpose."""
ROOT = Path(__file__).parents[2]


async def test_no_model_has_changed_without_a_migration(db: str) -> None:
    detector = MigrationAutodetector(Tortoise.apps, MIGRATIONS_CONFIG["apps"])
    changes = [(writer.app_label, writer.name) for writer in await detector.changes()]
    assert changes == [], "run: make migrations NAME=what_changes"


async def test_a_migrated_database_lacks_nothing(db: str) -> None:
    assert await pending_migrations() == []


async def test_migrations_do_only_what_looks_at_nothing_but_the_new_state(db: str) -> None:
    """`app.database` copies no models between two of them; `AlterField` loses a table's indexes."""
    executor = MigrationExecutor(connection(), MIGRATIONS_CONFIG["apps"])
    await executor.loader.build_graph()
    for key, migration in executor.loader.graph.nodes.items():
        assert migration is not None, key
        for operation in migration.operations:
            assert isinstance(operation, FORWARD), (key, operation)


async def test_every_column_of_every_model_is_in_the_database(db: str) -> None:
    for models in Tortoise.apps.values():
        for model in models.values():
            table = model._meta.db_table
            assert set(model._meta.fields_db_projection.values()) == await _columns(table), table


async def _columns(table: str) -> set[str]:
    """Those that are written; what the database generates by itself is left out."""
    if dialect() == "sqlite":
        rows = await query(f"SELECT name FROM pragma_table_info('{table}')")
    else:
        rows = await query(
            "SELECT column_name AS name FROM information_schema.columns "
            "WHERE table_name = $1 AND table_schema = current_schema() "
            "AND is_generated = 'NEVER'",
            None,
            table,
        )
    return {row["name"] for row in rows}


async def _names() -> dict[str, set[str]]:
    """Tables with their columns and indexes; what the databases number themselves left out."""
    if dialect() == "sqlite":
        tables = await query(
            "SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE 'sqlite_%'"
        )
    else:
        tables = await query(
            "SELECT table_name AS name FROM information_schema.tables "
            "WHERE table_schema = current_schema()"
        )
    return {row["name"]: await _columns(row["name"]) for row in tables}


def test_both_databases_have_the_same_tables_and_columns(
    sqlite: Backend, postgres: Backend
) -> None:
    async def look(url: str) -> dict[str, set[str]]:
        async with database(url, migrate=False):
            return await _names()

    found = []
    for backend in (sqlite, postgres):
        url = backend.create()
        try:
            found.append(asyncio.run(look(url)))
        finally:
            backend.drop(url)
    assert found[0] == found[1]


async def test_migrating_a_filled_database_keeps_its_rows(tmp_path: Path) -> None:
    """From the first migrations, with rows of that time, to the latest."""
    url = f"sqlite://{tmp_path / 'old.sqlite3'}"
    async with database(url, migrate=False):
        executor = MigrationExecutor(connection(), MIGRATIONS_CONFIG["apps"])
        await executor.migrate(
            [MigrationTarget(app_label=label, name="0002_constraints") for label in APPS]
        )
        await _fill()
        before = await _counts()
        indexes = await _indexes()
    async with database(url):
        assert await _counts() == before
        assert indexes - await _indexes() == GIVEN_UP
        assert (await query("SELECT name FROM customer"))[0]["name"] == "Анна"


async def _fill() -> None:
    at = to_micros(None) // 2
    await query(
        "INSERT INTO customer (id, name, city, language, timezone, joined_at) "
        f"VALUES (5000, 'Анна', '', 'ru', 'Europe/Moscow', {at})"
    )
    await query(
        "INSERT INTO identity (id, customer_id, kind, value, proof, created_at) "
        f"VALUES (1, 5000, 'phone', '+79000000000', 'staff', {at})"
    )
    await query("INSERT INTO shop (id, code, name, city, address, timezone) "
                "VALUES (1, 's', 'S', '', '', 'UTC')")  # fmt: skip
    await query("INSERT INTO till (id, shop_id, code, name) VALUES (1, 1, 't', 'T')")
    await query(
        "INSERT INTO receipt (id, customer_id, till_id, number, state, at, recorded_at, "
        "total_minor, paid_minor, spent_points, earned_points, key, fingerprint, answer) "
        f"VALUES (1, 5000, 1, '1', 'committed', {at}, {at}, 1, 1, 0, 0, 'k', x'', '{{}}')"
    )
    await query(
        "INSERT INTO message (id, dedupe_key, address_kind, address, topic, kind, source, template,"
        " context, language, priority, value, urgent, channels, wants, reach_permille, goal, state,"
        " reason, created_at, not_before, expires_at, lease_owner, tries)"
        f" VALUES (1, 'k', '', '', 'service', '', '', 't', '{{}}', '', 5, 0, FALSE, '', '', 0, '',"
        f" 'sent', '', {at}, {at}, {at}, '', 1)"
    )


async def _counts() -> dict[str, int]:
    tables = ("customer", "identity", "shop", "till", "receipt", "message")
    return {t: (await query(f"SELECT COUNT(*) AS n FROM {t}"))[0]["n"] for t in tables}


async def _indexes() -> set[str]:
    rows = await query("SELECT name FROM sqlite_master WHERE type IN ('index', 'trigger')")
    return {row["name"] for row in rows if not row["name"].startswith("sqlite_")}
