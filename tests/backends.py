"""Fresh databases for tests: a migrated template per session, a cheap copy of it per test.

SQLite copies a file, Postgres a database (`CREATE DATABASE … TEMPLATE`), which takes it a quarter
of a second: so what a test has done with is washed and given to another one, unless its schema has
been changed. Everything made here is dropped at the end of the session.
"""

import asyncio
import os
import secrets
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import urlsplit, urlunsplit

import asyncpg

from app.database import database

POSTGRES_URL = os.environ.get(
    "KAPSULA_TEST_POSTGRES_URL", "postgres://postgres@127.0.0.1:5432/postgres"
)
ON_CI = os.environ.get("CI", "").lower() in ("1", "true", "yes")


class Backend:
    """Makes and drops databases of one kind. Synchronous: it runs outside the tests' event loop."""

    name: str

    def create(self) -> str:
        """Make a migrated, empty database and return its URL."""
        raise NotImplementedError

    def drop(self, url: str) -> None:
        raise NotImplementedError


async def _migrate(url: str) -> None:
    async with database(url):
        pass


class SqliteBackend(Backend):
    name = "sqlite"

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._template = folder / "template.sqlite3"
        asyncio.run(_migrate(f"sqlite://{self._template}"))

    def create(self) -> str:
        path = self._folder / f"{secrets.token_hex(6)}.sqlite3"
        shutil.copyfile(self._template, path)
        return f"sqlite://{path}"

    def drop(self, url: str) -> None:
        path = url.removeprefix("sqlite://")
        for suffix in ("", "-wal", "-shm", ".lock"):
            Path(path + suffix).unlink(missing_ok=True)


_SCHEMA = """
    SELECT md5(string_agg(what, ' ' ORDER BY what)) FROM (
        SELECT c.relname || a.attname || a.atttypid || a.attnotnull AS what
        FROM pg_class c JOIN pg_attribute a ON a.attrelid = c.oid
        WHERE c.relnamespace = 'public'::regnamespace AND NOT a.attisdropped
        UNION ALL SELECT tgname || tgrelid || tgenabled::text FROM pg_trigger
        UNION ALL SELECT conname || conrelid FROM pg_constraint
        UNION ALL SELECT proname || prosrc FROM pg_proc
        WHERE pronamespace = 'public'::regnamespace
    ) AS of_everything
"""
_FILLED = """
    SELECT relname FROM pg_class WHERE relkind = 'r' AND relnamespace = 'public'::regnamespace
    AND (xpath('/row/n/text()', query_to_xml(
        format('SELECT count(*) AS n FROM (SELECT FROM %I LIMIT 1) t', relname), true, true, '')
    ))[1]::text <> '0'
"""
_TERMINATE = """
    SELECT pg_terminate_backend(pid) FROM pg_stat_activity
    WHERE datname = current_database() AND pid <> pg_backend_pid()
"""
_LARGE_BYTES = 1_000_000
"""Of a table beyond this the rows are not deleted but thrown away with their files."""


class PostgresBackend(Backend):
    name = "postgres"

    def __init__(self) -> None:
        self._prefix = f"kapsula_test_{secrets.token_hex(4)}"
        self._template = f"{self._prefix}_template"
        self._made: list[str] = []
        self._clean: list[str] = []
        # Copying files is three times as quick as writing every block to the log (15 and later).
        newer = int(self._admin("SHOW server_version_num")) >= 150_000
        self._strategy = "STRATEGY FILE_COPY" if newer else ""
        self._admin(f'CREATE DATABASE "{self._template}"')
        try:
            url = self._url(self._template)
            asyncio.run(_migrate(url))
            self._schema, self._seeds = asyncio.run(_seen(url))
        except BaseException:
            self.close()
            raise

    def create(self) -> str:
        if self._clean:
            return self._url(self._clean.pop())
        name = f"{self._prefix}_{len(self._made) + 1}"
        self._made.append(name)
        self._admin(f'CREATE DATABASE "{name}" TEMPLATE "{self._template}" {self._strategy}')
        return self._url(name)

    def drop(self, url: str) -> None:
        name = urlsplit(url).path.lstrip("/")
        if asyncio.run(_wash(url, self._schema, self._seeds)):
            self._clean.append(name)
        else:
            self._admin(f'DROP DATABASE IF EXISTS "{name}" WITH (FORCE)')

    def close(self) -> None:
        for name in [*self._made, self._template]:
            self._admin(f'DROP DATABASE IF EXISTS "{name}" WITH (FORCE)')

    @staticmethod
    def _url(name: str) -> str:
        parts = urlsplit(POSTGRES_URL)
        return urlunsplit((parts.scheme, parts.netloc, f"/{name}", parts.query, ""))

    @staticmethod
    def _admin(statement: str) -> str:
        """Run it; returns its only value, if it has one."""

        async def run() -> str:
            raw = await asyncpg.connect(POSTGRES_URL, timeout=5)
            try:
                return str(await raw.fetchval(statement))
            finally:
                await raw.close()

        return asyncio.run(run())


Seeds = dict[str, str]
"""By table, the rows that migrations have written, as JSON."""


async def _seen(url: str) -> tuple[str, Seeds]:
    """The schema in short, and what is in the tables."""
    raw = await asyncpg.connect(url)
    try:
        tables = [row[0] for row in await raw.fetch(_FILLED)]
        rows = "SELECT coalesce(json_agg(t), '[]')::text FROM \"{}\" t"
        seeds = {table: str(await raw.fetchval(rows.format(table))) for table in tables}
        return str(await raw.fetchval(_SCHEMA)), seeds
    finally:
        await raw.close()


async def _wash(url: str, schema: str, seeds: Seeds) -> bool:
    """Take the database back to where a test found it; False if that cannot be."""
    try:
        raw = await asyncpg.connect(url, timeout=5)
    except (OSError, TimeoutError, asyncpg.PostgresError):
        return False
    try:
        async with raw.transaction():
            await raw.fetch(_TERMINATE)
            if await raw.fetchval(_SCHEMA) != schema:
                return False
            await raw.execute("SET LOCAL session_replication_role = replica")
            for (table,) in await raw.fetch(_FILLED):
                large = await raw.fetchval("SELECT pg_relation_size($1::regclass)", table)
                gone = 'TRUNCATE "{}" CASCADE' if large > _LARGE_BYTES else 'DELETE FROM "{}"'
                await raw.execute(gone.format(table))
            for table, rows in seeds.items():
                columns = f'INSERT INTO "{table}" SELECT * FROM json_populate_recordset'
                await raw.execute(f'{columns}(NULL::"{table}", $1::json)', rows)
        return True
    except asyncpg.PostgresError:  # a role that may not do so: the next test gets a new one
        return False
    finally:
        await raw.close()


def postgres_absence() -> str | None:
    """Why Postgres cannot be used, in one line, or None when it answers."""

    async def probe() -> None:
        raw = await asyncpg.connect(POSTGRES_URL, timeout=3)
        await raw.close()

    try:
        asyncio.run(probe())
    except (OSError, TimeoutError, asyncpg.PostgresError) as error:
        parts = urlsplit(POSTGRES_URL)
        where = f"{parts.hostname}:{parts.port or 5432}"
        return f"no Postgres at {where} ({type(error).__name__}); set KAPSULA_TEST_POSTGRES_URL"
    return None


@contextmanager
def postgres_backend() -> Iterator[PostgresBackend]:
    backend = PostgresBackend()
    try:
        yield backend
    finally:
        backend.close()
