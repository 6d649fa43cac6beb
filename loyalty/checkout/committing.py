"""The commit: one transaction that makes a sale a receipt, with its points and its event."""

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

from loyalty import events
from loyalty.checkout.answers import (
    QuoteAnswer,
    QuotedLine,
    ReceiptAnswer,
    decode_quote,
    encode,
    replayed_receipt,
)
from loyalty.checkout.desk import (
    Desk,
    Outlook,
    Sale,
    card_refused,
    goods_of,
    look,
    look_ahead,
    occasion_of,
    quoted_lines,
    scoped_key,
)
from loyalty.checkout.promising import Ending, as_promised, ending_of
from loyalty.conflicts import DeclinedError, OvertakenError, until_settled
from loyalty.database import after_commit, dialect, one_writer, query
from loyalty.ids import next_id
from loyalty.instants import NEVER, from_micros, to_micros
from loyalty.ledger.companion import Companion, DemandError, joined
from loyalty.refusals import No, Refusal, first_of, refuse
from loyalty.rule_book import Revision
from loyalty.rules.commands import Accrue, Capture, Command, Posted, Release, Verdict
from loyalty.rules.months import month_of
from loyalty.rules.promo import Outcome
from loyalty.rules.receipts import (
    DAY,
    SECOND,
    check_card,
    check_lines,
    fingerprint,
)
from loyalty.sql import checkout as sql
from loyalty.sql import referral as referral_sql
from loyalty.sql import refills as refills_sql
from loyalty.sql.turnover import TURNOVER_SEEN
from loyalty.turnover import Turnover, bought, sum_up, turnover_of


@dataclass(frozen=True, slots=True, kw_only=True)
class _Priced:
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

    async def ready() -> _Priced | ReceiptAnswer | Refusal:
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
        return _Priced(
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

    return await until_settled(lambda: _in_turn(desk, ready, at))


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


async def _in_turn(
    desk: Desk, ready: Callable[[], Awaitable[_Priced | ReceiptAnswer | Refusal]], at: int
) -> ReceiptAnswer | Refusal:
    """Look, then wait for the customer's turn, look again if another came first, and settle."""
    priced = await ready()
    if not isinstance(priced, _Priced):
        return priced
    turn = desk.turns.of(priced.customer_id)
    async with turn, one_writer():
        if turn.version > priced.turnover.version:
            priced = await ready()
            if not isinstance(priced, _Priced):
                return priced
        answer = await _settle(desk, priced, at)
        turn.version = priced.turnover.version + 1
    return answer


async def commit_sale(desk: Desk, sale: Sale, at: int) -> ReceiptAnswer | Refusal:
    """Write a sale without a quote; it earns and spends nothing.

    Round trips on Postgres: as `commit_quote`.
    """
    refusal = first_of(check_card(sale.card), check_lines(sale.lines))
    if refusal is not None:
        return refusal
    mark = fingerprint("sale", sale.card.strip(), sale.receipt_number, tuple(sale.lines))

    async def ready() -> _Priced | ReceiptAnswer | Refusal:
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
        return _Priced(
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

    return await until_settled(lambda: _in_turn(desk, ready, at))


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


async def _settle(desk: Desk, priced: _Priced, at: int) -> ReceiptAnswer:
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
    priced: _Priced,
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


def _commands(priced: _Priced, receipt_id: int, at: int, now: int) -> dict[str, Command]:
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


def _accrual(priced: _Priced, receipt_id: int, at: int) -> Accrue:
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


def event_row(kind: str, answer: ReceiptAnswer, shop_name: str) -> tuple[int, str, int, int, str]:
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
