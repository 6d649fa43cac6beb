"""Whatever is bought, returned, cancelled and left to expire, the ledger is the auditor's.

Hypothesis invents histories of one customer at two tills: sales paid with points, partial returns
of any lines and quantities at either till, cancels, weeks of waiting, expiry jobs that come late,
the policies and graces that an owner may set. The auditor counts single points.
"""

import itertools
import os
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from loyalty.checkout import Back, Line, QuoteAnswer, ReceiptAnswer, ReturnAnswer, SoldAt
from loyalty.clock import VirtualClock
from loyalty.instants import from_micros, to_micros
from loyalty.ledger import Balance, verify
from loyalty.models import Shop
from loyalty.programme import Programme, build_programme
from loyalty.refusals import No, Refusal
from loyalty.rules.commands import Accrue, Clawback, Posted
from loyalty.rules.programme import ProgrammeRules
from tests.conftest import SECRET
from tests.loyalty.ledger.auditor import DAY, Purse
from tests.loyalty.ledger.test_model import play_histories
from tests.loyalty.people import joined
from tests.loyalty.test_return_story import nothing_is_left_over
from tests.loyalty.tills import HERE, THERE, open_shop, qr

EXAMPLES = int(os.environ.get("KAPSULA_TEST_EXAMPLES", "40")) // 2
START = datetime(2026, 1, 1, tzinfo=UTC)
EARNED_LIVE_DAYS, GRACE_DAYS = 12, 3
SOLD_AT = SoldAt(till="t1")
_people = itertools.count(1)


async def somebody(programme: Programme, nth: int) -> int:
    phone = f"+7900{nth:07d}"
    return (await joined(programme, phone=phone, front_value=str(nth))).id


@dataclass
class Sold:
    """A receipt as the auditor writes it down."""

    number: str
    lines: list[tuple[int, int, int, int]]  # quantity, paid in money, points spent, points earned
    came: list[int] = field(default_factory=list)  # of each line, what has come back
    cancelled: bool = False
    refund: int = 0
    given: int = 0
    due: int = 0

    @property
    def left(self) -> list[int]:
        return [line[0] - came for line, came in zip(self.lines, self.came, strict=True)]

    def counted(self) -> tuple[int, int]:
        """Points given back and due back by now: the k-th spent point of a line is back once
        k / spent of its goods are, the k-th earned one is hers while k / earned of them are."""
        given = due = 0
        for (whole, _, spent, earned), came in zip(self.lines, self.came, strict=True):
            given += sum(k * whole <= spent * came for k in range(1, spent + 1))
            due += sum(k * whole > earned * (whole - came) for k in range(1, earned + 1))
        return given, due


class TillsAgainstAuditor(RuleBasedStateMachine):
    run: Callable[..., Any]
    """Runs a coroutine on the loop and database of the test."""
    handed: list[str] = []  # noqa: RUF012 - never changed, only replaced
    """Promo codes for the next receipt."""

    @initialize(
        policy=st.sampled_from(list(Clawback)),
        grace=st.sampled_from([0, GRACE_DAYS]),
        pending=st.sampled_from([0, 0, 2]),
    )
    def open(self, policy: Clawback, grace: int, pending: int) -> None:
        self.clock = VirtualClock(START)
        self.rules_ = ProgrammeRules(
            welcome_points=0,
            earn_permille=100,
            spend_percent_max=100,
            cash_min_minor=0,
            points_live_days=EARNED_LIVE_DAYS,
            points_pending_days=pending,
            cancel_clawback=policy,
            cancel_grace_days=grace,
        )
        self.programme = self.build()
        self.count = itertools.count(1)
        self.nth = next(_people)
        self.her = self.run(self._join())
        self.purse = Purse()
        self.sold: dict[str, Sold] = {}
        self.told: list[tuple[dict[str, Any], ReturnAnswer]] = []
        self.gifts = self.expired = 0
        self.begin()

    def begin(self) -> None:
        """What else a history begins with."""

    def build(self) -> Programme:
        return build_programme(clock=self.clock, secret=SECRET, rules=self.rules_)

    async def _join(self) -> int:
        if not await Shop.exists():
            await open_shop()
        return await somebody(self.programme, self.nth)

    @property
    def now(self) -> int:
        return to_micros(self.clock.now())

    def name(self) -> str:
        return f"{self.nth}.{next(self.count)}"

    @rule(points=st.integers(1, 40), days=st.integers(1, 15))
    def gift(self, points: int, days: int) -> None:
        name = self.name()
        command = Accrue(
            key=name, account_id=self.her, points=points, at=self.now,
            expires_at=self.now + days * DAY,
        )  # fmt: skip
        assert isinstance(self.run(self.programme.ledger.post(command)), Posted)
        self.purse.give(name, points, self.now, self.now + days * DAY)
        self.gifts += points

    @rule(
        goods=st.lists(
            st.tuples(st.integers(1, 3500), st.integers(0, 150_00)), min_size=1, max_size=3
        ),
        wish=st.integers(0, 60),
    )
    def sell(self, goods: list[tuple[int, int]], wish: int) -> None:
        self.sell_goods(goods, wish)

    def sell_goods(self, goods: list[tuple[int, int]], wish: int) -> None:
        """Quantities and amounts."""
        number = self.name()
        lines = [Line("cream", "", quantity, 1, amount) for quantity, amount in goods]
        quoted = self.run(self._quote(number, lines, "max"))
        if wish < quoted.spend:
            quoted = self.run(self._quote(number, lines, wish))
        answer = self.run(
            self.programme.checkout.commit(
                till_id=HERE, key=number, quote_id=quoted.quote_id, receipt_number=number
            )
        )
        assert isinstance(answer, ReceiptAnswer)
        self.note(number, lines, answer)

    def note(self, number: str, lines: list[Line], answer: ReceiptAnswer) -> None:
        """The auditor writes a receipt down."""
        if answer.spent:
            assert self.purse.spend(f"{number} spent", answer.spent, self.now)
        if answer.earned:
            ripe = self.now + self.rules_.points_pending_days * DAY
            until = self.now + EARNED_LIVE_DAYS * DAY
            self.purse.give(f"{number} earned", answer.earned, ripe, until)
        sold = [
            (line.quantity_milli, line.amount_minor - line.spent * 100, line.spent, line.earned)
            for line in answer.lines
        ]
        self.sold[number] = Sold(number, sold, [0] * len(sold))

    async def _quote(self, number: str, lines: list[Line], spend: Any) -> QuoteAnswer:
        quoted = await self.programme.checkout.quote(
            till_id=HERE,
            key=self.name(),
            card=await qr(self.programme, self.her),
            receipt_number=number,
            lines=lines,
            spend=spend,
            promo_codes=self.handed,
        )
        assert isinstance(quoted, QuoteAnswer), quoted
        return quoted

    @precondition(lambda self: self.sold)
    @rule(data=st.data(), place=st.sampled_from([HERE, THERE]))
    def take_back(self, data: st.DataObject, place: int) -> None:
        receipt = self.sold[data.draw(st.sampled_from(sorted(self.sold)))]
        wanted = None
        if data.draw(st.booleans()):
            chosen = data.draw(
                st.lists(st.sampled_from(range(len(receipt.lines))), min_size=1, unique=True)
            )
            wanted = [
                Back(i + 1, data.draw(st.integers(1, receipt.lines[i][0] + 1))) for i in chosen
            ]
        asked = {
            "till_id": place, "key": self.name(), "receipt_number": receipt.number,
            "return_number": self.name(), "sold_at": SOLD_AT, "lines": wanted,
        }  # fmt: skip
        answer = self.run(self.programme.checkout.return_(**asked))
        expected = self._refusal(receipt, wanted)
        if expected is not None:
            assert isinstance(answer, Refusal)
            assert answer.code == expected
            return
        assert isinstance(answer, ReturnAnswer), answer
        self.told.append((asked, answer))
        self._audit(receipt, wanted, answer)

    def _refusal(self, receipt: Sold, wanted: list[Back] | None) -> No | None:
        if receipt.cancelled:
            return No.RECEIPT_CANCELLED
        if not any(receipt.left):
            return No.ALREADY_RETURNED
        asked = [(back.line - 1, back.quantity_milli or 0) for back in wanted or ()]
        return No.EXCEEDS_QUANTITY if any(q > receipt.left[i] for i, q in asked) else None

    def _audit(self, receipt: Sold, wanted: list[Back] | None, answer: ReturnAnswer) -> None:
        before = receipt.counted()
        for i, left in enumerate(receipt.left if wanted is None else []):
            receipt.came[i] += left
        for back in wanted or ():
            receipt.came[back.line - 1] += back.quantity_milli or 0
        given, due = (
            after - earlier for after, earlier in zip(receipt.counted(), before, strict=True)
        )
        taken = self._undo(receipt.number, given, due)
        moves = answer.moves
        assert (moves.given_back, moves.taken_back, moves.forgiven) == (given, taken, due - taken)
        receipt.refund += moves.refund_minor
        receipt.given += given
        receipt.due += due
        assert moves.is_whole == (not any(receipt.left))
        if moves.is_whole:  # the parts are the whole, to the point
            whole = [sum(column) for column in zip(*receipt.lines, strict=True)]
            assert [receipt.refund, receipt.given, receipt.due] == whole[1:]

    def _undo(self, number: str, given: int, due: int) -> int:
        """Returns how many points were taken back."""
        if given:
            grace = self.rules_.cancel_grace_days
            self.purse.undo_spending(f"{number} spent", given, self.now, grace)
        policy = self.rules_.cancel_clawback.value
        return self.purse.undo_gift(f"{number} earned", due, self.now, policy) if due else 0

    @precondition(lambda self: self.sold)
    @rule(data=st.data())
    def cancel(self, data: st.DataObject) -> None:
        receipt = self.sold[data.draw(st.sampled_from(sorted(self.sold)))]
        answer = self.run(
            self.programme.checkout.cancel(
                till_id=HERE, key=self.name(), receipt_number=receipt.number
            )
        )
        if receipt.cancelled or any(receipt.came):
            assert isinstance(answer, Refusal)
            has_returns = No.RECEIPT_HAS_RETURNS
            assert answer.code == (No.RECEIPT_CANCELLED if receipt.cancelled else has_returns)
            return
        assert isinstance(answer, ReceiptAnswer), answer
        receipt.cancelled = True
        spent, earned = (sum(line[i] for line in receipt.lines) for i in (2, 3))
        assert (answer.returned, answer.taken_back) == (
            spent,
            self._undo(receipt.number, spent, earned),
        )

    @precondition(lambda self: self.told)
    @rule(data=st.data())
    def repeat(self, data: st.DataObject) -> None:
        asked, first = data.draw(st.sampled_from(self.told))
        again = self.run(self.programme.checkout.return_(**asked))
        assert again.replayed
        assert (again.return_id, again.moves) == (first.return_id, first.moves)

    @rule()
    def expire(self) -> None:
        self.run(self.programme.ledger.expire_due(batch=3))
        self.expired += self.purse.expire(self.now)

    @rule(hours=st.integers(1, 24 * 6))
    def wait(self, hours: int) -> None:
        self.clock.advance(timedelta(hours=hours))

    @invariant()
    def every_balance_is_the_auditors(self) -> None:
        purse, now = self.purse, self.now
        balance = self._balance()
        assert balance.posted == purse.posted()
        assert balance.available == purse.available(now)
        assert (balance.pending, balance.expired) == (purse.pending(now), purse.lapsed(now))
        assert balance.deficit == purse.owed
        seen = balance.next_expiry
        assert (seen and (seen.points, to_micros(seen.at))) == purse.next_expiry(now)
        for days in (1, 4, 10):
            then = now + days * DAY
            assert self._balance(then).available == purse.available(then), f"in {days} days"

    @invariant()
    def nothing_lives_for_ever(self) -> None:
        """Everything that was given has an end, and no return gives it another but the grace."""
        assert self._balance(self.now + 16 * DAY).available == -self.purse.owed

    def _balance(self, at: int | None = None) -> Balance:
        when = None if at is None else from_micros(at)
        balance = self.run(self.programme.ledger.balance(self.her, when))
        assert isinstance(balance, Balance)
        return balance

    def teardown(self) -> None:
        report = self.run(verify())
        assert not report.findings, report.findings[:5]
        self.run(nothing_is_left_over())


@pytest.mark.timeout(600)
def test_every_history_of_returns_agrees_with_the_auditor(db_url: str) -> None:
    play_histories(db_url, examples=EXAMPLES, steps=30, of=TillsAgainstAuditor)
