"""Events of sites: each once, told when it is known whose they are, forgotten in time."""

import asyncio
import json
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from loyalty.clock import VirtualClock
from loyalty.database import query
from loyalty.models import Identity
from loyalty.programme import Programme
from loyalty.refusals import No, Refusal
from loyalty.rules.site_events import SiteEvent
from loyalty.site_events import Batch, Taken
from loyalty.sites import KnownSite, NewKeys
from tests.loyalty.people import ANNA, BORIS, joined
from tests.loyalty.rules.test_site_events import token

VISITOR, OTHER = "visitor-00000001", "visitor-00000002"
ORIGIN = "https://shop.example"


@pytest.fixture
async def keys(programme: Programme) -> NewKeys:
    made = await programme.sites.add("shop", [ORIGIN])
    assert isinstance(made, NewKeys)
    return made


async def site(programme: Programme, key: str) -> KnownSite:
    found = await programme.sites.by_key(key)
    assert isinstance(found, KnownSite)
    return found


def view(n: int, at: datetime | None = None) -> SiteEvent:
    return SiteEvent(f"event-{n:04}", "view", at, {"sku": f"S{n}"})


class Browser:
    def __init__(self, programme: Programme, key: str, visitor: str = VISITOR) -> None:
        self.programme, self.key, self.visitor = programme, key, visitor

    async def sends(self, *events: SiteEvent, **more: Any) -> Any:
        batch = Batch(visitor=self.visitor, events=events, **more)
        return await self.programme.site_events.take(await site(self.programme, self.key), batch)


async def told() -> list[tuple[str, int, str]]:
    rows = await query(
        "SELECT kind, customer_id, payload FROM event WHERE kind LIKE 'site.%' ORDER BY at, id"
    )
    return [(row["kind"], row["customer_id"], json.loads(row["payload"])["sku"]) for row in rows]


def signed(keys: NewKeys, clock: VirtualClock, **claims: Any) -> str:
    expires = int(clock.now().timestamp()) + 600
    return token({"exp": expires} | claims, key=keys.secret.encode())


def code(answer: object) -> No | None:
    return answer.code if isinstance(answer, Refusal) else None


async def test_an_event_counts_once_however_often_it_is_sent(
    programme: Programme, keys: NewKeys
) -> None:
    browser = Browser(programme, keys.public)
    assert await browser.sends(view(1), view(2)) == Taken(2, 0, 0, False)
    assert await browser.sends(view(2), view(3), view(3)) == Taken(1, 2, 0, False)
    assert (await Browser(programme, keys.public, OTHER).sends(view(1))).taken == 1
    assert await told() == []


async def test_a_strangers_events_are_told_when_she_signs_in(
    programme: Programme, keys: NewKeys, clock: VirtualClock
) -> None:
    anna = (await joined(programme)).id
    browser, long_ago = Browser(programme, keys.public), clock.now()
    await browser.sends(view(1))
    clock.advance(timedelta(days=8))
    await browser.sends(view(2), SiteEvent("event-0009", "favourite", None, {"sku": "F"}))
    answer = await browser.sends(token=signed(keys, clock, phone=ANNA))
    assert answer == Taken(0, 0, 0, True)
    assert await told() == [("site.view", anna, "S2"), ("site.favourite", anna, "F")]
    assert (await browser.sends(view(3))).is_customer
    assert (await told())[-1] == ("site.view", anna, "S3")
    rows = await query("SELECT at, customer_id FROM site_event ORDER BY at")
    assert {row["customer_id"] for row in rows} == {anna}, "the old one is hers, though not told"
    assert datetime.fromtimestamp(rows[0]["at"] / 1e6, UTC) == long_ago


async def test_who_signs_in_next_has_the_browser_from_then_on(
    programme: Programme, keys: NewKeys, clock: VirtualClock
) -> None:
    anna = (await joined(programme)).id
    boris = (await joined(programme, phone=BORIS, front_value="2")).id
    browser = Browser(programme, keys.public)
    await browser.sends(view(1), token=signed(keys, clock, phone=ANNA))
    await browser.sends(view(2), token=signed(keys, clock, phone=BORIS, visitor=VISITOR))
    await browser.sends(view(3))
    assert [(who, sku) for _, who, sku in await told()] == [
        (anna, "S1"), (boris, "S2"), (boris, "S3"),
    ]  # fmt: skip


async def test_the_chat_of_the_page_joins_her_browser(programme: Programme, keys: NewKeys) -> None:
    browser = Browser(programme, keys.public)
    await browser.sends(view(1))

    async def join(key: str = keys.public, origin: str = ORIGIN) -> bool:
        return await programme.site_events.join_front(
            key, origin, VISITOR, kind="webchat", value="55"
        )

    assert not await join(), "she is no customer yet"
    anna = (await joined(programme, front_kind="webchat", front_value="55")).id
    assert not await join(origin="https://evil.example")
    assert not await join(key="kps_unknown")
    assert not await join(key=keys.secret)
    assert await told() == []
    assert [await join(), await join()] == [True, True]
    assert await told() == [("site.view", anna, "S1")]
    await Identity.filter(kind="webchat").update(ended_at=datetime(2026, 1, 1, tzinfo=UTC))
    assert not await join()


async def test_the_sites_server_names_the_customer(
    programme: Programme, keys: NewKeys, clock: VirtualClock
) -> None:
    anna = (await joined(programme)).id
    server = Browser(programme, keys.secret, visitor="")
    order = SiteEvent("order-0001", "order", None, {"sku": "", "number": "A-1"})
    assert await server.sends(order, customer="8 900 123-45-67") == Taken(1, 0, 0, True)
    assert await told() == [("site.order", anna, "")]
    assert code(await server.sends(order, customer="nobody@shop.example")) is No.CUSTOMER_NOT_FOUND
    assert code(await server.sends(order)) is No.VISITOR_REQUIRED


async def test_what_is_refused_leaves_nothing(
    programme: Programme, keys: NewKeys, clock: VirtualClock
) -> None:
    await joined(programme)
    browser = Browser(programme, keys.public)
    good = signed(keys, clock, phone=ANNA)
    cases: Sequence[tuple[dict[str, Any], No]] = [
        ({"customer": ANNA}, No.SECRET_KEY_REQUIRED),
        ({"token": good[:-3]}, No.SITE_TOKEN_INVALID),
        ({"token": signed(keys, clock, phone=ANNA, visitor=OTHER)}, No.SITE_TOKEN_INVALID),
    ]
    for more, refusal in cases:
        assert code(await browser.sends(view(1), **more)) is refusal
    stranger = await browser.sends(view(1), token=signed(keys, clock, phone="+79990000000"))
    assert stranger == Taken(1, 0, 0, False), "signed in at the site, and no member of ours"
    assert isinstance(await programme.sites.rotate("shop"), str)
    assert code(await browser.sends(view(2), token=good)) is No.SITE_TOKEN_INVALID
    assert isinstance(await programme.sites.by_key(keys.secret), Refusal)
    assert await told() == []


async def test_a_browsers_wrong_clock_is_set_right(
    programme: Programme, keys: NewKeys, clock: VirtualClock
) -> None:
    ahead = clock.now() + timedelta(days=400)
    events = [view(1, ahead - timedelta(hours=2)), view(2, ahead - timedelta(days=8))]
    answer = await Browser(programme, keys.public).sends(*events, sent_at=ahead)
    assert answer == Taken(1, 0, 1, False)
    [[at]] = await query("SELECT at FROM site_event")
    assert datetime.fromtimestamp(at / 1e6, UTC) == clock.now() - timedelta(hours=2)


async def test_many_tabs_at_once_tell_each_event_once(
    programme: Programme, keys: NewKeys, clock: VirtualClock
) -> None:
    anna = (await joined(programme)).id
    browser, proof = Browser(programme, keys.public), signed(keys, clock, phone=ANNA)
    sends = [browser.sends(view(n % 3), token=proof if n % 2 else "") for n in range(12)]
    await asyncio.gather(*sends)
    assert sorted(await told()) == [("site.view", anna, f"S{n}") for n in range(3)]


async def test_strangers_are_forgotten_after_a_month_customers_after_a_year(
    programme: Programme, keys: NewKeys, clock: VirtualClock
) -> None:
    await joined(programme)
    await Browser(programme, keys.public).sends(view(1), token=signed(keys, clock, phone=ANNA))
    await Browser(programme, keys.public, OTHER).sends(view(1))
    clock.advance(timedelta(days=29))
    assert await programme.site_events.forget_old() == 0
    clock.advance(timedelta(days=2))
    assert await programme.site_events.forget_old() == 1
    clock.advance(timedelta(days=335))
    assert await programme.site_events.forget_old() == 1


@pytest.mark.parametrize(
    ("name", "origins", "field"),
    [
        ("", [ORIGIN], "name"),
        ("a\x00", [ORIGIN], "name"),
        ("shop", [ORIGIN], "name"),
        ("two", [], "origins"),
        ("two", ["shop.example"], "origins"),
        ("two", [f"{ORIGIN}/path"], "origins"),
        ("two", ["https://a b.example"], "origins"),
        ("two", ["*"], "origins"),
    ],
)
async def test_a_site_needs_a_name_and_origins(
    programme: Programme, keys: NewKeys, name: str, origins: list[str], field: str
) -> None:
    refused = await programme.sites.add(name, origins)
    assert isinstance(refused, Refusal)
    assert (refused.code, refused.data["field"]) == (No.INVALID_SITE, field)


async def test_a_closed_sites_keys_end(programme: Programme, keys: NewKeys) -> None:
    assert await programme.sites.origins() == {ORIGIN}
    assert await programme.sites.close("shop") is None
    assert code(await programme.sites.close("shop")) is No.SITE_UNKNOWN
    assert code(await programme.sites.rotate("shop")) is No.SITE_UNKNOWN
    for key in (keys.public, keys.secret):
        assert code(await programme.sites.by_key(key)) is No.API_KEY_UNKNOWN
    assert await programme.sites.origins() == frozenset()
