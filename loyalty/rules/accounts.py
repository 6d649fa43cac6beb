"""What the ledger knows of an account while it decides: balance, lots, holds. Plain records.

They are a working copy: `loyalty.rules.posting` changes them only once a command is accepted, and
`loyalty.ledger` writes the result. Instants in microseconds.
"""

from bisect import insort
from collections.abc import Iterator
from dataclasses import dataclass, field

STRIPES = 16
"""The programme's accounts are striped so that tills do not queue for one row."""

PROGRAMME_KINDS = {"issued": 1, "redeemed": 2, "expired": 3, "adjusted": 4}
COUNTER_OF_KIND = {
    "accrual": "issued",
    "redemption": "redeemed",
    "expiry": "expired",
    "adjustment": "adjusted",
}
"""The programme's account that stands against a transaction; a reversal's is its original's."""


def programme_account_id(kind: str, account_id: int) -> int:
    """The stripe of a programme account that stands against this customer's account."""
    return PROGRAMME_KINDS[kind] * 100 + account_id % STRIPES


@dataclass(slots=True)
class Lot:
    """Points of one accrual with one expiry. `remaining` includes what holds keep (`held`)."""

    id: int
    account_id: int
    transaction_id: int
    points: int
    remaining: int
    held: int
    available_at: int
    expires_at: int
    sliding_days: int
    origin_id: int | None = None

    @property
    def free(self) -> int:
        return self.remaining - self.held

    def spendable_at(self, now: int) -> bool:
        return self.available_at <= now < self.expires_at


@dataclass(slots=True)
class HoldRecord:
    """A hold and how much of which lot it keeps."""

    id: int
    account_id: int
    key: str
    fingerprint: bytes
    points: int
    captured: int
    state: str  # held | captured | released | timed_out
    at: int
    expires_at: int
    closed_at: int | None = None
    reference: str = ""
    shares: dict[int, int] = field(default_factory=dict)


@dataclass(slots=True)
class Account:
    """A customer's account. `lots` and `holds` are the open ones, as far as they were loaded."""

    id: int
    balance: int = 0
    deficit: int = 0
    version: int = 0
    seq: int = 0
    slides: bool = False
    head: bytes = b""
    lots: dict[int, Lot] = field(default_factory=dict)
    holds: dict[int, HoldRecord] = field(default_factory=dict)
    knows_lots: bool = False
    """Whether lots and holds were loaded at all: giving points does not need them."""
    knows_all_lots: bool = False
    """Whether there are no more open lots than the loaded ones."""

    _queue: list[Lot] | None = None
    """The lots by expiry and age, made when first asked for; used up, they leave at the front."""

    def add_lot(self, lot: Lot) -> None:
        """A new lot."""
        self.lots[lot.id] = lot
        if self._queue is not None:
            insort(self._queue, lot, key=_soonest)

    def bring_back_lot(self, lot: Lot) -> Lot:
        """A lot that gets points again; returns the one that is known already, if so."""
        self._queue = None
        return self.lots.setdefault(lot.id, lot)

    def reorder(self) -> None:
        """To be called when the expiry of lots has changed."""
        self._queue = None

    def spendable_lots(self, now: int) -> Iterator[Lot]:
        """The lots one may spend from at `now`: soonest to expire first, then the older."""
        if self._queue is None:
            self._queue = sorted(self.lots.values(), key=_soonest)
        queue = self._queue
        used_up = 0
        while used_up < len(queue) and not queue[used_up].remaining:
            used_up += 1
        del queue[:used_up]
        return (lot for lot in queue if lot.free > 0 and lot.spendable_at(now))


def _soonest(lot: Lot) -> tuple[int, int]:
    return lot.expires_at, lot.id


@dataclass(slots=True)
class Original:
    """A transaction that someone wants to reverse, and what its reversals have done so far."""

    id: int
    account_id: int
    kind: str
    points: int
    reversed_points: int
    """Sum of the reversals' points, opposite in sign to `points`."""
    expired_points: int
    """What has expired from the lots it made."""
    counter: str
    """Kind of the programme account on the other side."""
    takes: dict[int, int] = field(default_factory=dict)
    """Net points still taken per lot, over the transaction and its reversals."""
    lots: dict[int, Lot] = field(default_factory=dict)
    """The lots it made or took from, open or not."""
