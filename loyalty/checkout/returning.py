"""The return of goods: what comes back, its points to and fro, turnover and event, written at once.

The judgement is `loyalty.rules.returns`, the SQL `loyalty.sql.returns`. Two returns of one receipt
that meet, at whatever tills, are one after the other: each expects the receipt as it saw it.
"""

from collections.abc import Sequence
from functools import partial
from typing import Any

from loyalty import events
from loyalty.checkout.desk import Desk, Outlook, look_ahead, scoped_key
from loyalty.checkout.promising import undo, undoing
from loyalty.checkout.return_answers import (
    Movement,
    ReturnableLine,
    ReturnAnswer,
    ReturnedLine,
    ReturnQuote,
    encode,
    replayed,
)
from loyalty.checkout.returnable import ReceiptSeen, ReturnRequest, judge_receipt, look
from loyalty.checkout.turns import in_turn
from loyalty.conflicts import OvertakenError, until_settled
from loyalty.database import after_commit, dialect, one_writer
from loyalty.ids import next_id
from loyalty.instants import from_micros
from loyalty.ledger.companion import DemandError, joined
from loyalty.refusals import No, Refusal, refuse
from loyalty.rules.commands import Posted, Reverse, Verdict
from loyalty.rules.months import month_of
from loyalty.rules.returns import Portion, SoldLine
from loyalty.sql import refills as refills_sql
from loyalty.sql import returns as sql
from loyalty.sql.events import EventRow
from loyalty.turnover import TurnoverRows, sum_up, undone

REASON = "return"
"""What the ledger's entries of a return are named by."""
NOTHING_LEFT = (No.NOTHING_TO_TAKE_BACK, No.ALREADY_REVERSED)


async def quote(desk: Desk, request: ReturnRequest) -> ReturnQuote | Refusal:
    """See `Checkout.quote_return`. Writes nothing. Round trips on Postgres: 2 (facts, ledger)."""

    async def attempt() -> ReturnQuote | Refusal:
        seen = await judge_receipt(desk, await look(desk, request), request)
        return seen if isinstance(seen, Refusal) else await _offer(desk, request, seen)

    return await until_settled(attempt)


async def _offer(desk: Desk, request: ReturnRequest, seen: ReceiptSeen) -> ReturnQuote:
    row, commands = seen.row, _reversals(desk, seen, request, 0)
    async with one_writer():
        outlook = await look_ahead(desk, row["customer_id"], list(commands.values()))
    return ReturnQuote(
        receipt_id=row["id"],
        receipt_number=request.receipt_number,
        customer_id=row["customer_id"],
        name=row["name"],
        till=row["sold_till"],
        shop=row["sold_shop"],
        sold_at=from_micros(row["at"]),
        returns=row["returns"],
        sold=tuple(map(_returnable, seen.rows, seen.lines)),
        moves=_movement(seen, _moved(commands, outlook), outlook),
    )


async def return_(desk: Desk, request: ReturnRequest) -> ReturnAnswer | Refusal:
    """See `Checkout.return_`. Round trips on Postgres: 3 (facts, ledger, all that is written)."""

    async def ready() -> ReceiptSeen | ReturnAnswer | Refusal:
        rows = await look(desk, request)
        if rows[0]["own_answer"] is not None:
            if bytes(rows[0]["own_fingerprint"]) != request.mark():
                return refuse(No.KEY_REUSED)
            return replayed(rows[0]["own_answer"])
        if rows[0]["namesake_id"] is not None:
            return refuse(No.RETURN_EXISTS)
        seen = await judge_receipt(desk, rows, request)
        if isinstance(seen, ReceiptSeen) and seen.turnover.is_unsummed:
            await sum_up(seen.turnover.customer_id, desk.rules, desk.now())
            return await ready()
        return seen

    settle = partial(_settle, desk, request)
    return await in_turn(desk.turns, ReceiptSeen, ready, settle)


async def _settle(desk: Desk, request: ReturnRequest, seen: ReceiptSeen) -> ReturnAnswer:
    """Everything or nothing: the return and its lines, the receipt's state, points, turnover,
    events. The caller has the customer's turn and is the one writer."""
    return_id, row = next_id(), seen.row
    at = max(desk.now(), row["at"])
    commands = _reversals(desk, seen, request, return_id)
    outlook = await look_ahead(desk, row["customer_id"], list(commands.values()))
    moved = _moved(commands, outlook)
    answer = ReturnAnswer(
        return_id=return_id,
        return_number=request.return_number,
        receipt_id=row["id"],
        receipt_number=request.receipt_number,
        customer_id=row["customer_id"],
        name=row["name"],
        till=row["sold_till"],
        shop=row["sold_shop"],
        at=from_micros(at),
        moves=_movement(seen, moved, outlook),
    )
    await _write(desk, request, seen, answer, moved, outlook=outlook, at=at)
    after_commit(events.announce)
    return answer


async def _write(
    desk: Desk,
    request: ReturnRequest,
    seen: ReceiptSeen,
    answer: ReturnAnswer,
    moved: dict[str, Posted | None],
    *,
    outlook: Outlook,
    at: int,
) -> None:
    moves, seen_returns = answer.moves, seen.row["returns"]
    ids = (posted and posted.transaction_id for posted in (moved.get("give"), moved.get("take")))
    row = (
        answer.return_id, answer.receipt_id, answer.customer_id, request.till_id,
        request.return_number, seen_returns + 1, request.staff_id, at, desk.now(),
        moves.amount_minor, moves.refund_minor, moves.given_back, moves.taken_back, moves.forgiven,
        *ids, scoped_key(request.till_id, request.key), request.mark(), encode(answer),
    )  # fmt: skip
    lines = [
        (
            next_id(), seen.rows[p.line - 1][0], p.quantity_milli, p.amount_minor, p.refund_minor,
            p.give_back, p.take_back,
        )
        for p in seen.portions
    ]  # fmt: skip
    event = event_row(answer, seen.row["shop_name"], at)
    state = "returned" if moves.is_whole else "committed"
    packs = [(line_id, quantity) for _, line_id, quantity, *_ in lines]
    turned = _turned(desk, seen, moves.refund_minor)
    try:
        if dialect() == "postgres":
            companion = sql.return_companion(row, lines, event, seen=seen_returns, state=state)
            courses = refills_sql.returned_companion(packs, at)
            besides = undoing(answer.receipt_id, desk.now(), frees_codes=moves.is_whole)
            await outlook.write_with(joined(companion, turned.companion(), courses, *besides))
        else:
            await sql.write_return(row, lines, event, seen=seen_returns, state=state)
            await turned.write()
            await refills_sql.return_(packs, at)
            await undo(answer.receipt_id, desk.now(), frees_codes=moves.is_whole)
            await outlook.write()
    except DemandError:
        # Another return, or a cancel, of the same receipt; or she has bought something meanwhile.
        raise OvertakenError from None


def _turned(desk: Desk, seen: ReceiptSeen, refund_minor: int) -> TurnoverRows:
    """Her turnover without the money that goes back. She has bought all the same: even when nothing
    is left of the receipt, the next one is not her first."""
    return undone(
        seen.turnover,
        desk.rules,
        paid_minor=refund_minor,
        whole=False,
        month=month_of(seen.row["at"], seen.rules.timezone),
        recorded_at=seen.row["recorded_at"],
        now=desk.now(),
    )


def _reversals(
    desk: Desk, seen: ReceiptSeen, request: ReturnRequest, return_id: int
) -> dict[str, Reverse]:
    """First what she spent comes back, so that what she earned can be taken out of it."""
    row, now = seen.row, max(desk.now(), seen.row["at"])
    business = f"{request.till_id}:{request.return_number}"
    wanted = (
        ("give", row["redemption_id"], sum(portion.give_back for portion in seen.portions)),
        ("take", row["accrual_id"], sum(portion.take_back for portion in seen.portions)),
    )
    return {
        what: Reverse(
            key=f"return:{return_id}:{what}",
            business_key=f"return-{what}:{business}",
            account_id=row["customer_id"],
            transaction_id=transaction_id,
            points=points,
            at=now,
            clawback=seen.rules.cancel_clawback,
            grace_days=seen.rules.cancel_grace_days,
            reason=REASON,
            reference=request.receipt_number,
        )
        for what, transaction_id, points in wanted
        if transaction_id is not None and points
    }


def _moved(commands: dict[str, Reverse], outlook: Outlook) -> dict[str, Posted | None]:
    return dict(zip(commands, map(_posted, outlook.verdicts), strict=True))


def _posted(verdict: Verdict) -> Posted | None:
    """A return goes through even when the policy leaves no points to be taken.

    Any other refusal means that somebody else has just returned or cancelled the same.
    """
    if isinstance(verdict, Refusal):
        if verdict.code in NOTHING_LEFT:
            return None
        raise OvertakenError(verdict)
    assert isinstance(verdict, Posted)
    return verdict


def _movement(seen: ReceiptSeen, moved: dict[str, Posted | None], outlook: Outlook) -> Movement:
    given, taken = (moved.get(what) for what in ("give", "take"))
    taken_back = -taken.points if taken else 0
    return Movement(
        amount_minor=sum(portion.amount_minor for portion in seen.portions),
        refund_minor=sum(portion.refund_minor for portion in seen.portions),
        given_back=given.points if given else 0,
        taken_back=taken_back,
        forgiven=sum(portion.take_back for portion in seen.portions) - taken_back,
        balance=outlook.balance.available,
        next_expiry=outlook.balance.next_expiry,
        is_whole=seen.is_whole,
        lines=tuple(_returned(seen.rows[portion.line - 1], portion) for portion in seen.portions),
    )


def _returned(row: Sequence[Any], portion: Portion) -> ReturnedLine:
    return ReturnedLine(
        line=portion.line,
        sku=row[2],
        name=row[3],
        quantity_milli=portion.quantity_milli,
        amount_minor=portion.amount_minor,
        refund_minor=portion.refund_minor,
        give_back=portion.give_back,
        take_back=portion.take_back,
    )


def _returnable(row: Sequence[Any], line: SoldLine) -> ReturnableLine:
    return ReturnableLine(
        line=row[1] + 1,
        sku=row[2],
        name=row[3],
        quantity_milli=line.quantity_milli,
        left_milli=line.left_milli,
        amount_minor=line.amount_minor,
        spent=line.spent,
        earned=line.earned,
    )


def event_row(answer: ReturnAnswer, shop_name: str, at: int) -> EventRow:
    """The event that tells the customer (and whoever else listens); `shop` took the goods back."""
    moves = answer.moves
    expiry = moves.next_expiry
    payload = {
        "receipt_id": answer.receipt_id,
        "return_id": answer.return_id,
        "number": answer.receipt_number,
        "return_number": answer.return_number,
        "shop": shop_name,
        "amount_minor": moves.amount_minor,
        "refund_minor": moves.refund_minor,
        "given_back": moves.given_back,
        "taken_back": moves.taken_back,
        "forgiven": moves.forgiven,
        "is_whole": moves.is_whole,
        "balance": moves.balance,
        "next_expiry": expiry and {"points": expiry.points, "at": expiry.at.isoformat()},
    }
    return next_id(), "receipt.returned", answer.customer_id, at, events.encode(payload)
