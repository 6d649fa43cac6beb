"""Referral: who may be brought by whom, what the first purchase gives, and what a cancel takes."""

from dataclasses import replace
from datetime import timedelta
from itertools import pairwise
from typing import Any

import pytest

from loyalty.checkout import Back
from loyalty.clock import VirtualClock
from loyalty.customers import CustomerView
from loyalty.database import query
from loyalty.ledger import Balance, verify
from loyalty.programme import Programme
from loyalty.programme_document import ProgrammeDocument
from loyalty.referral import Friends
from loyalty.refusals import No, Refusal
from loyalty.rule_book import Revision
from loyalty.rules.commands import Clawback
from loyalty.rules.programme import ProgrammeRules
from loyalty.rules.promo_codes import is_intact
from loyalty.rules.receipts import DAY
from loyalty.rules.referral import (
    Invitation,
    ReferralRules,
    is_referrer_rewarded,
    is_rewarded,
    judge,
)
from tests.loyalty.people import joined
from tests.loyalty.tills import TillHand, open_shop, qr

RULES = ReferralRules()
FINE = Invitation(
    friend_id=2, referrer_id=1, joined_at=0, at=DAY, has_bought=False, is_referred=False
)
PHONE, TELEGRAM = ("phone", "+79001112233"), ("telegram", "77")

# how the invitation differs from a fine one | refused as
JUDGED: list[tuple[dict[str, Any], No | None]] = [
    ({}, None),
    ({"referrer_id": 2}, No.REFERRAL_SELF),
    ({"friend_identities": {PHONE}, "referrer_identities": {PHONE, TELEGRAM}}, No.REFERRAL_SELF),
    ({"friend_identities": {PHONE}, "referrer_identities": {TELEGRAM}}, None),
    (
        {
            "friend_identities": {("email", "anna+x@mail.ru")},
            "referrer_identities": {("email", "anna@mail.ru")},
        },
        No.REFERRAL_SELF,
    ),
    ({"is_referred": True}, No.REFERRAL_ALREADY),
    ({"chain": [2]}, No.REFERRAL_RING),
    ({"chain": [5, 6, 7, 2]}, No.REFERRAL_RING),
    ({"chain": [5, 6, 7]}, None),
    ({"chain": list(range(10, 1010))}, No.REFERRAL_RING),
    ({"has_bought": True}, No.REFERRAL_TOO_LATE),
    ({"at": 60 * DAY}, No.REFERRAL_TOO_LATE),
    ({"at": 60 * DAY - 1}, None),
]


@pytest.mark.parametrize(("changes", "refused"), JUDGED)
def test_who_may_be_brought(changes: dict[str, Any], refused: No | None) -> None:
    verdict = judge(replace(FINE, **changes), RULES)
    assert (None if verdict is None else verdict.code) == refused


def test_there_may_be_no_referral() -> None:
    off = ReferralRules(friend_points=0, referrer_points=0)
    verdict = judge(FINE, off)
    assert verdict is not None
    assert verdict.code == No.REFERRAL_OFF


# paid, days after joining | rewarded
PURCHASES = [(500_00, 1, True), (499_99, 1, False), (500_00, 59, True), (500_00, 60, False)]


@pytest.mark.parametrize(("paid", "days", "rewarded"), PURCHASES)
def test_which_purchase_is_real(paid: int, days: int, *, rewarded: bool) -> None:
    assert is_rewarded(paid_minor=paid, at=days * DAY, joined_at=0, rules=RULES) is rewarded


def test_friends_are_rewarded_up_to_a_number() -> None:
    assert is_referrer_rewarded(19, RULES)
    assert not is_referrer_rewarded(20, RULES)
    assert is_referrer_rewarded(9_999, ReferralRules(friends_max=0))


# -- with the books ------------------------------------------------------------------------------


@pytest.fixture
def rules() -> ProgrammeRules:
    return ProgrammeRules(welcome_points=0)


async def person(programme: Programme, n: int) -> CustomerView:
    return await joined(programme, phone=f"+7900100000{n}", front_value=str(9000 + n))


@pytest.fixture
async def anna(programme: Programme) -> CustomerView:
    await open_shop()
    return await person(programme, 1)


async def save(programme: Programme, rules: ProgrammeRules) -> None:
    saved = await programme.book.save(ProgrammeDocument.of(rules), by="Марина", comment="проба")
    assert isinstance(saved, Revision), saved


async def points(programme: Programme, customer: CustomerView) -> int:
    balance = await programme.ledger.balance(customer.id)
    assert isinstance(balance, Balance)
    return balance.available


async def bring(programme: Programme, referrer: CustomerView, friend: CustomerView) -> Any:
    code = await programme.referrals.code(referrer.id)
    return await programme.referrals.accept(friend.id, code)


async def test_each_has_one_code_for_ever(programme: Programme, anna: CustomerView) -> None:
    code = await programme.referrals.code(anna.id)
    assert is_intact(code)
    assert await programme.referrals.code(anna.id) == code


async def test_the_first_real_purchase_rewards_both_once(
    programme: Programme, anna: CustomerView
) -> None:
    boris, till = await person(programme, 2), TillHand(programme)
    assert await bring(programme, anna, boris) == anna.id
    assert await bring(programme, anna, boris) == anna.id, "saying so twice is fine"
    await till.sell(boris.card_number, "R1", "499.99")
    assert await programme.referrals.settle() == 1
    assert await points(programme, anna) == 0
    await till.sell(boris.card_number, "R2", "500.00")
    assert await programme.referrals.settle() == 1
    assert await points(programme, anna) == 200
    assert await points(programme, boris) == 100 + 24 + 25
    await till.sell(boris.card_number, "R3", "5000.00")
    assert await programme.referrals.settle() == 0
    assert await points(programme, anna) == 200
    friends = await programme.referrals.friends(anna.id)
    assert friends == Friends(friends.code, came=1, rewarded=1, points=200)
    told = await query("SELECT customer_id FROM event WHERE kind = 'referral.rewarded'")
    assert {row["customer_id"] for row in told} == {anna.id, boris.id}
    assert not (await verify()).findings


async def test_a_quote_counts_like_a_sale(programme: Programme, anna: CustomerView) -> None:
    boris, till = await person(programme, 2), TillHand(programme)
    await bring(programme, anna, boris)
    quote = await till.quote(boris.card_number, "R1", "800.00")
    await till.commit(quote.quote_id, "R1")
    await programme.tidy()
    assert await points(programme, anna) == 200


async def test_a_cancel_takes_it_back_and_the_next_purchase_gives_it_again(
    programme: Programme, anna: CustomerView
) -> None:
    boris, till = await person(programme, 2), TillHand(programme)
    await bring(programme, anna, boris)
    for round_ in range(2):
        await till.sell(boris.card_number, f"R{round_}", "1000.00")
        await programme.referrals.settle()
        assert await points(programme, anna) == 200
        await till.cancel(f"R{round_}")
        await programme.referrals.settle()
        assert (await points(programme, anna), await points(programme, boris)) == (0, 0)
    friends = await programme.referrals.friends(anna.id)
    assert (friends.came, friends.rewarded, friends.points) == (1, 0, 0)
    assert not (await verify()).findings


@pytest.mark.parametrize(
    ("clawback", "owed"), [(Clawback.WITHIN_BALANCE, 0), (Clawback.ALLOW_DEFICIT, 108)]
)
async def test_what_has_been_spent_is_taken_back_by_the_rules_of_the_receipt(
    programme: Programme, anna: CustomerView, clawback: Clawback, owed: int
) -> None:
    await save(programme, replace(programme.rules, cancel_clawback=Clawback.ONLY_PENDING))
    await save(programme, replace(programme.rules, cancel_clawback=clawback))
    boris, till = await person(programme, 2), TillHand(programme)
    await bring(programme, anna, boris)
    await till.sell(boris.card_number, "R1", "1000.00")
    await programme.referrals.settle()
    await save(programme, replace(programme.rules, cancel_clawback=Clawback.ONLY_PENDING))
    quote = await till.quote(await qr(programme, anna.id), "A1", "1000.00", spend=150)
    await till.commit(quote.quote_id, "A1")  # 50 of the gift are left, 42 are earned
    await till.cancel("R1")
    await programme.referrals.settle()
    balance = await programme.ledger.balance(anna.id)
    assert isinstance(balance, Balance)
    assert (balance.available, balance.deficit) == (-owed, owed)
    assert not (await verify()).findings


@pytest.mark.parametrize("settled_first", [True, False])
async def test_a_return_that_leaves_less_than_the_least_sum_takes_it_back(
    programme: Programme, anna: CustomerView, settled_first: bool
) -> None:
    boris, till = await person(programme, 2), TillHand(programme)
    await bring(programme, anna, boris)
    await till.sell(boris.card_number, "R1", "500.00", "2x300.00")
    if settled_first:
        await programme.referrals.settle()
    await till.take_back("R1", "B1", [Back(2, 2000)])  # 500 are left: just enough
    await programme.referrals.settle()
    assert await points(programme, anna) == 200
    await till.take_back("R1", "B2", [Back(1, 10)])
    await programme.referrals.settle()
    assert (await points(programme, anna), await points(programme, boris)) == (0, 24)
    await till.sell(boris.card_number, "R2", "500.00")
    await programme.referrals.settle()
    assert (await points(programme, anna), await points(programme, boris)) == (200, 149)
    friends = await programme.referrals.friends(anna.id)
    assert (friends.rewarded, friends.points) == (1, 200)
    assert not (await verify()).findings


async def test_a_small_return_opens_no_place_for_one_friend_too_many(
    programme: Programme, anna: CustomerView
) -> None:
    await save(programme, replace(programme.rules, referral=replace(RULES, friends_max=1)))
    boris, vera, till = await person(programme, 2), await person(programme, 3), TillHand(programme)
    for friend in (boris, vera):
        await bring(programme, anna, friend)
    await till.sell(boris.card_number, "R1", "500.00", "100.00")
    await programme.referrals.settle()
    await till.take_back("R1", "B1", [Back(2, 1000)])
    await till.sell(vera.card_number, "R2", "500.00")
    await programme.referrals.settle()
    assert (await points(programme, anna), await points(programme, vera)) == (200, 125)
    assert not (await verify()).findings


async def test_a_gift_goes_by_the_rules_of_the_receipt_that_earned_it(
    programme: Programme, anna: CustomerView
) -> None:
    await save(programme, replace(programme.rules, referral=replace(RULES, referrer_points=300)))
    boris, till = await person(programme, 2), TillHand(programme)
    await bring(programme, anna, boris)
    await till.sell(boris.card_number, "R1", "500.00", "100.00")
    dearer = replace(RULES, referrer_points=10, min_paid_minor=900_00)
    await save(programme, replace(programme.rules, referral=dearer))
    assert programme.referrals.rules == dearer
    await programme.referrals.settle()
    assert await points(programme, anna) == 300
    await till.take_back("R1", "B1", [Back(2, 1000)])
    await programme.referrals.settle()
    assert await points(programme, anna) == 300


async def test_cancelled_before_anybody_was_paid(programme: Programme, anna: CustomerView) -> None:
    boris, till = await person(programme, 2), TillHand(programme)
    await bring(programme, anna, boris)
    await till.sell(boris.card_number, "R1", "1000.00")
    await till.cancel("R1")
    await programme.referrals.settle()
    assert await points(programme, anna) == 0
    await till.sell(boris.card_number, "R2", "1000.00")
    await programme.referrals.settle()
    assert await points(programme, anna) == 200


async def test_rings_are_refused_however_long(programme: Programme, anna: CustomerView) -> None:
    people = [anna, *[await person(programme, n) for n in range(2, 7)]]
    for one, next_one in pairwise(people):
        assert await bring(programme, one, next_one) == one.id
    for far in people[1:]:
        refusal = await bring(programme, far, anna)
        assert isinstance(refusal, Refusal)
        assert refusal.code == No.REFERRAL_RING
    assert (await bring(programme, anna, anna)).code == No.REFERRAL_SELF


async def test_a_friend_who_is_herself_is_refused(
    programme: Programme, anna: CustomerView, clock: VirtualClock
) -> None:
    """She leaves the chat and joins again there with another number: the same messenger."""
    await programme.customers.leave_front("telegram", "9001")
    again = await joined(programme, phone="+79005556677", front_value="9001")
    assert again.id != anna.id
    assert (await bring(programme, anna, again)).code == No.REFERRAL_SELF


async def test_a_code_that_nobody_has(programme: Programme, anna: CustomerView) -> None:
    refusal = await programme.referrals.accept(anna.id, "00000000")
    assert isinstance(refusal, Refusal)
    assert refusal.code == No.REFERRAL_UNKNOWN


async def test_who_has_bought_or_waited_too_long_is_no_new_friend(
    programme: Programme, anna: CustomerView, clock: VirtualClock
) -> None:
    boris, vera = await person(programme, 2), await person(programme, 3)
    await TillHand(programme).sell(boris.card_number, "R1", "10.00")
    assert (await bring(programme, anna, boris)).code == No.REFERRAL_TOO_LATE
    clock.advance(timedelta(days=61))
    assert (await bring(programme, anna, vera)).code == No.REFERRAL_TOO_LATE
