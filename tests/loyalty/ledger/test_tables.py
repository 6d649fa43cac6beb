"""The ledger's specification: every table holds, on SQLite and on Postgres."""

import pytest

from loyalty.clock import VirtualClock
from loyalty.ledger import Ledger
from tests.loyalty.ledger.tables import TABLES, Player


@pytest.mark.parametrize("table", TABLES)
async def test_table_holds(table: str, db: str, clock: VirtualClock) -> None:
    await Player(Ledger(clock), clock).play(table)
