"""What a batch writes, as sets of rows per table, in the order of the tables' columns."""

from collections.abc import Mapping, Sequence
from typing import Any

from loyalty.rules.accounts import Account
from loyalty.rules.journal import Rows

Columns = tuple[tuple[str, str], ...]

EXPECTED: Columns = (
    ("id", "bigint"), ("was", "bigint"), ("balance", "bigint"), ("deficit", "bigint"),
    ("version", "bigint"), ("seq", "bigint"), ("slides", "boolean"), ("head", "bytea"),
)  # fmt: skip
PROGRAMME: Columns = (("id", "bigint"), ("points", "bigint"), ("postings", "bigint"))
TABLES: dict[str, Columns] = {
    "ledger_transaction": (
        ("id", "bigint"), ("account_id", "bigint"), ("seq", "bigint"), ("kind", "text"),
        ("points", "bigint"), ("at", "bigint"), ("recorded_at", "bigint"), ("key", "text"),
        ("business_key", "text"), ("reverses_id", "bigint"), ("reason", "text"),
        ("reference", "text"), ("fingerprint", "bytea"), ("link", "bytea"),
    ),
    "ledger_posting": (
        ("account_id", "bigint"), ("seq", "bigint"), ("transaction_id", "bigint"),
        ("points", "bigint"), ("balance_after", "bigint"),
    ),
    "ledger_take": (
        ("transaction_id", "bigint"), ("lot_id", "bigint"), ("account_id", "bigint"),
        ("points", "bigint"),
    ),
    "ledger_lot": (
        ("id", "bigint"), ("account_id", "bigint"), ("transaction_id", "bigint"),
        ("points", "bigint"), ("remaining", "bigint"), ("held", "bigint"),
        ("available_at", "bigint"), ("delayed", "boolean"), ("expires_at", "bigint"),
        ("sliding_days", "integer"), ("origin_id", "bigint"),
    ),
    "ledger_hold": (
        ("id", "bigint"), ("account_id", "bigint"), ("key", "text"), ("fingerprint", "bytea"),
        ("points", "bigint"), ("captured", "bigint"), ("state", "text"), ("at", "bigint"),
        ("expires_at", "bigint"), ("closed_at", "bigint"), ("reference", "text"),
    ),
    "ledger_hold_share": (
        ("hold_id", "bigint"), ("lot_id", "bigint"), ("account_id", "bigint"), ("points", "bigint"),
    ),
}  # fmt: skip
COUNTER: Columns = (
    ("account_id", "bigint"), ("nth", "bigint"), ("transaction_id", "bigint"),
    ("points", "bigint"), ("running", "bigint"),
)  # fmt: skip
CHANGED_LOT: Columns = (
    ("id", "bigint"), ("remaining", "bigint"), ("held", "bigint"), ("expires_at", "bigint"),
)  # fmt: skip
CHANGED_HOLD: Columns = (
    ("id", "bigint"), ("captured", "bigint"), ("state", "text"), ("closed_at", "bigint"),
)  # fmt: skip

RowSets = dict[str, Sequence[Sequence[Any]]]


def row_sets(rows: Rows, accounts: Mapping[int, Account]) -> RowSets:
    """The rows of a batch by table; `expected` and `programme` are the accounts to update."""
    changed = [accounts[account_id] for account_id in rows.accounts]
    counter, programme = _number_counter_postings(rows)
    return {
        "expected": [
            (a.id, rows.accounts[a.id], a.balance, a.deficit, a.version, a.seq, a.slides, a.head)
            for a in changed
        ],
        "programme": programme,
        "ledger_transaction": rows.transactions,
        "ledger_posting": rows.postings,
        "counter": counter,
        "ledger_take": rows.takes,
        "ledger_lot": [
            (lot.id, lot.account_id, lot.transaction_id, lot.points, lot.remaining, lot.held,
             lot.available_at, lot.available_at > rows.recorded_at, lot.expires_at,
             lot.sliding_days, lot.origin_id)
            for lot in rows.new_lots.values()
        ],
        "changed_lot": [
            (lot.id, lot.remaining, lot.held, lot.expires_at) for lot in rows.changed_lots.values()
        ],
        "ledger_hold": [
            (h.id, h.account_id, h.key, h.fingerprint, h.points, h.captured, h.state, h.at,
             h.expires_at, h.closed_at, h.reference)
            for h in rows.new_holds.values()
        ],
        "changed_hold": [
            (h.id, h.captured, h.state, h.closed_at) for h in rows.changed_holds.values()
        ],
        "ledger_hold_share": [
            (h.id, lot_id, h.account_id, points)
            for h in rows.new_holds.values() for lot_id, points in h.shares.items()
        ],
    }  # fmt: skip


def _number_counter_postings(
    rows: Rows,
) -> tuple[list[tuple[int, ...]], list[tuple[int, int, int]]]:
    """Number the programme's postings per stripe, from one, with their running sums."""
    totals: dict[int, tuple[int, int]] = {}
    numbered: list[tuple[int, ...]] = []
    for account_id, transaction_id, points in rows.counter_postings:
        count, running = totals.get(account_id, (0, 0))
        count, running = count + 1, running + points
        totals[account_id] = (count, running)
        numbered.append((account_id, count, transaction_id, points, running))
    return numbered, [(i, running, count) for i, (count, running) in totals.items()]
