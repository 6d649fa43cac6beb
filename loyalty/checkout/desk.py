"""What quote, commit and cancel share: the parts they work with, and the priced sale."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any

from loyalty.cards import Cards, card_facts
from loyalty.checkout.answers import QuotedLine
from loyalty.checkout.turns import Turns
from loyalty.clock import Clock
from loyalty.conflicts import OvertakenError
from loyalty.instants import to_micros
from loyalty.ledger import Balance, Ledger
from loyalty.ledger.companion import Companion
from loyalty.ledger.proposal import Proposal
from loyalty.promo import Promo
from loyalty.refusals import No, Refusal, refuse
from loyalty.rule_book import Revision, RuleBook
from loyalty.rules import card_reading, earning, reasons
from loyalty.rules.card_reading import CardRead
from loyalty.rules.commands import Command, Verdict
from loyalty.rules.journal import Rows
from loyalty.rules.months import local
from loyalty.rules.occasions import Occasion
from loyalty.rules.programme import ProgrammeRules
from loyalty.rules.receipts import Line
from loyalty.rules.tiers import TierRules, TierStanding, tier_standing
from loyalty.sql import checkout as sql
from loyalty.turnover import Turnover, sum_up, turnover_of


@dataclass(frozen=True, slots=True, kw_only=True)
class Desk:
    clock: Clock
    book: RuleBook
    ledger: Ledger
    cards: Cards
    promo: Promo
    turns: Turns

    @property
    def rules(self) -> ProgrammeRules:
        """The rules that are in force now; one thing is done by one `book.current`."""
        return self.book.rules

    def now(self) -> int:
        """Microseconds since 1970."""
        return to_micros(self.clock.now())

    async def balance(self, customer_id: int) -> Balance:
        balance = await self.ledger.balance(customer_id)
        assert isinstance(balance, Balance), "a customer has an account since she joined"
        return balance


@dataclass(frozen=True, slots=True)
class Outlook:
    """What the ledger will say of a customer, and how to make it so."""

    verdicts: Sequence[Verdict]
    balance: Balance
    proposal: Proposal | None

    async def write(self) -> None:
        """Last before the commit. Raises OvertakenError when somebody was quicker."""
        if self.proposal is not None and not await self.proposal.write():
            raise OvertakenError

    async def write_with(self, companion: Companion) -> None:
        """Write what the ledger says and the companion's rows in one statement. Postgres only.

        Raises OvertakenError when somebody was quicker, DemandError as the companion demands.
        """
        if self.proposal is None:
            await write_alone(companion)
        elif not await self.proposal.write(companion):
            raise OvertakenError


async def write_alone(companion: Companion) -> None:
    """Write a companion's rows when the ledger has nothing to say. Raises DemandError."""
    await Proposal([], {}, Rows(recorded_at=0)).write(companion)


async def look_ahead(desk: Desk, customer_id: int, commands: Sequence[Command]) -> Outlook:
    """Judge commands; inside the transaction that will write them, if there is to be one.

    One round trip.
    """
    if not commands:
        return Outlook([], await desk.balance(customer_id), None)
    proposal = await desk.ledger.propose(commands)
    if customer_id not in proposal.accounts:  # only another customer's hold is let go
        return Outlook(proposal.verdicts, await desk.balance(customer_id), proposal)
    return Outlook(proposal.verdicts, proposal.balance(customer_id), proposal)


@dataclass(frozen=True, slots=True, kw_only=True)
class Sale:
    """A till's command about goods: who shows which card, and what she buys."""

    till_id: int
    key: str
    card: str
    receipt_number: str
    lines: Sequence[Line]
    staff_id: int | None
    device: str = ""


@dataclass(frozen=True, slots=True)
class SeenSale:
    """What one look into the database says about a sale. `row` has the columns of `sale_facts`."""

    row: Any
    card: CardRead | Refusal
    goods: tuple[earning.Goods, ...]
    revision: Revision
    occasion: Occasion
    turnover: Turnover

    @property
    def read(self) -> CardRead:
        """The card, once it is known not to be refused."""
        assert isinstance(self.card, CardRead)
        return self.card

    @property
    def shop_name(self) -> str:
        return str(self.row["shop_name"])

    @property
    def receipt_refusal(self) -> Refusal | None:
        """receipt_exists when this till has had a receipt of this number."""
        if self.row["receipt_id"] is None:
            return None
        return refuse(No.RECEIPT_EXISTS, state=self.row["receipt_state"])


async def look(desk: Desk, sale: Sale, own: str, at: int) -> SeenSale:
    """One round trip, and more for a customer of the time before turnover was kept.

    `own`: whose key it is, "quote" or "receipt". The card is judged at `at`.
    """
    reading, revision, now = desk.cards.reading(sale.card, at), desk.book.current, desk.now()
    row = await sql.sale_facts(
        own,
        desk.cards.facts_arguments(reading, sale.till_id, sale.device, at),
        till_id=sale.till_id,
        receipt_number=sale.receipt_number,
        key=scoped_key(sale.till_id, sale.key),
        skus=[line.sku for line in sale.lines],
        window=sql.window_arguments(at, now, revision.rules),
    )
    card = card_reading.judge(reading, card_facts(row), till_id=sale.till_id, at=at)
    turnover = turnover_of(row, row["customer_id"] or 0)
    if turnover.is_unsummed:
        await sum_up(turnover.customer_id, revision.rules, now)
        return await look(desk, sale, own, at)
    goods = goods_of(sale.lines, row["products"])
    occasion = occasion_of(row, turnover, at, revision.rules)
    return SeenSale(row, card, goods, revision, occasion, turnover)


def occasion_of(row: Any, turnover: Turnover, at: int, rules: ProgrammeRules) -> Occasion:
    """Out of a row that tells of the shop, the customer, and what she has earned."""
    born_on = row["born_on"]
    return Occasion(
        shop=row["shop_code"],
        local=local(at, row["shop_timezone"]),
        born_on=date.fromisoformat(born_on) if isinstance(born_on, str) else born_on,
        is_first=not turnover.receipts,
        tier=rules.tiers.held(turnover.holding.tier),
        day_points=row["day_points"],
        month_points=row["month_points"],
    )


async def card_refused(desk: Desk, sale: Sale, refusal: Refusal, at: int) -> Refusal:
    """Pass the refusal of the card on; guessing is counted."""
    reading = desk.cards.reading(sale.card, at)
    return await desk.cards.refused(reading, refusal, till_id=sale.till_id, device=sale.device)


def scoped_key(till_id: int, key: str) -> str:
    """Each till has its own keys: two tills that both count from 1 do not meet."""
    return f"{till_id}:{key}"


def goods_of(lines: Sequence[Line | QuotedLine], products: str | None) -> tuple[earning.Goods, ...]:
    """What the rules need of the lines. The catalogue knows better than the till, where it knows
    the product; `products` is its column."""
    known = sql.product_facts(products)
    return tuple(_goods(line, known.get(line.sku, _UNKNOWN)) for line in lines)


def _goods(line: Line | QuotedLine, product: sql.ProductFacts) -> earning.Goods:
    return earning.Goods(
        line.amount_minor,
        product.earns,
        product.payable_with_points,
        line.sku,
        product.category or line.category,
        product.prescription,
    )


_UNKNOWN = sql.ProductFacts()


def standing_of(card: CardRead, rules: TierRules) -> TierStanding | None:
    """The tier as the cashier may see it; None where the programme has none."""
    return tier_standing(card.tier, card.turnover_minor, rules)


def quoted_lines(
    lines: Sequence[Line | QuotedLine], priced: earning.Priced
) -> tuple[QuotedLine, ...]:
    return tuple(
        QuotedLine(
            sku=line.sku,
            name=line.name,
            category=line.category,
            quantity_milli=line.quantity_milli,
            price_minor=line.price_minor,
            amount_minor=line.amount_minor,
            spent=result.spent,
            earned=result.earned,
            explanation=reasons.explanation(result.reasons),
        )
        for line, result in zip(lines, priced.lines, strict=True)
    )
