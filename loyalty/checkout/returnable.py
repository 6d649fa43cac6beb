"""What may come back of a receipt: one look into the database, and the judgement of it."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from loyalty.checkout.desk import Desk, scoped_key
from loyalty.refusals import No, Refusal, refuse
from loyalty.rules.months import month_of
from loyalty.rules.programme import ProgrammeRules
from loyalty.rules.receipts import fingerprint
from loyalty.rules.returns import (
    Back,
    Portion,
    SoldAt,
    SoldLine,
    judge,
    paid_by_line,
    points_by_line,
    too_old,
)
from loyalty.rules.tiers import window
from loyalty.sql import returns as sql
from loyalty.turnover import Turnover, turnover_of


@dataclass(frozen=True, slots=True, kw_only=True)
class ReturnRequest:
    """A till's wish. `lines` None: all that is left of the receipt."""

    till_id: int
    receipt_number: str
    sold_at: SoldAt
    lines: Sequence[Back] | None
    key: str = ""
    return_number: str = ""
    staff_id: int | None = None

    def mark(self) -> bytes:
        """What makes a repeat the same command."""
        lines = None if self.lines is None else tuple(self.lines)
        return fingerprint("return", self.receipt_number, self.return_number, self.sold_at, lines)


@dataclass(frozen=True, slots=True)
class ReceiptSeen:
    """A receipt as it stands, and what is to come back of it.

    `row` has the columns of `return_facts`; `rows` are its lines: id, position, sku, name,
    quantity, amount, points spent and earned, quantity that has come back. `rules` are those that
    it was made by.
    """

    row: Any
    rules: ProgrammeRules
    rows: Sequence[Sequence[Any]]
    lines: Sequence[SoldLine]
    portions: Sequence[Portion]

    @property
    def turnover(self) -> Turnover:
        return turnover_of(self.row, self.row["customer_id"])

    @property
    def is_whole(self) -> bool:
        """Whether nothing is left of the receipt after this return."""
        left = sum(line.left_milli for line in self.lines)
        return left == sum(portion.quantity_milli for portion in self.portions)


async def look(desk: Desk, request: ReturnRequest) -> list[Any]:
    """The receipts that may be meant, and the first answer to the key. One round trip."""
    months = window(month_of(desk.now(), desk.rules.timezone))
    return await sql.return_facts(
        request.till_id,
        request.receipt_number,
        request.sold_at,
        key=scoped_key(request.till_id, request.key),
        return_number=request.return_number,
        months=months,
    )


async def judge_receipt(
    desk: Desk, rows: Sequence[Any], request: ReturnRequest
) -> ReceiptSeen | Refusal:
    """What comes back of the one receipt that is meant.

    Refused: receipt_not_found, receipt_ambiguous, receipt_cancelled, return_too_old, and as
    `rules.returns.judge`.
    """
    row = rows[0]
    if row["id"] is None:
        return refuse(No.RECEIPT_NOT_FOUND)
    if len(rows) > 1:
        return refuse(No.RECEIPT_AMBIGUOUS)
    if row["state"] == "cancelled":
        return refuse(No.RECEIPT_CANCELLED)
    rules = (await desk.book.of(row["rules_revision"])).rules
    refusal = too_old(row["at"], desk.now(), rules.return_days_max)
    if refusal is not None:
        return refusal
    lines = sorted(json.loads(row["lines"]), key=lambda line: line[1])
    sold = _sold_lines(row, lines)
    portions = judge(sold, request.lines)
    if isinstance(portions, Refusal):
        return portions
    return ReceiptSeen(row, rules, lines, sold, portions)


def _sold_lines(row: Any, lines: Sequence[Sequence[Any]]) -> list[SoldLine]:
    """The receipt's money and points on its lines, whoever judged them."""
    amounts = [line[5] for line in lines]
    spent = points_by_line(row["spent_points"], [line[6] for line in lines], amounts)
    earned = points_by_line(row["earned_points"], [line[7] for line in lines], amounts)
    paid = paid_by_line(amounts, spent, row["total_minor"], row["paid_minor"])
    return [
        SoldLine(
            quantity_milli=line[4],
            amount_minor=line[5],
            paid_minor=paid[i],
            spent=spent[i],
            earned=earned[i],
            returned_milli=line[8],
        )
        for i, line in enumerate(lines)
    ]
