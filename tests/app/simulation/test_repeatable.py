"""Chance, numbers and SQLite are the simulation's own within the block, the system's after it."""

import random
import secrets
from datetime import UTC, datetime
from pathlib import Path

import aiosqlite
import pytest

from app.simulation.repeatable import repeatable
from loyalty.clock import VirtualClock
from loyalty.ids import next_id

NOW = datetime(2027, 6, 1, tzinfo=UTC)


def _drawn(seed: int) -> list[object]:
    with repeatable(seed, VirtualClock(NOW)):
        return [
            next_id(), secrets.randbelow(10**9), secrets.token_hex(4), secrets.token_urlsafe(),
            secrets.randbits(40), secrets.choice("абвгд"), random.random(),
        ]  # fmt: skip


def test_the_same_seed_draws_the_same() -> None:
    assert _drawn(1) == _drawn(1)
    assert _drawn(1)[1:] != _drawn(2)[1:]


def test_codes_of_the_system_cannot_be_guessed_afterwards() -> None:
    """Also when the block breaks: nobody may be served out of the simulation's dice."""
    before = {name: getattr(secrets, name) for name in secrets.__all__}
    connect, state = aiosqlite.connect, random.getstate()
    with pytest.raises(RuntimeError), repeatable(1, VirtualClock(NOW)):
        raise RuntimeError
    assert {name: getattr(secrets, name) for name in secrets.__all__} == before
    assert aiosqlite.connect is connect
    assert random.getstate() == state


async def test_sqlite_answers_at_once_and_in_no_thread(tmp_path: Path) -> None:
    with repeatable(1, VirtualClock(NOW)):
        async with aiosqlite.connect(tmp_path / "a.sqlite3") as db:
            await db.execute("CREATE TABLE t (n INTEGER)")
            await db.executemany("INSERT INTO t VALUES (?)", [(1,), (2,)])
            await db.commit()
            rows = await db.execute_fetchall("SELECT n FROM t ORDER BY n")
            assert [row[0] for row in rows] == [1, 2]
            assert not db._thread.is_alive()
