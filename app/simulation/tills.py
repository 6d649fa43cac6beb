"""At the till: somebody buys, pays with points and codes, gives goods back."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from app.demo.history import Sold, basket_of
from app.demo.telling import Seat
from app.simulation.people import GIVES_ALL_BACK, Life
from app.simulation.world import World
from loyalty.cards import CardPicture
from loyalty.checkout import Back, Line, SoldAt
from loyalty.checkout.answers import ReceiptAnswer
from loyalty.refusals import Refusal


@dataclass(frozen=True, slots=True)
class Bought:
    """A receipt, as the customer keeps it to give goods back."""

    seat: Seat
    number: str
    quantities_milli: Sequence[int]


async def buy(world: World, life: Life, course: Sold | None) -> Bought | None:
    """She comes to her shop; None when the till did not take it, which is counted."""
    person, dice = life.person, life.dice
    lines = [_line(sold) for sold in basket_of(person, course, world.now, dice)]
    seat = world.seats[person.shop.code, dice.randrange(person.shop.tills)]
    number = f"{world.now:%y%m%d}-{life.number}-{life.receipts}"
    life.receipts += 1
    answer = await _pay(world, life, seat, number, lines)
    if isinstance(answer, Refusal):
        world.refused("receipt", answer)
        return None
    world.done["receipts"] += 1
    world.done["paid_minor"] += answer.paid_minor
    world.done["spent_points"] += answer.spent
    world.done["earned_points"] += answer.earned
    world.done["promo_codes"] += sum(promo.is_applied for promo in answer.promos)
    return Bought(seat, number, [line.quantity_milli for line in lines])


def _line(sold: Sold) -> Line:
    good = sold.good
    return Line(
        good.sku, good.name, sold.quantity * 1000, good.price_minor, sold.amount_minor,
        good.category,
    )  # fmt: skip


async def _pay(
    world: World, life: Life, seat: Seat, number: str, lines: Sequence[Line]
) -> ReceiptAnswer | Refusal:
    """By the number of her card, which only earns, or by a picture of it, which may also spend."""
    checkout, till = world.house.programme.checkout, seat.till_id
    spends = life.happens(life.person.saver)
    card = await _card(world, life, may_spend=spends or life.front != "none")
    looked = await checkout.lookup(till_id=till, card=card)
    if isinstance(looked, Refusal):
        return looked
    codes = [promo.code for promo in looked.promos[:1]]
    if not codes and not (spends and looked.may_spend):
        return await checkout.commit(
            till_id=till, key=f"c:{number}", card=card, receipt_number=number, lines=lines,
            staff_id=seat.staff_id,
        )  # fmt: skip
    quote = await checkout.quote(
        till_id=till, key=f"q:{number}", card=card, receipt_number=number, lines=lines,
        spend="max" if spends and looked.may_spend else 0, promo_codes=codes,
        staff_id=seat.staff_id,
    )  # fmt: skip
    if isinstance(quote, Refusal):
        return quote
    return await checkout.commit(
        till_id=till, key=f"c:{number}", quote_id=quote.quote_id, receipt_number=number,
        staff_id=seat.staff_id,
    )  # fmt: skip


async def _card(world: World, life: Life, *, may_spend: bool) -> str:
    programme = world.house.programme
    if may_spend:
        picture = await programme.cards.picture(life.id)
        assert isinstance(picture, CardPicture), picture
        return picture.payload
    customer = await programme.customers.get(life.id)
    assert customer is not None
    return customer.card_number


async def give_back(world: World, life: Life, bought: Bought) -> None:
    """All of it, or one of a line, at the till where it was sold or another one of the shop."""
    dice = life.dice
    lines = None
    if not life.happens(GIVES_ALL_BACK):
        place = dice.randrange(len(bought.quantities_milli))
        lines = [Back(place + 1, min(1000, bought.quantities_milli[place]))]
    answer = await world.house.programme.checkout.return_(
        till_id=bought.seat.till_id,
        key=f"r:{bought.number}",
        receipt_number=bought.number,
        return_number=f"R{bought.number}",
        sold_at=SoldAt(shop=bought.seat.shop_code),
        lines=lines,
        staff_id=bought.seat.staff_id,
    )
    if isinstance(answer, Refusal):
        world.refused("return", answer)
        return
    world.done["returns"] += 1
    world.done["returned_minor"] += answer.moves.refund_minor


async def cancel(world: World, bought: Bought, at: datetime) -> None:
    answer = await world.house.programme.checkout.cancel(
        till_id=bought.seat.till_id,
        key=f"x:{bought.number}",
        receipt_number=bought.number,
        staff_id=bought.seat.staff_id,
        at=at,
    )
    if isinstance(answer, Refusal):
        world.refused("cancel", answer)
        return
    world.done["cancels"] += 1
