"""The till API as a till program sees it, on the real programme."""

import asyncio
from collections.abc import AsyncIterator
from datetime import timedelta

import pytest

from admin.limits import Rate
from loyalty.clock import VirtualClock
from loyalty.models import Quote, Receipt
from loyalty.programme import Programme
from loyalty.rules.earning_rules import EarningRules, Multiplier, Selection
from loyalty.rules.programme import ProgrammeRules
from loyalty.rules.tiers import Tier, TierRules
from tests.admin.http import TillProgram, api_key, sale, serving
from tests.admin.people import Chain
from tests.loyalty.people import ANNA, joined


@pytest.fixture
async def till(
    chain: Chain, programme: Programme, clock: VirtualClock
) -> AsyncIterator[TillProgram]:
    async with serving(programme, clock) as client:
        yield TillProgram(client, await api_key(clock, chain.garden_1.id))


async def code_of(programme: Programme, customer_id: int) -> str:
    picture = await programme.cards.picture(customer_id)
    return picture.payload  # type: ignore[union-attr]


async def test_a_customer_spends_and_earns(till: TillProgram, programme: Programme) -> None:
    customer = await joined(programme)  # with 100 points of welcome
    card = await code_of(programme, customer.id)

    found = await till.post("/lookup", {"card": card})
    assert found.status == 200
    assert found.body["customer_id"] == str(customer.id)
    assert (found.body["name"], found.body["may_spend"]) == ("Анна", True)
    assert found.body["balance"]["available"] == 100
    assert customer.card_number not in found.body["card_number"]

    quote = await till.post("/quotes", sale("R1", card=card, spend="max"))
    assert quote.status == 200
    assert (quote.body["spend"], quote.body["to_pay_minor"]) == (100, 90_000)
    assert quote.body["earn"] == 45

    receipt = await till.post(
        "/receipts", {"quote_id": quote.body["quote_id"], "receipt_number": "R1"}
    )
    assert receipt.status == 200
    assert (receipt.body["spent"], receipt.body["earned"], receipt.body["balance"]) == (100, 45, 45)
    assert receipt.body["next_expiry"]["points"] == 45

    cancelled = await till.post("/receipts/R1/cancel")
    assert cancelled.body["state"] == "cancelled"
    assert (cancelled.body["returned"], cancelled.body["taken_back"]) == (100, 45)
    assert cancelled.body["balance"] == 100
    assert (await till.get("/receipts/R1")).body["state"] == "cancelled"


async def test_a_sale_without_a_quote_earns(till: TillProgram, programme: Programme) -> None:
    await joined(programme)
    receipt = await till.post("/receipts", sale("R1", card=ANNA))
    assert (receipt.status, receipt.body["earned"], receipt.body["spent"]) == (200, 50, 0)
    assert receipt.body["lines"][0]["reasons"][0]["code"] == "flat_rate"


async def test_a_till_that_was_offline_tells_when_it_sold(
    till: TillProgram, programme: Programme, clock: VirtualClock
) -> None:
    customer = await joined(programme)
    card = await code_of(programme, customer.id)
    sold_at = clock.now() + timedelta(seconds=60)
    clock.advance(timedelta(hours=20))
    late = await till.post("/receipts", sale("R1", card=card, at=sold_at.isoformat()))
    assert (late.status, late.body["earned"]) == (200, 50)
    assert late.body["at"].startswith(sold_at.isoformat()[:19])
    too_late = sale("R2", card=ANNA, at=(clock.now() - timedelta(days=4)).isoformat())
    refused = await till.post("/receipts", too_late)
    assert (refused.status, refused.code) == (422, "event_time_refused")


async def test_repeating_a_command_gives_the_first_answer_and_says_so(
    till: TillProgram, programme: Programme
) -> None:
    customer = await joined(programme)
    card = await code_of(programme, customer.id)
    for path, body in (
        ("/quotes", sale("R1", card=card, spend=10)),
        ("/receipts", sale("R2", card=ANNA)),
        ("/receipts/R2/cancel", {}),
    ):
        key = f"same-{path}"
        first = await till.post(path, body, key=key)
        again = await till.post(path, body, key=key)
        assert (first.status, first.replayed) == (200, False)
        assert (again.status, again.replayed) == (200, True)
        assert again.body == first.body
    assert await Receipt.all().count() == 1
    assert await Quote.all().count() == 1


async def test_a_key_used_for_something_else_is_refused(
    till: TillProgram, programme: Programme
) -> None:
    await joined(programme)
    await till.post("/receipts", sale("R1", card=ANNA), key="the-same-key")
    other = await till.post("/receipts", sale("R2", card=ANNA), key="the-same-key")
    assert (other.status, other.code) == (409, "key_reused")
    twice = await till.post("/receipts", sale("R1", card=ANNA))
    assert (twice.status, twice.code, twice.body["data"]["state"]) == (
        409,
        "receipt_exists",
        "committed",
    )


async def test_the_same_receipt_sent_by_many_at_once_is_written_once(
    till: TillProgram, programme: Programme
) -> None:
    await joined(programme)
    answers = await asyncio.gather(
        *(till.post("/receipts", sale("R1", card=ANNA), key="the-same-key") for _ in range(16))
    )
    assert {answer.status for answer in answers} == {200}
    assert sum(not answer.replayed for answer in answers) == 1
    assert len({str(answer.body) for answer in answers}) == 1


async def test_a_released_quote_frees_its_points(till: TillProgram, programme: Programme) -> None:
    customer = await joined(programme)
    card = await code_of(programme, customer.id)
    quote = await till.post("/quotes", sale("R1", card=card, spend=100))
    held = (await till.post("/lookup", {"card": card})).body["balance"]
    assert (held["available"], held["held"]) == (0, 100)
    path = f"/quotes/{quote.body['quote_id']}/release"
    assert [(await till.post(path)).status for _ in range(2)] == [200, 200]
    assert (await till.post("/lookup", {"card": card})).body["balance"]["available"] == 100


async def test_refusals_by_name(
    till: TillProgram, programme: Programme, chain: Chain, clock: VirtualClock
) -> None:
    customer = await joined(programme)
    fresh = await code_of(programme, customer.id)
    number = customer.card_number
    forged = fresh[:-1] + str((int(fresh[-1]) + 1) % 10)
    table = [
        ("/lookup", {"card": "2900000000002"}, 422, "card_forged"),
        ("/lookup", {"card": "+79990000000"}, 404, "card_unknown"),
        ("/lookup", {"card": forged}, 422, "card_forged"),
        ("/quotes", sale("R1", card=number, spend=1), 403, "card_cannot_spend"),
        ("/quotes", sale("R1", 30_000, card=fresh, spend=91), 409, "exceeds_spending_limit"),
        ("/quotes", sale("R1", card=fresh, spend=101), 409, "insufficient_points"),
        ("/quotes/1/release", {}, 404, "quote_not_found"),
        (f"/quotes/{10**19 - 1}/release", {}, 404, "quote_not_found"),
        ("/quotes/abc/release", {}, 404, "quote_not_found"),
        ("/receipts", {"quote_id": "1", "receipt_number": "R1"}, 404, "quote_not_found"),
        ("/receipts", {"quote_id": "9" * 19, "receipt_number": "R1"}, 404, "quote_not_found"),
        ("/receipts/R1/cancel", {}, 404, "receipt_not_found"),
        ("/receipts/%00/cancel", {}, 404, "receipt_not_found"),
    ]
    for path, body, status, code in table:
        answer = await till.post(path, body)
        assert (answer.status, answer.code) == (status, code), (path, body)
    unscanned = await code_of(programme, customer.id)
    clock.advance(timedelta(minutes=4))
    stale = await till.post("/quotes", sale("R2", card=unscanned, spend=1))
    assert (stale.status, stale.code) == (422, "card_code_expired")
    assert (await till.get("/receipts/R9")).code == "receipt_not_found"
    assert await Receipt.all().count() == 0


async def test_a_key_sees_and_cancels_only_its_own_tills_receipts(
    till: TillProgram, programme: Programme, chain: Chain, clock: VirtualClock
) -> None:
    await joined(programme)
    await till.post("/receipts", sale("R1", card=ANNA))
    other = TillProgram(till._client, await api_key(clock, chain.lake_1.id))
    assert (await other.get("/receipts/R1")).code == "receipt_not_found"
    assert (await other.post("/receipts/R1/cancel")).code == "receipt_not_found"
    assert (await other.post("/receipts", sale("R1", card=ANNA))).status == 200


async def test_a_code_scanned_by_one_till_is_no_good_at_another(
    till: TillProgram, programme: Programme, chain: Chain, clock: VirtualClock
) -> None:
    customer = await joined(programme)
    card = await code_of(programme, customer.id)
    other = TillProgram(till._client, await api_key(clock, chain.lake_1.id))
    assert (await till.post("/lookup", {"card": card})).status == 200
    refused = await other.post("/lookup", {"card": card})
    assert (refused.status, refused.code) == (409, "card_code_used")


async def test_guessing_short_codes_is_limited(till: TillProgram) -> None:
    codes = [(await till.post("/lookup", {"card": f"{n:06d}"})).code for n in range(40)]
    assert codes[0] == "card_unknown"
    assert codes[-1] == "too_many_attempts"


async def test_a_runaway_program_is_slowed_down(
    chain: Chain, programme: Programme, clock: VirtualClock
) -> None:
    async with serving(programme, clock, api_rate=Rate(burst=3, per_minute=60)) as client:
        till = TillProgram(client, await api_key(clock, chain.garden_1.id))
        answers = [await till.get("/receipts/R1") for _ in range(4)]
        assert [answer.status for answer in answers] == [404, 404, 404, 429]
        assert answers[-1].headers["Retry-After"] == "1"
        other = TillProgram(client, await api_key(clock, chain.lake_1.id))
        assert (await other.get("/receipts/R1")).status == 404
        clock.advance(timedelta(seconds=1))
        assert (await till.get("/receipts/R1")).status == 404


async def test_russian_for_who_asks_for_it(till: TillProgram) -> None:
    till._headers["Accept-Language"] = "ru-RU,ru;q=0.9"
    answer = await till.get("/receipts/R1")
    assert answer.body["title"] == "На этой кассе нет чека с таким номером."


class TestRules:
    """Under rules with tiers and a multiplier."""

    @pytest.fixture
    def rules(self) -> ProgrammeRules:
        vitamins = Multiplier(
            code="vitamins",
            times_percent=200,
            goods=Selection(categories=frozenset({"Здоровье"})),
            name_ru="Вдвойне за здоровье",
            name_en="Double for health",
        )
        silver = Tier(code="silver", from_minor=1_000_00, name_ru="Серебряный", name_en="Silver")
        return ProgrammeRules(
            earning=EarningRules(multipliers=(vitamins,)), tiers=TierRules(levels=(silver,))
        )

    async def test_the_till_is_told_the_tier_and_why_each_line_earns(
        self, till: TillProgram, programme: Programme
    ) -> None:
        await joined(programme)
        lines = [
            {"sku": "D3", "price_minor": 100_000, "amount_minor": 100_000},
            {"price_minor": 10_000, "amount_minor": 10_000},
        ]
        before = (await till.post("/lookup", {"card": ANNA})).body["tier"]
        assert (before["code"], before["next_name"], before["missing_minor"]) == (
            "", "Silver", 100_000
        )  # fmt: skip
        quote = await till.post("/quotes", sale("R1", card=ANNA) | {"lines": lines})
        assert (quote.body["earn"], quote.body["rules_revision"]) == (105, 0)
        assert quote.body["lines"][0]["reasons"] == [
            {"code": "flat_rate", "data": {"permille": 50, "paid_minor": 100_000}, "name": None},
            {
                "code": "multiplier",
                "data": {"code": "vitamins", "percent": 200},
                "name": "Double for health",
            },
        ]
        await till.post("/receipts", {"quote_id": quote.body["quote_id"], "receipt_number": "R1"})
        russian = await till.post("/lookup", {"card": ANNA}, language="ru")
        assert russian.body["tier"] == {
            "code": "silver",
            "name": "Серебряный",
            "turnover_minor": 110_000,
            "next_name": None,
            "missing_minor": 0,
        }
