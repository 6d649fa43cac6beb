"""Returns over the till API: quoted, done, listed, refused by name; at this till and at others."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest

from loyalty.clock import VirtualClock
from loyalty.programme import Programme
from tests.admin.http import TillProgram, api_key, serving
from tests.admin.people import Chain
from tests.loyalty.people import ANNA, joined
from tests.loyalty.tills import qr


@pytest.fixture
async def tills(
    chain: Chain, programme: Programme, clock: VirtualClock
) -> AsyncIterator[dict[str, TillProgram]]:
    async with serving(programme, clock) as client:
        yield {
            code: TillProgram(client, await api_key(clock, till.id))
            for code, till in (("g1", chain.garden_1), ("g2", chain.garden_2), ("l1", chain.lake_1))
        }


LINES = [
    {"sku": "N20", "name": "Нурофен", "quantity_milli": 3000, "price_minor": 10_000,
     "amount_minor": 30_000},
    {"sku": "D3", "name": "Витамин D3", "price_minor": 20_000, "amount_minor": 20_000},
]  # fmt: skip


async def sold(till: TillProgram, programme: Programme, number: str = "R1") -> None:
    """500.00, of which 100 points pay; 20 points earned."""
    customer = await joined(programme)
    card = await qr(programme, customer.id)
    body = {"card": card, "receipt_number": number, "lines": LINES, "spend": 100}
    quote = await till.post("/quotes", body)
    commit = {"quote_id": quote.body["quote_id"], "receipt_number": number}
    receipt = await till.post("/receipts", commit)
    assert (receipt.status, receipt.body["earned"]) == (200, 20), receipt.body


def back(number: str, *lines: tuple[int, int], **more: str) -> dict[str, Any]:
    wanted = [{"line": line, "quantity_milli": quantity} for line, quantity in lines]
    return {"return_number": number, "lines": wanted or None} | more


async def test_a_part_comes_back_and_then_the_rest(
    tills: dict[str, TillProgram], programme: Programme
) -> None:
    till = tills["g1"]
    await sold(till, programme)

    quote = await till.post("/receipts/R1/returns/quote", {"lines": [{"line": 1}]})
    assert quote.status == 200
    assert [(line["line"], line["left_milli"]) for line in quote.body["sold"]] == [
        (1, 3000),
        (2, 1000),
    ]
    assert (quote.body["refund_minor"], quote.body["given_back"]) == (24_000, 60)
    assert quote.body["shop"] == "Аптека на Садовой"

    first = await till.post("/receipts/R1/returns", back("B1", (1, 2000)))
    assert first.status == 200, first.body
    moved = {name: first.body[name] for name in ("amount_minor", "refund_minor", "is_whole")}
    assert moved == {"amount_minor": 20_000, "refund_minor": 16_000, "is_whole": False}
    assert (first.body["given_back"], first.body["taken_back"], first.body["balance"]) == (
        40, 8, 52,
    )  # fmt: skip
    shown = await till.get("/receipts/R1")
    assert (shown.body["state"], shown.body["goods_back_minor"]) == ("committed", 20_000)
    assert (await till.post("/receipts/R1/cancel")).code == "receipt_has_returns"

    rest = await till.post("/receipts/R1/returns", back("B2"))
    assert (rest.body["given_back"], rest.body["taken_back"]) == (60, 12)
    assert (rest.body["balance"], rest.body["is_whole"]) == (100, True)
    shown = await till.get("/receipts/R1")
    assert (shown.body["state"], shown.body["goods_back_minor"]) == ("returned", 50_000)
    listed = await till.get("/receipts/R1/returns")
    assert listed.body["returns"] == [first.body, rest.body]


async def test_the_same_key_gives_the_first_answer(
    tills: dict[str, TillProgram], programme: Programme
) -> None:
    till = tills["g1"]
    await sold(till, programme)
    answers = await asyncio.gather(
        *(till.post("/receipts/R1/returns", back("B", (1, 1000)), key="the-same") for _ in range(5))
    )
    assert {answer.status for answer in answers} == {200}
    assert [answer.replayed for answer in answers].count(False) == 1
    assert all(answer.body == answers[0].body for answer in answers)
    other = await till.post("/receipts/R1/returns", back("B", (1, 2000)), key="the-same")
    assert (other.status, other.code) == (409, "key_reused")


async def test_at_another_till_by_the_till_or_the_shop(
    tills: dict[str, TillProgram], programme: Programme
) -> None:
    await sold(tills["g1"], programme)
    lake = tills["l1"]
    assert (await lake.post("/receipts/R1/returns", back("B"))).code == "receipt_not_found"
    by_shop = await lake.post("/receipts/R1/returns", back("B", (1, 1000), shop="garden"))
    assert (by_shop.status, by_shop.body["till"]) == (200, "Касса 1")
    by_till = await tills["g2"].post("/receipts/R1/returns", back("B", (1, 1000), till="g1"))
    assert by_till.status == 200
    assert len((await lake.get("/receipts/R1/returns?till=g1")).body["returns"]) == 2
    assert (await lake.get("/receipts/R1/returns")).code == "receipt_not_found"
    assert (await lake.get("/receipts/R1/returns?town=x")).code == "invalid_request"

    await tills["g2"].post("/receipts", {"card": ANNA, "receipt_number": "R1", "lines": LINES})
    twice = await lake.post("/receipts/R1/returns", back("C", shop="garden"))
    assert (twice.status, twice.code) == (409, "receipt_ambiguous")
    assert (await lake.get("/receipts/R1/returns?shop=garden")).code == "receipt_ambiguous"


async def test_refusals_by_name_and_field(
    tills: dict[str, TillProgram], programme: Programme, clock: VirtualClock
) -> None:
    till = tills["g1"]
    await sold(till, programme)
    assert (await till.post("/receipts/R1/returns", back("B1", (2, 1000)))).status == 200
    table: list[tuple[dict[str, Any], int, str, str | None]] = [
        (back("B2", (3, 1000)), 422, "unknown_line", "/lines/0/line"),
        (back("B2", (1, 3001)), 409, "exceeds_quantity", "/lines/0/quantity_milli"),
        (back("B2", (1, 1), (2, 1)), 409, "exceeds_quantity", "/lines/1/quantity_milli"),
        (back("B2", (1, 1), (1, 1)), 422, "invalid_receipt", "/lines/1/line"),
        (back("B1", (1, 1)), 409, "return_exists", None),
        (back("B 2", (1, 1)), 422, "invalid_request", "/return_number"),
        (back("B2", (1, 0)), 422, "invalid_request", "/lines/0/quantity_milli"),
        ({"return_number": "B2", "lines": []}, 422, "invalid_request", "/lines"),
        ({"lines": None}, 422, "invalid_request", "/return_number"),
    ]
    for body, status, code, pointer in table:
        answer = await till.post("/receipts/R1/returns", body)
        assert (answer.status, answer.code) == (status, code), body
        if pointer:
            assert answer.body["errors"][0]["pointer"] == pointer
    await till.post("/receipts", {"card": ANNA, "receipt_number": "R2", "lines": LINES})
    await till.post("/receipts/R2/cancel")
    assert (await till.post("/receipts/R2/returns", back("B9"))).code == "receipt_cancelled"
    await till.post("/receipts/R1/returns", back("B3"))
    assert (await till.post("/receipts/R1/returns", back("B4"))).code == "already_returned"
