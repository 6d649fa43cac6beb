"""POST /api/v1/events: doors, origins, batches; whatever is sent, a named 4xx and never a row."""

import io
import json
from collections.abc import AsyncIterator
from typing import Any

import pytest

from loyalty.clock import VirtualClock
from loyalty.database import query
from loyalty.programme import Programme
from loyalty.sites import NewKeys
from tests.admin.http import Answer, Client, TillProgram, api_key, serving
from tests.admin.people import Chain
from tests.admin.test_bad_input import NOT_A_BODY
from tests.loyalty.people import ANNA, joined

ORIGIN = "https://shop.example"
VISITOR = "visitor-00000001"
PATH = "/api/v1/events"


@pytest.fixture
async def keys(programme: Programme) -> NewKeys:
    made = await programme.sites.add("shop", [ORIGIN])
    assert isinstance(made, NewKeys)
    return made


@pytest.fixture
async def client(chain: Chain, programme: Programme, clock: VirtualClock) -> AsyncIterator[Client]:
    async with serving(programme, clock) as client:
        yield client


async def send(
    client: Client, key: str | None, body: Any, *, origin: str | None = ORIGIN, **headers: str
) -> Answer:
    raw = body if isinstance(body, bytes) else json.dumps(body).encode()
    sent = {"Content-Type": "application/json"} | headers
    if key is not None:
        sent["Authorization"] = f"Bearer {key}"
    if origin is not None:
        sent["Origin"] = origin
    response = await client.post(PATH, data=io.BytesIO(raw), headers=sent)
    return Answer(response.status, response.headers, await response.read())


def event(n: int = 1, **changes: Any) -> dict[str, Any]:
    return {"id": f"event-{n:04}", "kind": "view", "sku": "S1"} | changes


def batch(*events: Any, **changes: Any) -> dict[str, Any]:
    return {"visitor": VISITOR, "events": list(events)} | changes


async def rows() -> tuple[int, int]:
    counts = [
        await query(f"SELECT COUNT(*) AS n FROM {table}") for table in ("site_event", "event")
    ]
    return counts[0][0]["n"], counts[1][0]["n"]


async def test_each_kind_is_taken_and_told(
    client: Client, keys: NewKeys, programme: Programme
) -> None:
    await joined(programme)
    line = {"sku": "S1", "quantity_milli": 2000, "price_minor": 100}
    events = [
        event(1),
        event(2, kind="search", sku=None) | {"query": "крем", "found": 3},
        event(3, kind="favourite", on=False),
        {"id": "event-0004", "kind": "cart", "lines": [line], "total_minor": 200},
        {"id": "event-0005", "kind": "order", "number": "A-1", "at": "2026-01-01T08:00:00Z"},
    ]
    del events[1]["sku"]
    answer = await send(client, keys.secret, {"customer": ANNA, "events": events}, origin=None)
    assert answer.body == {"taken": 5, "known": 0, "stale": 0, "identified": True}
    again = await send(client, keys.secret, {"customer": ANNA, "events": events}, origin=None)
    assert again.body["known"] == 5
    told = await query("SELECT kind, payload FROM event WHERE kind LIKE 'site.%' ORDER BY at, id")
    facts = {row["kind"]: json.loads(row["payload"]) for row in told}
    assert set(facts) == {f"site.{k}" for k in ("view", "search", "favourite", "cart", "order")}
    assert facts["site.cart"]["lines"] == [line]
    assert facts["site.search"]["query"] == "крем"
    assert facts["site.favourite"]["on"] is False


async def test_a_page_of_the_site_sends_and_reads_across_origins(
    client: Client, keys: NewKeys
) -> None:
    asked = await client.options(
        PATH, headers={"Origin": ORIGIN, "Access-Control-Request-Method": "POST"}
    )
    assert asked.status == 204
    assert asked.headers["Access-Control-Allow-Origin"] == ORIGIN
    assert "Authorization" in asked.headers["Access-Control-Allow-Headers"]
    answer = await send(client, keys.public, batch(event()))
    assert (answer.status, answer.body["taken"]) == (200, 1)
    assert answer.headers["Access-Control-Allow-Origin"] == ORIGIN
    refused = await send(client, keys.public, batch(event(), visitor="short"))
    assert refused.status == 422
    assert refused.headers["Access-Control-Allow-Origin"] == ORIGIN


async def test_who_may_not_send(
    client: Client, keys: NewKeys, clock: VirtualClock, chain: Chain
) -> None:
    till_key = await api_key(clock, chain.garden_1.id)
    evil = "https://evil.example"
    cases: list[tuple[str | None, str | None, int, str]] = [
        (None, ORIGIN, 401, "credentials_required"),
        ("", ORIGIN, 401, "credentials_required"),
        ("kps_unknown", ORIGIN, 401, "api_key_unknown"),
        ("kss_" + "0" * 64, None, 401, "api_key_unknown"),
        (till_key, ORIGIN, 401, "api_key_unknown"),
        (keys.public, None, 403, "origin_not_allowed"),
        (keys.public, evil, 403, "origin_not_allowed"),
        (keys.public, "null", 403, "origin_not_allowed"),
        (keys.public, ORIGIN + ".evil.example", 403, "origin_not_allowed"),
        (keys.secret, ORIGIN, 403, "origin_not_allowed"),
    ]
    for key, origin, status, code in cases:
        answer = await send(client, key, batch(event()), origin=origin)
        assert (answer.status, answer.code) == (status, code), (key, origin)
        assert ("Access-Control-Allow-Origin" in answer.headers) is (origin == ORIGIN)
    asked = await client.options(PATH, headers={"Origin": evil})
    assert "Access-Control-Allow-Origin" not in asked.headers
    lookup = await TillProgram(client, keys.secret).post("/lookup", {"card": ANNA})
    assert lookup.status == 401, "a site is no till"
    assert (await rows())[0] == 0


WRONG = [
    (batch(event(id="short")), "/events/0/id"),
    (batch(event(id="x" * 65)), "/events/0/id"),
    (batch(event(id="пробел и ы")), "/events/0/id"),
    (batch(event(id=7)), "/events/0/id"),
    (batch(event(kind="theft")), "/events/0"),
    (batch(event(kind=None)), "/events/0"),
    (batch({"id": "event-0001"}), "/events/0"),
    (batch("view"), "/events/0"),
    (batch(event(sku="")), "/events/0/sku"),
    (batch(event(sku="a\u202eb")), "/events/0/sku"),
    (batch(event(sku="x" * 65)), "/events/0/sku"),
    (batch(event(price=1)), "/events/0/price"),
    (batch(event(at="yesterday")), "/events/0/at"),
    (batch(event(at=1)), "/events/0/at"),
    (batch({"id": "event-0001", "kind": "search", "query": ""}), "/events/0/query"),
    (batch({"id": "event-0001", "kind": "search", "query": "x" * 201}), "/events/0/query"),
    (batch(event(kind="favourite", on="yes")), "/events/0/on"),
    (batch({"id": "event-0001", "kind": "cart", "lines": [{}]}), "/events/0/lines/0/sku"),
    (
        batch({"id": "event-0001", "kind": "cart", "lines": [{"sku": "a"}] * 101}),
        "/events/0/lines",
    ),
    (
        batch({"id": "event-0001", "kind": "cart", "total_minor": -1}),
        "/events/0/total_minor",
    ),
    (batch({"id": "event-0001", "kind": "order", "number": ""}), "/events/0/number"),
    (batch(*[event(n) for n in range(201)]), "/events"),
    (batch(event(), events={}), "/events"),
    (batch(event(), visitor="short"), "/visitor"),
    (batch(event(), visitor="x" * 65), "/visitor"),
    (batch(event(), visitor=None), "/visitor"),
    (batch(event(), token="a b"), "/token"),
    (batch(event(), sent_at="now"), "/sent_at"),
    (batch(event(), surprise=1), "/surprise"),
]  # fmt: skip


async def test_a_wrong_field_is_pointed_at(client: Client, keys: NewKeys) -> None:
    before = await rows()
    for body, pointer in WRONG:
        answer = await send(client, keys.public, body)
        assert (answer.status, answer.code) == (422, "invalid_request"), body
        pointers = [error["pointer"] for error in answer.body["errors"]]
        assert any(found.startswith(pointer) for found in pointers), (pointer, pointers)
    assert await rows() == before


async def test_what_is_no_body_is_refused(client: Client, keys: NewKeys) -> None:
    for body, code, status in NOT_A_BODY:
        answer = await send(client, keys.public, body)
        assert (answer.status, answer.code) == (status, code), body[:80]
    plain = await send(client, keys.public, batch(event()), **{"Content-Type": "text/plain"})
    assert (plain.status, plain.code) == (415, "unsupported_media_type")
    assert (await rows())[0] == 0


async def test_named_refusals(client: Client, keys: NewKeys, programme: Programme) -> None:
    cases: list[tuple[dict[str, Any], int, str]] = [
        (batch(event(), visitor=""), 422, "visitor_required"),
        (batch(event(), customer=ANNA), 403, "secret_key_required"),
        (batch(event(), token="a.b.c"), 403, "site_token_invalid"),
    ]
    for body, status, code in cases:
        answer = await send(client, keys.public, body)
        assert (answer.status, answer.code) == (status, code)
    unknown = await send(
        client, keys.secret, {"customer": "+79990000000", "events": []}, origin=None
    )
    assert (unknown.status, unknown.code) == (404, "customer_not_found")
    assert (await rows())[0] == 0


async def test_a_browser_in_a_loop_is_slowed_down(
    client: Client, keys: NewKeys, clock: VirtualClock
) -> None:
    statuses = [(await send(client, keys.public, batch(event(n)))).status for n in range(62)]
    assert statuses == [200] * 60 + [429] * 2
    answer = await send(client, keys.public, batch(event(99)))
    assert answer.headers["Retry-After"] == "1"
    other = await send(client, keys.public, batch(event(1), visitor="another-visitor-1"))
    assert other.status == 200


async def test_the_script_is_for_any_page(client: Client) -> None:
    response = await client.get("/site/kapsula.js")
    assert response.status == 200
    assert response.content_type == "text/javascript"
    assert response.headers["Cross-Origin-Resource-Policy"] == "cross-origin"
    assert (await client.get(PATH)).status == 405
