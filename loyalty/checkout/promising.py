"""Promo codes on a receipt: what they promise in its quote, kept until it is committed or let go.

What fits and what it gives is `loyalty.rules.promo`; the rows are `loyalty.sql.promo`'s.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

from loyalty.checkout.answers import QuotedLine
from loyalty.checkout.desk import write_alone
from loyalty.database import dialect
from loyalty.ids import next_id
from loyalty.ledger.companion import Companion, joined
from loyalty.promo import Guesser, Promo
from loyalty.refusals import No, Refusal, refuse
from loyalty.rules import promo
from loyalty.rules.earning import Goods, Priced
from loyalty.rules.promo import CODES_MAX, Given, Known, Outcome, PromoLine
from loyalty.rules.promo_codes import TEXT_LENGTH_MAX
from loyalty.rules.receipts import Line
from loyalty.rules.texts import is_plain
from loyalty.sql import promo as sql
from loyalty.sql import referral as referral_sql


def check_promo_codes(texts: Sequence[str]) -> Refusal | None:
    """Refused: invalid_receipt. What is merely no code of ours is answered code by code."""
    is_fit = len(texts) <= CODES_MAX and all(is_plain(text, TEXT_LENGTH_MAX) for text in texts)
    return None if is_fit else refuse(No.INVALID_RECEIPT, field="promo_codes", reason="text")


@dataclass(frozen=True, slots=True)
class Promise:
    """What the codes do to a receipt; without any it changes nothing.

    `off`: of each code that applies, what it takes off each line.
    """

    verdicts: tuple[tuple[str, Given], ...] = ()
    lines: tuple[PromoLine, ...] = ()
    off: tuple[tuple[int, ...], ...] = ()

    @property
    def applied(self) -> list[Known]:
        return [verdict for _, verdict in self.verdicts if isinstance(verdict, Known)]

    @property
    def line_off(self) -> list[int]:
        return [sum(cut) for cut in zip(*self.off, strict=True)] or [0] * len(self.lines)

    def cut_lines(self, lines: Sequence[Line]) -> list[Line]:
        """The lines as they cost after the discounts."""
        if not self.off:
            return list(lines)
        return [
            replace(line, amount_minor=line.amount_minor - cut)
            for line, cut in zip(lines, self.line_off, strict=True)
        ]

    def cut_goods(self, goods: Sequence[Goods]) -> tuple[Goods, ...]:
        if not self.off:
            return tuple(goods)
        return tuple(
            replace(each, amount_minor=each.amount_minor - cut)
            for each, cut in zip(goods, self.line_off, strict=True)
        )

    def reward(self, priced: Priced) -> tuple[Priced, tuple[Outcome, ...]]:
        """The price with what the codes add to the points, and what each code has done."""
        if not self.verdicts:
            return priced, ()
        applied, earned = self.applied, [line.earned for line in priced.lines]
        added = promo.bonuses(self.lines, earned, applied)
        results = {
            known.code: (sum(off), sum(more))
            for known, off, more in zip(applied, self.off, added, strict=True)
        }
        outcomes = tuple(_outcome(text, verdict, results) for text, verdict in self.verdicts)
        return (self._rewarded(priced, added) if applied else priced), outcomes

    def _rewarded(self, priced: Priced, added: Sequence[Sequence[int]]) -> Priced:
        more = [sum(each) for each in zip(*added, strict=True)]
        lines = tuple(
            replace(
                line,
                earned=line.earned + points,
                reasons=line.reasons + promo.promised_reasons(cut, points),
            )
            for line, cut, points in zip(priced.lines, self.line_off, more, strict=True)
        )
        return replace(priced, earned=priced.earned + sum(more), lines=lines)


NOTHING = Promise()


def as_promised(priced: Priced, quoted: Sequence[QuotedLine]) -> Priced:
    """Another price of the same goods, with what promo codes have promised on the quoted lines."""
    lines = tuple(
        replace(
            line,
            earned=line.earned + promo.promised_points(each.explanation),
            reasons=line.reasons + promo.promised_in(each.explanation),
        )
        for line, each in zip(priced.lines, quoted, strict=True)
    )
    return replace(priced, earned=sum(line.earned for line in lines), lines=lines)


def _outcome(text: str, verdict: Given, results: dict[str, tuple[int, int]]) -> Outcome:
    if isinstance(verdict, Refusal):
        return Outcome(asked=text, code=text, refusal=verdict.code, data=dict(verdict.data))
    terms, (discount, points) = verdict.terms, results[verdict.code]
    return Outcome(
        asked=text,
        code=verdict.code,
        title=verdict.title,
        kind=terms.kind,
        discount_minor=discount,
        points=points,
        gift=terms.gift_name or terms.gift_sku,
    )


async def promise(
    codes: Promo,
    texts: Sequence[str],
    lines: Sequence[Line],
    *,
    customer_id: int,
    guesser: Guesser,
    older: int | None,
) -> Promise:
    """Judge the codes. One round trip if there are any; see `Promo.judge`."""
    if not texts:
        return NOTHING
    seen = tuple(
        PromoLine(line.amount_minor, line.quantity_milli, line.category, line.sku) for line in lines
    )
    verdicts = await codes.judge(
        texts, customer_id=customer_id, guesser=guesser, lines=seen, older=older or 0
    )
    applied = [verdict for _, verdict in verdicts if isinstance(verdict, Known)]
    off = tuple(map(tuple, promo.discounts(seen, applied)))
    return Promise(tuple(verdicts), seen, off)


@dataclass(frozen=True, slots=True, kw_only=True)
class Reserving:
    """The reservations of a quote, to be written with it."""

    wanted: tuple[sql.Reservation, ...]
    quote_id: int
    customer_id: int
    now: int
    until: int
    older: int

    def companion(self) -> Companion:
        return sql.reserve_companion(
            self.wanted,
            quote_id=self.quote_id,
            customer_id=self.customer_id,
            now=self.now,
            until=self.until,
            older=self.older,
        )

    async def write(self) -> None:
        """Inside a transaction on SQLite. Raises DemandError."""
        await sql.reserve(
            self.wanted,
            quote_id=self.quote_id,
            customer_id=self.customer_id,
            now=self.now,
            until=self.until,
            older=self.older,
        )


def reserving(
    promised: Promise,
    outcomes: Sequence[Outcome],
    *,
    quote_id: int,
    customer_id: int,
    now: int,
    until: int,
    older: int | None,
) -> Reserving | None:
    """None when no code applies."""
    did = {outcome.code: outcome for outcome in outcomes if outcome.is_applied}
    wanted = tuple(_reservation(known, did[known.code]) for known in promised.applied)
    if not wanted:
        return None
    return Reserving(
        wanted=wanted,
        quote_id=quote_id,
        customer_id=customer_id,
        now=now,
        until=until,
        older=older or 0,
    )


def _reservation(known: Known, did: Outcome) -> sql.Reservation:
    terms = known.terms
    return (
        next_id(), known.code, known.campaign_id, known.is_personal, terms.total_max,
        terms.customer_max, terms.frees_on_cancel, did.discount_minor, did.points,
        known.is_held_here,
    )  # fmt: skip


@dataclass(frozen=True, slots=True)
class Ending:
    """What becomes of a quote's reservations with a receipt: redeemed, or (0 of them) let go."""

    quote_id: int
    redeemed: int = 0

    def companion(self, receipt_id: int, now: int) -> Companion:
        if self.redeemed:
            return sql.redeem_companion(self.quote_id, receipt_id, now, self.redeemed)
        return sql.release_companion(self.quote_id, now)

    async def write(self, receipt_id: int, now: int) -> None:
        """Inside a transaction on SQLite. Raises DemandError."""
        assert dialect() == "sqlite"
        if self.redeemed:
            await sql.redeem(self.quote_id, receipt_id, now, self.redeemed)
        else:
            await sql.release(self.quote_id, now)


def undoing(receipt_id: int, now: int, *, frees_codes: bool) -> list[Companion]:
    """What is undone with a receipt, or a part of it, besides its points: a friend's reward for it
    is looked at again, and (`frees_codes`: nothing is left of it) its codes are let go."""
    reward = referral_sql.undo_companion(receipt_id, now)
    return [reward, sql.free_companion(receipt_id, now)] if frees_codes else [reward]


async def undo(receipt_id: int, now: int, *, frees_codes: bool) -> None:
    """Undo that, inside the transaction that undoes the receipt. One round trip on Postgres."""
    if dialect() == "postgres":
        await write_alone(joined(*undoing(receipt_id, now, frees_codes=frees_codes)))
        return
    await referral_sql.undo(receipt_id, now)
    if frees_codes:
        await sql.free(receipt_id, now)


def ending_of(quote_id: int, outcomes: Sequence[Outcome]) -> Ending | None:
    """Of a quote that is committed."""
    applied = sum(outcome.is_applied for outcome in outcomes)
    return Ending(quote_id, applied) if applied else None
