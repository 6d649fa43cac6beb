"""What she left on the site: a cart, things looked at, a search, favourites. Ordered: no reminder.

Each of the four starts at most once a day for a customer; what she did later that day is read from
the events when the message is written.
"""

import json
from collections.abc import Mapping, Sequence
from datetime import timedelta
from typing import Any
from zoneinfo import ZoneInfo

from loyalty.instants import to_micros
from messaging.journeys.declaration import (
    DAY,
    HOUR,
    Check,
    Journey,
    OnEvent,
    Send,
    Step,
    Wait,
)
from messaging.journeys.registry import Around, Entry, entry, words
from messaging.journeys.stepping import Enrolled
from messaging.notices import EventRow
from messaging.policy.advertising import Drugs, named
from messaging.policy.caps import DAY_US
from messaging.records import rowset
from messaging.templates.saving import catalogue_drugs

PRODUCTS = 5
FAVOURITES_MIN = 3
ORDERED = (Check("bought"), Check("heard", "site.order"))


def _reminds(
    name: str,
    kind: str,
    title: dict[str, str],
    about: dict[str, str],
    steps: tuple[Step, ...],
    *,
    after: timedelta,
    by: str = "visit",
) -> Journey:
    """Nothing goes once she has ordered, or bought in a shop."""
    trigger = OnEvent(kinds=(kind,), entry=by, after=after, fresh_for=DAY + after)
    return Journey(name=name, title=title, about=about, trigger=trigger, leave=ORDERED, steps=steps)


def _message(name: str, template: str) -> Send:
    return Send(
        name=name,
        template=template,
        says="left_on_site",
        lives=DAY,
        late_max=6 * HOUR,
        value=6,
    )


CART = _reminds(
    "abandoned_cart",
    "site.cart",
    {"ru": "Брошенная корзина", "en": "Abandoned cart"},
    {"ru": "Через час и через день, пока не заказано",
     "en": "After an hour and after a day, until it is ordered"},
    (
        Wait(name="still_shopping", unless=Check("heard", "site.cart"), on={"over": "reminder"}),
        Wait(name="one_more_hour", lasts=HOUR),
        _message("reminder", "abandoned_cart"),
        Wait(name="a_day", lasts=DAY),
        _message("again", "abandoned_cart"),
    ),
    after=HOUR,
)  # fmt: skip
BROWSE = _reminds(
    "abandoned_browse",
    "site.view",
    {"ru": "Смотрела и ушла", "en": "Abandoned browse"},
    {"ru": "Через день после просмотра товаров", "en": "A day after products were looked at"},
    (_message("reminder", "abandoned_browse"),),
    after=DAY,
)
SEARCH = _reminds(
    "abandoned_search",
    "site.search",
    {"ru": "Искала и не нашла", "en": "Abandoned search"},
    {"ru": "Через день после поиска", "en": "A day after a search"},
    (_message("reminder", "abandoned_search"),),
    after=DAY,
)
FAVOURITES = _reminds(
    "favourites",
    "site.favourite",
    {"ru": "Избранное", "en": "Favourites"},
    {"ru": "Через день, когда отложено три товара и больше",
     "en": "A day after three products or more were put aside"},
    (_message("reminder", "favourites"),),
    after=DAY,
    by="favourites",
)  # fmt: skip
JOURNEYS = (CART, BROWSE, SEARCH, FAVOURITES)


@entry("visit")
async def visit(happened: Sequence[EventRow], around: Around) -> Sequence[Entry]:
    """Once a day for each customer, by the programme's calendar."""
    zone = ZoneInfo(around.programme.rules.timezone)
    return [_entry(event, str(event.at.astimezone(zone).date())) for event in happened]


@entry("favourites")
async def enough(happened: Sequence[EventRow], around: Around) -> Sequence[Entry]:
    """Once in a week for who has put aside three products or more within a month."""
    zone = ZoneInfo(around.programme.rules.timezone)
    since = around.now - 30 * DAY_US
    put_aside = await _items({event.customer_id: since for event in happened}, "site.favourite")
    found = []
    for event in happened:
        if len(put_aside.get(event.customer_id, ())) >= FAVOURITES_MIN:
            year, week, _ = event.at.astimezone(zone).date().isocalendar()
            found.append(_entry(event, f"{year}-{week}"))
    return found


def _entry(event: EventRow, key: str) -> Entry:
    return Entry(
        customer_id=event.customer_id,
        key=key,
        due_at=to_micros(event.at),
        entered_at=to_micros(event.at),
        data={"query": str(event.payload.get("query", ""))[:80], "kind": event.kind},
    )


_EVENTS = rowset(
    """
    SELECT e.customer_id, e.payload FROM {rows} JOIN event e ON e.customer_id = r.customer_id
    WHERE e.at >= r.since AND e.kind = $2 ORDER BY e.at, e.id
    """,
    customer_id="bigint",
    since="bigint",
)
_NOT_ADVERTISED = rowset(
    "SELECT r.sku FROM {rows} JOIN product p ON p.sku = r.sku WHERE p.prescription_only",
    sku="text",
)


async def _items(since: Mapping[int, int], kind: str) -> dict[int, dict[str, str]]:
    """By customer the names of products by sku, of her events of this kind; of carts the last.

    A prescription medicine is left out: it is not advertised.
    """
    rows = [{"customer_id": c, "since": at} for c, at in sorted(since.items())]
    found: dict[int, dict[str, str]] = {}
    for row in await _EVENTS.query(rows, kind):
        told = json.loads(row["payload"])
        items = {
            str(item.get("sku", ""))[:64]: str(item.get("name", ""))[:200]
            for item in told.get("items", ())
        }
        known = {} if kind == "site.cart" else found.get(row["customer_id"], {})
        if told.get("on", True):
            found[row["customer_id"]] = {**known, **items}
        else:  # taken out of the favourites again
            found[row["customer_id"]] = {s: name for s, name in known.items() if s not in items}
    skus = sorted({sku for items in found.values() for sku in items})
    barred = {row["sku"] for row in await _NOT_ADVERTISED.query([{"sku": s} for s in skus])}
    return {
        customer: {sku: name for sku, name in items.items() if name and sku not in barred}
        for customer, items in found.items()
    }


@words("left_on_site")
async def left_on_site(
    enrolled: Sequence[Enrolled], _around: Around
) -> Mapping[int, dict[str, Any]]:
    """What is in her cart now, or what she has looked at; nothing of a cart that is empty again.

    Nor of a search for a prescription medicine: her own word for it is no less its name.
    """
    found: dict[int, dict[str, Any]] = {}
    by_kind: dict[str, list[Enrolled]] = {}
    for each in enrolled:
        by_kind.setdefault(each.data["kind"], []).append(each)
    for kind, together in by_kind.items():
        since = {each.customer_id: each.entered_at - _LOOKS_BACK[kind] for each in together}
        items = await _items(since, kind)
        drugs = await catalogue_drugs() if kind == "site.search" else Drugs()
        for each in together:
            names = list(items.get(each.customer_id, {}).values())
            if names or (kind == "site.search" and not named(each.data["query"], drugs)):
                found[each.id] = {"products": names[-PRODUCTS:], "query": each.data["query"]}
    return found


_LOOKS_BACK = {"site.cart": 0, "site.view": 0, "site.search": 0, "site.favourite": 30 * DAY_US}
