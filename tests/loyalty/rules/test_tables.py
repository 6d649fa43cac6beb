"""The rules as text tables: see `tables/`."""

import pytest

from tests.loyalty.rules.tables import TABLES, Player


@pytest.mark.parametrize("table", TABLES)
def test_table(table: str) -> None:
    Player().play(table)
