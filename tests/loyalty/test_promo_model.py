"""Promo codes and an invitation on top of whatever is bought, returned, cancelled and left to
expire: the ledger is the auditor's, and so are the uses of the codes.

The histories of `test_return_model`, of a friend who was brought by somebody and hands over promo
codes of five kinds of offers. What a code takes off and adds, whether it is free again, and whether
the purchase that brought the gift still deserves it, is worked out here from the terms alone.
"""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import strategies as st
from hypothesis.stateful import initialize, invariant, rule

from loyalty.checkout import Line, ReceiptAnswer
from loyalty.database import query
from loyalty.models import PromoCampaign
from loyalty.programme import Programme, build_programme
from loyalty.promo_campaigns import Campaign
from loyalty.rules.promo import Kind, Terms
from loyalty.rules.referral import ReferralRules
from tests.conftest import SECRET
from tests.loyalty.ledger.auditor import DAY, Purse
from tests.loyalty.ledger.test_model import play_histories
from tests.loyalty.test_return_model import EXAMPLES, Sold, TillsAgainstAuditor, somebody

TWICE = {"per_customer_max": 2, "stackable": True}
OFFERS = {
    "TENTH": Terms(kind=Kind.PERCENT, permille=100, **TWICE),  # type: ignore[arg-type]
    "FIFTY": Terms(kind=Kind.SUM, amount_minor=50_00, frees_on_cancel=False, **TWICE),  # type: ignore[arg-type]
    "GIFT": Terms(kind=Kind.POINTS, points=37, min_total_minor=30_00, **TWICE),  # type: ignore[arg-type]
    "TRIPLE": Terms(kind=Kind.MULTIPLIER, permille=3000, **TWICE),  # type: ignore[arg-type]
    "HALF": Terms(kind=Kind.PERCENT, permille=500),  # as often as she likes, never beside another
}
REFERRAL = ReferralRules(
    friend_points=11, referrer_points=23, min_paid_minor=60_00, within_days=0, friends_max=0,
    points_live_days=9,
)  # fmt: skip
REFERRERS = 5_000_000
"""Telephones of those who bring friends begin here."""


class ProgrammeAgainstAuditor(TillsAgainstAuditor):
    def begin(self) -> None:
        self.uses: dict[str, list[str]] = {code: [] for code in OFFERS}
        self.brings: str | None = None  # the receipt that may be, or has been, rewarded
        self.rewarded = False
        self.other_purse = Purse()
        self.run(self._be_brought())

    async def _be_brought(self) -> None:
        if not await PromoCampaign.exists():
            for code, terms in OFFERS.items():
                made = await self.programme.campaigns.create(code, code, terms, shared_code=code)
                assert isinstance(made, Campaign)
        self.other = await somebody(self.programme, REFERRERS + self.nth)
        code = await self.programme.referrals.code(self.other)
        assert await self.programme.referrals.accept(self.her, code) == self.other

    def build(self) -> Programme:
        rules = replace(self.rules_, referral=REFERRAL)
        return build_programme(clock=self.clock, secret=SECRET, rules=rules)

    @initialize(promptly=st.booleans())
    def pace(self, promptly: bool) -> None:
        """Whether gifts are settled after each step, or now and then."""
        self.promptly = promptly

    # -- promo codes --

    @rule(
        codes=st.lists(st.sampled_from(sorted(OFFERS)), min_size=1, max_size=3, unique=True),
        amounts=st.lists(st.integers(20_00, 150_00), min_size=1, max_size=2),
        wish=st.integers(0, 60),
    )
    def sell_with_codes(self, codes: list[str], amounts: list[int], wish: int) -> None:
        self.handed = codes
        self.sell_goods([(1000, amount) for amount in amounts], wish)

    def note(self, number: str, lines: list[Line], answer: ReceiptAnswer) -> None:
        applied = [promo.code for promo in answer.promos if promo.is_applied]
        whole = sum(line.amount_minor for line in lines)
        assert applied == self._fitting(whole)
        total = whole - self._discount(whole, applied)
        assert (answer.discount_minor, answer.total_minor) == (whole - total, total)
        assert answer.paid_minor == total - answer.spent * 100
        usual = answer.paid_minor // 1000
        bonus = ("TRIPLE" in applied) * usual * 2 + ("GIFT" in applied) * 37
        assert answer.earned == usual + bonus
        for code in applied:
            self.uses[code].append(number)
        self.handed = []
        super().note(number, lines, answer)
        self.brings = self.brings or number

    def _fitting(self, whole: int) -> list[str]:
        """In the order given; HALF goes alone, or not at all."""
        fitting: list[str] = []
        for code in self.handed:
            used_up = OFFERS[code].per_customer_max == 2 and len(self._taken(code)) == 2
            too_small = whole < OFFERS[code].min_total_minor
            beside = fitting and "HALF" in (code, fitting[0])
            if not (used_up or too_small or beside):
                fitting.append(code)
        return fitting

    def _taken(self, code: str) -> list[str]:
        """Receipts on which it counts: a code is free when nothing is left of the receipt."""
        numbers = self.uses[code]
        if not OFFERS[code].frees_on_cancel:
            return numbers
        return [number for number in numbers if stands(self.sold[number])]

    @staticmethod
    def _discount(whole: int, applied: Sequence[str]) -> int:
        off = (whole + 5) // 10 if "TENTH" in applied else 0
        off += (whole + 1) // 2 if "HALF" in applied else 0
        return off + (min(50_00, whole - off) if "FIFTY" in applied else 0)

    # -- the invitation --

    @rule()
    def settle(self) -> None:
        self.run(self.programme.referrals.settle())
        if self.brings is None:
            return
        receipt = self.sold[self.brings]
        kept = sum(line[1] for line in receipt.lines) - receipt.refund
        deserved = stands(receipt) and kept >= REFERRAL.min_paid_minor
        names = ((self.purse, 11), (self.other_purse, 23))
        for purse, points in names if deserved and not self.rewarded else ():
            purse.give(f"{self.brings} brought", points, self.now, self.now + 9 * DAY)
        for purse, points in names if self.rewarded and not deserved else ():
            policy = self.rules_.cancel_clawback.value
            purse.undo_gift(f"{self.brings} brought", points, self.now, policy)
        self.rewarded = deserved
        self.brings = self.brings if deserved else None

    @invariant()
    def settled_promptly(self) -> None:
        if self.promptly:
            self.settle()

    # -- what holds at any time --

    @invariant()
    def codes_are_used_as_the_auditor_says(self) -> None:
        text = "SELECT campaign_id, code FROM promo_use WHERE customer_id = $1 AND state = $2"
        rows = self.run(query(text, None, self.her, "redeemed"))
        counted = {code: len(self._taken(code)) for code in OFFERS if self._taken(code)}
        seen: dict[str, int] = {}
        for row in rows:
            seen[row["code"]] = seen.get(row["code"], 0) + 1
        assert seen == counted

    @invariant()
    def who_brought_her_has_what_the_auditor_says(self) -> None:
        balance: Any = self.run(self.programme.ledger.balance(self.other))
        assert balance.available == self.other_purse.available(self.now)

    @invariant()
    def nothing_comes_out_of_nothing(self) -> None:
        """What she has, and what has paid for goods that she still has, was given to her once."""
        paying = sum(
            sum(line[2] for line in receipt.lines) - receipt.given
            for receipt in self.sold.values()
            if not receipt.cancelled
        )
        assert self._balance().posted + paying <= sum(self.purse.gifts.values())


def stands(receipt: Sold) -> bool:
    """Something is left of it."""
    return not receipt.cancelled and any(receipt.left)


@pytest.mark.timeout(600)
def test_codes_and_gifts_in_every_history_are_the_auditors(db_url: str) -> None:
    play_histories(db_url, examples=EXAMPLES, steps=30, of=ProgrammeAgainstAuditor)
