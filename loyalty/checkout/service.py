"""The checkout as the tills see it. Each verb is in a file of its own."""

from collections.abc import Sequence
from datetime import datetime

from loyalty import receipts
from loyalty.cards import Cards
from loyalty.checkout import cancelling, committing, quoting, returning
from loyalty.checkout.answers import Lookup, QuoteAnswer, ReceiptAnswer, ReceiptSummary
from loyalty.checkout.desk import Desk, Sale, standing_of
from loyalty.checkout.return_answers import ReturnAnswer, ReturnQuote
from loyalty.checkout.returnable import ReturnRequest
from loyalty.checkout.turns import Turns
from loyalty.clock import Clock
from loyalty.ledger import Ledger
from loyalty.promo import Promo
from loyalty.refusals import No, Refusal, first_of, refuse
from loyalty.rule_book import RuleBook
from loyalty.rules.card_codes import masked
from loyalty.rules.receipts import Line, Spend, check_card, check_names, event_time
from loyalty.rules.returns import HERE, Back, SoldAt, check_return


class Checkout:
    """Quote → commit → cancel or return, each safe to repeat.

    `key` is the till's name for a command, its own per till and verb: the same key with the same
    input gets the first answer again (`replayed`), with another input it is key_reused. Whatever
    the key, a till's receipt number is committed once and cancelled once. `till_id` is a till that
    exists: the edge has authenticated it. `at` is when it happened at an offline till; later than
    now, or more than `offline_days_max` ago, it is refused: event_time_refused.
    """

    def __init__(
        self, clock: Clock, book: RuleBook, ledger: Ledger, cards: Cards, promo: Promo
    ) -> None:
        self._desk = Desk(
            clock=clock, book=book, ledger=ledger, cards=cards, promo=promo, turns=Turns()
        )

    async def lookup(self, *, till_id: int, card: str, device: str = "") -> Lookup | Refusal:
        """Who it is and what she has. A single-use code becomes this till's.

        Refused: as `Cards.read`. Round trips on Postgres: 4, and 1 for a code scanned first.
        """
        refusal = check_card(card)
        if refusal is not None:
            return refusal
        read = await self._desk.cards.read(card, till_id=till_id, device=device)
        if isinstance(read, Refusal):
            return read
        balance = await self._desk.balance(read.customer_id)
        number = masked(read.card_number)
        promos = tuple(await self._desk.promo.fitting(read.customer_id, till_id))
        return Lookup(
            read.customer_id,
            read.name,
            number,
            balance,
            read.may_spend,
            read.how,
            standing_of(read, self._desk.rules.tiers),
            promos,
        )

    async def quote(
        self,
        *,
        till_id: int,
        key: str,
        card: str,
        receipt_number: str,
        lines: Sequence[Line],
        spend: Spend,
        promo_codes: Sequence[str] = (),
        at: datetime | None = None,
        staff_id: int | None = None,
        device: str = "",
        address: str = "",
    ) -> QuoteAnswer | Refusal:
        """What the receipt earns; `spend` points (or "max") are set aside until `expires_at`.

        `promo_codes` come in the order in which they are to count. Those that fit are reserved as
        long; `promos` of the answer says of each what it does or why not.

        A new quote for the same till and number takes the place of the older one. Refused: as
        `Cards.read`; invalid_receipt with `field` and `reason`; card_cannot_spend (a number or a
        phone only earns); exceeds_spending_limit with `limit`; insufficient_points with
        `available`; receipt_exists; key_reused; event_time_refused.
        """
        instant = self._event_time(at)
        if isinstance(instant, Refusal):
            return instant
        request = quoting.QuoteRequest(
            till_id=till_id,
            key=key,
            card=card,
            receipt_number=receipt_number,
            lines=lines,
            staff_id=staff_id,
            device=device,
            spend=spend,
            promo_codes=tuple(promo_codes),
            address=address,
        )
        return await quoting.quote(self._desk, request)

    async def commit(
        self,
        *,
        till_id: int,
        key: str,
        quote_id: int | None = None,
        card: str | None = None,
        receipt_number: str,
        lines: Sequence[Line] | None = None,
        at: datetime | None = None,
        staff_id: int | None = None,
        device: str = "",
    ) -> ReceiptAnswer | Refusal:
        """Make the sale a receipt: by `quote_id` as quoted, or by `card` and `lines`, which only
        earns. A single-use code is used up.

        Refused: invalid_receipt, receipt_exists with its `state`, key_reused, event_time_refused;
        by quote also quote_not_found and quote_expired; by card as `Cards.read`.
        """
        refusal = check_names(key=key, receipt_number=receipt_number)
        if refusal is not None:
            return refusal
        instant = self._event_time(at)
        if isinstance(instant, Refusal):
            return instant
        if quote_id is not None:
            if card is not None or lines is not None:
                return refuse(No.INVALID_RECEIPT, field="quote_id", reason="quote_or_lines")
            return await committing.commit_quote(
                self._desk,
                till_id=till_id,
                key=key,
                quote_id=quote_id,
                receipt_number=receipt_number,
                staff_id=staff_id,
                at=instant,
            )
        if card is None or lines is None:
            missing = "card" if card is None else "lines"
            return refuse(No.INVALID_RECEIPT, field=missing, reason="missing")
        sale = Sale(
            till_id=till_id,
            key=key,
            card=card,
            receipt_number=receipt_number,
            lines=lines,
            staff_id=staff_id,
            device=device,
        )
        return await committing.commit_sale(self._desk, sale, instant)

    async def cancel(
        self,
        *,
        till_id: int,
        key: str,
        receipt_number: str,
        at: datetime | None = None,
        staff_id: int | None = None,
    ) -> ReceiptAnswer | Refusal:
        """Undo a receipt: spent points return to the very lots, earned ones are taken back.

        `returned` and `taken_back` say how many. Refused: receipt_not_found, receipt_cancelled
        (already, under another key), receipt_has_returns (goods have come back of it: return the
        rest), key_reused, event_time_refused, invalid_receipt.
        """
        refusal = check_names(key=key, receipt_number=receipt_number)
        if refusal is not None:
            return refusal
        instant = self._event_time(at)
        if isinstance(instant, Refusal):
            return instant
        return await cancelling.cancel(
            self._desk,
            till_id=till_id,
            key=key,
            receipt_number=receipt_number,
            staff_id=staff_id,
            at=instant,
        )

    async def quote_return(
        self,
        *,
        till_id: int,
        receipt_number: str,
        sold_at: SoldAt = HERE,
        lines: Sequence[Back] | None = None,
    ) -> ReturnQuote | Refusal:
        """What may come back of a receipt, and what a return of `lines` would move. Writes nothing.

        Without `lines`, all that is left. `sold_at` names the till or the shop when the receipt is
        another till's. Refused: receipt_not_found, receipt_ambiguous (several tills of the shop
        have this number), receipt_cancelled, already_returned, return_too_old with `days_max`,
        unknown_line, exceeds_quantity with `left_milli`, invalid_receipt.
        """
        refusal = check_return(receipt_number=receipt_number, sold_at=sold_at)
        if refusal is not None:
            return refusal
        request = ReturnRequest(
            till_id=till_id, receipt_number=receipt_number, sold_at=sold_at, lines=lines
        )
        return await returning.quote(self._desk, request)

    async def return_(
        self,
        *,
        till_id: int,
        key: str,
        receipt_number: str,
        return_number: str,
        sold_at: SoldAt = HERE,
        lines: Sequence[Back] | None = None,
        staff_id: int | None = None,
    ) -> ReturnAnswer | Refusal:
        """Take goods back, at this or any other till of the chain.

        `return_number` is the till's own and is used once. Spent points return to the very lots,
        earned ones are taken back by the policy, each line in proportion (`rules.returns`).
        Refused: as `quote_return`; return_exists, key_reused.
        """
        refusal = first_of(
            check_names(key=key, receipt_number=receipt_number),
            check_return(
                receipt_number=receipt_number, return_number=return_number, sold_at=sold_at
            ),
        )
        if refusal is not None:
            return refusal
        request = ReturnRequest(
            till_id=till_id,
            key=key,
            receipt_number=receipt_number,
            return_number=return_number,
            sold_at=sold_at,
            lines=lines,
            staff_id=staff_id,
        )
        return await returning.return_(self._desk, request)

    async def returns(
        self, till_id: int, receipt_number: str, sold_at: SoldAt = HERE
    ) -> list[ReturnAnswer] | Refusal:
        """The returns of a receipt, in order. Refused: receipt_not_found, receipt_ambiguous."""
        return await receipts.returns_of(till_id, receipt_number, sold_at)

    async def return_of_till(self, till_id: int, return_number: str) -> ReturnAnswer | None:
        """The return of this number, at the till that took the goods back."""
        return await receipts.return_of_till(till_id, return_number)

    async def release(self, *, till_id: int, quote_id: int) -> Refusal | None:
        """Give up a quote; its points and promo codes are free again. Doing so twice is fine.

        Refused: quote_not_found, hold_closed (it has been committed).
        """
        return await quoting.release(self._desk, till_id, quote_id)

    async def receipts(
        self, customer_id: int, limit: int = 20, before: int | None = None
    ) -> list[ReceiptSummary]:
        """Her receipts, the latest recorded first; `before` is a receipt id to page on."""
        return await receipts.receipts_of(customer_id, limit=limit, before=before)

    async def receipt(self, till_id: int, number: str) -> ReceiptAnswer | Refusal:
        """A receipt as it was last answered to the till. Refused: receipt_not_found."""
        return await receipts.receipt(till_id, number)

    async def forget_old(self) -> None:
        """Remove what is of no use to anybody; run it now and then."""
        await quoting.forget_old(self._desk)

    def _event_time(self, at: datetime | None) -> int | Refusal:
        return event_time(at, self._desk.now(), self._desk.rules.offline_days_max)
