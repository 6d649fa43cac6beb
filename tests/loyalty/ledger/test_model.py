"""Whatever is done in whatever order, every read of the ledger is the auditor's.

Hypothesis invents the histories; the ledger runs on a real SQLite or Postgres. Holds that
time out, partial reversals, expiry jobs that come late, repeated commands are all in it.
"""

import asyncio
import contextvars
import os
from collections.abc import Callable, Coroutine
from datetime import UTC, datetime, timedelta
from typing import Any, TypeVar

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

from app.database import database
from loyalty.clock import VirtualClock
from loyalty.instants import NEVER, from_micros, to_micros
from loyalty.ledger import Ledger, verify
from loyalty.refusals import Refusal
from loyalty.rules.commands import (
    Accrue,
    Capture,
    Clawback,
    Command,
    Held,
    Hold,
    Posted,
    Redeem,
    Release,
    Reverse,
    Verdict,
)
from tests.loyalty.ledger.auditor import DAY, Purse

T = TypeVar("T")
START = datetime(2026, 1, 1, tzinfo=UTC)
POINTS = st.integers(1, 40)
LIFE = st.one_of(st.none(), st.integers(1, 20))
NAMES = "AB"
EXAMPLES = int(os.environ.get("KAPSULA_TEST_EXAMPLES", "40"))
"""Histories per database; raise it to search longer."""


class LedgerAgainstAuditor(RuleBasedStateMachine):
    """One machine, one database; each history plays with accounts of its own."""

    histories = 0
    run: Callable[..., Any]
    """Runs a coroutine on the loop and database of the test."""

    def __init__(self) -> None:
        super().__init__()
        self.clock = VirtualClock(START)
        self.ledger = Ledger(self.clock)
        type(self).histories += 1
        base = 10_000 + 10 * type(self).histories
        self.ids = {name: base + i for i, name in enumerate(NAMES)}
        self.purses = {name: Purse() for name in NAMES}
        self.made: dict[tuple[str, str], int] = {}
        self.told: list[tuple[Command, Verdict]] = []
        self.past: dict[str, list[tuple[datetime, int]]] = {name: [] for name in NAMES}
        self.count = 0

    @property
    def now(self) -> int:
        return to_micros(self.clock.now())

    def post(self, command: Command) -> Verdict:
        verdict = self.run(self.ledger.post(command))
        if not isinstance(verdict, Refusal):
            self.told.append((command, verdict))
        return verdict

    def key(self) -> str:
        self.count += 1
        return f"{self.ids['A']}:{self.count}"

    @initialize()
    def open(self) -> None:
        self.run(self.ledger.open_accounts(list(self.ids.values())))

    @rule(name=st.sampled_from(NAMES), points=POINTS, life=LIFE, wait=st.integers(0, 5))
    def give(self, name: str, points: int, life: int | None, wait: int) -> None:
        good_from = self.now + wait * DAY
        until = good_from + life * DAY if life else NEVER
        key = self.key()
        verdict = self.post(
            Accrue(key=key, account_id=self.ids[name], points=points, at=self.now,
                   available_at=good_from, expires_at=until)
        )  # fmt: skip
        assert isinstance(verdict, Posted)
        self.made[name, key] = verdict.transaction_id
        self.purses[name].give(key, points, good_from, until if life else float("inf"))

    @rule(name=st.sampled_from(NAMES), points=POINTS)
    def spend(self, name: str, points: int) -> None:
        key = self.key()
        verdict = self.post(Redeem(key=key, account_id=self.ids[name], points=points, at=self.now))
        assert bool(verdict) == self.purses[name].spend(key, points, self.now)
        if isinstance(verdict, Posted):
            self.made[name, key] = verdict.transaction_id

    @rule(name=st.sampled_from(NAMES), points=POINTS, hours=st.integers(1, 60))
    def hold(self, name: str, points: int, hours: int) -> None:
        key = self.key()
        until = self.now + hours * 3_600_000_000
        verdict = self.post(
            Hold(key=key, account_id=self.ids[name], points=points, at=self.now, expires_at=until)
        )
        assert bool(verdict) == self.purses[name].set_aside(key, points, self.now, until)
        if isinstance(verdict, Held):
            self.made[name, key] = verdict.hold_id

    @precondition(lambda self: any(p.trays for p in self.purses.values()))
    @rule(data=st.data(), points=st.one_of(st.none(), POINTS), let_go=st.booleans())
    def end_hold(self, data: st.DataObject, points: int | None, let_go: bool) -> None:
        name, hold = data.draw(
            st.sampled_from([(n, h) for n, p in self.purses.items() for h in p.trays])
        )
        purse, hold_id, key = self.purses[name], self.made[name, hold], self.key()
        is_open, kept = purse.tray_open(hold, self.now), len(purse.in_tray(hold))
        if let_go:
            self.post(Release(key=key, account_id=self.ids[name], hold_id=hold_id, at=self.now))
            if is_open:
                purse.empty_tray(hold)
            return
        verdict = self.post(
            Capture(key=key, account_id=self.ids[name], hold_id=hold_id, points=points, at=self.now)
        )
        assert bool(verdict) == (is_open and (points or kept) <= kept)
        if isinstance(verdict, Posted):
            purse.take_from_tray(hold, key, points or kept)
            self.made[name, key] = verdict.transaction_id

    @precondition(lambda self: any(p.spendings for p in self.purses.values()))
    @rule(data=st.data(), points=st.one_of(st.none(), POINTS), grace=st.sampled_from([0, 0, 3]))
    def undo_spending(self, data: st.DataObject, points: int | None, grace: int) -> None:
        name, spending = data.draw(
            st.sampled_from([(n, s) for n, p in self.purses.items() for s in p.spendings])
        )
        purse = self.purses[name]
        left = purse.spendings[spending] - purse.undone.get(spending, 0)
        verdict = self.post(
            Reverse(key=self.key(), account_id=self.ids[name], points=points,
                    transaction_id=self.made[name, spending], at=self.now, grace_days=grace)
        )  # fmt: skip
        assert bool(verdict) == (0 < (points or left) <= left)
        if verdict:
            purse.undo_spending(spending, points or left, self.now, grace)

    @precondition(lambda self: any(p.gifts for p in self.purses.values()))
    @rule(
        data=st.data(), points=st.one_of(st.none(), POINTS), policy=st.sampled_from(list(Clawback))
    )
    def undo_gift(self, data: st.DataObject, points: int | None, policy: Clawback) -> None:
        name, gift = data.draw(
            st.sampled_from([(n, g) for n, p in self.purses.items() for g in p.gifts])
        )
        purse = self.purses[name]
        left = purse.gifts[gift] - purse.undone.get(gift, 0)
        verdict = self.post(
            Reverse(key=self.key(), account_id=self.ids[name], points=points,
                    transaction_id=self.made[name, gift], at=self.now, clawback=policy)
        )  # fmt: skip
        if not 0 < (points or left) <= left:
            assert not verdict
            return
        moved = purse.undo_gift(gift, points or left, self.now, policy.value)
        assert (-verdict.points if isinstance(verdict, Posted) else 0) == moved

    @rule()
    def expire(self) -> None:
        before = {name: purse.posted() for name, purse in self.purses.items()}
        self.run(self.ledger.expire_due(batch=3))
        for name, purse in self.purses.items():
            gone = purse.expire(self.now)
            assert purse.posted() == before[name] - gone

    @rule()
    def close_timed_out_holds(self) -> None:
        self.run(self.ledger.release_due())

    @rule(hours=st.integers(1, 24 * 8))
    def wait(self, hours: int) -> None:
        for name, purse in self.purses.items():
            now = self.clock.now()
            if self.past[name] and self.past[name][-1][0] == now:
                self.past[name].pop()
            self.past[name].append((now, purse.available(self.now) + purse.held(self.now)))
        self.clock.advance(timedelta(hours=hours))

    @precondition(lambda self: self.told)
    @rule(data=st.data())
    def repeat(self, data: st.DataObject) -> None:
        command, first = data.draw(st.sampled_from(self.told))
        again = self.run(self.ledger.post(command))
        if isinstance(command, Release):
            return
        assert again.replayed, again  # type: ignore[union-attr]
        shown = {f: getattr(first, f) for f in type(first).__slots__ if f != "replayed"}
        assert {f: getattr(again, f) for f in shown} == shown

    @invariant()
    def every_read_is_the_auditors(self) -> None:
        for name, purse in self.purses.items():
            balance = self.run(self.ledger.balance(self.ids[name]))
            if isinstance(balance, Refusal):
                continue  # not opened yet
            now = self.now
            soonest = purse.next_expiry(now)
            assert balance.posted == purse.posted()
            assert balance.available == purse.available(now)
            assert balance.held == purse.held(now)
            assert balance.pending == purse.pending(now)
            assert balance.expired == purse.lapsed(now)
            assert balance.deficit == purse.owed
            seen = balance.next_expiry
            assert (seen and (seen.points, to_micros(seen.at))) == soonest
            self._check_other_instants(name, purse)

    def _check_other_instants(self, name: str, purse: Purse) -> None:
        for then, available in self.past[name][-4:]:
            balance = self.run(self.ledger.balance(self.ids[name], then))
            assert not isinstance(balance, Refusal)
            assert balance.available == available, f"at {then}"
        for days in (1, 7):
            later = self.now + days * DAY
            balance = self.run(self.ledger.balance(self.ids[name], from_micros(later)))
            assert not isinstance(balance, Refusal)
            assert balance.available == purse.available(later), f"in {days} days"

    def teardown(self) -> None:
        report = self.run(verify())
        assert not report.findings, report.findings[:5]
        for name, purse in self.purses.items():
            entries = self.run(self.ledger.statement(self.ids[name], limit=1000))
            assert sum(entry.points for entry in entries) == purse.posted()


@pytest.mark.timeout(600)
def test_every_history_agrees_with_the_auditor(db_url: str) -> None:
    play_histories(db_url, examples=EXAMPLES, steps=40)


def play_histories(
    url: str,
    *,
    examples: int,
    steps: int,
    fixed: bool = False,
    of: type[RuleBasedStateMachine] = LedgerAgainstAuditor,
) -> None:
    """Play invented histories on the database at `url`; raises at the first that disagrees.

    `of` has a place `run` for what runs its coroutines.
    """
    context = contextvars.copy_context()  # carries the open database from call to call
    with asyncio.Runner() as runner:
        loop = runner.get_loop()

        def run(work: Coroutine[Any, Any, T]) -> T:
            return loop.run_until_complete(loop.create_task(work, context=context))

        machine = type("Machine", (of,), {"run": staticmethod(run)})
        opened = database(url, migrate=False)
        run(opened.__aenter__())  # type: ignore[arg-type]
        try:
            run_state_machine_as_test(machine, settings=_settings(examples, steps, fixed))
        finally:
            run(opened.__aexit__(None, None, None))  # type: ignore[arg-type]


def _settings(examples: int, steps: int, fixed: bool) -> settings:
    return settings(
        max_examples=examples,
        stateful_step_count=steps,
        deadline=None,
        database=None,
        derandomize=fixed,
        suppress_health_check=list(HealthCheck),
    )
