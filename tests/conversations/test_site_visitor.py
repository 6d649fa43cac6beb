"""The chat on a page of the site: signing in makes what the browser did there hers."""

import json

import pytest

from loyalty.database import query
from loyalty.programme import Programme
from loyalty.rules.site_events import SiteEvent
from loyalty.site_events import Batch, Taken
from loyalty.sites import KnownSite, NewKeys
from tests.conversations.people import join
from tests.conversations.stage import WebChat

VISITOR, ORIGIN = "visitor-00000001", "https://shop.example"


@pytest.fixture
async def keys(programme: Programme) -> NewKeys:
    made = await programme.sites.add("shop", [ORIGIN])
    assert isinstance(made, NewKeys)
    return made


async def views(programme: Programme, keys: NewKeys, key: str) -> None:
    site = await programme.sites.by_key(keys.public)
    assert isinstance(site, KnownSite)
    event = SiteEvent(key, "view", None, {"sku": "S1"})
    batch = Batch(visitor=VISITOR, events=[event])
    assert isinstance(await programme.site_events.take(site, batch), Taken)


async def told() -> list[tuple[int, int]]:
    rows = await query("SELECT customer_id, payload FROM event WHERE kind = 'site.view'")
    return [(row["customer_id"], json.loads(row["payload"])["event"]) for row in rows]


async def test_joining_in_the_chat_joins_the_browser(
    web: WebChat, programme: Programme, keys: NewKeys
) -> None:
    await views(programme, keys, "event-0001")
    frame = {"kind": "visitor", "site": keys.public, "visitor": VISITOR, "origin": ORIGIN}
    await web.frame(frame)
    assert web.refusals == []
    assert await told() == []
    anna = await join(web)
    assert [customer for customer, _ in await told()] == [anna.id]
    await views(programme, keys, "event-0002")
    assert [customer for customer, _ in await told()] == [anna.id, anna.id]


async def test_a_page_of_another_site_joins_nothing(
    web: WebChat, programme: Programme, keys: NewKeys
) -> None:
    await views(programme, keys, "event-0001")
    await join(web)
    frame = {"kind": "visitor", "site": keys.public, "visitor": VISITOR, "origin": ORIGIN}
    for changes in ({"origin": "https://evil.example"}, {"site": "kps_unknown-key"}):
        await web.frame(frame | changes)
        assert web.refusals == []
    for changes in ({"site": "kss_x"}, {"visitor": "short"}, {"origin": "null"}, {"visitor": 7}):
        await web.frame(frame | changes)
        assert [refusal["code"] for refusal in web.refusals] == ["bad_visitor"]
    assert await told() == []
    await web.frame(frame)
    assert len(await told()) == 1
