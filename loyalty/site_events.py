"""What happens on the shop's sites: taken in batches, once each; told to the house once it is known
whose browser it was.

An event of a known customer is written together with its `site.…` event row. What a stranger does
waits; when she signs in, it becomes hers, and what is of the last days is told then.
"""

import json
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from loyalty import events
from loyalty.clock import Clock
from loyalty.database import query, transaction
from loyalty.identities import normalise_email, normalise_phone
from loyalty.ids import next_id
from loyalty.instants import to_micros
from loyalty.refusals import No, Refusal, refuse
from loyalty.rules.site_events import OLDEST, SiteEvent, happened_at, read_token
from loyalty.sites import KnownSite, Sites
from loyalty.sql import site_events as sql

KEPT_DAYS = 365
KEPT_OF_STRANGERS_DAYS = 30
FORGOTTEN_AT_ONCE = 5_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Batch:
    """`visitor` is the browser's own id. Whose it is: `customer` (her telephone or e-mail, said by
    the site's server) or a `token`; else whoever was it last."""

    visitor: str = ""
    customer: str = ""
    token: str = ""
    sent_at: datetime | None = None
    events: Sequence[SiteEvent] = ()


@dataclass(frozen=True, slots=True)
class Taken:
    """How many events were new, had been sent before, or were too old; whether she is known."""

    taken: int
    known: int
    stale: int
    is_customer: bool


class SiteEvents:
    def __init__(self, clock: Clock, sites: Sites, region: str) -> None:
        self._clock = clock
        self._sites = sites
        self._region = region

    async def take(self, site: KnownSite, batch: Batch) -> Taken | Refusal:
        """Take a batch, each event once by its visitor and key.

        Refused: visitor_required, secret_key_required (to name a customer without a token),
        site_token_invalid, customer_not_found (by the server's word).
        """
        if not batch.visitor and not batch.customer:
            return refuse(No.VISITOR_REQUIRED)
        if batch.customer and not site.is_secret:
            return refuse(No.SECRET_KEY_REQUIRED)
        now = self._clock.now()
        named = await self._named(site, batch, now)
        if isinstance(named, Refusal):
            return named
        rows = [
            (next_id(), each.key, each.kind, to_micros(at), json.dumps(each.fact))
            for each in batch.events
            if (at := happened_at(each.at, batch.sent_at, now)) is not None
        ]
        async with transaction():
            customer_id = await self._whose(site.id, batch.visitor, named, now)
            values = (json.dumps(rows), site.id, batch.visitor, to_micros(now))
            new = len(await query(*sql.TAKE, *values)) if rows else 0
            if customer_id is not None:
                await self._adopt(site.id, site.name, batch.visitor, customer_id, now)
        stale = len(batch.events) - len(rows)
        return Taken(new, len(rows) - new, stale, customer_id is not None)

    async def _whose(
        self, site_id: int, visitor: str, named: int | None, now: datetime
    ) -> int | None:
        """Who was named has the browser from now on; else who had it last."""
        if not visitor:
            return named
        if named is not None:
            await query(sql.JOIN, None, site_id, visitor, named, to_micros(now))
            return named
        found = await query(sql.CUSTOMER_OF, None, site_id, visitor)
        return int(found[0]["customer_id"]) if found else None

    async def join_front(
        self, public_key: str, origin: str, visitor: str, *, kind: str, value: str
    ) -> bool:
        """The browser is that of whose front this is: she has signed in in the chat of the page.

        False while the front is nobody's, and for a site or an origin that is not ours.
        """
        site = await self._sites.by_key(public_key)
        if isinstance(site, Refusal) or site.is_secret or origin not in site.origins:
            return False
        rows = await query(sql.BY_IDENTITY, None, kind, value)
        if not rows:
            return False
        now, customer_id = self._clock.now(), int(rows[0]["customer_id"])
        async with transaction():
            await query(sql.JOIN, None, site.id, visitor, customer_id, to_micros(now))
            await self._adopt(site.id, site.name, visitor, customer_id, now)
        return True

    async def forget_old(self) -> int:
        """Strangers' events after a month, customers' after a year; how many went."""
        now, gone = self._clock.now(), 0
        for text, days in (
            (sql.FORGET_STRANGERS, KEPT_OF_STRANGERS_DAYS),
            (sql.FORGET_ALL, KEPT_DAYS),
        ):
            before = to_micros(now - timedelta(days=days))
            while rows := await query(text, None, before, FORGOTTEN_AT_ONCE):
                gone += len(rows)
        return gone

    async def _named(self, site: KnownSite, batch: Batch, now: datetime) -> int | Refusal | None:
        """The customer whom the batch names, None if it names nobody (known to us)."""
        if batch.customer:
            return await self._by_address(batch.customer) or refuse(No.CUSTOMER_NOT_FOUND)
        if not batch.token:
            return None
        key = self._sites.secret_key(site.id, site.generation).encode()
        claims = read_token(batch.token, key, now)
        if claims is None or claims.visitor not in ("", batch.visitor):
            return refuse(No.SITE_TOKEN_INVALID)
        return await self._by_address(claims.phone or claims.email)

    async def _by_address(self, text: str) -> int | None:
        email = "@" in text
        address = normalise_email(text) if email else normalise_phone(text, self._region)
        if isinstance(address, Refusal):
            return None
        rows = await query(sql.BY_IDENTITY, None, "email" if email else "phone", address)
        return int(rows[0]["customer_id"]) if rows else None

    async def _adopt(
        self, site_id: int, site: str, visitor: str, customer_id: int, now: datetime
    ) -> None:
        """What this browser did and nobody owned is hers; what is not too old is told."""
        oldest = to_micros(now - OLDEST)
        rows = await query(sql.ADOPT, None, site_id, visitor, customer_id)
        fresh = [(row, json.loads(row["fact"])) for row in rows if row["at"] >= oldest]
        names = await _names({sku for _, fact in fresh for sku in _skus(fact)})
        told = [
            events.Fact(
                kind=f"site.{row['kind']}",
                customer_id=customer_id,
                at=row["at"],
                payload={
                    "site": site,
                    "event": row["id"],
                    **fact,
                    "items": [
                        {"sku": sku, "name": names[sku]} for sku in _skus(fact) if sku in names
                    ],
                },
            )
            for row, fact in sorted(fresh, key=lambda each: (each[0]["at"], each[0]["id"]))
        ]
        await events.record_many(told)


def _skus(fact: Mapping[str, Any]) -> list[str]:
    """Of the products that a fact is about, each once, in their order."""
    named = [fact.get("sku"), *(line["sku"] for line in fact.get("lines", ()))]
    return list(dict.fromkeys(sku for sku in named if sku))


async def _names(skus: Collection[str]) -> dict[str, str]:
    """As the catalogue calls them: what a page says of a name is not repeated to anybody."""
    if not skus:
        return {}
    rows = await query(*sql.NAMES, sorted(skus))
    return {row["sku"]: row["name"] for row in rows}
