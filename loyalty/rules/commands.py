"""What the points ledger can be told, and what it answers. Frozen; instants in microseconds.

Points are whole and positive; the command says the direction. `at` is when the fact happened (it
may lie before now: a till that was offline), `key` makes a repeat harmless, `business_key` keeps a
second key from doing the same business twice.
"""

from dataclasses import dataclass
from enum import StrEnum
from typing import Literal

from loyalty.instants import NEVER
from loyalty.refusals import Refusal

POINTS_MAX = 1_000_000_000_000
"""The most points that one command may move, far from the edge of a 64-bit sum."""


class Clawback(StrEnum):
    """What to do when points to be taken back have been spent already."""

    ONLY_PENDING = "only_pending"
    """Take back only what is still pending; what has become available stays hers."""
    WITHIN_BALANCE = "within_balance"
    """Take what is free, of this lot first; forgive the rest."""
    ALLOW_DEFICIT = "allow_deficit"
    """Take what is free; the rest is a deficit that the next accruals absorb."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Accrue:
    """Give points as one lot. `source` names the programme account that issues them."""

    key: str
    account_id: int
    points: int
    at: int
    available_at: int = 0  # 0: at once
    expires_at: int = NEVER
    sliding_days: int = 0  # > 0: expiry moves on with every activity
    source: Literal["issued", "adjusted"] = "issued"
    reason: str = "receipt"
    reference: str = ""
    business_key: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Redeem:
    """Spend points at once, the soonest to expire first. Refused: insufficient_points."""

    key: str
    account_id: int
    points: int
    at: int
    sink: Literal["redeemed", "adjusted"] = "redeemed"
    reason: str = "receipt"
    reference: str = ""
    business_key: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Hold:
    """Set points aside until captured, released or `expires_at`. Refused: insufficient_points."""

    key: str
    account_id: int
    points: int
    at: int
    expires_at: int
    reference: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Capture:
    """Spend `points` (default: all) of a hold; the rest returns to the lots it came from.

    Refused: hold_not_found, hold_expired, hold_closed, exceeds_hold.
    """

    key: str
    account_id: int
    hold_id: int
    at: int
    points: int | None = None
    reason: str = "receipt"
    reference: str = ""
    business_key: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Release:
    """Let a hold go. Releasing twice, or a hold that timed out, is answered the same way."""

    key: str
    account_id: int
    hold_id: int
    at: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Reverse:
    """Undo a transaction, whole or `points` of it; several partial ones up to the whole.

    An accrual is taken back by `clawback`; a redemption returns to the very lots and expiries.
    A lot that expired meanwhile returns as a new lot that lives `grace_days` more, once.
    Refused: transaction_not_found, not_reversible, already_reversed, exceeds_original,
    nothing_to_take_back.
    """

    key: str
    account_id: int
    transaction_id: int
    at: int
    points: int | None = None
    clawback: Clawback = Clawback.WITHIN_BALANCE
    grace_days: int = 0
    reason: str = "cancel"
    reference: str = ""
    business_key: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Expire:
    """Take out what is left, and not held, of a lot whose time is up. Refused: not_yet_expired."""

    account_id: int
    lot_id: int
    at: int


Command = Accrue | Redeem | Hold | Capture | Release | Reverse | Expire


@dataclass(frozen=True, slots=True)
class Posted:
    """The points moved: `points` signed as the customer sees it, `balance` hers right after."""

    transaction_id: int
    points: int
    balance: int
    at: int
    replayed: bool = False


@dataclass(frozen=True, slots=True)
class Held:
    hold_id: int
    points: int
    expires_at: int
    replayed: bool = False


@dataclass(frozen=True, slots=True)
class Released:
    hold_id: int
    points: int
    replayed: bool = False


Verdict = Posted | Held | Released | Refusal
