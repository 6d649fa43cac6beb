"""Fresh databases for tests: a migrated template per session, a cheap copy of it per test.

SQLite copies a file, Postgres copies a database (`CREATE DATABASE … TEMPLATE`). Everything made
here is dropped at the end of the session.
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


class PostgresBackend(Backend):
    name = "postgres"

    def __init__(self) -> None:
        self._prefix = f"kapsula_test_{secrets.token_hex(4)}"
        self._template = f"{self._prefix}_template"
        self._made = 0
        # Copying files is three times as quick as writing every block to the log (15 and later).
        newer = int(self._admin("SHOW server_version_num")) >= 150_000
        self._strategy = "STRATEGY FILE_COPY" if newer else ""
        self._admin(f'CREATE DATABASE "{self._template}"')
        try:
            asyncio.run(_migrate(self._url(self._template)))
        except BaseException:
            self.close()
            raise

    def create(self) -> str:
        self._made += 1
        name = f"{self._prefix}_{self._made}"
        self._admin(f'CREATE DATABASE "{name}" TEMPLATE "{self._template}" {self._strategy}')
        return self._url(name)

    def drop(self, url: str) -> None:
        name = urlsplit(url).path.lstrip("/")
        self._admin(f'DROP DATABASE IF EXISTS "{name}" WITH (FORCE)')

    def close(self) -> None:
        self._admin(f'DROP DATABASE IF EXISTS "{self._template}" WITH (FORCE)')

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
