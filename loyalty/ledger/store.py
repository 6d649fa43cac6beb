"""Loads what a batch of commands needs and writes what it decided. The SQL is in `sql_*`.

Two ways to be safe, for the two databases:

- Postgres: load without a lock, judge, write in one statement that locks the accounts in order and
  writes only if their versions are still those that were judged. Nothing waits in Python while a
  row is locked. If somebody was quicker, load and judge again.
- SQLite: load, judge and write inside one `BEGIN IMMEDIATE` transaction, the only writer there is.
"""

import json
from collections.abc import Awaitable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from loyalty.database import Dialect, connection, dialect, in_transaction, query_postgres
from loyalty.ledger import sql_postgres, sql_sqlite
from loyalty.ledger.companion import Companion
from loyalty.ledger.row_sets import RowSets, row_sets
from loyalty.ledger.sql_load import Tag, statement
from loyalty.rules.accounts import COUNTER_OF_KIND, Account, HoldRecord, Lot, Original
from loyalty.rules.commands import (
    Accrue,
    Capture,
    Command,
    Expire,
    Held,
    Hold,
    Posted,
    Release,
    Reverse,
)
from loyalty.rules.journal import NeedsLotsError, Rows
from loyalty.rules.posting import Remembered

LOTS_AT_FIRST = 64
"""Lots of an account to load at first, the soonest to expire: enough for nearly every customer."""
LOTS_GROWTH = 8
"""How many times more are loaded when those were not enough."""
LOTS_WITH_ACCRUALS_UP_TO = 64
"""Commands in a batch up to which accounts that only receive are loaded with their lots."""
COPY_FROM = 200
"""Transactions in a batch from which COPY is the faster way in."""


@dataclass(slots=True)
class Needs:
    """What to load for a batch."""

    accounts: set[int] = field(default_factory=set)
    known: set[int] = field(default_factory=set)
    """Accounts that need not be loaded."""
    lots: dict[int, int] = field(default_factory=dict)
    """Account -> how many of its lots at most."""
    all_lots: set[int] = field(default_factory=set)
    keys: set[str] = field(default_factory=set)
    trusts_keys: bool = False
    """Take the keys for new; should a posting have one, the unique indexes refuse the writing."""
    business_keys: set[str] = field(default_factory=set)
    holds: set[int] = field(default_factory=set)
    originals: set[int] = field(default_factory=set)

    @classmethod
    def of(cls, commands: Sequence[Command], known: Mapping[int, Account]) -> "Needs":
        """What is needed beside the accounts that are known already.

        Giving needs no lots, but an account known with its lots is worth remembering.
        """
        needs = cls()
        worth_remembering = len(commands) <= LOTS_WITH_ACCRUALS_UP_TO
        for command in commands:
            if command.account_id in known:
                needs.known.add(command.account_id)
            else:
                needs.accounts.add(command.account_id)
                if worth_remembering or not isinstance(command, Accrue):
                    needs.lots[command.account_id] = LOTS_AT_FIRST
            if not isinstance(command, Expire):
                needs.keys.add(command.key)
            if isinstance(command, Capture | Release):
                needs.holds.add(command.hold_id)
            elif isinstance(command, Reverse):
                needs.all_lots.add(command.account_id)
                needs.originals.add(command.transaction_id)
            if not isinstance(command, Expire | Hold | Release) and command.business_key:
                needs.business_keys.add(command.business_key)
        return needs

    def add(self, error: NeedsLotsError) -> None:
        """Ask for the lots whose lack spoilt a batch."""
        if error.everything:
            self.all_lots.add(error.account_id)
        else:
            known = self.lots.get(error.account_id, 0)
            self.lots[error.account_id] = max(LOTS_AT_FIRST, known * LOTS_GROWTH)


@dataclass(slots=True)
class Loaded:
    accounts: dict[int, Account] = field(default_factory=dict)
    keys: dict[str, Remembered] = field(default_factory=dict)
    business_keys: dict[str, int] = field(default_factory=dict)
    holds: dict[int, HoldRecord] = field(default_factory=dict)
    originals: dict[int, Original] = field(default_factory=dict)
    lots: dict[int, Lot] = field(default_factory=dict)
    """Every lot seen, open or not: the same object wherever it is mentioned."""


async def load(needs: Needs) -> Loaded:
    """Load in one statement, hence from one instant of the database."""
    which = dialect()
    parts = [Tag.ACCOUNT]
    if needs.keys:
        parts += [Tag.HOLD_KEY] if needs.trusts_keys else [Tag.KEY, Tag.HOLD_KEY]
    if needs.business_keys and not needs.trusts_keys:
        parts.append(Tag.BUSINESS_KEY)
    some = sorted(needs.lots.keys() - needs.all_lots)
    if some:
        parts.append(Tag.SOME_LOT)
    if needs.all_lots:
        parts.append(Tag.LOT)
    if needs.lots or needs.all_lots:
        parts += [Tag.HOLD, Tag.SHARE]
    if needs.originals:
        parts += [Tag.ORIGINAL, Tag.ORIGINAL_LOT, Tag.ORIGINAL_TAKE, Tag.REVERSAL]
    with_lots = needs.lots.keys() | needs.all_lots
    arguments: dict[str, list[Any]] = {
        "accounts": sorted(needs.accounts),
        "some": some,
        "limits": [needs.lots[account_id] for account_id in some],
        "all": sorted(needs.all_lots),
        "with_lots": sorted(with_lots),
        "keys": list(needs.keys),
        "business": sorted(needs.business_keys),
        "holds": sorted(needs.holds),
        "originals": sorted(needs.originals),
    }
    text, names = statement(tuple(parts), which)
    rows = await _fetch(which, text, [arguments[name] for name in names])
    loaded = Loaded()
    for row in rows:
        _ABSORB[row[0]](loaded, row)
    for account_id in with_lots:
        account = loaded.accounts.get(account_id)
        if account is not None:
            account.knows_lots = True
            account.knows_all_lots = (
                account_id in needs.all_lots or len(account.lots) < needs.lots[account_id]
            )
    return loaded


async def _fetch(which: Dialect, text: str, arguments: list[list[Any]]) -> Sequence[Any]:
    if which == "postgres":
        return await query_postgres(text, arguments)
    encoded = [json.dumps(argument) for argument in arguments]
    async with connection().acquire_connection() as raw:
        return list(await raw.execute_fetchall(text, encoded))


# Rows come as (tag, i1 … i10, blob, text1, text2); each tag reads its own columns.


def _account(loaded: Loaded, row: Any) -> None:
    loaded.accounts[row[1]] = Account(
        row[1], row[2], row[3], row[4], row[5], bool(row[6]), bytes(row[11])
    )


def _open_lot(loaded: Loaded, row: Any) -> None:
    lot = _any_lot(loaded, row)
    account = loaded.accounts.get(lot.account_id)
    if account is not None:
        account.lots[lot.id] = lot


def _any_lot(loaded: Loaded, row: Any) -> Lot:
    lot = loaded.lots.get(row[1])
    if lot is None:
        lot = Lot(row[1], row[2], row[3], row[4], row[5], row[6], row[7], row[8], row[9], row[10])
        loaded.lots[lot.id] = lot
    return lot


def _hold(loaded: Loaded, row: Any) -> None:
    hold = HoldRecord(
        row[1], row[2], row[12], bytes(row[11]), row[3], row[4], row[13], row[5], row[6], row[7]
    )
    loaded.holds[hold.id] = hold
    account = loaded.accounts.get(hold.account_id)
    if hold.state == "held" and account is not None:
        account.holds[hold.id] = hold


def _share(loaded: Loaded, row: Any) -> None:
    loaded.holds[row[1]].shares[row[2]] = row[3]


def _key(loaded: Loaded, row: Any) -> None:
    verdict = Posted(row[1], row[2], row[3], row[4])
    loaded.keys[row[12]] = Remembered(bytes(row[11]), verdict)


def _hold_key(loaded: Loaded, row: Any) -> None:
    loaded.keys[row[12]] = Remembered(bytes(row[11]), Held(row[1], row[2], row[3]))


def _business_key(loaded: Loaded, row: Any) -> None:
    loaded.business_keys[row[12]] = row[1]


def _original(loaded: Loaded, row: Any) -> None:
    loaded.originals[row[1]] = Original(
        row[1], row[2], row[12], row[3], row[4], row[5], COUNTER_OF_KIND[row[12]]
    )


def _original_lot(loaded: Loaded, row: Any) -> None:
    # The first id is the original's; the lot's own columns follow one place later.
    original_id, columns = row[1], (row[0], *row[2:11], row[14])
    loaded.originals[original_id].lots[row[2]] = _any_lot(loaded, columns)


def _original_take(loaded: Loaded, row: Any) -> None:
    takes = loaded.originals[row[1]].takes
    takes[row[2]] = takes.get(row[2], 0) + row[3]


_ABSORB = {
    Tag.ACCOUNT: _account,
    Tag.SOME_LOT: _open_lot,
    Tag.LOT: _open_lot,
    Tag.HOLD: _hold,
    Tag.SHARE: _share,
    Tag.KEY: _key,
    Tag.HOLD_KEY: _hold_key,
    Tag.BUSINESS_KEY: _business_key,
    Tag.ORIGINAL: _original,
    Tag.ORIGINAL_LOT: _original_lot,
    Tag.ORIGINAL_TAKE: _original_take,
    Tag.REVERSAL: _original_take,
}


@dataclass(frozen=True, slots=True)
class Frozen:
    """A judged batch as the rows to write; its accounts may be judged on."""

    transactions: int
    sets: RowSets
    one: Sequence[Any] = ()
    """The arguments of the one-posting function, where that will do; then there are no sets."""


def freeze(rows: Rows, accounts: Mapping[int, Account], *, in_sets: bool = False) -> Frozen:
    """`in_sets`: even a single posting, to be written with a companion."""
    if not in_sets and dialect() == "postgres" and sql_postgres.is_one_posting(rows):
        return Frozen(1, {}, sql_postgres.one_posting(rows, accounts))
    return Frozen(len(rows.transactions), row_sets(rows, accounts))


async def write(batch: Frozen, after: Awaitable[bool] | None = None) -> bool:
    """Write a batch; False, and nothing written, if an account has changed since it was judged.

    Raises asyncpg.UniqueViolationError when a key has been used meanwhile. On SQLite the caller's
    transaction has kept every other writer out since the load.
    """
    if batch.transactions >= COPY_FROM and dialect() == "postgres" and not in_transaction():
        return await sql_postgres.write_by_copy(batch.sets, after)
    if after is not None and not await after:
        return False
    if batch.one:
        return await sql_postgres.write_one(batch.one)
    if not batch.sets["expected"]:
        return True
    if dialect() == "sqlite":
        return await sql_sqlite.write(batch.sets)
    return await sql_postgres.write(batch.sets)


async def write_with(batch: Frozen, companion: Companion) -> bool:
    """As `write`, in one statement with a caller's own rows. Postgres only. Raises DemandError."""
    return await sql_postgres.write_with(batch.sets, companion)
