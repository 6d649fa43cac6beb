"""The points ledger: one way in for every command, and the reads.

`post` joins the commands of concurrent callers into shared commits, each with its own verdict;
`post_within` is for a caller who already has a transaction; `post_many` is for millions.
"""

import asyncio
from collections.abc import AsyncIterable, Callable, Iterable, Mapping, Sequence

import asyncpg

from loyalty.clock import Clock
from loyalty.database import connection, dialect, in_transaction, query, transaction
from loyalty.ids import next_id
from loyalty.instants import to_micros
from loyalty.ledger.bulk import BulkResult, chunked, in_turn, pipelined
from loyalty.ledger.memory import Memory
from loyalty.ledger.proposal import Proposal
from loyalty.ledger.reads import LedgerReads
from loyalty.ledger.store import Loaded, Needs, load
from loyalty.rules.accounts import Account
from loyalty.rules.commands import (
    Accrue,
    Command,
    Expire,
    Hold,
    Redeem,
    Release,
    Verdict,
)
from loyalty.rules.journal import NeedsLotsError
from loyalty.rules.posting import Batch

BATCH_MAX = 512
"""Commands that share one commit at most."""
BREATH = 32
"""Commands judged at a stretch, part of a millisecond, while another chunk is being written."""
TRIES_BEFORE_LOCKING = 3
"""Judgements without a lock before the accounts are locked first: somebody else is busy on them."""

LOCK = "SELECT id FROM ledger_account WHERE id = ANY($1::bigint[]) ORDER BY id FOR NO KEY UPDATE"


class Ledger(LedgerReads):
    """The ledger on the current database. `chain=False`, no hash chain, is for benchmarks only."""

    def __init__(self, clock: Clock, *, chain: bool = True) -> None:
        super().__init__(clock)
        self._chain = chain
        self._memory = Memory()
        self._queue: list[tuple[Command, asyncio.Future[Verdict]]] = []
        self._writer: asyncio.Task[None] | None = None
        self._idle = asyncio.Event()
        self._idle.set()

    # -- writing --------------------------------------------------------------------------------

    async def post(self, command: Command) -> Verdict:
        """Decide and write one command; concurrent callers share a commit.

        When this returns, the verdict is durable. When the caller is cancelled the outcome is
        unknown: repeat with the same key. Not for use inside a transaction.
        """
        if in_transaction():
            raise RuntimeError("inside a transaction use Ledger.post_within")
        if self._idle.is_set():
            return await self._post_alone(command)
        future: asyncio.Future[Verdict] = asyncio.get_running_loop().create_future()
        self._queue.append((command, future))
        return await future

    async def _post_alone(self, command: Command) -> Verdict:
        """Nobody is writing: this caller does it herself. Those who come meanwhile are queued."""
        self._idle.clear()
        try:
            [verdict] = await self._settle([command])
        finally:
            if self._queue:
                # The writer outlives her, and must not be cancelled with her.
                self._writer = asyncio.create_task(self._write_queue())
            else:
                self._idle.set()
        return verdict

    async def post_within(self, commands: Sequence[Command]) -> list[Verdict]:
        """Decide and write commands as part of the caller's transaction.

        Keep it the last step before the commit, and call it once: it locks the accounts, in an
        order that a second call would break.
        """
        if not in_transaction():
            raise RuntimeError("outside of a transaction use Ledger.post")
        return await self._judge_and_write(commands)

    async def propose(self, commands: Sequence[Command]) -> Proposal:
        """Decide commands, and write nothing yet.

        For a caller whose own rows tell of the verdicts and of the balance. She writes them before
        `Proposal.write`, or together with it, so that the accounts are locked only for the commit
        itself. On SQLite both belong into one transaction, since only that keeps others out.
        """
        if dialect() == "sqlite" and not in_transaction():
            raise RuntimeError("outside of a transaction use Ledger.post")
        self._memory.forget({command.account_id for command in commands})
        proposal = await self._judge(commands)
        if all(account.knows_all_lots for account in proposal.accounts.values()):
            return proposal
        return await self._judge(commands, everything=True)

    async def post_many(
        self,
        commands: Iterable[Command] | AsyncIterable[Command],
        *,
        batch: int = 1000,
        progress: Callable[[int], None] | None = None,
    ) -> BulkResult:
        """Post any number of commands, `batch` to a commit; `progress` gets the count of each.

        Broken off and started again, it answers what was done from the keys and does the rest.
        """
        result = BulkResult()
        chunks = chunked(commands, batch)
        repeats, replayed = False, 0

        async def propose_ahead(
            chunk: Sequence[Command], known: Mapping[int, Account]
        ) -> Proposal | None:
            return await self._propose_ahead(chunk, known, trusts_keys=not repeats)

        settled = (
            pipelined(chunks, self._settle, propose_ahead)
            if dialect() == "postgres"
            else in_turn(chunks, self._settle)
        )
        async for chunk, verdicts in settled:
            for command, verdict in zip(chunk, verdicts, strict=True):
                result.count(command, verdict)
            repeats = result.replayed > replayed
            replayed = result.replayed
            if progress is not None:
                progress(len(chunk))
        return result

    async def open_accounts(self, account_ids: Sequence[int]) -> None:
        """Make accounts for new customers; those that exist stay as they are."""
        text = (
            "INSERT INTO ledger_account (id, kind, balance, deficit, version, seq, slides, head) "
            "SELECT {source}, 'customer', 0, 0, 0, 0, FALSE, {empty} "
        )
        if dialect() == "postgres":
            await query(
                text.format(source="unnest($1::bigint[])", empty="''::bytea")
                + "ON CONFLICT DO NOTHING",
                None,
                list(account_ids),
            )
            return
        async with transaction() as db, db.acquire_connection() as raw:
            await raw.executemany(
                text.format(source="?1", empty="x''") + "WHERE TRUE ON CONFLICT DO NOTHING",
                [(account_id,) for account_id in account_ids],
            )

    async def expire_due(
        self, *, batch: int = 1000, progress: Callable[[int], None] | None = None
    ) -> BulkResult:
        """Expire every lot whose time has passed, each as a transaction dated at its expiry.

        Runs after any downtime: balances were right meanwhile, an expired lot cannot be spent.
        """
        result = BulkResult()
        while commands := await self._due_lots(batch):
            part = await self.post_many(commands, batch=batch, progress=progress)
            result.posted += part.posted
            if not part.posted:  # what is left is kept by holds
                break
        return result

    async def release_due(self, *, batch: int = 1000) -> int:
        """Close holds whose time has passed; returns how many. They had let go by themselves."""
        count = 0
        while True:
            now = to_micros(self._clock.now())
            rows = await query(
                "SELECT id, account_id FROM ledger_hold WHERE state = 'held' AND expires_at <= $1 "
                "ORDER BY expires_at LIMIT $2",
                None,
                now,
                batch,
            )
            if not rows:
                return count
            await self.post_many(
                [
                    Release(key=f"release:{row[0]}", account_id=row[1], hold_id=row[0], at=now)
                    for row in rows
                ]
            )
            count += len(rows)

    async def _due_lots(self, batch: int) -> list[Command]:
        now = to_micros(self._clock.now())
        rows = await query(
            "SELECT account_id, id FROM ledger_lot WHERE open AND expires_at <= $1 "
            "AND remaining > held ORDER BY expires_at LIMIT $2",
            None,
            now,
            batch,
        )
        return [Expire(account_id=row[0], lot_id=row[1], at=now) for row in rows]

    async def stop(self) -> None:
        """Wait until what was asked for is written."""
        await self._idle.wait()

    # -- the writer -----------------------------------------------------------------------------

    async def _write_queue(self) -> None:
        try:
            while self._queue:
                taken, self._queue = self._queue[:BATCH_MAX], self._queue[BATCH_MAX:]
                await self._write_for(taken)
                await asyncio.sleep(0)  # those who have their verdict may ask again, together
        finally:
            self._idle.set()

    async def _write_for(self, taken: list[tuple[Command, asyncio.Future[Verdict]]]) -> None:
        # A caller who gave up before her turn is not served: she may not come back.
        waiting = [(command, future) for command, future in taken if not future.cancelled()]
        try:
            verdicts = await self._settle([command for command, _ in waiting])
        except BaseException as error:
            await self._one_by_one(waiting, error)
            return
        for (_, future), verdict in zip(waiting, verdicts, strict=True):
            if not future.done():
                future.set_result(verdict)

    async def _one_by_one(
        self, waiting: list[tuple[Command, asyncio.Future[Verdict]]], error: BaseException
    ) -> None:
        """A batch that failed must not fail the innocent: give each command its own try."""
        if not isinstance(error, Exception) or len(waiting) == 1:
            for _, future in waiting:
                if not future.done():
                    future.set_exception(error)
            if not isinstance(error, Exception):
                raise error
            return
        for command, future in waiting:
            try:
                [verdict] = await self._settle([command])
            except Exception as own:
                if not future.done():
                    future.set_exception(own)
            else:
                if not future.done():
                    future.set_result(verdict)

    async def _settle(self, commands: Sequence[Command]) -> list[Verdict]:
        """Judge and write in a commit of their own."""
        if not commands:
            return []
        if dialect() == "sqlite":
            async with transaction():
                return await self._judge_and_write(commands)
        remembered = await self._try_remembered(commands)
        if remembered is not None:
            return remembered
        for _ in range(TRIES_BEFORE_LOCKING):
            try:
                verdicts = await self._try(commands)
            except asyncpg.UniqueViolationError:
                continue  # a key was used meanwhile: the next load will see it
            if verdicts is not None:
                return verdicts
        async with transaction():
            return await self._judge_and_write(commands, lock=True)

    async def _judge_and_write(
        self, commands: Sequence[Command], *, lock: bool = False
    ) -> list[Verdict]:
        """Inside a transaction: at first without a lock, then with the accounts locked."""
        if not lock:
            verdicts = await self._try(commands)
            if verdicts is not None:
                return verdicts
        async with connection().acquire_connection() as raw:
            await raw.fetch(LOCK, sorted({command.account_id for command in commands}))
        verdicts = await self._try(commands)
        assert verdicts is not None, "the accounts are locked: nobody else can have changed them"
        return verdicts

    async def _try(self, commands: Sequence[Command]) -> list[Verdict] | None:
        """Load, judge, write. None if another process changed an account in between."""
        self._memory.forget({command.account_id for command in commands})
        proposal = await self._judge(commands)
        if not await proposal.write():
            return None
        if not in_transaction():  # inside one, the commit is still to come
            self._memory.put(proposal.accounts.values())
        return proposal.verdicts

    async def _judge(
        self,
        commands: Sequence[Command],
        known: Mapping[int, Account] | None = None,
        *,
        everything: bool = False,
        ahead: bool = False,
        trusts_keys: bool = False,
    ) -> Proposal:
        """Load what is needed, or `everything`, and judge. Accounts in `known` are taken as is.

        `ahead`: let other tasks run in between.
        """
        needs = Needs.of(commands, known or {})
        needs.trusts_keys = trusts_keys
        if everything:
            needs.all_lots |= needs.accounts
        while True:
            loaded = await load(needs)
            loaded.accounts.update({i: known[i] for i in needs.known} if known else {})
            batch = self._batch(loaded)
            verdicts: list[Verdict] = []
            try:
                for number, command in enumerate(commands, 1):
                    verdicts.append(batch.judge(command))
                    if ahead and not number % BREATH:
                        await asyncio.sleep(0)
            except NeedsLotsError as need:
                if need.account_id in needs.known:
                    raise
                needs.add(need)
                continue
            return Proposal(verdicts, loaded.accounts, batch.rows)

    async def _propose_ahead(
        self, chunk: Sequence[Command], known: Mapping[int, Account], *, trusts_keys: bool
    ) -> Proposal | None:
        """None if it must wait: for lots of an account, or for what a command names by its id."""
        if not all(isinstance(command, Accrue | Redeem | Hold | Expire) for command in chunk):
            return None
        self._memory.forget({command.account_id for command in chunk})
        try:
            return await self._judge(chunk, known, ahead=True, trusts_keys=trusts_keys)
        except NeedsLotsError:
            return None

    async def _try_remembered(self, commands: Sequence[Command]) -> list[Verdict] | None:
        """Judge by what this process wrote last, in one round trip. None if that will not do."""
        if not all(isinstance(command, Accrue | Redeem) for command in commands):
            return None
        accounts = self._memory.take({command.account_id for command in commands})
        if accounts is None:
            return None
        batch = self._batch(Loaded(accounts=accounts))
        try:
            verdicts = [batch.judge(command) for command in commands]
            proposal = Proposal(verdicts, accounts, batch.rows)
            if not all(verdicts) or not await proposal.write():
                return None  # a refusal is worth a fresh look
        except (NeedsLotsError, asyncpg.UniqueViolationError):
            return None
        self._memory.put(accounts.values())
        return verdicts

    def _batch(self, loaded: Loaded) -> Batch:
        return Batch(
            now=to_micros(self._clock.now()),
            next_id=next_id,
            accounts=loaded.accounts,
            keys=loaded.keys,
            business_keys=loaded.business_keys,
            originals=loaded.originals,
            holds=loaded.holds,
            chain=self._chain,
        )
