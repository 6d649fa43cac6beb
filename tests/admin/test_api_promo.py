"""Promo codes over the till API: offered by the lookup, told by the quote, kept by the receipt."""

from collections.abc import AsyncIterator

import pytest

from loyalty.clock import VirtualClock
from loyalty.programme import Programme
from loyalty.promo_campaigns import Campaign
from loyalty.rules.promo import Kind, Terms
from loyalty.rules.promo_codes import grouped
from tests.admin.http import TillProgram, api_key, sale, serving
from tests.admin.people import Chain
from tests.loyalty.people import ANNA, joined


@pytest.fixture
async def till(
    chain: Chain, programme: Programme, clock: VirtualClock
) -> AsyncIterator[TillProgram]:
    async with serving(programme, clock) as client:
        yield TillProgram(client, await api_key(clock, chain.garden_1.id))


@pytest.fixture
async def code(programme: Programme) -> str:
    """A personal code of Anna's for ten percent off."""
    customer = await joined(programme)
    made = await programme.campaigns.create(
        "welcome", "Знакомство", Terms(kind=Kind.PERCENT, permille=100)
    )
    assert isinstance(made, Campaign)
    given = await programme.promo.give(made.id, customer.id, "welcome")
    assert isinstance(given, str)
    return given


async def test_the_way_of_a_code(till: TillProgram, code: str) -> None:
    found = await till.post("/lookup", {"card": ANNA})
    [offered] = found.body["promos"]
    assert (offered["code"], offered["title"]) == (grouped(code), "Знакомство")
    assert (offered["kind"], offered["permille"], offered["ends_at"]) == ("percent", 100, None)

    asked = [offered["code"], "no such"]
    quote = await till.post("/quotes", sale("R1", card=ANNA, promo_codes=asked))
    assert (quote.status, quote.body["discount_minor"]) == (200, 100_00)
    assert (quote.body["total_minor"], quote.body["to_pay_minor"]) == (900_00, 900_00)
    good, bad = quote.body["promos"]
    assert (good["asked"], good["applied"], good["discount_minor"]) == (asked[0], True, 100_00)
    assert (bad["asked"], bad["applied"], bad["refusal"]) == ("no such", False, "promo_unknown")
    reasons = [reason["code"] for reason in quote.body["lines"][0]["reasons"]]
    assert reasons == ["flat_rate", "promo_discount"]

    body = {"quote_id": quote.body["quote_id"], "receipt_number": "R1"}
    receipt = await till.post("/receipts", body)
    assert (receipt.body["paid_minor"], receipt.body["earned"]) == (900_00, 45)
    assert receipt.body["promos"] == quote.body["promos"]
    assert (await till.post("/lookup", {"card": ANNA})).body["promos"] == []

    await till.post("/receipts/R1/cancel")
    assert len((await till.post("/lookup", {"card": ANNA})).body["promos"]) == 1
    assert (await till.get("/receipts/R1")).body["promos"] == quote.body["promos"]


@pytest.mark.parametrize("promo_codes", [[""], ["x" * 65], ["a\u0007b"], ["A"] * 11, "SPRING", [1]])
async def test_what_is_no_list_of_codes(till: TillProgram, promo_codes: object) -> None:
    refused = await till.post("/quotes", sale("R1", card=ANNA, promo_codes=promo_codes))
    assert (refused.status, refused.code) == (422, "invalid_request")


async def test_a_program_that_guesses_is_told_to_wait(till: TillProgram, code: str) -> None:
    for n in range(6):
        asked = [f"GUESS{n}"]
        quote = await till.post("/quotes", sale("R1", card=ANNA, promo_codes=asked))
    assert quote.body["promos"][0]["refusal"] == "too_many_attempts"
    assert quote.body["promos"][0]["data"]["wait_s"] > 0
    quote = await till.post("/quotes", sale("R1", card=ANNA, promo_codes=[code]))
    assert quote.body["promos"][0]["applied"], "hers is known to be hers"
