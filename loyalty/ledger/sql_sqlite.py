"""Writing a batch on SQLite: inside the one writer's transaction, a set per table."""

from collections.abc import Sequence
from typing import Any

from loyalty.database import connection
from loyalty.ledger.row_sets import TABLES, RowSets

_COUNTER = """
INSERT INTO ledger_posting (account_id, seq, transaction_id, points, balance_after)
SELECT id, seq + ?2, ?3, ?4, balance + ?5 FROM ledger_account WHERE id = ?1
"""
_PROGRAMME = """
UPDATE ledger_account SET balance = balance + ?2, seq = seq + ?3, version = version + 1
WHERE id = ?1
"""
_CUSTOMER = """
UPDATE ledger_account SET balance = ?3, deficit = ?4, version = ?5, seq = ?6, slides = ?7, head = ?8
WHERE id = ?1 AND version = ?2
"""
_CHANGES = {
    "changed_lot": "UPDATE ledger_lot SET remaining = ?2, held = ?3, expires_at = ?4 WHERE id = ?1",
    "changed_hold": (
        "UPDATE ledger_hold SET captured = ?2, state = ?3, closed_at = ?4 WHERE id = ?1"
    ),
}


async def write(sets: RowSets) -> bool:
    """Write the batch; always true, for the caller's transaction kept other writers out."""
    async with connection().acquire_connection() as raw:

        async def each(text: str, values: Sequence[Sequence[Any]]) -> None:
            if values:
                await raw.executemany(text, values)

        for table, columns in TABLES.items():
            names = ", ".join(name for name, _ in columns)
            marks = ", ".join("?" for _ in columns)
            await each(f"INSERT INTO {table} ({names}) VALUES ({marks})", sets[table])
        await each(_COUNTER, sets["counter"])
        await each(_PROGRAMME, sets["programme"])
        await each(_CUSTOMER, sets["expected"])
        for name, text in _CHANGES.items():
            await each(text, sets[name])
    return True
