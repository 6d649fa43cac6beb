"""What the till is answered, and how the first answer to a command is kept to be given again."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, fields, replace
from datetime import datetime
from typing import Any

from loyalty.instants import from_micros, to_micros
from loyalty.ledger import Balance, Expiring
from loyalty.promo import OwnCode
from loyalty.rules.card_codes import How
from loyalty.rules.promo import Outcome
from loyalty.rules.tiers import TierStanding


@dataclass(frozen=True, slots=True)
class QuotedLine:
    """A line with its points. `explanation` is read by `rules.earning.reasons_of`."""

    sku: str
    name: str
    category: str
    quantity_milli: int
    price_minor: int
    amount_minor: int
    spent: int
    earned: int
    explanation: str


@dataclass(frozen=True, slots=True)
class Lookup:
    """The customer's card as the cashier may see it."""

    customer_id: int
    name: str
    card_number_masked: str
    balance: Balance
    may_spend: bool
    how: How
    standing: TierStanding | None = None
    promos: tuple[OwnCode, ...] = ()
    """Those of her promo codes that this shop takes."""


@dataclass(frozen=True, slots=True, kw_only=True)
class QuoteAnswer:
    """A price with points, good until `expires_at`. `available` is before `spend` is taken.

    Lines and `total_minor` are what promo codes have left; `discount_minor` is what they took off,
    and `promos` says of each code what it did or why not. `revision` is that of the rules; the
    receipt is made by the same. `tier` and `turnover_minor` are the customer's before it.
    """

    quote_id: int
    customer_id: int
    name: str
    may_spend: bool
    available: int
    spendable_max: int
    spend: int
    earn: int
    total_minor: int
    to_pay_minor: int
    expires_at: datetime
    lines: tuple[QuotedLine, ...]
    revision: int = 0
    tier: str = ""
    turnover_minor: int = 0
    discount_minor: int = 0
    promos: tuple[Outcome, ...] = ()
    replayed: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class ReceiptAnswer:
    """A receipt, and what the customer has available right after it.

    `at` is the time of the sale. `returned` and `taken_back` are the points that a cancel gave back
    and took back. `goods_back_minor` is the value of what has been returned of it since. `revision`
    is that of the rules that it was made by.
    """

    receipt_id: int
    receipt_number: str
    customer_id: int
    name: str
    total_minor: int
    paid_minor: int
    spent: int
    earned: int
    balance: int
    next_expiry: Expiring | None
    state: str
    at: datetime
    lines: tuple[QuotedLine, ...]
    cancelled_at: datetime | None = None
    returned: int = 0
    taken_back: int = 0
    goods_back_minor: int = 0
    revision: int = 0
    discount_minor: int = 0
    promos: tuple[Outcome, ...] = ()
    replayed: bool = False


@dataclass(frozen=True, slots=True)
class ReceiptSummary:
    """A line of the customer's list of purchases."""

    receipt_id: int
    number: str
    shop: str
    state: str
    at: datetime
    total_minor: int
    paid_minor: int
    spent: int
    earned: int


def encode(answer: QuoteAnswer | ReceiptAnswer) -> str:
    """The answer as JSON: lines as rows, instants in microseconds."""
    kept = {field.name: getattr(answer, field.name) for field in fields(answer)}
    del kept["replayed"]
    kept["lines"] = [_row(line) for line in answer.lines]
    kept["promos"] = [asdict(outcome) for outcome in answer.promos]
    if isinstance(answer, QuoteAnswer):
        kept["expires_at"] = to_micros(answer.expires_at)
    else:
        kept["at"] = to_micros(answer.at)
        kept["cancelled_at"] = answer.cancelled_at and to_micros(answer.cancelled_at)
        expiry = answer.next_expiry
        kept["next_expiry"] = expiry and [expiry.points, to_micros(expiry.at)]
    return json.dumps(kept, ensure_ascii=False, separators=(",", ":"))


def decode_quote(text: str) -> QuoteAnswer:
    kept = json.loads(text)
    kept["lines"] = lines_of(kept["lines"])
    kept["promos"] = _promos_of(kept)
    kept["expires_at"] = from_micros(kept["expires_at"])
    return QuoteAnswer(**kept)


def decode_receipt(text: str) -> ReceiptAnswer:
    kept = json.loads(text)
    kept["lines"] = lines_of(kept["lines"])
    kept["promos"] = _promos_of(kept)
    kept["at"] = from_micros(kept["at"])
    cancelled_at = kept["cancelled_at"]
    kept["cancelled_at"] = None if cancelled_at is None else from_micros(cancelled_at)
    expiry = kept["next_expiry"]
    kept["next_expiry"] = Expiring(expiry[0], from_micros(expiry[1])) if expiry else None
    return ReceiptAnswer(**kept)


def replayed_quote(text: str) -> QuoteAnswer:
    return replace(decode_quote(text), replayed=True)


def replayed_receipt(text: str) -> ReceiptAnswer:
    return replace(decode_receipt(text), replayed=True)


def lines_of(rows: Sequence[Sequence[Any]]) -> tuple[QuotedLine, ...]:
    return tuple(QuotedLine(*row) for row in rows)


def _promos_of(kept: Mapping[str, Any]) -> tuple[Outcome, ...]:
    """None in an answer from before there were promo codes."""
    return tuple(Outcome(**outcome) for outcome in kept.get("promos", ()))


def _row(line: QuotedLine) -> list[Any]:
    return [
        line.sku, line.name, line.category, line.quantity_milli, line.price_minor,
        line.amount_minor, line.spent, line.earned, line.explanation,
    ]  # fmt: skip
