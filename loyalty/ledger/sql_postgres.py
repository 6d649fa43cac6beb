"""Writing a batch on Postgres: one statement, one round trip.

The accounts are locked in one order everywhere, customers by id and then the programme's stripes
(below 1000), which everybody shares and are so held the shortest time. The rest happens only if
the customers' accounts still have the versions that were judged. The programme's accounts are
judged by nobody: their balance and posting numbers are computed here, under the lock, so that
concurrent tills do not spoil each other's batch.
"""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from functools import cache
from typing import Any

import asyncpg

from loyalty.database import connection, query_postgres, transaction
from loyalty.ledger.companion import Companion, DemandError, shifted
from loyalty.ledger.row_sets import (
    CHANGED_HOLD,
    CHANGED_LOT,
    COUNTER,
    EXPECTED,
    PROGRAMME,
    TABLES,
    Columns,
    RowSets,
)
from loyalty.rules.accounts import Account
from loyalty.rules.journal import Rows

WRITE_ONE = f"SELECT ledger_write_one({', '.join(f'${n}' for n in range(1, 35))})"


UNMET = "KA001"
"""What `kapsula_demand` (migration 0007) raises."""
_ACCOUNTS_UNCHANGED = "accounts unchanged"
# A hold's key is in a table of its own, out of sight of the unique index over all postings' keys.
_STRIPES = "(SELECT array_agg(ARRAY[id, seq, balance]) FROM stripes)"
_TAKEN = "taken AS MATERIALIZED (SELECT FROM ledger_hold WHERE key = ANY(${keys}::text[]))"


class _StaleError(Exception):
    """Undoes what was copied: an account has changed since it was judged."""


async def write_one(arguments: Sequence[Any]) -> bool:
    return await _fetch_yes(WRITE_ONE, arguments)


async def write_with(sets: RowSets, companion: Companion) -> bool:
    """The batch and a caller's own rows. Raises DemandError."""
    present = _present(sets)
    text, order = _statement(present, companion.steps, companion.demands)
    arguments = _arguments(sets, order) if present else []
    try:
        return await _fetch_yes(text, [*arguments, *companion.arguments])
    except asyncpg.PostgresError as error:
        if error.sqlstate != UNMET:
            raise
        if error.message == _ACCOUNTS_UNCHANGED:
            return False
        raise DemandError(str(error.message)) from None


async def _fetch_yes(text: str, arguments: Sequence[Any]) -> bool:
    [row] = await query_postgres(text, arguments)
    return bool(row[0])


async def write(sets: RowSets) -> bool:
    """Write the batch if nobody was quicker; False and nothing written otherwise."""
    text, order = _statement(_present(sets))
    return await _fetch_yes(text, _arguments(sets, order))


def _present(sets: RowSets) -> frozenset[str]:
    """The parts that have rows; and of rows to change, whether there is one alone."""
    parts = {name for name, values in sets.items() if values}
    return frozenset(
        parts | {_ONE.format(name) for name in _CHANGED if len(sets.get(name, ())) == 1}
    )


def _arguments(sets: RowSets, order: Sequence[tuple[str, Columns]]) -> list[Any]:
    """The accounts first: the customers' with what becomes of them, then the programme's ids."""
    arguments = _transpose(sets["expected"], len(EXPECTED))
    arguments[0] += [row[0] for row in sets["programme"]]
    for name, columns in order:
        arguments += _transpose(sets[name], len(columns))
    return arguments


async def write_by_copy(sets: RowSets, after: Awaitable[bool] | None = None) -> bool:
    """The new rows by COPY, then (`after` another writing) the accounts under their locks.

    The programme's postings come last, by COPY too: their numbers follow from its locked accounts.
    All of it, or nothing.
    """
    try:
        async with transaction():
            for table in TABLES:
                await _copy(table, sets[table])
            if after is not None and not await after:
                raise _StaleError
            await _copy("ledger_posting", _numbered(sets["counter"], await _lock_and_update(sets)))
    except _StaleError:
        return False
    return True


async def _copy(table: str, rows: Sequence[Sequence[Any]]) -> None:
    if rows:
        async with connection().acquire_connection() as raw:
            columns = [name for name, _ in TABLES[table]]
            await raw.copy_records_to_table(table, records=rows, columns=columns)


async def _lock_and_update(sets: RowSets) -> Mapping[int, tuple[int, int]]:
    """What `write` does to the accounts. Returns the last posting number and the balance that each
    account of the programme had before. Raises _StaleError.
    """
    rest: RowSets = {name: sets[name] for name in sets if name not in TABLES and name != "counter"}
    text, order = _statement(_present(rest))
    [[fresh, stripes]] = await query_postgres(text, _arguments(rest, order))
    if not fresh:
        raise _StaleError
    return {account_id: (seq, balance) for account_id, seq, balance in stripes or ()}


def _numbered(
    counter: Sequence[Sequence[Any]], before: Mapping[int, tuple[int, int]]
) -> list[tuple[int, ...]]:
    """The programme's postings (`COUNTER`) as rows of their table."""
    rows: list[tuple[int, ...]] = []
    for account_id, nth, transaction_id, points, running in counter:
        seq, balance = before[account_id]
        rows.append((account_id, seq + nth, transaction_id, points, balance + running))
    return rows


def is_one_posting(rows: Rows) -> bool:
    """Whether the batch is a single transaction without holds, the till's and the chat's usual."""
    return (
        len(rows.transactions) == 1
        and len(rows.accounts) == 1
        and len(rows.new_lots) <= 1
        and not (rows.new_holds or rows.changed_holds)
        and all(lot.origin_id is None for lot in rows.new_lots.values())
    )


def one_posting(rows: Rows, accounts: Mapping[int, Account]) -> list[Any]:
    """Arguments of `ledger_write_one`, in the order of migration 0005."""
    [(account_id, was)] = rows.accounts.items()
    [transaction] = rows.transactions
    [(counter, _, _)] = rows.counter_postings
    account = accounts[account_id]
    lot = next(iter(rows.new_lots.values()), None)
    changed = rows.changed_lots.values()
    return [
        account_id, was, account.balance, account.deficit, account.version, account.seq,
        account.slides, account.head, counter,
        transaction[0], *transaction[3:],
        *(
            (lot.id, lot.points, lot.remaining, lot.available_at,
             lot.available_at > rows.recorded_at, lot.expires_at, lot.sliding_days)
            if lot else (None,) * 7
        ),
        # No array is cheaper to say than an empty one.
        [take[1] for take in rows.takes] or None, [take[3] for take in rows.takes] or None,
        [lot.id for lot in changed] or None, [lot.remaining for lot in changed] or None,
        [lot.held for lot in changed] or None, [lot.expires_at for lot in changed] or None,
    ]  # fmt: skip


def _transpose(values: Sequence[Sequence[Any]], width: int) -> list[list[Any]]:
    return [list(column) for column in zip(*values, strict=True)] or [[] for _ in range(width)]


_CHANGED: Mapping[str, tuple[str, Columns]] = {
    "changed_lot": ("ledger_lot", CHANGED_LOT),
    "changed_hold": ("ledger_hold", CHANGED_HOLD),
}
_ONE = "one {}"


@cache
def _statement(
    present: frozenset[str], companion: str = "", demands: tuple[tuple[str, str], ...] = ()
) -> tuple[str, tuple[tuple[str, Columns], ...]]:
    """The statement for the parts that have rows, and the order of their arguments.

    A companion's steps come last, and so do its arguments.
    """
    order: list[tuple[str, Columns]] = []
    position = 1 + len(EXPECTED)

    def source(name: str, columns: Columns) -> str:
        nonlocal position
        marks = ", ".join(f"${position + i}::{kind}[]" for i, (_, kind) in enumerate(columns))
        position += len(columns)
        order.append((name, columns))
        names = ", ".join(column for column, _ in columns)
        return f"unnest({marks}) AS u({names})"

    posts = "ledger_transaction" in present
    steps = _locking_steps(source, with_programme="programme" in present, with_keys=posts)
    for table, columns in TABLES.items():
        if table in present:
            names = ", ".join(column for column, _ in columns)
            if table == "ledger_transaction":
                keys = position + [name for name, _ in columns].index("key")
                steps.insert(0, _TAKEN.format(keys=keys))
            steps.append(
                f"new_{table} AS (INSERT INTO {table} ({names}) "
                f"SELECT {names} FROM {source(table, columns)} WHERE (SELECT yes FROM fresh))"
            )
    if "counter" in present:
        steps.append(
            "counter AS (INSERT INTO ledger_posting "
            "(account_id, seq, transaction_id, points, balance_after) "
            "SELECT l.id, l.seq + u.nth, u.transaction_id, u.points, l.balance + u.running "
            f"FROM {source('counter', COUNTER)} JOIN stripes AS l ON l.id = u.account_id "
            "WHERE (SELECT yes FROM fresh))"
        )
    for name, (table, columns) in _CHANGED.items():
        if name in present:
            sets = ", ".join(f"{column} = u.{column}" for column, _ in columns[1:])
            # One row, as a rule: said apart, or a plan that was made over an empty table might
            # read all of it to find that row.
            one = f"t.id = (${position}::bigint[])[1] AND " if _ONE.format(name) in present else ""
            steps.append(
                f"{name} AS (UPDATE {table} AS t SET {sets} FROM {source(name, columns)} "
                f"WHERE {one}t.id = u.id AND (SELECT yes FROM fresh))"
            )
    if not companion:
        copied_later = "programme" in present and "counter" not in present
        found = f"yes, {_STRIPES}" if copied_later else "yes, NULL"
        return "WITH " + ",\n".join(steps) + f"\nSELECT {found} FROM fresh", tuple(order)
    if not present:
        steps, position = [], 1
    else:
        demands = ((_ACCOUNTS_UNCHANGED, "(SELECT yes FROM fresh)"), *demands)
    met = " AND ".join(f"kapsula_demand({condition}, '{name}')" for name, condition in demands)
    steps.append(shifted(companion, position - 1))
    return "WITH " + ",\n".join(steps) + f"\nSELECT {met or 'TRUE'}", tuple(order)


def _locking_steps(
    source: Callable[[str, Columns], str], *, with_programme: bool, with_keys: bool
) -> list[str]:
    untaken = " AND NOT EXISTS (SELECT FROM taken)" if with_keys else ""
    marks = ", ".join(f"${place}::{kind}[]" for place, (_, kind) in enumerate(EXPECTED, 1))
    columns = ", ".join(column for column, _ in EXPECTED)
    steps = [
        # An unnest of arrays of two lengths fills up with NULLs: the programme's ids stand alone.
        f"expected AS MATERIALIZED (SELECT * FROM unnest({marks}) AS u({columns}) "
        "WHERE was IS NOT NULL)",
        # Sets are joined to tables by their index only, never to each other: with one plan for all
        # sizes that would be a nested loop over both.
        "locked AS MATERIALIZED (SELECT a.id, a.version, a.balance, a.seq, w.was "
        "FROM unnest($1::bigint[], $2::bigint[]) AS w(id, was) "
        "JOIN ledger_account AS a ON a.id = w.id ORDER BY a.id < 1000, a.id "
        "FOR NO KEY UPDATE OF a)",
        f"fresh AS MATERIALIZED (SELECT count(*) = cardinality($1::bigint[]){untaken} AS yes "
        "FROM locked WHERE was IS NULL OR was = version)",
        "customers AS (UPDATE ledger_account AS a SET balance = e.balance, deficit = e.deficit, "
        "version = e.version, seq = e.seq, slides = e.slides, head = e.head FROM expected AS e "
        "WHERE a.id = e.id AND (SELECT yes FROM fresh))",
    ]
    if with_programme:
        steps += [
            "stripes AS MATERIALIZED (SELECT id, balance, seq, version FROM locked "
            "WHERE was IS NULL)",
            "programme AS (UPDATE ledger_account AS a SET balance = l.balance + u.points, "
            "version = l.version + 1, seq = l.seq + u.postings "
            f"FROM {source('programme', PROGRAMME)} JOIN stripes AS l ON l.id = u.id "
            "WHERE a.id = u.id AND (SELECT yes FROM fresh))",
        ]
    return steps
