"""The commit: what a quote, or a sale without one, comes to. `settling` makes it a receipt."""

from dataclasses import replace
from typing import Any

from loyalty.checkout.answers import (
    QuoteAnswer,
    ReceiptAnswer,
    decode_quote,
    replayed_receipt,
)
from loyalty.checkout.desk import (
    Desk,
    Sale,
    card_refused,
    goods_of,
    look,
    occasion_of,
    quoted_lines,
    scoped_key,
)
from loyalty.checkout.promising import Ending, as_promised, ending_of
from loyalty.checkout.settling import Priced, settle
from loyalty.checkout.turns import in_turn
from loyalty.database import query
from loyalty.refusals import No, Refusal, first_of, refuse
from loyalty.rule_book import Revision
from loyalty.rules.receipts import (
    check_card,
    check_lines,
    fingerprint,
)
from loyalty.sql import checkout as sql
from loyalty.turnover import Turnover, sum_up, turnover_of


async def commit_quote(
    desk: Desk,
    *,
    till_id: int,
    key: str,
    quote_id: int,
    receipt_number: str,
    staff_id: int | None,
    at: int,
) -> ReceiptAnswer | Refusal:
    """Make a quote a receipt.

    Round trips on Postgres: 3 (facts, ledger, and everything that is written).
    """
    mark = fingerprint("commit", quote_id, receipt_number)
    own_key = scoped_key(till_id, key)

    async def ready() -> Priced | ReceiptAnswer | Refusal:
        now, rules = desk.now(), desk.rules
        window = sql.window_arguments(at, now, rules)
        arguments = (till_id, receipt_number, own_key, quote_id, *window)
        [row] = await query(sql.COMMIT_FACTS, None, *arguments)
        if row["own_answer"] is not None:
            return _repeat(row, mark)
        refusal = _quote_refusal(row, till_id, receipt_number, now)
        if refusal is not None:
            return refusal
        turnover = turnover_of(row, row["customer_id"])
        if turnover.is_unsummed:
            await sum_up(turnover.customer_id, rules, now)
            return await ready()
        revision = await desk.book.of(row["rules_revision"])
        quoted = decode_quote(row["body"])
        if turnover.version != row["turnover_version"]:
            quoted = await _requoted(row, quoted, revision, turnover)
        hold_id = row["hold_id"]
        return Priced(
            till_id=till_id,
            key=own_key,
            mark=mark,
            receipt_number=receipt_number,
            staff_id=staff_id,
            shop_name=row["shop_name"],
            customer_id=quoted.customer_id,
            name=quoted.name,
            card_how=row["card_how"],
            code_hash=row["card_hash"],
            lines=quoted.lines,
            total_minor=quoted.total_minor,
            paid_minor=quoted.to_pay_minor,
            spent=quoted.spend,
            earned=quoted.earn,
            revision=revision,
            turnover=turnover,
            closes=(quote_id, "committed"),
            hold=None if hold_id is None else (quoted.customer_id, hold_id),
            discount_minor=quoted.discount_minor,
            promos=quoted.promos,
            ending=ending_of(quote_id, quoted.promos),
            is_friend=row["brought_by"] is not None,
        )

    return await in_turn(desk.turns, Priced, ready, lambda seen: settle(desk, seen, at))


async def _requoted(
    row: Any, quoted: QuoteAnswer, revision: Revision, turnover: Turnover
) -> QuoteAnswer:
    """What the quote earns, now that she has bought something else meanwhile: it may be the first
    purchase no longer, or have reached a cap or a tier. The money stays, and what promo codes have
    promised. One round trip."""
    goods = goods_of(quoted.lines, await sql.products([line.sku for line in quoted.lines]))
    occasion = occasion_of(row, turnover, row["quoted_at"], revision.rules)
    priced = revision.pricing.price(goods, quoted.spend, occasion)
    if [line.spent for line in priced.lines] != [line.spent for line in quoted.lines]:
        return quoted  # the goods have been changed in the catalogue: what was said holds
    priced = as_promised(priced, quoted.lines)
    return replace(quoted, earn=priced.earned, lines=quoted_lines(quoted.lines, priced))


async def commit_sale(desk: Desk, sale: Sale, at: int) -> ReceiptAnswer | Refusal:
    """Write a sale without a quote; it earns and spends nothing.

    Round trips on Postgres: as `commit_quote`.
    """
    refusal = first_of(check_card(sale.card), check_lines(sale.lines))
    if refusal is not None:
        return refusal
    mark = fingerprint("sale", sale.card.strip(), sale.receipt_number, tuple(sale.lines))

    async def ready() -> Priced | ReceiptAnswer | Refusal:
        seen = await look(desk, sale, "receipt", at)
        row, card = seen.row, seen.card
        if row["own_answer"] is not None:
            return _repeat(row, mark)
        if seen.receipt_refusal is not None:
            return seen.receipt_refusal
        if isinstance(card, Refusal):
            return await card_refused(desk, sale, card, at)
        priced = seen.revision.pricing.price(seen.goods, 0, seen.occasion)
        open_hold = row["open_hold_id"]
        return Priced(
            till_id=sale.till_id,
            key=scoped_key(sale.till_id, sale.key),
            mark=mark,
            receipt_number=sale.receipt_number,
            staff_id=sale.staff_id,
            shop_name=seen.shop_name,
            customer_id=card.customer_id,
            name=card.name,
            card_how=card.how,
            code_hash=card.code_hash or "",
            lines=quoted_lines(sale.lines, priced),
            total_minor=priced.total_minor,
            paid_minor=priced.to_pay_minor,
            spent=0,
            earned=priced.earned,
            revision=seen.revision,
            turnover=seen.turnover,
            closes=(row["open_id"], "replaced") if row["open_id"] is not None else None,
            hold=None if open_hold is None else (row["open_customer_id"], open_hold),
            ending=Ending(row["open_id"]) if row["open_promos"] else None,
            is_friend=row["brought_by"] is not None,
        )

    return await in_turn(desk.turns, Priced, ready, lambda seen: settle(desk, seen, at))


def _repeat(row: Any, mark: bytes) -> ReceiptAnswer | Refusal:
    if bytes(row["own_fingerprint"]) != mark:
        return refuse(No.KEY_REUSED)
    return replayed_receipt(row["own_answer"])


def _quote_refusal(row: Any, till_id: int, receipt_number: str, now: int) -> Refusal | None:
    if row["receipt_id"] is not None:
        return refuse(No.RECEIPT_EXISTS, state=row["receipt_state"])
    if row["till_id"] != till_id:
        return refuse(No.QUOTE_NOT_FOUND)
    if row["receipt_number"] != receipt_number:
        return refuse(No.INVALID_RECEIPT, field="receipt_number", reason="differs_from_quote")
    if row["state"] != "open":
        return refuse(No.QUOTE_NOT_FOUND, state=row["state"])
    return refuse(No.QUOTE_EXPIRED) if row["expires_at"] <= now else None
