"""Receipts, and what was returned of them, as they can be read back."""

from dataclasses import replace

from loyalty.checkout.answers import ReceiptAnswer, ReceiptSummary, decode_receipt
from loyalty.checkout.return_answers import ReturnAnswer, decode
from loyalty.database import query
from loyalty.instants import NEVER, from_micros
from loyalty.refusals import No, Refusal, refuse
from loyalty.rules.receipts import NUMBER_LENGTH_MAX
from loyalty.rules.returns import SoldAt
from loyalty.rules.texts import is_plain
from loyalty.sql import checkout as sql
from loyalty.sql import returns as returns_sql


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
    """As it was last answered to the till, in its present state. Refused: receipt_not_found."""
    if not is_plain(number, NUMBER_LENGTH_MAX):
        return refuse(No.RECEIPT_NOT_FOUND)
    rows = await query(sql.ANSWER_OF, None, till_id, number)
    if not rows:
        return refuse(No.RECEIPT_NOT_FOUND)
    answer, cancel_answer, state, goods_back_minor = tuple(rows[0])
    kept = decode_receipt(cancel_answer or answer)
    return replace(kept, state=state, goods_back_minor=goods_back_minor)


async def returns_of(till_id: int, number: str, sold_at: SoldAt) -> list[ReturnAnswer] | Refusal:
    """What has come back of a receipt, the first return first.

    Refused: receipt_not_found, receipt_ambiguous.
    """
    if not (is_plain(number, NUMBER_LENGTH_MAX) and sold_at.is_wellformed()):
        return refuse(No.RECEIPT_NOT_FOUND)
    found = await returns_sql.return_facts(till_id, number, sold_at)
    if found[0]["id"] is None:
        return refuse(No.RECEIPT_NOT_FOUND)
    if len(found) > 1:
        return refuse(No.RECEIPT_AMBIGUOUS)
    rows = await query(returns_sql.RETURNS_OF, None, found[0]["id"])
    return [decode(row["answer"]) for row in rows]


async def return_of_till(till_id: int, return_number: str) -> ReturnAnswer | None:
    """The return of this number at the till that took the goods back."""
    rows = await query(returns_sql.RETURN_OF_TILL, None, till_id, return_number)
    return decode(rows[0]["answer"]) if rows else None
