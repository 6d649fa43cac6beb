"""The quote: what a receipt earns and what points pay of it, with those points set aside."""

from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from loyalty.checkout.answers import QuoteAnswer, encode, replayed_quote
from loyalty.checkout.desk import (
    Desk,
    Sale,
    SeenSale,
    card_refused,
    look,
    look_ahead,
    quoted_lines,
    scoped_key,
    write_alone,
)
from loyalty.checkout.promising import (
    Promise,
    Reserving,
    check_promo_codes,
    promise,
    reserving,
)
from loyalty.conflicts import DeclinedError, OvertakenError, until_settled
from loyalty.database import dialect, query, transaction
from loyalty.ids import first_id_at, next_id
from loyalty.instants import from_micros, to_micros
from loyalty.ledger.companion import DemandError, joined
from loyalty.promo import Guesser
from loyalty.refusals import No, Refusal, first_of, refuse
from loyalty.rules.card_reading import CardRead
from loyalty.rules.commands import Held, Hold, Release, Verdict
from loyalty.rules.receipts import (
    SECOND,
    Spend,
    check_card,
    check_lines,
    check_names,
    check_spend,
    fingerprint,
)
from loyalty.sql import cards as cards_sql
from loyalty.sql import checkout as sql
from loyalty.sql import promo as promo_sql

QUOTES_KEPT = timedelta(days=30)
"""How long the key of a quote is remembered."""


@dataclass(frozen=True, slots=True, kw_only=True)
class QuoteRequest(Sale):
    spend: Spend
    promo_codes: tuple[str, ...] = ()
    address: str = ""
    """Where the till speaks from, for counting guesses."""

    def mark(self) -> bytes:
        """What makes a repeat the same command."""
        meaning = (self.card.strip(), self.receipt_number, tuple(self.lines), self.spend)
        promo = (self.promo_codes,) if self.promo_codes else ()
        return fingerprint("quote", *meaning, *promo)

    def guesser(self) -> Guesser:
        return Guesser(till_id=self.till_id, device=self.device, address=self.address)


async def quote(desk: Desk, request: QuoteRequest) -> QuoteAnswer | Refusal:
    """See `Checkout.quote`.

    Round trips on Postgres: 3 without points to set aside (facts, balance, quote), 4 with them
    (facts, balance, ledger, and what is written); 1 more when a code is scanned here first, and 4
    when an older quote is replaced, in a transaction.
    """
    refusal = first_of(
        check_names(key=request.key, receipt_number=request.receipt_number),
        check_card(request.card),
        check_spend(request.spend),
        check_lines(request.lines),
        check_promo_codes(request.promo_codes),
    )
    if refusal is not None:
        return refusal
    return await until_settled(lambda: _quote(desk, request))


async def _quote(desk: Desk, request: QuoteRequest) -> QuoteAnswer | Refusal:
    now = desk.now()
    seen = await look(desk, request, "quote", now)
    if seen.row["own_answer"] is not None:
        if bytes(seen.row["own_fingerprint"]) != request.mark():
            return refuse(No.KEY_REUSED)
        return replayed_quote(seen.row["own_answer"])
    if seen.receipt_refusal is not None:
        return seen.receipt_refusal
    if isinstance(seen.card, Refusal):
        return await card_refused(desk, request, seen.card, now)
    if seen.row["open_promos"] and seen.row["open_customer_id"] != seen.card.customer_id:
        await _let_go_of_codes(seen.row["open_id"], now)  # another card in the same sale
    promised = await promise(
        desk.promo,
        request.promo_codes,
        request.lines,
        customer_id=seen.card.customer_id,
        guesser=request.guesser(),
        older=seen.row["open_id"],
    )
    answer = await _offer(desk, request, seen, seen.card, promised=promised, now=now)
    if isinstance(answer, Refusal):
        return answer
    reserved = reserving(
        promised,
        answer.promos,
        quote_id=answer.quote_id,
        customer_id=answer.customer_id,
        now=now,
        until=to_micros(answer.expires_at),
        older=seen.row["open_id"],
    )
    return await _write(desk, request, seen, seen.card, offer=answer, promos=reserved)


async def _let_go_of_codes(quote_id: int, now: int) -> None:
    async with transaction():
        await promo_sql.release(quote_id, now)


async def _offer(
    desk: Desk,
    request: QuoteRequest,
    seen: SeenSale,
    card: CardRead,
    *,
    promised: Promise,
    now: int,
) -> QuoteAnswer | Refusal:
    """Price the receipt against what the customer has now."""
    if request.spend != 0 and not card.may_spend:
        return refuse(No.CARD_CANNOT_SPEND, how=card.how)
    balance = await desk.balance(card.customer_id)
    available = max(balance.available + _points_back(seen, card, now), 0)
    pricing, goods = seen.revision.pricing, promised.cut_goods(seen.goods)
    limit = pricing.limit(goods)
    spend = min(limit, available) if request.spend == "max" else request.spend
    if spend > limit:
        return refuse(No.EXCEEDS_SPENDING_LIMIT, limit=limit)
    if spend > available:
        return refuse(No.INSUFFICIENT_POINTS, available=available)
    priced, promos = promised.reward(pricing.price(goods, spend, seen.occasion))
    return QuoteAnswer(
        quote_id=next_id(),
        customer_id=card.customer_id,
        name=card.name,
        may_spend=card.may_spend,
        available=available,
        spendable_max=min(limit, available) if card.may_spend else 0,
        spend=spend,
        earn=priced.earned,
        total_minor=priced.total_minor,
        to_pay_minor=priced.to_pay_minor,
        expires_at=from_micros(now + seen.revision.rules.hold_minutes * 60 * SECOND),
        lines=quoted_lines(promised.cut_lines(request.lines), priced),
        revision=seen.revision.number,
        tier=card.tier,
        turnover_minor=card.turnover_minor,
        discount_minor=sum(outcome.discount_minor for outcome in promos),
        promos=promos,
    )


def _points_back(seen: SeenSale, card: CardRead, now: int) -> int:
    """What the older quote of this receipt keeps set aside, and gives back when it is replaced."""
    row = seen.row
    is_hers = row["open_customer_id"] == card.customer_id and row["open_hold_id"] is not None
    return int(row["open_points"]) if is_hers and row["open_expires_at"] > now else 0


async def _write(
    desk: Desk,
    request: QuoteRequest,
    seen: SeenSale,
    card: CardRead,
    *,
    offer: QuoteAnswer,
    promos: Reserving | None,
) -> QuoteAnswer:
    """Make the code this till's; then keep the quote with what it promises."""
    try:
        return await _keep(desk, request, seen, card, offer=offer, promos=promos)
    except DemandError:
        raise OvertakenError from None  # somebody else has just taken the last use of a code


async def _keep(
    desk: Desk,
    request: QuoteRequest,
    seen: SeenSale,
    card: CardRead,
    *,
    offer: QuoteAnswer,
    promos: Reserving | None,
) -> QuoteAnswer:
    """In one transaction, let go of the older quote's points and codes, set these aside, and keep
    the quote."""
    now = desk.now()
    if card.needs_claim:
        claim = desk.cards.claim_row(card, request.till_id, now)
        if not await query(cards_sql.CLAIM, None, *claim):
            raise DeclinedError(refuse(No.CARD_CODE_USED))
    older = seen.row["open_id"]
    if older is None and not offer.spend and promos is None:
        return await _insert(request, seen, offer, None, now)
    if older is None and dialect() == "postgres":
        return await _set_aside(desk, request, seen, offer=offer, promos=promos, now=now)
    release, hold = _release_older(seen, now), _hold(request, offer, now)
    commands = [command for command in (release, hold) if command is not None]
    async with desk.turns.of(card.customer_id), transaction():
        outlook = await look_ahead(desk, card.customer_id, commands)
        if release is not None and isinstance(outlook.verdicts[0], Refusal):
            raise OvertakenError(outlook.verdicts[0])  # it has just been committed
        held = _held(request, outlook.verdicts[-1]) if hold is not None else None
        if older is not None and not await query(sql.CLOSE_QUOTE, None, older, "replaced"):
            raise OvertakenError
        if seen.row["open_promos"]:
            kept = [use[1] for use in promos.wanted if use[-1]] if promos else []
            await promo_sql.release(older, now, but=kept)
        answer = await _insert(request, seen, offer, held, now)
        if promos is not None and dialect() == "postgres":
            await outlook.write_with(promos.companion())  # last, and so locked the shortest
            return answer
        if promos is not None:
            await promos.write()
        await outlook.write()
    return answer


async def _set_aside(
    desk: Desk,
    request: QuoteRequest,
    seen: SeenSale,
    *,
    offer: QuoteAnswer,
    promos: Reserving | None,
    now: int,
) -> QuoteAnswer:
    """The usual case on Postgres: hold, quote and promo codes in one statement."""
    customer_id = offer.customer_id
    async with desk.turns.of(customer_id):
        hold = _hold(request, offer, now)
        outlook = await look_ahead(desk, customer_id, [hold]) if hold else None
        held = _held(request, outlook.verdicts[-1]) if outlook else None
        companion = sql.quote_companion(_quote_row(request, seen, offer, held, now))
        if promos is not None:
            companion = joined(companion, promos.companion())
        await (outlook.write_with(companion) if outlook else write_alone(companion))
    return offer


def _release_older(seen: SeenSale, now: int) -> Release | None:
    """What lets go of the points of the receipt's older quote."""
    hold_id, older = seen.row["open_hold_id"], seen.row["open_id"]
    if hold_id is None:
        return None
    account_id = seen.row["open_customer_id"]
    return Release(key=f"quote:{older}:replaced", account_id=account_id, hold_id=hold_id, at=now)


def _hold(request: QuoteRequest, offer: QuoteAnswer, now: int) -> Hold | None:
    if not offer.spend:
        return None
    return Hold(
        key=f"quote:{offer.quote_id}",
        account_id=offer.customer_id,
        points=offer.spend,
        at=now,
        expires_at=to_micros(offer.expires_at),
        reference=request.receipt_number,
    )


def _held(request: QuoteRequest, verdict: Verdict) -> Held:
    if isinstance(verdict, Refusal):
        # Another till was quicker. "All she can" is worked out anew; a sum is refused.
        raise OvertakenError(verdict) if request.spend == "max" else DeclinedError(verdict)
    assert isinstance(verdict, Held)
    return verdict


async def _insert(
    request: QuoteRequest,
    seen: SeenSale,
    answer: QuoteAnswer,
    held: Held | None,
    now: int,
) -> QuoteAnswer:
    await query(sql.INSERT_QUOTE, None, *_quote_row(request, seen, answer, held, now))
    return answer


def _quote_row(
    request: QuoteRequest,
    seen: SeenSale,
    answer: QuoteAnswer,
    held: Held | None,
    now: int,
) -> tuple[Any, ...]:
    """The arguments of INSERT_QUOTE."""
    return (
        answer.quote_id,
        request.till_id,
        answer.customer_id,
        request.receipt_number,
        scoped_key(request.till_id, request.key),
        request.mark(),
        seen.read.code_hash or "",
        seen.read.how,
        encode(answer),
        answer.total_minor,
        answer.spend,
        answer.earn,
        held.hold_id if held else None,
        now,
        to_micros(answer.expires_at),
        answer.revision,
        seen.turnover.version,
    )


async def release(desk: Desk, till_id: int, quote_id: int) -> Refusal | None:
    """See `Checkout.release`.

    Round trips on Postgres: 7 (quote, begin, state, promo codes, ledger 2, commit).
    """

    async def attempt() -> Refusal | None:
        rows = await query(sql.QUOTE_STATE, None, quote_id)
        if not rows or rows[0]["till_id"] != till_id:
            return refuse(No.QUOTE_NOT_FOUND)
        if rows[0]["state"] != "open":
            is_sold = rows[0]["state"] == "committed"
            return refuse(No.HOLD_CLOSED, state="captured") if is_sold else None
        await _release(desk, quote_id, rows[0]["customer_id"], rows[0]["hold_id"])
        return None

    return await until_settled(attempt)


async def _release(desk: Desk, quote_id: int, customer_id: int, hold_id: int | None) -> None:
    async with desk.turns.of(customer_id), transaction():
        if not await query(sql.CLOSE_QUOTE, None, quote_id, "released"):
            raise OvertakenError
        await promo_sql.release(quote_id, desk.now())
        if hold_id is not None:
            key, now = f"quote:{quote_id}:released", desk.now()
            command = Release(key=key, account_id=customer_id, hold_id=hold_id, at=now)
            outlook = await look_ahead(desk, customer_id, [command])
            if isinstance(outlook.verdicts[0], Refusal):
                raise OvertakenError(outlook.verdicts[0])
            await outlook.write()


async def forget_old(desk: Desk) -> None:
    """Remove quotes that expired long ago; what became of them is in the receipts."""
    before = desk.clock.now() - QUOTES_KEPT
    first_kept = first_id_at(int(before.timestamp() * 1000))
    await query(sql.FORGET_QUOTES, None, first_kept, to_micros(before))
