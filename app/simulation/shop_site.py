"""The chain's own site: people look around, search, put aside, fill carts, and sometimes order.

Who is signed in there is named by the site's server; others are strangers, until they open the chat
of the page.
"""

import itertools
from collections.abc import Iterator, Sequence

from app.demo.catalogue import Good, goods_by_need
from app.simulation.people import Life
from app.simulation.world import World
from loyalty.refusals import Refusal
from loyalty.rules.site_events import SiteEvent
from loyalty.site_events import Batch
from loyalty.sites import KnownSite, NewKeys

ORIGIN = "https://shop.example"
SIGNED_IN = 0.6
SEARCHES, PUTS_ASIDE, FILLS_CART, ORDERS = 0.4, 0.3, 0.45, 0.4
LOOKS_UP_HER_OWN = 0.4
"""Chances of one visit; her own are the medicines that she takes anyway, 
that of an order is of those who have filled a cart."""
_VIEWS = (1, 1, 2, 3, 5)


class ShopSite:
    """One site with its two keys."""

    def __init__(self, world: World, public: KnownSite, server: KnownSite, public_key: str) -> None:
        self._world = world
        self._public = public
        self._server = server
        self._public_key = public_key
        self._numbers = itertools.count(1)

    @classmethod
    async def open(cls, world: World) -> "ShopSite":
        """Connect the site as its owner would."""
        sites = world.house.programme.sites
        keys = await sites.add("shop", [ORIGIN])
        assert isinstance(keys, NewKeys), keys
        public, server = await sites.by_key(keys.public), await sites.by_key(keys.secret)
        assert isinstance(public, KnownSite), public
        assert isinstance(server, KnownSite), server
        return cls(world, public, server, keys.public)

    async def visit(self, life: Life) -> None:
        """Somebody looks around for some minutes, which all end now."""
        visitor, signed_in = f"browser-of-{life.number}", life.happens(SIGNED_IN)
        batch = Batch(
            visitor=visitor,
            customer=life.person.phone if signed_in else "",
            events=list(self._events(life)),
        )
        site = self._server if signed_in else self._public
        taken = await self._world.house.programme.site_events.take(site, batch)
        if isinstance(taken, Refusal):
            self._world.refused("site", taken)
            return
        self._world.done["site events"] += taken.taken
        if not taken.is_customer and life.front == "webchat" and life.chat:
            await self._world.house.programme.site_events.join_front(
                self._public_key, ORIGIN, visitor, kind="webchat", value=str(life.chat)
            )

    def _events(self, life: Life) -> Iterator[SiteEvent]:
        dice = life.dice
        needs = [need for need in life.person.needs if need in goods_by_need()]
        seen = [
            dice.choice(goods_by_need()[dice.choice(needs)]) for _ in range(dice.choice(_VIEWS))
        ]
        if life.person.courses and life.happens(LOOKS_UP_HER_OWN):
            seen.insert(0, dice.choice(life.person.courses).good)
        for good in seen:
            yield self._event("view", {"sku": good.sku})
        if life.happens(SEARCHES):
            yield self._event("search", {"query": seen[0].name.split()[0], "found": 3})
        if life.happens(PUTS_ASIDE):
            for good in seen:
                yield self._event("favourite", {"sku": good.sku, "on": True})
        if life.happens(FILLS_CART):
            yield self._event("cart", _lines(seen))
            if life.happens(ORDERS):
                number = f"W{next(self._numbers)}"
                yield self._event("order", {"number": number, **_lines(seen)})

    def _event(self, kind: str, fact: dict[str, object]) -> SiteEvent:
        self._world.done[f"site: {kind}"] += 1
        return SiteEvent(f"event-{next(self._numbers):08}", kind, None, fact)  # type: ignore[arg-type]


def _lines(goods: Sequence[Good]) -> dict[str, object]:
    lines = [
        {"sku": good.sku, "quantity_milli": 1000, "price_minor": good.price_minor} for good in goods
    ]
    return {"lines": lines, "total_minor": sum(good.price_minor for good in goods)}
