"""Recomputes the whole ledger from its append-only rows and tells what does not add up.

Account by account, a slice at a time, so that memory stays flat however large the ledger is. It
trusts no derived figure: balances, running balances, lots, holds, links and heads are all made anew
from the transactions, postings and takes.
"""

from collections import defaultdict
from collections.abc import AsyncIterator, Callable, Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

from loyalty.database import analysis, query
from loyalty.instants import NEVER
from loyalty.rules.accounts import (
    COUNTER_OF_KIND,
    STRIPES,
    programme_account_id,
)
from loyalty.rules.chain import LotSeal, link
from loyalty.rules.journal import ACTIVITY
from loyalty.rules.receipts import DAY

SLICE = 500

_ACCOUNTS = """
SELECT id, balance, deficit, seq, head FROM ledger_account
WHERE kind = 'customer' AND id > $1 ORDER BY id LIMIT $2
"""
_TRANSACTIONS = """
SELECT p.account_id, p.seq, p.points, p.balance_after, t.id, t.kind, t.points, t.at, t.recorded_at,
  t.key, t.business_key, t.reverses_id, t.reason, t.reference, t.fingerprint, t.link
FROM ledger_posting AS p JOIN ledger_transaction AS t ON t.id = p.transaction_id
WHERE p.account_id > $1 AND p.account_id <= $2 ORDER BY p.account_id, p.seq
"""
_LOTS = """
SELECT account_id, id, transaction_id, points, remaining, held, available_at, expires_at,
  sliding_days, origin_id
FROM ledger_lot WHERE account_id > $1 AND account_id <= $2
"""
_TAKES = """
SELECT k.account_id, k.transaction_id, k.lot_id, k.points FROM ledger_take AS k
WHERE k.account_id > $1 AND k.account_id <= $2
"""
_SHARES = """
SELECT h.account_id, s.lot_id, CAST(SUM(s.points) AS BIGINT), MAX(h.id) FROM ledger_hold AS h
JOIN ledger_hold_share AS s ON s.hold_id = h.id
WHERE h.state = 'held' AND h.account_id > $1 AND h.account_id <= $2 GROUP BY 1, 2
"""
_HOLDS = """
SELECT h.id FROM ledger_hold AS h WHERE h.points <> (
  SELECT COALESCE(SUM(s.points), 0) FROM ledger_hold_share AS s WHERE s.hold_id = h.id) LIMIT 1000
"""
_UNBALANCED = """
SELECT transaction_id, CAST(SUM(points) AS BIGINT), COUNT(*) FROM ledger_posting
GROUP BY transaction_id HAVING SUM(points) <> 0 OR COUNT(*) <> 2 LIMIT 1000
"""
_ORPHANS = """
SELECT DISTINCT p.transaction_id FROM ledger_posting AS p LEFT JOIN ledger_transaction AS t
ON t.id = p.transaction_id WHERE t.id IS NULL LIMIT 1000
"""
_UNPOSTED = """
SELECT t.id, t.account_id FROM ledger_transaction AS t LEFT JOIN ledger_posting AS p
ON p.account_id = t.account_id AND p.seq = t.seq AND p.transaction_id = t.id
WHERE p.seq IS NULL LIMIT 1000
"""
_WHENS = " ".join(
    f"WHEN '{kind}' THEN {programme_account_id(counter, 0)}"
    for kind, counter in COUNTER_OF_KIND.items()
)
_COUNTERS = f"""
SELECT t.id, t.account_id FROM ledger_posting AS p
JOIN ledger_transaction AS t ON t.id = p.transaction_id
LEFT JOIN ledger_transaction AS o ON o.id = t.reverses_id
WHERE p.account_id < 1000 AND p.account_id <>
  t.account_id % {STRIPES} + CASE COALESCE(o.kind, t.kind) {_WHENS} END LIMIT 1000
"""  # noqa: S608 - glued from constants
_PROGRAMME = """
SELECT a.id, a.balance, a.seq, CAST(COALESCE(SUM(p.points), 0) AS BIGINT), COUNT(p.seq),
  COALESCE(MAX(p.seq), 0)
FROM ledger_account AS a LEFT JOIN ledger_posting AS p ON p.account_id = a.id
WHERE a.kind <> 'customer' GROUP BY a.id, a.balance, a.seq
"""
_RUNNING = """
SELECT account_id, seq FROM (
  SELECT account_id, seq, balance_after,
    SUM(points) OVER (PARTITION BY account_id ORDER BY seq) AS running
  FROM ledger_posting WHERE account_id < 1000) AS r
WHERE running <> balance_after LIMIT 1000
"""


@dataclass(frozen=True, slots=True)
class Finding:
    """Something that does not add up. `what` is a name, `detail` the figures."""

    account_id: int | None
    what: str
    detail: str


@dataclass
class Report:
    """What was looked at and what was found; an empty `findings` is the proof."""

    accounts: int = 0
    transactions: int = 0
    lots: int = 0
    findings: list[Finding] = field(default_factory=list)


async def verify(*, progress: Callable[[int], None] | None = None) -> Report:
    """Check everything; `progress` gets the number of accounts of each slice. Reads only.

    On a ledger in use it may report an account that changed while it was read: run again for that.
    """
    report = Report()
    async with analysis():
        await _check_totals(report)
    async for accounts in _slices():
        await _check_slice(accounts, report)
        report.accounts += len(accounts)
        if progress is not None:
            progress(len(accounts))
    return report


async def _check_totals(report: Report) -> None:
    def found(account_id: int | None, what: str, detail: str) -> None:
        report.findings.append(Finding(account_id, what, detail))

    for transaction_id, total, count in map(tuple, await query(_UNBALANCED)):
        found(None, "unbalanced_transaction", f"{transaction_id}: {count} postings sum to {total}")
    for [transaction_id] in map(tuple, await query(_ORPHANS)):
        found(None, "posting_without_transaction", str(transaction_id))
    for transaction_id, account_id in map(tuple, await query(_UNPOSTED)):
        found(account_id, "postings_missing", f"transaction {transaction_id} has none")
    for transaction_id, account_id in map(tuple, await query(_COUNTERS)):
        found(account_id, "counter_account_differs", f"transaction {transaction_id}")
    for [hold_id] in map(tuple, await query(_HOLDS)):
        found(None, "hold_shares_differ", str(hold_id))
    for row in map(tuple, await query(_PROGRAMME)):
        account_id, balance, seq, total, count, last = row
        if balance != total:
            found(account_id, "balance_differs", f"{balance} on the account, {total} posted")
        if not seq == count == last:
            found(account_id, "postings_missing", f"{seq} numbered, {count} found, last {last}")
    for account_id, seq in map(tuple, await query(_RUNNING)):
        found(account_id, "running_balance_differs", f"posting {seq}")


async def _slices() -> AsyncIterator[list[tuple[Any, ...]]]:
    last = 999  # the programme's accounts are below
    while rows := await query(_ACCOUNTS, None, last, SLICE):
        yield [tuple(row) for row in rows]
        last = rows[-1][0]


async def _check_slice(accounts: Sequence[tuple[Any, ...]], report: Report) -> None:
    first, last = accounts[0][0] - 1, accounts[-1][0]
    transactions = _by_account(await query(_TRANSACTIONS, None, first, last))
    lots = _by_account(await query(_LOTS, None, first, last))
    takes = _by_account(await query(_TAKES, None, first, last))
    shares = _by_account(await query(_SHARES, None, first, last))
    known = {account[0] for account in accounts}
    for account in accounts:
        proof = _Proof(
            account, transactions[account[0]], lots[account[0]], takes[account[0]],
            shares[account[0]], report,
        )  # fmt: skip
        proof.run()
    for stray in (transactions.keys() | lots.keys()) - known:
        report.findings.append(Finding(stray, "account_missing", ""))


def _by_account(rows: Iterable[Any]) -> defaultdict[int, list[tuple[Any, ...]]]:
    grouped: defaultdict[int, list[tuple[Any, ...]]] = defaultdict(list)
    for row in rows:
        grouped[row[0]].append(tuple(row))
    return grouped


@dataclass
class _Proof:
    """One customer's account, recomputed."""

    account: tuple[Any, ...]
    transactions: list[tuple[Any, ...]]
    lots: list[tuple[Any, ...]]
    takes: list[tuple[Any, ...]]
    shares: list[tuple[Any, ...]]
    report: Report

    def found(self, what: str, detail: str) -> None:
        self.report.findings.append(Finding(self.account[0], what, detail))

    def run(self) -> None:
        self.report.transactions += len(self.transactions)
        self.report.lots += len(self.lots)
        self._check_postings()
        self._check_lots()
        self._check_chain()

    def _check_postings(self) -> None:
        _, balance, _, seq, _ = self.account
        running = 0
        for number, row in enumerate(self.transactions, 1):
            _, posting_seq, points, balance_after, transaction_id, _, signed, *_ = row
            if posting_seq != number:
                self.found("postings_missing", f"posting {number} is missing or out of order")
                return
            running += points
            if points != signed:
                self.found("posting_differs", f"{transaction_id}: {points} against {signed}")
            if running != balance_after:
                self.found(
                    "running_balance_differs", f"posting {number}: {balance_after}, {running}"
                )
        if running != balance:
            self.found("balance_differs", f"{balance} on the account, {running} posted")
        if len(self.transactions) != seq:
            self.found("postings_missing", f"{seq} numbered, {len(self.transactions)} found")

    def _check_lots(self) -> None:
        balance, deficit = self.account[1:3]
        taken: defaultdict[int, int] = defaultdict(int)
        for _, _, lot_id, points in self.takes:
            taken[lot_id] += points
        held = {lot_id: points for _, lot_id, points, _ in self.shares}
        for _, lot_id, _, points, remaining, kept, *_ in self.lots:
            if remaining != points - taken.pop(lot_id, 0):
                self.found("lot_differs", f"lot {lot_id}: {remaining} remain")
            if kept != held.pop(lot_id, 0):
                self.found("hold_differs", f"lot {lot_id}: {kept} held")
        for lot_id in taken.keys() | held.keys():
            self.found("lot_missing", str(lot_id))
        total = sum(lot[4] for lot in self.lots)
        if total - deficit != balance:
            self.found("lots_differ", f"balance {balance}, lots {total}, deficit {deficit}")
        self._check_sliding()

    def _check_sliding(self) -> None:
        """A sliding lot expires so many days after some activity of hers, or as it began."""
        activity = [row[7] for row in self.transactions if row[5] in ACTIVITY]
        for _, lot_id, *_, expires_at, days, _ in self.lots:
            if days and expires_at != NEVER:
                begun = expires_at - days * DAY
                if activity and not min(activity) <= begun <= max(activity):
                    self.found("sliding_expiry_differs", f"lot {lot_id}")

    def _check_chain(self) -> None:
        account_id, head = self.account[0], bytes(self.account[4])
        lots: defaultdict[int, list[LotSeal]] = defaultdict(list)
        for _, lot_id, made_by, points, _, _, available_at, expires_at, days, origin in self.lots:
            until = 0 if days else expires_at
            lots[made_by].append((lot_id, points, available_at, until, days, origin))
        takes: defaultdict[int, list[tuple[int, int]]] = defaultdict(list)
        for _, transaction_id, lot_id, points in self.takes:
            takes[transaction_id].append((lot_id, points))
        previous = b""
        for row in self.transactions:
            _, seq, _, balance_after, transaction_id, kind, points, at, recorded_at, *rest = row
            key, business_key, reverses_id, reason, reference, mark, sealed = rest
            if not bytes(sealed):
                return  # written without a chain
            columns = (
                transaction_id, account_id, seq, kind, points, at, recorded_at, key, business_key,
                reverses_id, reason, reference, bytes(mark).hex(), balance_after,
            )  # fmt: skip
            made = sorted(lots.pop(transaction_id, []))
            previous = link(previous, columns, made, sorted(takes.pop(transaction_id, [])))
            if previous != bytes(sealed):
                self.found("chain_broken", f"at transaction {transaction_id}")
                return
        if previous != head:
            self.found("chain_broken", "the head is not the last link")
        if lots or takes:
            self.found("chain_broken", "a lot or a take belongs to no transaction")
