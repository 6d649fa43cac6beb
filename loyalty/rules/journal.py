"""How a judged transaction is written down: lots, takes, postings, seals, what has changed. Pure.

`rules.posting` decides, this keeps the books of one batch. The database is not here.
"""

from collections.abc import Callable
from dataclasses import dataclass, field

from loyalty.rules.accounts import Account, HoldRecord, Lot, programme_account_id
from loyalty.rules.chain import link
from loyalty.rules.commands import Accrue, Capture, Posted, Redeem, Reverse
from loyalty.rules.receipts import DAY

ACTIVITY = ("accrual", "redemption")
"""Kinds of transaction that keep sliding lots alive: what the customer herself did."""


class NeedsLotsError(Exception):
    """The judgement needs lots of this account that were not loaded.

    The batch is spoilt: load all again, with these lots, and judge from the start.
    """

    def __init__(self, account_id: int, *, everything: bool = False) -> None:
        self.account_id = account_id
        self.everything = everything


@dataclass(slots=True)
class Rows:
    """What a batch writes. Tuples are in the order of the tables' columns."""

    recorded_at: int
    transactions: list[tuple[object, ...]] = field(default_factory=list)
    postings: list[tuple[int, int, int, int, int]] = field(default_factory=list)
    counter_postings: list[tuple[int, int, int]] = field(default_factory=list)
    """Programme account, transaction, points: numbered and balanced where they are written."""
    takes: list[tuple[int, int, int, int]] = field(default_factory=list)
    new_lots: dict[int, Lot] = field(default_factory=dict)
    changed_lots: dict[int, Lot] = field(default_factory=dict)
    new_holds: dict[int, HoldRecord] = field(default_factory=dict)
    changed_holds: dict[int, HoldRecord] = field(default_factory=dict)
    accounts: dict[int, int] = field(default_factory=dict)
    """Account changed -> its version before."""


@dataclass(slots=True)
class Move:
    """A transaction in the making: which lots it makes, takes from and gives back to."""

    kind: str
    points: int
    counter: str
    made: list[Lot] = field(default_factory=list)
    takes: dict[int, int] = field(default_factory=dict)

    def take(self, lot: Lot, points: int) -> None:
        """Take `points` (> 0) from a lot, or give them back (< 0)."""
        lot.remaining -= points
        self.takes[lot.id] = self.takes.get(lot.id, 0) + points


@dataclass
class Journal:
    """The books of one batch. `now` is the moment of recording; `chain` seals each transaction."""

    now: int
    next_id: Callable[[], int]
    chain: bool = True
    rows: Rows = field(init=False)

    def __post_init__(self) -> None:
        self.rows = Rows(self.now)

    def _make_lot(
        self,
        move: Move,
        account: Account,
        points: int,
        *,
        available_at: int,
        expires_at: int,
        sliding_days: int = 0,
        origin_id: int | None = None,
    ) -> Lot:
        lot = Lot(
            self.next_id(), account.id, 0, points, points, 0, available_at, expires_at,
            sliding_days, origin_id,
        )  # fmt: skip
        move.made.append(lot)
        account.add_lot(lot)
        return lot

    def _close_hold(self, account: Account, hold: HoldRecord, state: str) -> None:
        for lot_id, points in hold.shares.items():
            lot = account.lots[lot_id]
            lot.held -= points
            self._touch_lot(lot)
        hold.state = state
        hold.closed_at = self.now
        if hold.id not in self.rows.new_holds:
            self.rows.changed_holds[hold.id] = hold
        self._touch(account)

    def _time_out_holds(self, account: Account) -> None:
        """Holds whose time has passed let go by themselves, whether or not a job came by."""
        for hold in account.holds.values():
            if hold.state == "held" and hold.expires_at <= self.now:
                if not all(lot_id in account.lots for lot_id in hold.shares):
                    raise NeedsLotsError(account.id)
                self._close_hold(account, hold, "timed_out")

    def _post(
        self,
        command: Accrue | Redeem | Capture | Reverse,
        account: Account,
        move: Move,
        mark: bytes,
        reverses_id: int | None = None,
    ) -> Posted:
        """Number, seal and write down one transaction."""
        rows, account_id, points = self.rows, account.id, move.points
        transaction_id = self.next_id()
        account.balance = balance = account.balance + points
        account.seq = seq = account.seq + 1
        if account.slides and move.kind in ACTIVITY:
            self._slide(account, command.at)
        for lot in move.made:
            lot.transaction_id = transaction_id
            rows.new_lots[lot.id] = lot
        takes = sorted(take for take in move.takes.items() if take[1]) if move.takes else []
        for lot_id, taken in takes:
            rows.takes.append((transaction_id, lot_id, account_id, taken))
            self._touch_lot(account.lots[lot_id])
        columns = (
            transaction_id, account_id, seq, move.kind, points, command.at, self.now,
            command.key, command.business_key, reverses_id, command.reason, command.reference,
        )  # fmt: skip
        if self.chain:
            seals = [
                (made.id, made.points, made.available_at,
                 0 if made.sliding_days else made.expires_at, made.sliding_days, made.origin_id)
                for made in move.made
            ]  # fmt: skip
            account.head = link(account.head, (*columns, mark.hex(), balance), seals, takes)
        rows.transactions.append((*columns, mark, account.head if self.chain else b""))
        rows.postings.append((account_id, seq, transaction_id, points, balance))
        counter = programme_account_id(move.counter, account_id)
        rows.counter_postings.append((counter, transaction_id, -points))
        self._touch(account)
        return Posted(transaction_id, points, balance, command.at)

    def _slide(self, account: Account, at: int) -> None:
        """Activity moves the expiry of sliding lots on, never back."""
        for lot in account.lots.values():
            if lot.sliding_days and lot.remaining and lot.expires_at > self.now:
                lot.expires_at = max(lot.expires_at, at + lot.sliding_days * DAY)
                self._touch_lot(lot)
                account.reorder()

    def _need_lots(self, account: Account, *, everything: bool = False) -> None:
        if not account.knows_lots or (
            not account.knows_all_lots and (everything or account.slides)
        ):
            raise NeedsLotsError(account.id, everything=everything or account.slides)

    def _touch(self, account: Account) -> None:
        if account.id not in self.rows.accounts:
            self.rows.accounts[account.id] = account.version
            account.version += 1

    def _touch_lot(self, lot: Lot) -> None:
        if lot.id not in self.rows.new_lots:
            self.rows.changed_lots[lot.id] = lot
