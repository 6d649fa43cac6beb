"""Promo codes on receipts: reserved by the quote, redeemed with the receipt, let go, freed."""

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from loyalty.checkout import Back
from loyalty.clock import VirtualClock
from loyalty.customers import CustomerView
from loyalty.database import query
from loyalty.instants import to_micros
from loyalty.ledger import verify
from loyalty.programme import Programme
from loyalty.programme_document import ProgrammeDocument
from loyalty.promo import OwnCode
from loyalty.promo_campaigns import Campaign
from loyalty.refusals import No, Refusal
from loyalty.rule_book import Revision
from loyalty.rules.earning_rules import EarningCaps, EarningRules, Multiplier, When
from loyalty.rules.promo import Kind, Terms
from tests.loyalty.people import BORIS, joined
from tests.loyalty.tills import HERE, THERE, TillHand, give, open_shop, qr

LIFE = timedelta(minutes=16)


@pytest.fixture
async def anna(programme: Programme) -> CustomerView:
    await open_shop()
    return await joined(programme)


@pytest.fixture
def till(programme: Programme) -> TillHand:
    return TillHand(programme)


async def boris(programme: Programme) -> CustomerView:
    return await joined(programme, phone=BORIS, front_value="1002")


async def campaign(
    programme: Programme, name: str = "spring", code: str | None = "SPRING", **terms: Any
) -> Campaign:
    terms = {"kind": Kind.PERCENT, "permille": 100} | terms
    made = await programme.campaigns.create(name, name.title(), Terms(**terms), shared_code=code)
    assert isinstance(made, Campaign), made
    return made


async def uses() -> dict[str, int]:
    rows = await query("SELECT state, COUNT(*) AS n FROM promo_use GROUP BY state ORDER BY state")
    return {row["state"]: row["n"] for row in rows}


def told(answer: Any) -> list[str]:
    """Of each code: `SPRING -100.00 +0` or its refusal."""
    return [
        outcome.refusal or f"{outcome.code} -{outcome.discount_minor / 100:.2f} +{outcome.points}"
        for outcome in answer.promos
    ]


async def test_a_discount_changes_what_is_paid_and_what_earns(
    programme: Programme, anna: CustomerView, till: TillHand
) -> None:
    await campaign(programme)
    quote = await till.quote(anna.card_number, "R1", "1000.00", "500.00", promo=["spring"])
    assert told(quote) == ["SPRING -150.00 +0"]
    assert (quote.discount_minor, quote.total_minor, quote.to_pay_minor) == (15000, 135000, 135000)
    assert quote.earn == 67
    assert [line.amount_minor for line in quote.lines] == [900_00, 450_00]
    assert await uses() == {"reserved": 1}
    receipt = await till.commit(quote.quote_id, "R1")
    assert (receipt.paid_minor, receipt.earned, receipt.discount_minor) == (135000, 67, 15000)
    assert told(receipt) == ["SPRING -150.00 +0"]
    assert await uses() == {"redeemed": 1}
    again = await programme.checkout.receipt(HERE, "R1")
    assert told(again) == ["SPRING -150.00 +0"]
    assert "promo_discount minor=10000" in quote.lines[0].explanation


async def test_points_pay_of_what_the_code_has_left(
    programme: Programme, anna: CustomerView, till: TillHand
) -> None:
    await campaign(programme, permille=500)
    await give(programme, anna.id, 500)
    card = await qr(programme, anna.id)
    quote = await till.quote(card, "R1", "1000.00", spend="max", promo=["SPRING"])
    assert (quote.total_minor, quote.spend, quote.to_pay_minor) == (500_00, 150, 350_00)
    receipt = await till.commit(quote.quote_id, "R1")
    assert (receipt.paid_minor, receipt.spent, receipt.earned) == (350_00, 150, 17)


@pytest.mark.parametrize(
    ("terms", "extra"),
    [
        ({"kind": Kind.POINTS, "permille": 0, "points": 200}, 200),
        ({"kind": Kind.MULTIPLIER, "permille": 3000}, 100),
    ],
)
async def test_bonus_points_come_with_the_receipt_and_go_with_it(
    programme: Programme,
    anna: CustomerView,
    till: TillHand,
    *,
    terms: dict[str, Any],
    extra: int,
) -> None:
    await campaign(programme, **terms)
    quote = await till.quote(anna.card_number, "R1", "1000.00", promo=["SPRING"])
    assert (quote.earn, told(quote)) == (50 + extra, [f"SPRING -0.00 +{extra}"])
    receipt = await till.commit(quote.quote_id, "R1")
    assert (receipt.earned, receipt.balance) == (50 + extra, 150 + extra)
    assert f"promo_points points={extra}" in receipt.lines[0].explanation
    cancelled = await till.cancel("R1")
    assert (cancelled.taken_back, cancelled.balance) == (50 + extra, 100)
    assert await uses() == {"freed": 1}
    assert not (await verify()).findings


async def test_what_a_code_has_promised_survives_another_purchase(
    programme: Programme, anna: CustomerView, till: TillHand
) -> None:
    hello = Multiplier(code="hello", times_percent=300, when=When(first_purchase=True))
    rules = replace(programme.rules, earning=EarningRules(multipliers=(hello,)))
    saved = await programme.book.save(ProgrammeDocument.of(rules), by="Марина", comment="проба")
    assert isinstance(saved, Revision), saved
    await campaign(programme, permille=100, stackable=True)
    gift = {"kind": Kind.POINTS, "permille": 0, "points": 200}
    await campaign(programme, "gift", "GIFT", **gift, stackable=True)
    quote = await till.quote(anna.card_number, "R1", "1000.00", promo=["SPRING", "GIFT"])
    assert (quote.earn, quote.to_pay_minor) == (135 + 200, 900_00)
    await till.sell(anna.card_number, "R2", "100.00")
    receipt = await till.commit(quote.quote_id, "R1")
    assert (receipt.earned, receipt.paid_minor) == (45 + 200, 900_00)
    assert [line.earned for line in receipt.lines] == [245]
    assert receipt.lines[0].explanation == (
        "flat_rate permille=50 paid_minor=90000; promo_discount minor=10000;"
        " promo_points points=200"
    )
    assert await uses() == {"redeemed": 2}


async def test_points_of_codes_use_up_no_cap_of_the_earning_rules(
    programme: Programme, anna: CustomerView, till: TillHand
) -> None:
    caps = EarningCaps(receipt=60, day=90, month=100)
    rules = replace(programme.rules, earning=EarningRules(caps=caps))
    saved = await programme.book.save(ProgrammeDocument.of(rules), by="Марина", comment="проба")
    assert isinstance(saved, Revision), saved
    await campaign(programme, kind=Kind.POINTS, permille=0, points=500)
    quote = await till.quote(anna.card_number, "R1", "5000.00", promo=["SPRING"])
    receipt = await till.commit(quote.quote_id, "R1")
    assert receipt.earned == 60 + 500
    assert (await till.sell(anna.card_number, "R2", "5000.00")).earned == 30  # 90 a day
    await till.cancel("R1")
    assert (await till.sell(anna.card_number, "R3", "5000.00")).earned == 60


async def test_a_gift_is_named_to_the_cashier(
    programme: Programme, anna: CustomerView, till: TillHand
) -> None:
    await campaign(programme, kind=Kind.GIFT, permille=0, gift_name="Крем-пробник")
    quote = await till.quote(anna.card_number, "R1", "100.00", promo=["SPRING"])
    assert quote.promos[0].gift == "Крем-пробник"
    assert quote.to_pay_minor == 100_00


async def test_what_does_not_fit_says_why_and_stops_nothing(
    programme: Programme, anna: CustomerView, till: TillHand
) -> None:
    await campaign(programme, "big", "BIG", min_total_minor=5000_00)
    await campaign(programme, "small", "SMALL")
    wanted = ["BIG", "NOSUCH", "small", "SMALL"]
    quote = await till.quote(anna.card_number, "R1", "100.00", promo=wanted)
    assert told(quote) == ["promo_below_minimum", "promo_unknown", "SMALL -10.00 +0"]
    assert quote.promos[0].data == {"min_total_minor": 5000_00}
    receipt = await till.commit(quote.quote_id, "R1")
    assert told(receipt) == told(quote)


async def test_a_personal_code_is_good_once(
    programme: Programme, anna: CustomerView, till: TillHand
) -> None:
    made = await campaign(programme, code=None)
    code = await programme.promo.give(made.id, anna.id, "welcome")
    assert await programme.promo.give(made.id, anna.id, "welcome") == code
    quote = await till.quote(anna.card_number, "R1", "100.00", promo=[code])
    other = await TillHand(programme, THERE).quote(anna.card_number, "R1", "10.00", promo=[code])
    assert (told(quote), told(other)) == ([f"{code} -10.00 +0"], ["promo_used"])
    await till.commit(quote.quote_id, "R1")
    assert told(await till.quote(anna.card_number, "R2", "10.00", promo=[code])) == ["promo_used"]
    await till.cancel("R1")
    assert told(await till.quote(anna.card_number, "R3", "10.00", promo=[code])) == [
        f"{code} -1.00 +0"
    ]


async def test_a_reservation_ends_with_its_quote(
    programme: Programme, anna: CustomerView, till: TillHand, clock: VirtualClock
) -> None:
    await campaign(programme, total_max=1)
    first = await till.quote(anna.card_number, "R1", "100.00", promo=["SPRING"])
    assert told(await till.quote(anna.card_number, "R2", "1.00", promo=["SPRING"])) == [
        "promo_used_up"
    ]
    await programme.checkout.release(till_id=HERE, quote_id=first.quote_id)
    second = await till.quote(anna.card_number, "R3", "100.00", promo=["SPRING"])
    assert told(second) == ["SPRING -10.00 +0"]
    clock.advance(LIFE)
    third = await till.quote(anna.card_number, "R4", "100.00", promo=["SPRING"])
    assert told(third) == ["SPRING -10.00 +0"], "nobody had to tidy up first"
    late = await till.commit(second.quote_id, "R3")
    assert isinstance(late, Refusal)
    assert late.code == No.QUOTE_EXPIRED
    await till.commit(third.quote_id, "R4")
    assert await uses() == {"lapsed": 1, "redeemed": 1, "released": 1}


async def test_the_clock_lets_go_too(
    programme: Programme, anna: CustomerView, till: TillHand, clock: VirtualClock
) -> None:
    made = await campaign(programme, code=None)
    code = await programme.promo.give(made.id, anna.id, "k")
    await till.quote(anna.card_number, "R1", "100.00", promo=[code])
    await programme.tidy()
    assert await uses() == {"reserved": 1}
    clock.advance(LIFE)
    await programme.tidy()
    assert await uses() == {"lapsed": 1}
    assert (await query("SELECT taken FROM promo_code"))[0]["taken"] == 0


async def test_a_newer_quote_keeps_the_code_of_the_older_one(
    programme: Programme, anna: CustomerView, till: TillHand
) -> None:
    await campaign(programme, total_max=1, per_customer_max=1)
    await campaign(programme, "other", "OTHER", total_max=1, stackable=True)
    card = anna.card_number
    await till.quote(card, "R1", "100.00", promo=["SPRING"])
    dearer = await till.quote(card, "R1", "200.00", promo=["SPRING"])
    assert told(dearer) == ["SPRING -20.00 +0"]
    assert await uses() == {"reserved": 1}
    changed = await till.quote(card, "R1", "200.00", promo=["OTHER"])
    assert told(changed) == ["OTHER -20.00 +0"]
    assert await uses() == {"released": 1, "reserved": 1}
    back = await till.quote(card, "R1", "200.00", promo=["SPRING"])
    receipt = await till.commit(back.quote_id, "R1")
    assert told(receipt) == ["SPRING -20.00 +0"]
    without = await till.quote(card, "R2", "50.00", promo=["OTHER"])
    assert told(without) == ["OTHER -5.00 +0"]
    await till.quote(card, "R2", "50.00")
    assert await uses() == {"redeemed": 1, "released": 3}


async def test_another_card_in_the_same_sale(
    programme: Programme, anna: CustomerView, till: TillHand
) -> None:
    await campaign(programme, total_max=1, per_customer_max=1)
    other = await boris(programme)
    await till.quote(anna.card_number, "R1", "100.00", promo=["SPRING"])
    quote = await till.quote(other.card_number, "R1", "100.00", promo=["SPRING"])
    assert told(quote) == ["SPRING -10.00 +0"]
    rows = await query("SELECT customer_id, taken FROM promo_tally ORDER BY customer_id")
    assert [tuple(row) for row in rows] == [(0, 1), (anna.id, 0), (other.id, 1)]


async def test_a_sale_without_a_quote_lets_go_of_the_code(
    programme: Programme, anna: CustomerView, till: TillHand
) -> None:
    await campaign(programme, total_max=1)
    await till.quote(anna.card_number, "R1", "100.00", promo=["SPRING"])
    receipt = await till.sell(anna.card_number, "R1", "100.00")
    assert receipt.promos == ()
    assert await uses() == {"released": 1}
    quote = await till.quote(anna.card_number, "R2", "100.00", promo=["SPRING"])
    assert told(quote) == ["SPRING -10.00 +0"]


async def test_goods_that_have_all_come_back_free_the_code(
    programme: Programme, till: TillHand, anna: CustomerView
) -> None:
    await campaign(programme, total_max=1)
    quote = await till.quote(anna.card_number, "R1", "2x50.00", promo=["SPRING"])
    await till.commit(quote.quote_id, "R1")
    await till.take_back("R1", "B1", [Back(line=1, quantity_milli=1000)])
    assert await uses() == {"redeemed": 1}, "half of the goods are hers still"
    await till.take_back("R1", "B2")
    assert await uses() == {"freed": 1}
    again = await till.quote(anna.card_number, "R2", "100.00", promo=["SPRING"])
    assert told(again) == ["SPRING -10.00 +0"]
    assert not (await verify()).findings


async def test_a_cancel_may_burn_the_code(
    programme: Programme, anna: CustomerView, till: TillHand
) -> None:
    await campaign(programme, total_max=1, frees_on_cancel=False)
    quote = await till.quote(anna.card_number, "R1", "100.00", promo=["SPRING"])
    await till.commit(quote.quote_id, "R1")
    await till.cancel("R1")
    again = await till.quote(anna.card_number, "R2", "100.00", promo=["SPRING"])
    assert told(again) == ["promo_used_up"]


async def test_repeating_a_command_changes_nothing(
    programme: Programme, anna: CustomerView, till: TillHand
) -> None:
    await campaign(programme, total_max=1)
    card = anna.card_number
    quote = await till.quote(card, "R1", "100.00", key="q", promo=["SPRING"])
    again = await till.quote(card, "R1", "100.00", key="q", promo=["SPRING"])
    assert (again.replayed, again.quote_id, again.promos) == (True, quote.quote_id, quote.promos)
    other = await till.quote(card, "R1", "100.00", key="q")
    assert isinstance(other, Refusal)
    assert other.code == No.KEY_REUSED
    for _ in range(2):
        await till.commit(quote.quote_id, "R1", key="c")
    for _ in range(2):
        await till.cancel("R1", key="x")
    assert await uses() == {"freed": 1}
    assert [tuple(row) for row in await query("SELECT taken FROM promo_tally")] == [(0,)]


async def test_the_first_purchase_and_the_shop(
    programme: Programme, anna: CustomerView, till: TillHand
) -> None:
    await campaign(programme, "first", "FIRST", first_purchase=True)
    await campaign(programme, "there", "THERE", shops=("s9",))
    await campaign(programme, "vitamins", "VITA", categories=("vitamins",))
    card = anna.card_number
    for code, why in (("THERE", "promo_other_shop"), ("VITA", "promo_other_goods")):
        assert told(await till.quote(card, "R0", "10.00", promo=[code])) == [why]
    quote = await till.quote(card, "R1", "100.00", promo=["FIRST"])
    await till.commit(quote.quote_id, "R1")
    second = await till.quote(card, "R2", "100.00", promo=["FIRST"])
    assert told(second) == ["promo_used_by_customer"]
    await till.cancel("R1")
    assert told(await till.quote(card, "R3", "100.00", promo=["FIRST"])) == ["FIRST -10.00 +0"]


async def test_for_some_customers_only(
    programme: Programme, anna: CustomerView, till: TillHand
) -> None:
    made = await campaign(programme, segment_only=True)
    other = await boris(programme)
    await programme.campaigns.name_customers(made.id, [anna.id])
    for customer, told_ in ((anna, "SPRING -1.00 +0"), (other, "promo_not_in_segment")):
        quote = await till.quote(customer.card_number, f"R{customer.id}", "10.00", promo=["SPRING"])
        assert told(quote) == [told_]


async def test_revoking_ends_it_at_once(
    programme: Programme, anna: CustomerView, till: TillHand
) -> None:
    made = await campaign(programme)
    quote = await till.quote(anna.card_number, "R1", "10.00", promo=["SPRING"])
    assert await programme.campaigns.revoke(made.id)
    assert not await programme.campaigns.revoke(made.id)
    later = await till.quote(anna.card_number, "R2", "10.00", promo=["SPRING"])
    assert told(later) == ["promo_revoked"]
    assert told(await till.commit(quote.quote_id, "R1")) == ["SPRING -1.00 +0"], "it was promised"


# -- in the customer's hands


async def test_a_code_entered_is_hers_and_offered_at_the_till(
    programme: Programme, anna: CustomerView, till: TillHand
) -> None:
    await campaign(programme, per_customer_max=1)
    entered = await programme.promo.enter(anna.id, "spring")
    assert isinstance(entered, OwnCode)
    assert [code.code for code in await programme.promo.codes_of(anna.id)] == ["SPRING"]
    lookup = await programme.checkout.lookup(till_id=HERE, card=anna.card_number)
    assert [code.code for code in lookup.promos] == ["SPRING"]
    quote = await till.quote(anna.card_number, "R1", "10.00", promo=["SPRING"])
    [reserved] = await programme.promo.codes_of(anna.id)
    assert reserved.is_reserved
    await till.commit(quote.quote_id, "R1")
    assert await programme.promo.codes_of(anna.id) == []
    again = await programme.promo.enter(anna.id, "SPRING")
    assert isinstance(again, Refusal)
    assert again.code == No.PROMO_USED_BY_CUSTOMER


async def test_who_guesses_hears_the_same_of_all_that_is_not_hers(
    programme: Programme, anna: CustomerView, till: TillHand, clock: VirtualClock
) -> None:
    now = to_micros(clock.now())
    await campaign(programme, "old", "OLD", ends_at=now)
    await campaign(programme, "soon", "SOON", starts_at=now + 10**9)
    await campaign(programme, "full", "FULL", total_max=1)
    await campaign(programme, "others", "OTHERS", segment_only=True)
    personal = await campaign(programme, "personal", None, holder_only=True)
    other = await boris(programme)
    hers = await programme.promo.give(personal.id, other.id, "k")
    assert isinstance(hers, str)
    full = await till.quote(other.card_number, "R1", "10.00", promo=["FULL"])
    await till.commit(full.quote_id, "R1")
    for text in ("NOSUCH", "OLD", "SOON", "FULL", "OTHERS", hers, "?"):
        answer = await programme.promo.enter(anna.id, text)
        assert answer == Refusal(No.PROMO_NOT_GOOD), text
        await query("DELETE FROM promo_guess")


async def test_guessing_is_limited_by_account_device_and_address(
    programme: Programme, anna: CustomerView, clock: VirtualClock
) -> None:
    await campaign(programme)
    other = await boris(programme)

    async def guess(customer: CustomerView, device: str, address: str, text: str = "NO1") -> Any:
        answer = await programme.promo.enter(customer.id, text, device=device, address=address)
        return answer.code

    for _ in range(5):
        assert await guess(anna, "phone", "1.2.3.4") == No.PROMO_NOT_GOOD
    assert await guess(anna, "laptop", "5.6.7.8") == No.TOO_MANY_ATTEMPTS
    assert await guess(anna, "laptop", "5.6.7.8", "SPRING") == No.TOO_MANY_ATTEMPTS
    assert await guess(other, "phone", "9.9.9.9") == No.TOO_MANY_ATTEMPTS
    assert await guess(other, "tablet", "1.2.3.4") == No.PROMO_NOT_GOOD
    for n in range(30):
        await guess(other, f"device {n}", "1.2.3.4")
        await query("DELETE FROM promo_guess WHERE scope LIKE 'customer:%'")
    assert await guess(other, "another", "1.2.3.4", "SPRING") == No.TOO_MANY_ATTEMPTS
    clock.advance(timedelta(minutes=16))
    assert await guess(other, "another", "1.2.3.4", "SPRING") == "SPRING"


async def test_a_till_that_guesses_is_stopped_but_not_what_is_hers(
    programme: Programme, anna: CustomerView, till: TillHand
) -> None:
    await campaign(programme)
    await programme.promo.enter(anna.id, "SPRING")
    for n in range(4):
        wrong = [f"NO{n}{i}" for i in range(9)]
        quote = await till.quote(anna.card_number, "R1", "10.00", promo=wrong)
    assert told(quote)[0] == "too_many_attempts"
    quote = await till.quote(anna.card_number, "R1", "10.00", promo=["NO99", "SPRING"])
    assert told(quote) == ["too_many_attempts", "SPRING -1.00 +0"]


async def test_a_code_for_its_holder_alone(
    programme: Programme, anna: CustomerView, till: TillHand
) -> None:
    made = await campaign(programme, code=None, holder_only=True)
    await programme.campaigns.generate(made.id, 1, "letters")
    [code] = await programme.campaigns.codes("letters")
    other = await boris(programme)
    early = await till.quote(anna.card_number, "R1", "10.00", promo=[code])
    assert told(early) == ["promo_not_holder"]
    assert isinstance(await programme.promo.enter(anna.id, code), OwnCode)
    assert (await programme.promo.enter(other.id, code)) == Refusal(No.PROMO_NOT_GOOD)
    hers = await till.quote(anna.card_number, "R2", "10.00", promo=[code])
    assert told(hers) == [f"{code} -1.00 +0"]
    his = await till.quote(other.card_number, "R3", "10.00", promo=[code])
    assert told(his) == ["promo_used"]
