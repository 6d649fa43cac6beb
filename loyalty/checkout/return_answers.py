"""What the till is answered about a return, and how the first answer is kept to be given again."""

import json
from dataclasses import dataclass, fields, replace
from datetime import datetime

from loyalty.instants import from_micros, to_micros
from loyalty.ledger import Expiring


@dataclass(frozen=True, slots=True)
class ReturnedLine:
    """Goods that come back. `line` counts from 1; points are the line's share of the receipt's."""

    line: int
    sku: str
    name: str
    quantity_milli: int
    amount_minor: int
    refund_minor: int
    give_back: int
    take_back: int


@dataclass(frozen=True, slots=True)
class ReturnableLine:
    """A line of the receipt, and how much of it may still come back."""

    line: int
    sku: str
    name: str
    quantity_milli: int
    left_milli: int
    amount_minor: int
    spent: int
    earned: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Movement:
    """What a return moves.

    `amount_minor` are the goods at the price they were charged, `refund_minor` is the money of it.
    Spent points are `given_back`; of the earned ones `taken_back` go, and `forgiven` are let go by
    the policy, or have expired by themselves. `balance` is what she can spend then.
    """

    amount_minor: int
    refund_minor: int
    given_back: int
    taken_back: int
    forgiven: int
    balance: int
    next_expiry: Expiring | None
    is_whole: bool
    """Whether nothing is left of the receipt then."""
    lines: tuple[ReturnedLine, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class ReturnQuote:
    """A receipt that goods may come back of, and what would move. `till` and `shop` sold it."""

    receipt_id: int
    receipt_number: str
    customer_id: int
    name: str
    till: str
    shop: str
    sold_at: datetime
    returns: int
    """How many returns the receipt has had."""
    sold: tuple[ReturnableLine, ...]
    moves: Movement


@dataclass(frozen=True, slots=True, kw_only=True)
class ReturnAnswer:
    """A return that is done. `at` is when; `till` and `shop` sold the goods."""

    return_id: int
    return_number: str
    receipt_id: int
    receipt_number: str
    customer_id: int
    name: str
    till: str
    shop: str
    at: datetime
    moves: Movement
    replayed: bool = False


def encode(answer: ReturnAnswer) -> str:
    """The answer as JSON: lines as rows, instants in microseconds."""
    kept = {field.name: getattr(answer, field.name) for field in fields(answer)}
    del kept["replayed"]
    kept["at"] = to_micros(answer.at)
    moves = {field.name: getattr(answer.moves, field.name) for field in fields(answer.moves)}
    expiry = answer.moves.next_expiry
    moves["next_expiry"] = expiry and [expiry.points, to_micros(expiry.at)]
    names = [field.name for field in fields(ReturnedLine)]
    moves["lines"] = [[getattr(line, name) for name in names] for line in answer.moves.lines]
    return json.dumps(kept | {"moves": moves}, ensure_ascii=False, separators=(",", ":"))


def decode(text: str) -> ReturnAnswer:
    kept = json.loads(text)
    kept["at"] = from_micros(kept["at"])
    moves = kept["moves"]
    expiry = moves["next_expiry"]
    moves["next_expiry"] = Expiring(expiry[0], from_micros(expiry[1])) if expiry else None
    moves["lines"] = tuple(ReturnedLine(*row) for row in moves["lines"])
    return ReturnAnswer(**kept | {"moves": Movement(**moves)})


def replayed(text: str) -> ReturnAnswer:
    return replace(decode(text), replayed=True)
