"""The naive ways to write a ledger, each of which the tables or the auditor must catch.

If one of these lives, the specification has a hole.
"""

import copy
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from typing import Any

import pytest

from app.database import database
from loyalty.clock import VirtualClock
from loyalty.instants import NEVER
from loyalty.ledger import Ledger
from loyalty.ledger import store as ledger_store
from loyalty.rules import journal, posting
from loyalty.rules.accounts import Account, Lot
from loyalty.rules.posting import Batch
from tests.backends import Backend
from tests.loyalty.ledger.tables import TABLES, Player

Mutation = Callable[[pytest.MonkeyPatch], None]
MUTANTS: dict[str, Mutation] = {}


def mutant(function: Mutation) -> Mutation:
    MUTANTS[function.__name__] = function
    return function


@mutant
def spends_the_oldest_lot_first(patch: pytest.MonkeyPatch) -> None:
    def naive(self: Account, now: int) -> Iterator[Lot]:
        lots = sorted(self.lots.values(), key=lambda lot: lot.id)
        return (lot for lot in lots if lot.free > 0 and lot.spendable_at(now))

    patch.setattr(Account, "spendable_lots", naive)


@mutant
def spends_what_has_expired(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(Lot, "spendable_at", lambda self, now: self.available_at <= now)


@mutant
def expires_a_moment_late(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(
        Lot, "spendable_at", lambda self, now: self.available_at <= now <= self.expires_at
    )


@mutant
def spends_what_is_pending(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(Lot, "spendable_at", lambda self, now: now < self.expires_at)


@mutant
def forgets_what_is_held(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(Lot, "free", property(lambda self: self.remaining))


@mutant
def gives_back_as_a_new_lasting_lot(patch: pytest.MonkeyPatch) -> None:
    def naive(self: Batch, account: Account, lot: Lot, points: int, _grace: int, move: Any) -> None:
        self._make_lot(move, account, points, available_at=self.now, expires_at=NEVER)

    patch.setattr(Batch, "_restore", naive)


@mutant
def gives_grace_again_and_again(patch: pytest.MonkeyPatch) -> None:
    real = Batch._restore

    def naive(self: Batch, account: Account, lot: Lot, *rest: Any) -> None:
        lot = account.lots.setdefault(lot.id, lot)
        lot.origin_id = None
        real(self, account, lot, *rest)

    patch.setattr(Batch, "_restore", naive)


@mutant
def reverses_more_than_there_was(patch: pytest.MonkeyPatch) -> None:
    real = Batch._reverse

    def naive(self: Batch, command: Any, account: Account, mark: bytes) -> Any:
        original = self.originals.get(command.transaction_id)
        if original is not None:
            original.reversed_points = 0
        return real(self, command, account, mark)

    patch.setattr(Batch, "_reverse", naive)


@mutant
def remembers_no_keys(patch: pytest.MonkeyPatch) -> None:
    real = Batch.judge

    def naive(self: Batch, command: Any) -> Any:
        self.keys.clear()
        return real(self, command)

    patch.setattr(Batch, "judge", naive)


@mutant
def answers_any_input_under_a_known_key(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(posting, "fingerprint", lambda _command: b"same")


@mutant
def remembers_no_business(patch: pytest.MonkeyPatch) -> None:
    real = Batch.judge

    def naive(self: Batch, command: Any) -> Any:
        self.business_keys.clear()
        return real(self, command)

    patch.setattr(Batch, "judge", naive)


@mutant
def captures_after_the_hold_timed_out(patch: pytest.MonkeyPatch) -> None:
    real = Batch._capture

    def naive(self: Batch, command: Any, account: Account, mark: bytes) -> Any:
        for hold in account.holds.values():
            hold.expires_at = NEVER
        return real(self, command, account, mark)

    patch.setattr(Batch, "_capture", naive)


@mutant
def never_times_a_hold_out(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(Batch, "_time_out_holds", lambda _self, _account: None)


@mutant
def forgets_the_deficit(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(Batch, "_absorb_deficit", lambda _self, _move, _account: None)


@mutant
def slides_on_every_look(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(journal, "ACTIVITY", ())


@mutant
def takes_the_rest_of_a_hold_too(patch: pytest.MonkeyPatch) -> None:
    real = Batch._capture

    def naive(self: Batch, command: Any, account: Account, mark: bytes) -> Any:
        whole = copy.copy(command)
        object.__setattr__(whole, "points", None)
        return real(self, whole, account, mark)

    patch.setattr(Batch, "_capture", naive)


@mutant
def loads_only_some_lots(patch: pytest.MonkeyPatch) -> None:
    real = ledger_store.load

    async def naive(needs: Any) -> Any:
        loaded = await real(needs)
        for account in loaded.accounts.values():
            for lot_id in list(account.lots)[1:]:
                if not account.lots[lot_id].held:
                    del account.lots[lot_id]
        return loaded

    patch.setattr("loyalty.ledger.service.load", naive)


@pytest.mark.parametrize("name", MUTANTS)
async def test_a_naive_ledger_is_caught(
    name: str, sqlite: Backend, monkeypatch: pytest.MonkeyPatch
) -> None:
    url = sqlite.create()
    MUTANTS[name](monkeypatch)
    caught = []
    for table in TABLES:
        try:
            async with database(url, migrate=False):
                clock = VirtualClock(datetime(2026, 1, 1, tzinfo=UTC))
                await Player(Ledger(clock), clock).play(table)
        except Exception as error:
            caught.append((table, error))
        sqlite.drop(url)
        url = sqlite.create()
    assert caught, "the tables do not notice"
