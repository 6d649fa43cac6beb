"""Many at once: nothing is spent twice, nothing leaks, each caller gets her own verdict."""

import asyncio
import random

import pytest

from loyalty.clock import VirtualClock
from loyalty.database import connection, dialect, query, transaction
from loyalty.instants import to_micros
from loyalty.ledger import Ledger, verify
from loyalty.postgres import give_back
from loyalty.refusals import No, Refusal
from loyalty.rules.commands import Accrue, Capture, Held, Hold, Posted, Redeem, Release

CALLERS = 64


async def _funded(ledger: Ledger, clock: VirtualClock, account_id: int, points: int) -> None:
    await ledger.open_accounts([account_id])
    given = await ledger.post(
        Accrue(key=f"fund {account_id}", account_id=account_id, points=points,
               at=to_micros(clock.now()))
    )  # fmt: skip
    assert isinstance(given, Posted)


async def test_64_callers_spend_exactly_what_there_is(db: str, clock: VirtualClock) -> None:
    ledger = Ledger(clock)
    await _funded(ledger, clock, 2000, 1_000)
    now = to_micros(clock.now())
    verdicts = await asyncio.gather(
        *(
            ledger.post(Redeem(key=f"spend {n}", account_id=2000, points=30, at=now))
            for n in range(CALLERS)
        )
    )
    assert sum(isinstance(verdict, Posted) for verdict in verdicts) == 33  # 33 × 30 ≤ 1000
    refused = [verdict for verdict in verdicts if isinstance(verdict, Refusal)]
    assert {verdict.code for verdict in refused} == {No.INSUFFICIENT_POINTS}
    assert [dict(verdict.data) for verdict in refused] == [{"available": 10}] * 31
    assert not (await verify()).findings


async def test_ledgers_that_do_not_know_of_each_other_spend_no_more(
    db: str, clock: VirtualClock
) -> None:
    """Eight ledgers stand for eight processes: only the database is between them."""
    ledgers = [Ledger(clock) for _ in range(8)]
    await _funded(ledgers[0], clock, 2000, 500)
    now = to_micros(clock.now())

    async def spend(ledger: Ledger, name: str) -> int:
        spent = 0
        for n in range(20):
            verdict = await ledger.post(
                Redeem(key=f"{name} {n}", account_id=2000, points=7, at=now)
            )
            spent += 7 * bool(verdict)
        return spent

    spent = await asyncio.gather(*(spend(ledger, str(i)) for i, ledger in enumerate(ledgers)))
    assert sum(spent) == 497
    balance = await ledgers[0].balance(2000)
    assert balance.posted == 3  # type: ignore[union-attr]
    assert not (await verify()).findings


async def test_a_key_used_by_all_at_once_posts_once(db: str, clock: VirtualClock) -> None:
    ledgers = [Ledger(clock) for _ in range(4)]
    await _funded(ledgers[0], clock, 2000, 500)
    now = to_micros(clock.now())
    same = Redeem(key="once", account_id=2000, points=7, at=now)
    verdicts = await asyncio.gather(*(ledgers[n % 4].post(same) for n in range(CALLERS)))
    assert all(isinstance(verdict, Posted) for verdict in verdicts)
    assert sum(not verdict.replayed for verdict in verdicts) == 1  # type: ignore[union-attr]
    assert len({verdict.transaction_id for verdict in verdicts}) == 1  # type: ignore[union-attr]


async def test_a_key_used_for_two_accounts_at_once_posts_once(db: str, clock: VirtualClock) -> None:
    ledgers = [Ledger(clock) for _ in range(2)]
    await _funded(ledgers[0], clock, 2000, 500)
    await _funded(ledgers[0], clock, 2001, 500)
    now = to_micros(clock.now())
    for n in range(10):
        verdicts = await asyncio.gather(
            *(
                ledger.post(Redeem(key=f"both {n}", account_id=2000 + i, points=7, at=now))
                for i, ledger in enumerate(ledgers)
            )
        )
        codes = [v.code if isinstance(v, Refusal) else "posted" for v in verdicts]
        assert sorted(codes) == ["key_reused", "posted"]


async def test_tills_that_hold_the_same_customer_cannot_overspend(
    db: str, clock: VirtualClock
) -> None:
    ledger = Ledger(clock)
    await _funded(ledger, clock, 2000, 100)
    now = to_micros(clock.now())

    async def till(n: int) -> int:
        hold = await ledger.post(
            Hold(key=f"hold {n}", account_id=2000, points=40, at=now, expires_at=now + 10**9)
        )
        if not isinstance(hold, Held):
            return 0
        paid = await ledger.post(
            Capture(key=f"pay {n}", account_id=2000, hold_id=hold.hold_id, points=35, at=now)
        )
        return -paid.points if isinstance(paid, Posted) else 0

    assert sum(await asyncio.gather(*(till(n) for n in range(16)))) == 70
    assert not (await verify()).findings


async def test_the_post_of_a_broken_off_transaction_is_not_there(
    db: str, clock: VirtualClock
) -> None:
    ledger = Ledger(clock)
    await _funded(ledger, clock, 2000, 100)
    now = to_micros(clock.now())
    command = Redeem(key="within", account_id=2000, points=7, at=now)

    class BrokenError(Exception):
        pass

    async def broken_off() -> None:
        async with transaction():
            [verdict] = await ledger.post_within([command])
            assert isinstance(verdict, Posted)
            raise BrokenError

    with pytest.raises(BrokenError):
        await broken_off()
    balance = await ledger.balance(2000)
    assert balance.posted == 100  # type: ignore[union-attr]
    async with transaction():
        with pytest.raises(RuntimeError, match="post_within"):
            await ledger.post(command)
    with pytest.raises(RuntimeError, match=r"Ledger\.post"):
        await ledger.post_within([command])


async def test_a_storm_of_cancelled_callers_leaks_nothing(db: str, clock: VirtualClock) -> None:
    """Tasks die at every point: entering a transaction, inside it, committing, waiting in line."""
    ledger = Ledger(clock)
    await _funded(ledger, clock, 2000, 1_000_000)
    now = to_micros(clock.now())
    chance = random.Random(1)

    async def within(n: int) -> None:
        async with transaction():
            await query("SELECT 1")
            await ledger.post_within([Redeem(key=f"w{n}", account_id=2000, points=1, at=now)])

    async def alone(n: int) -> None:
        await ledger.post(Redeem(key=f"a{n}", account_id=2000, points=1, at=now))

    for _round in range(12):
        tasks = [
            asyncio.create_task((within if n % 2 else alone)(_round * 1000 + n)) for n in range(60)
        ]
        for task in tasks:
            asyncio.get_running_loop().call_later(chance.random() * 0.04, task.cancel)
        await asyncio.gather(*tasks, return_exceptions=True)
    await asyncio.wait_for(alone(-1), 10)
    async with asyncio.timeout(10), transaction():
        await query("SELECT 1")
    if dialect() == "postgres":
        pool = connection()._pool
        await give_back(pool)
        assert pool.get_size() <= pool.get_max_size()
        assert pool.get_idle_size() == pool.get_size()
        [[busy]] = await query(
            "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() "
            "AND state LIKE 'idle in transaction%'"
        )
        assert busy == 0
    # Every transaction is whole: what was answered or not, the books agree.
    assert not (await verify()).findings
    replay = [
        await ledger.post(Redeem(key=f"{kind}{n}", account_id=2000, points=1, at=now))
        for kind, n in (("w", 1), ("a", 0))
    ]
    assert all(isinstance(verdict, Posted) for verdict in replay)


async def test_a_million_would_not_fit_into_memory_so_bulk_streams(
    db: str, clock: VirtualClock
) -> None:
    """`post_many` takes what it needs, tells its progress, and can be started again."""
    ledger = Ledger(clock)
    accounts = list(range(3000, 3250))
    await ledger.open_accounts(accounts)
    now = to_micros(clock.now())
    drawn = 0

    async def commands():  # type: ignore[no-untyped-def]
        nonlocal drawn
        for account_id in [*accounts, 1_000_000]:
            drawn += 1
            yield Accrue(key=f"bulk {account_id}", account_id=account_id, points=5, at=now)

    steps: list[tuple[int, int]] = []
    first = await ledger.post_many(
        commands(), batch=100, progress=lambda done: steps.append((done, drawn))
    )
    assert (first.posted, first.replayed) == (250, 0)
    assert [refusal.code for _, refusal in first.refused] == [No.UNKNOWN_ACCOUNT]
    assert [done for done, _ in steps] == [100, 100, 51]
    assert all(taken <= 100 * (n + 3) for n, (_, taken) in enumerate(steps)), "reads far ahead"
    again = await ledger.post_many(commands(), batch=70)
    assert (again.posted, again.replayed) == (0, 250)
    assert not (await verify()).findings


@pytest.mark.parametrize(
    ("statement", "what"),
    [
        ("UPDATE ledger_account SET balance = balance + 1 WHERE id = 2000", "balance_differs"),
        ("UPDATE ledger_lot SET remaining = remaining - 1 WHERE account_id = 2000", "lot_differs"),
        ("DELETE FROM ledger_lot WHERE account_id = 2000", "lots_differ"),
        ("UPDATE ledger_lot SET expires_at = expires_at - 1", "chain_broken"),
        ("UPDATE ledger_account SET seq = seq + 1 WHERE id = 2000", "postings_missing"),
        ("UPDATE ledger_account SET balance = balance + 1 WHERE id = 100", "balance_differs"),
    ],
)
async def test_verify_finds_what_was_tampered_with(
    db: str, clock: VirtualClock, statement: str, what: str
) -> None:
    ledger = Ledger(clock)
    await _funded(ledger, clock, 2000, 100)
    assert not (await verify()).findings
    await query(statement)
    assert what in {finding.what for finding in (await verify()).findings}


@pytest.mark.parametrize("table", ["ledger_transaction", "ledger_posting", "ledger_take"])
async def test_what_is_written_stays(db: str, clock: VirtualClock, table: str) -> None:
    ledger = Ledger(clock)
    await _funded(ledger, clock, 2000, 100)
    now = to_micros(clock.now())
    await ledger.post(Redeem(key="r", account_id=2000, points=7, at=now))
    for statement in (f"UPDATE {table} SET points = points + 1", f"DELETE FROM {table}"):
        with pytest.raises(Exception, match="append-only"):
            await query(statement)


async def test_the_chain_finds_a_row_changed_behind_the_triggers(
    db: str, clock: VirtualClock
) -> None:
    """An administrator who drops the trigger can change rows, but not unseen."""
    ledger = Ledger(clock)
    await _funded(ledger, clock, 2000, 100)
    if dialect() == "postgres":
        await query("ALTER TABLE ledger_transaction DISABLE TRIGGER ALL")
    else:
        await query("DROP TRIGGER ledger_transaction_append_only_update")
    await query("UPDATE ledger_transaction SET reason = 'gift' WHERE account_id = 2000")
    assert {finding.what for finding in (await verify()).findings} == {"chain_broken"}


@pytest.mark.parametrize(
    ("statement", "what"),
    [
        ("UPDATE ledger_posting SET account_id = account_id + 1 WHERE account_id < 1000",
         "counter_account_differs"),
        ("UPDATE ledger_posting SET account_id = account_id + 100 WHERE account_id < 1000",
         "counter_account_differs"),
        ("DELETE FROM ledger_posting WHERE account_id = 2000", "postings_missing"),
        ("DELETE FROM ledger_posting WHERE account_id < 1000", "unbalanced_transaction"),
    ],
)  # fmt: skip
async def test_verify_finds_postings_changed_behind_the_triggers(
    db: str, clock: VirtualClock, statement: str, what: str
) -> None:
    ledger = Ledger(clock)
    await _funded(ledger, clock, 2000, 100)
    if dialect() == "postgres":
        await query("ALTER TABLE ledger_posting DISABLE TRIGGER ALL")
    else:
        for verb in ("update", "delete"):
            await query(f"DROP TRIGGER ledger_posting_append_only_{verb}")
    await query(statement)
    assert what in {finding.what for finding in (await verify()).findings}


@pytest.mark.parametrize("others", [0, 1], ids=["alone", "beside another"])
async def test_a_key_that_a_hold_has_taken_is_refused(
    db: str, clock: VirtualClock, others: int
) -> None:
    """Also when the accounts are remembered, and the posting is written without loading a thing."""
    ledger = Ledger(clock)
    for account_id in range(2000, 2001 + others):
        await _funded(ledger, clock, account_id, 100)
    now = to_micros(clock.now())
    hold = await ledger.post(
        Hold(key="h", account_id=2000, points=1, at=now, expires_at=now + 10**9)
    )
    assert isinstance(hold, Held)
    await ledger.post(Release(key="r", account_id=2000, hold_id=hold.hold_id, at=now))
    verdict, *rest = await asyncio.gather(
        ledger.post(Accrue(key="h", account_id=2000, points=5, at=now)),
        *(
            ledger.post(Accrue(key=f"{n}", account_id=2001, points=5, at=now))
            for n in range(others)
        ),
    )
    assert isinstance(verdict, Refusal)
    assert verdict.code == No.KEY_REUSED
    assert all(isinstance(other, Posted) for other in rest)


async def test_a_key_that_a_hold_has_taken_is_refused_in_bulk_too(
    db: str, clock: VirtualClock
) -> None:
    ledger = Ledger(clock)
    await _funded(ledger, clock, 2000, 100)
    now = to_micros(clock.now())
    await ledger.post(Hold(key="h", account_id=2000, points=1, at=now, expires_at=now + 10**9))
    keys = ["h", *(f"b{n}" for n in range(99))]
    done = await ledger.post_many(
        [Accrue(key=key, account_id=2000, points=5, at=now) for key in keys]
    )
    assert done.posted == 99
    assert [refusal.code for _, refusal in done.refused] == [No.KEY_REUSED]
