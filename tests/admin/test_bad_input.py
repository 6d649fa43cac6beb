"""Whatever is sent to the till API: a named 4xx, never a 500, and never a row."""

import asyncio
import gzip
import json
from collections.abc import AsyncIterator
from typing import Any

import pytest

from loyalty.clock import VirtualClock
from loyalty.database import query
from loyalty.programme import Programme
from tests.admin.http import TillProgram, api_key, sale, serving
from tests.admin.people import Chain
from tests.loyalty.people import ANNA, joined

WRITTEN = (
    "quote", "receipt", "receipt_line", "receipt_return", "receipt_return_line",
    "ledger_transaction", "ledger_hold", "event", "site_event", "site_visitor",
)  # fmt: skip


async def rows_written() -> dict[str, int]:
    return {table: (await query(f"SELECT COUNT(*) AS n FROM {table}"))[0]["n"] for table in WRITTEN}


@pytest.fixture
async def till(
    chain: Chain, programme: Programme, clock: VirtualClock
) -> AsyncIterator[TillProgram]:
    await joined(programme)
    async with serving(programme, clock) as client:
        yield TillProgram(client, await api_key(clock, chain.garden_1.id))


GOOD = sale("R1", card=ANNA)


def changed(path: str, value: Any) -> bytes:
    """GOOD with one member changed; `value` may be raw JSON that Python cannot say."""
    body = json.loads(json.dumps(GOOD))
    place = body
    *way, last = (int(step) if step.isdigit() else step for step in path.split("/"))
    for step in way:
        place = place[step]
    raw = value if isinstance(value, bytes) else json.dumps(value).encode()
    place[last] = "@@"
    return json.dumps(body).encode().replace(b'"@@"', raw)


WRONG_FIELDS = [
    ("card", 29, "/card"),
    ("card", "", "/card"),
    ("card", None, "/card"),
    ("card", ["x"], "/card"),
    ("card", "x" * 65, "/card"),
    ("card", "a\nb", "/card"),
    ("card", "a\u202eb", "/card"),
    ("receipt_number", "", "/receipt_number"),
    ("receipt_number", "../../etc", "/receipt_number"),
    ("receipt_number", "R 1", "/receipt_number"),
    ("receipt_number", "1" * 65, "/receipt_number"),
    ("receipt_number", "R1\n", "/receipt_number"),
    ("receipt_number", 7, "/receipt_number"),
    ("lines", [], "/lines"),
    ("lines", {}, "/lines"),
    ("lines", "x", "/lines"),
    ("lines", [{"price_minor": 1, "amount_minor": 1}] * 201, "/lines"),
    ("lines/0", None, "/lines/0"),
    ("lines/0", [], "/lines/0"),
    ("lines/0/amount_minor", 1.0, "/lines/0/amount_minor"),
    ("lines/0/amount_minor", 1.5, "/lines/0/amount_minor"),
    ("lines/0/amount_minor", "100", "/lines/0/amount_minor"),
    ("lines/0/amount_minor", True, "/lines/0/amount_minor"),
    ("lines/0/amount_minor", -1, "/lines/0/amount_minor"),
    ("lines/0/amount_minor", 2**63 - 1, "/lines/0/amount_minor"),
    ("lines/0/amount_minor", 10**12 + 1, "/lines/0/amount_minor"),
    ("lines/0/price_minor", None, "/lines/0/price_minor"),
    ("lines/0/quantity_milli", 0, "/lines/0/quantity_milli"),
    ("lines/0/quantity_milli", 10**9 + 1, "/lines/0/quantity_milli"),
    ("lines/0/name", "x" * 201, "/lines/0/name"),
    ("lines/0/name", "\x7f", "/lines/0/name"),
    ("lines/0/sku", 5, "/lines/0/sku"),
    ("lines/0/colour", "red", "/lines/0/colour"),
    ("surprise", 1, "/surprise"),
    ("a/b~c", 1, "/a~1b~0c"),
    ("at", 1767225600, "/at"),
    ("at", "1767225600", "/at"),
    ("at", "2026-01-01", "/at"),
    ("at", "2026-01-01T09:00:00", "/at"),
    ("at", "9999-12-31T23:59:59Z", "/at"),
    ("at", "2026-02-30T09:00:00Z", "/at"),
    ("at", "2026-01-01T09:00:00+99:99", "/at"),
    ("at", "yesterday", "/at"),
]


async def test_a_wrong_field_is_pointed_at(till: TillProgram) -> None:
    before = await rows_written()
    for path, value, pointer in WRONG_FIELDS:
        unsplit = path == "a/b~c"
        body = json.dumps(GOOD | {path: value}).encode() if unsplit else changed(path, value)
        answer = await till.post("/receipts", body)
        assert (answer.status, answer.code) == (422, "invalid_request"), (path, value)
        assert pointer in [error["pointer"] for error in answer.body["errors"]], (path, value)
    assert await rows_written() == before


async def test_a_wrong_spend_is_pointed_at(till: TillProgram) -> None:
    for spend in (-1, 1.0, "all", True, None, 10**13, [], "1"):
        answer = await till.post("/quotes", GOOD | {"spend": spend})
        assert (answer.status, answer.code) == (422, "invalid_request"), spend
        assert {error["pointer"] for error in answer.body["errors"]} == {"/spend"}, spend


NOT_A_BODY = [
    (b"", "malformed_json", 400),
    (b"<html><script>alert(1)</script></html>", "malformed_json", 400),
    (b"[1]", "malformed_json", 400),
    (b'{"card": NaN}', "number_out_of_range", 400),
    (b'{"card": 1e400}', "number_out_of_range", 400),
    (b'{"card": 9223372036854775808}', "number_out_of_range", 400),
    (b'{"card": "' + ANNA.encode() + b'", "card": "x"}', "duplicate_member", 400),
    (b'{"card": "\\ud800"}', "invalid_text", 400),
    (b'{"card": "\\u0000"}', "invalid_text", 400),
    (b'{"card": ' + b"[" * 30_000, "too_deep", 400),
    (b'{"card": "' + b"x" * 70_000 + b'"}', "body_too_large", 413),
    (b'{"card": "' + b"x" * 10_000_000 + b'"}', "body_too_large", 413),
]


@pytest.mark.parametrize("path", ["/lookup", "/quotes", "/receipts", "/receipts/R1/cancel"])
async def test_what_is_no_body_is_refused_everywhere(till: TillProgram, path: str) -> None:
    before = await rows_written()
    for body, code, status in NOT_A_BODY:
        answer = await till.post(path, body)
        assert (answer.status, answer.code) == (status, code), body[:80]
    assert await rows_written() == before


async def test_the_wrong_content_type_is_refused(till: TillProgram) -> None:
    body = json.dumps({"card": ANNA}).encode()
    for content_type in (
        "text/plain",
        "text/html",
        "application/x-www-form-urlencoded",
        "application/json; charset=cp1251",
        "x",
    ):
        answer = await till.send("POST", "/lookup", body, content_type=content_type)
        assert (answer.status, answer.code) == (415, "unsupported_media_type"), content_type


async def test_a_compressed_bomb_is_not_unpacked(till: TillProgram) -> None:
    response = await till._client.post(
        "/api/v1/lookup",
        data=gzip.compress(b" " * 10_000_000),
        headers=till._headers | {"Content-Type": "application/json", "Content-Encoding": "gzip"},
    )
    assert response.status == 415


@pytest.mark.parametrize("key", ["", "short", "x" * 129, "with space", "ключ-ключ"])
async def test_a_command_without_a_good_key_is_refused(till: TillProgram, key: str) -> None:
    headers = till._headers | {"Content-Type": "application/json"}
    if key:
        headers["Idempotency-Key"] = key
    for path in ("/quotes", "/receipts", "/receipts/R1/cancel", "/quotes/1/release"):
        response = await till._client.post(
            f"/api/v1{path}", data=json.dumps(GOOD).encode(), headers=headers
        )
        assert response.status == 400
        assert (await response.json())["code"] == "idempotency_key_required"


async def test_a_body_that_never_ends_is_cut_off(
    till: TillProgram, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("messaging.bodies.BODY_SECONDS_MAX", 0.1)

    async def trickle() -> AsyncIterator[bytes]:
        for _ in range(20):
            yield b" "
            await asyncio.sleep(0.05)

    response = await till._client.post(
        "/api/v1/lookup",
        data=trickle(),
        headers=till._headers | {"Content-Type": "application/json"},
    )
    assert response.status == 408


async def test_an_endless_stream_of_bytes_is_cut_off(till: TillProgram) -> None:
    async def flood() -> AsyncIterator[bytes]:
        for _ in range(1000):
            yield b" " * 65_536

    try:
        response = await till._client.post(
            "/api/v1/lookup",
            data=flood(),
            headers=till._headers | {"Content-Type": "application/json"},
        )
    except OSError:
        return  # the server answered and hung up while we were still sending
    assert response.status == 413


async def test_a_bug_is_a_500_without_a_stack_trace(
    till: TillProgram, programme: Programme, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def broken(*_args: object, **_kwargs: object) -> None:
        raise ZeroDivisionError("secret detail")

    monkeypatch.setattr(type(programme.checkout), "lookup", broken)
    answer = await till.post("/lookup", {"card": ANNA})
    assert (answer.status, answer.code) == (500, "internal_error")
    assert "secret" not in str(answer.body)
