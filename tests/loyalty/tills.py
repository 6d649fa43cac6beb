"""A shop with two tills and some goods, and short ways to work at them."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from loyalty.cards import CardPicture
from loyalty.checkout import Back, Line, SoldAt
from loyalty.instants import to_micros
from loyalty.models import Product, Shop, Till
from loyalty.programme import Programme
from loyalty.rules.commands import Accrue, Posted

HERE, THERE = 1, 2


async def open_shop() -> None:
    """Tills 1 and 2; a product without points, and one that points cannot pay."""
    shop = await Shop.create(id=1, code="s1", name="Аптека на Садовой")
    for till_id in (HERE, THERE):
        await Till.create(id=till_id, shop=shop, code=f"t{till_id}", name=f"Касса {till_id}")
    goods: dict[str, dict[str, Any]] = {
        "cream": {},
        "tobacco": {"earns": False},
        "recipe": {"payable_with_points": False},
    }
    for sku, limits in goods.items():
        await Product.create(sku=sku, name=sku.title(), category="x", price_minor=100_00, **limits)


def lines(*goods: str) -> list[Line]:
    """`100.00`, or `100.00 tobacco`, or `3x100.00`, three of them for 100.00: what was bought."""
    bought = []
    for text in goods:
        sum_, _, sku = text.partition(" ")
        count, _, amount = sum_.rpartition("x")
        milli, minor = round(float(count or 1) * 1000), round(float(amount) * 100)
        price = minor * 1000 // milli
        bought.append(Line(sku or "cream", "Крем для рук", milli, price, minor, "care"))
    return bought


async def give(programme: Programme, customer_id: int, points: int, **changes: Any) -> None:
    """Points for a test to start with."""
    command = {
        "key": f"test:{customer_id}:{points}:{changes}",
        "account_id": customer_id,
        "points": points,
        "at": to_micros(programme.clock.now()),
        "reason": "test",
    }
    verdict = await programme.ledger.post(Accrue(**(command | changes)))
    assert isinstance(verdict, Posted), verdict


async def qr(programme: Programme, customer_id: int) -> str:
    """A fresh picture's digits."""
    picture = await programme.cards.picture(customer_id)
    assert isinstance(picture, CardPicture), picture
    return picture.payload


@dataclass
class TillHand:
    """A cashier at one till: each command gets a key of its own unless one is given."""

    programme: Programme
    till_id: int = HERE
    count: int = 0

    def _key(self, key: str | None) -> str:
        self.count += 1
        return key or f"k{self.count}"

    async def quote(
        self,
        card: str,
        number: str,
        *goods: str,
        spend: Any = 0,
        key: str | None = None,
        promo: Sequence[str] = (),
    ) -> Any:
        return await self.programme.checkout.quote(
            till_id=self.till_id,
            key=self._key(key),
            card=card,
            receipt_number=number,
            lines=lines(*goods),
            spend=spend,
            promo_codes=promo,
        )

    async def commit(self, quote_id: int, number: str, key: str | None = None, **more: Any) -> Any:
        return await self.programme.checkout.commit(
            till_id=self.till_id,
            key=self._key(key),
            quote_id=quote_id,
            receipt_number=number,
            **more,
        )

    async def sell(
        self, card: str, number: str, *goods: str, key: str | None = None, **more: Any
    ) -> Any:
        return await self.programme.checkout.commit(
            till_id=self.till_id,
            key=self._key(key),
            card=card,
            receipt_number=number,
            lines=lines(*goods),
            **more,
        )

    async def take_back(
        self,
        number: str,
        return_number: str,
        lines: list[Back] | None = None,
        *,
        key: str | None = None,
        **sold_at: str,
    ) -> Any:
        return await self.programme.checkout.return_(
            till_id=self.till_id,
            key=self._key(key),
            receipt_number=number,
            return_number=return_number,
            sold_at=SoldAt(**sold_at),
            lines=lines,
        )

    async def cancel(self, number: str, key: str | None = None, **more: Any) -> Any:
        return await self.programme.checkout.cancel(
            till_id=self.till_id, key=self._key(key), receipt_number=number, **more
        )
