"""A sale that is ready becomes a receipt: all its rows, points and events, written at once.

Its price comes from `committing`, which has waited for the customer's turn.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from loyalty import events
from loyalty.checkout.answers import (
    QuotedLine,
    ReceiptAnswer,
    encode,
)
from loyalty.checkout.desk import (
    Desk,
    Outlook,
    look_ahead,
)
from loyalty.checkout.promising import Ending
from loyalty.conflicts import DeclinedError, OvertakenError
from loyalty.database import after_commit, dialect
from loyalty.ids import next_id
from loyalty.instants import NEVER, from_micros, to_micros
from loyalty.ledger.companion import Companion, DemandError, joined
from loyalty.refusals import No, Refusal, refuse
from loyalty.rule_book import Revision
from loyalty.rules.commands import Accrue, Capture, Command, Posted, Release, Verdict
from loyalty.rules.months import month_of
from loyalty.rules.promo import Outcome
from loyalty.rules.receipts import (
    DAY,
    SECOND,
)
from loyalty.sql import checkout as sql
from loyalty.sql import referral as referral_sql
from loyalty.sql import refills as refills_sql
from loyalty.sql.events import EventRow
from loyalty.sql.turnover import TURNOVER_SEEN
from loyalty.turnover import Turnover, bought


@dataclass(frozen=True, slots=True, kw_only=True)
class Priced:
    """A sale that is ready to be written, wherever its price comes from."""

    till_id: int
    key: str
    mark: bytes
    receipt_number: str
    staff_id: int | None
    shop_name: str
    customer_id: int
    name: str
    card_how: str
    code_hash: str
    lines: tuple[QuotedLine, ...]
    total_minor: int
    paid_minor: int
    spent: int
    earned: int
    revision: Revision
    """Of the rules that it was priced by."""
    turnover: Turnover
    """What was known of the customer when it was priced."""
    closes: tuple[int, str] | None = None
    """A quote that ends with this, and the state it ends in."""
    hold: tuple[int, int] | None = None
    """Account and hold of that quote."""
    discount_minor: int = 0
    promos: tuple[Outcome, ...] = ()
    ending: Ending | None = None
    """What becomes of the promo codes that the quote has reserved."""
    is_friend: bool = False
    """She was brought by somebody, and this may be the purchase that is rewarded."""

    def consequences(self, receipt_id: int, now: int) -> list[Companion]:
        """What else is written with the receipt, on Postgres."""
        codes = [] if self.ending is None else [self.ending.companion(receipt_id, now)]
        due = referral_sql.due_companion(self.customer_id, receipt_id, now)
        return [*codes, due] if self.is_friend else codes

    async def write_consequences(self, receipt_id: int, now: int) -> None:
        """The same on SQLite. Raises DemandError."""
        if self.ending is not None:
            await self.ending.write(receipt_id, now)
        if self.is_friend:
            await referral_sql.mark_due(self.customer_id, receipt_id, now)


async def settle(desk: Desk, priced: Priced, at: int) -> ReceiptAnswer:
    """Everything or nothing: receipt and lines, quote and code used up, answer, events, points,
    turnover. The caller has the customer's turn and is the one writer."""
    receipt_id, now = next_id(), desk.now()
    commands = _commands(priced, receipt_id, at, now)
    outlook = await look_ahead(desk, priced.customer_id, list(commands.values()))
    moved = dict(zip(commands, map(_posted, outlook.verdicts), strict=True))
    answer = ReceiptAnswer(
        receipt_id=receipt_id,
        receipt_number=priced.receipt_number,
        customer_id=priced.customer_id,
        name=priced.name,
        total_minor=priced.total_minor,
        paid_minor=priced.paid_minor,
        spent=priced.spent,
        earned=priced.earned,
        balance=outlook.balance.available,
        next_expiry=outlook.balance.next_expiry,
        state="committed",
        at=from_micros(at),
        lines=priced.lines,
        revision=priced.revision.number,
        discount_minor=priced.discount_minor,
        promos=priced.promos,
    )
    transactions = (moved.get("earn"), moved.get("spend"))
    await _write(desk, priced, answer, transactions, outlook=outlook, now=now)
    after_commit(events.announce)
    return answer


async def _write(
    desk: Desk,
    priced: Priced,
    answer: ReceiptAnswer,
    transactions: tuple[int | None, int | None],
    *,
    outlook: Outlook,
    now: int,
) -> None:
    row = (
        answer.receipt_id, priced.customer_id, priced.till_id, priced.receipt_number,
        priced.staff_id, to_micros(answer.at), now, priced.total_minor, priced.paid_minor,
        priced.spent, priced.earned, priced.key, priced.mark, priced.card_how, *transactions,
        encode(answer), answer.revision, sum(outcome.points for outcome in priced.promos),
    )  # fmt: skip
    lines = [
        (
            next_id(), position, line.sku, line.name, line.category, line.quantity_milli,
            line.price_minor, line.amount_minor, line.spent, line.earned, line.explanation,
        )
        for position, line in enumerate(priced.lines)
    ]  # fmt: skip
    own_rules = priced.revision.rules
    until = now + own_rules.hold_minutes * 60 * SECOND
    event = event_row("receipt.committed", answer, priced.shop_name)
    uses = (priced.code_hash, until) if priced.code_hash else None
    supplies = (priced.customer_id, answer.receipt_id, to_micros(answer.at), _packs(lines))
    month = month_of(to_micros(answer.at), own_rules.timezone)
    turned = bought(priced.turnover, desk.rules, paid_minor=priced.paid_minor, month=month, now=now)
    try:
        if dialect() == "postgres":
            receipt = sql.receipt_companion(row, lines, event, closes=priced.closes, uses=uses)
            courses = refills_sql.bought_companion(*supplies)
            besides = [turned.companion(), courses, *priced.consequences(answer.receipt_id, now)]
            await outlook.write_with(joined(receipt, *besides))
        else:
            await sql.write_receipt(row, lines, event, closes=priced.closes, uses=uses)
            await turned.write()
            await refills_sql.buy(*supplies)
            await priced.write_consequences(answer.receipt_id, now)
            await outlook.write()
    except DemandError as unmet:
        if unmet.name == TURNOVER_SEEN:
            raise OvertakenError from None
        if unmet.name == sql.CODE_FREE:
            raise DeclinedError(refuse(No.CARD_CODE_USED)) from None
        raise OvertakenError(refuse(No.QUOTE_NOT_FOUND)) from None


def _packs(lines: Sequence[tuple[Any, ...]]) -> list[refills_sql.Bought]:
    """Of the lines as they are written: id, sku, quantity."""
    return [(line[0], line[2], line[5]) for line in lines]


def _commands(priced: Priced, receipt_id: int, at: int, now: int) -> dict[str, Command]:
    """What the ledger is told. Business keys make the same receipt impossible under any key."""
    commands: dict[str, Command] = {}
    business = f"{priced.till_id}:{priced.receipt_number}"
    if priced.hold is not None and not priced.spent:
        account_id, hold_id = priced.hold
        key = f"receipt:{receipt_id}:release"
        commands["let go"] = Release(key=key, account_id=account_id, hold_id=hold_id, at=now)
    elif priced.hold is not None:
        account_id, hold_id = priced.hold
        commands["spend"] = Capture(
            key=f"receipt:{receipt_id}:spend",
            business_key=f"spend:{business}",
            account_id=account_id,
            hold_id=hold_id,
            at=now,
            reference=priced.receipt_number,
        )
    if priced.earned:
        commands["earn"] = _accrual(priced, receipt_id, at)
    return commands


def _accrual(priced: Priced, receipt_id: int, at: int) -> Accrue:
    rules = priced.revision.rules
    return Accrue(
        key=f"receipt:{receipt_id}:earn",
        business_key=f"earn:{priced.till_id}:{priced.receipt_number}",
        account_id=priced.customer_id,
        points=priced.earned,
        at=at,
        available_at=at + rules.points_pending_days * DAY,
        expires_at=at + rules.points_live_days * DAY if rules.points_live_days else NEVER,
        reference=priced.receipt_number,
    )


def _posted(verdict: Verdict) -> int | None:
    """The transaction that a command became.

    A refused one takes the commit back: most likely the same receipt has just been committed.
    """
    if isinstance(verdict, Refusal):
        raise OvertakenError(verdict)
    return verdict.transaction_id if isinstance(verdict, Posted) else None


def event_row(kind: str, answer: ReceiptAnswer, shop_name: str) -> EventRow:
    """The event that tells the customer (and whoever else listens) of this receipt."""
    expiry = answer.next_expiry
    payload: dict[str, Any] = {
        "receipt_id": answer.receipt_id,
        "number": answer.receipt_number,
        "shop": shop_name,
        "total_minor": answer.total_minor,
        "paid_minor": answer.paid_minor,
        "spent": answer.spent,
        "earned": answer.earned,
        "returned": answer.returned,
        "taken_back": answer.taken_back,
        "balance": answer.balance,
        "next_expiry": expiry and {"points": expiry.points, "at": expiry.at.isoformat()},
    }
    if answer.discount_minor:
        payload["discount_minor"] = answer.discount_minor
    at = to_micros(answer.cancelled_at or answer.at)
    return next_id(), kind, answer.customer_id, at, events.encode(payload)
