"""Fixtures that every part uses: a fresh database of either kind, a clock, a programme.

`db` (and all that stands on it) runs each test twice, on SQLite and on Postgres. Without Postgres
that half is skipped with the reason; with CI=true it fails.
"""

from collections.abc import AsyncIterator, Iterator
from datetime import UTC, datetime

import pytest

from app.database import database
from loyalty.clock import VirtualClock
from loyalty.programme import Programme, build_programme
from loyalty.rules.programme import ProgrammeRules
from tests.availability import pytest_terminal_summary, require
from tests.backends import Backend, SqliteBackend, postgres_absence, postgres_backend

__all__ = ["pytest_terminal_summary"]  # a hook: pytest finds it by its name here

SECRET = b"a secret of the tests, 32 bytes or more"


@pytest.fixture(scope="session")
def sqlite(tmp_path_factory: pytest.TempPathFactory) -> Backend:
    return SqliteBackend(tmp_path_factory.mktemp("sqlite"))


@pytest.fixture(scope="session")
def postgres() -> Iterator[Backend]:
    require(postgres_absence())
    with postgres_backend() as backend:
        yield backend


@pytest.fixture(params=["sqlite", "postgres"])
def db_url(request: pytest.FixtureRequest) -> Iterator[str]:
    """The URL of a migrated, empty database of this test alone; nobody has opened it yet."""
    backend: Backend = request.getfixturevalue(request.param)
    url = backend.create()
    try:
        yield url
    finally:
        backend.drop(url)


@pytest.fixture
async def db(db_url: str) -> AsyncIterator[str]:
    """An open, empty database. The value is its URL."""
    async with database(db_url, migrate=False):
        yield db_url


@pytest.fixture
def clock() -> VirtualClock:
    return VirtualClock(datetime(2026, 1, 1, 9, 0, tzinfo=UTC))


@pytest.fixture
def rules() -> ProgrammeRules:
    """The default rules; a test module overrides this fixture to play by others."""
    return ProgrammeRules()


@pytest.fixture
async def programme(
    db: str, clock: VirtualClock, rules: ProgrammeRules
) -> AsyncIterator[Programme]:
    built = build_programme(clock=clock, secret=SECRET, rules=rules)
    try:
        yield built
    finally:
        await built.stop()
