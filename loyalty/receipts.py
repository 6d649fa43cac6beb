"""Receipts as they can be read back."""

from loyalty.checkout.answers import ReceiptAnswer, ReceiptSummary, decode_receipt
from loyalty.database import query
from loyalty.instants import NEVER, from_micros
from loyalty.refusals import No, Refusal, refuse
from loyalty.rules.receipts import NUMBER_LENGTH_MAX
from loyalty.rules.texts import is_plain
from loyalty.sql import checkout as sql


async def receipts_of(customer_id: int, *, limit: int, before: int | None) -> list[ReceiptSummary]:
    """The latest recorded first; `before` is the id of a receipt, to page on."""
    rows = await query(sql.RECEIPTS, None, customer_id, before or NEVER, limit)
    return [
        ReceiptSummary(
            row[0], row[1], row[2], row[3], from_micros(row[4]), row[5], row[6], row[7], row[8]
        )
        for row in rows
    ]


async def receipt(till_id: int, number: str) -> ReceiptAnswer | Refusal:
    """As it was last answered to the till. Refused: receipt_not_found."""
    if not is_plain(number, NUMBER_LENGTH_MAX):
        return refuse(No.RECEIPT_NOT_FOUND)
    rows = await query(sql.ANSWER_OF, None, till_id, number)
    if not rows:
        return refuse(No.RECEIPT_NOT_FOUND)
    answer, cancel_answer = tuple(rows[0])
    return decode_receipt(cancel_answer or answer)
