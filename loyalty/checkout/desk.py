"""What quote, commit and cancel share: the parts they work with, and the priced sale."""

from collections.abc import Sequence
from dataclasses import dataclass
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
from loyalty.rules import card_reading, earning
from loyalty.rules.card_reading import CardRead
from loyalty.rules.commands import Command, Verdict
from loyalty.rules.posting import Rows
from loyalty.rules.programme import ProgrammeRules
from loyalty.rules.receipts import Line
from loyalty.sql import checkout as sql


@dataclass(frozen=True, slots=True, kw_only=True)
class Desk:
    clock: Clock
    rules: ProgrammeRules
    ledger: Ledger
    cards: Cards
    promo: Promo
    turns: Turns

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
    """One round trip. `own`: whose key it is, "quote" or "receipt". The card is judged at `at`."""
    reading = desk.cards.reading(sale.card, at)
    row = await sql.sale_facts(
        own,
        desk.cards.facts_arguments(reading, sale.till_id, sale.device, at),
        till_id=sale.till_id,
        receipt_number=sale.receipt_number,
        key=scoped_key(sale.till_id, sale.key),
        skus=[line.sku for line in sale.lines],
    )
    card = card_reading.judge(reading, card_facts(row), till_id=sale.till_id, at=at)
    return SeenSale(row, card, goods_of(sale.lines, row["restricted"]))


async def card_refused(desk: Desk, sale: Sale, refusal: Refusal, at: int) -> Refusal:
    """Pass the refusal of the card on; guessing is counted."""
    reading = desk.cards.reading(sale.card, at)
    return await desk.cards.refused(reading, refusal, till_id=sale.till_id, device=sale.device)


def scoped_key(till_id: int, key: str) -> str:
    """Each till has its own keys: two tills that both count from 1 do not meet."""
    return f"{till_id}:{key}"


def goods_of(lines: Sequence[Line], restricted: str | None) -> tuple[earning.Goods, ...]:
    """What the rules need of the lines; `restricted` lists the products unlike the others."""
    limits = sql.restricted_goods(restricted)
    return tuple(
        earning.Goods(line.amount_minor, *limits.get(line.sku, (True, True))) for line in lines
    )


def quoted_lines(lines: Sequence[Line], priced: earning.Priced) -> tuple[QuotedLine, ...]:
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
            explanation=earning.explanation(result.reasons),
        )
        for line, result in zip(lines, priced.lines, strict=True)
    )
