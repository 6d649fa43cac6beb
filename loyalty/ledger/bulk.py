"""Any number of commands, a chunk at a time: one chunk is judged while another is being written."""

import asyncio
from collections import deque
from collections.abc import (
    AsyncIterable,
    AsyncIterator,
    Awaitable,
    Callable,
    Iterable,
    Mapping,
    Sequence,
)
from dataclasses import dataclass, field
from itertools import islice

import asyncpg

from loyalty.ledger.proposal import Proposal
from loyalty.refusals import Refusal
from loyalty.rules.accounts import Account
from loyalty.rules.commands import Command, Verdict

Commands = Iterable[Command] | AsyncIterable[Command]
Settled = tuple[Sequence[Command], Sequence[Verdict]]
Settle = Callable[[Sequence[Command]], Awaitable[Sequence[Verdict]]]
ProposeAhead = Callable[[Sequence[Command], Mapping[int, Account]], Awaitable[Proposal | None]]
"""Judges by accounts that are not written yet; None if the chunk must wait until they are."""
DEPTH = 2
"""Chunks that are being written at a time: the rows of one while the other's accounts are."""


@dataclass
class BulkResult:
    """What became of a bulk run: new postings, repeats answered from before, refusals."""

    posted: int = 0
    replayed: int = 0
    refused: list[tuple[Command, Refusal]] = field(default_factory=list)

    def count(self, command: Command, verdict: Verdict) -> None:
        if isinstance(verdict, Refusal):
            self.refused.append((command, verdict))
        elif verdict.replayed:
            self.replayed += 1
        else:
            self.posted += 1


async def in_turn(chunks: AsyncIterator[list[Command]], settle: Settle) -> AsyncIterator[Settled]:
    """Judge and write one chunk after the other."""
    async for chunk in chunks:
        yield chunk, await settle(chunk)


async def pipelined(
    chunks: AsyncIterator[list[Command]], settle: Settle, propose_ahead: ProposeAhead
) -> AsyncIterator[Settled]:
    """Judge a chunk while those before it are being written.

    Where they touch the same account it is judged by what they will have written. Should one of
    them fail, the judgements that follow are thrown away with it.
    """
    under_way: deque[_UnderWay] = deque()
    try:
        async for chunk in chunks:
            known = {i: a for each in under_way for i, a in each.proposal.accounts.items()}
            proposal = await propose_ahead(chunk, known)
            if proposal is not None:
                under_way.append(_UnderWay(chunk, proposal, under_way[-1] if under_way else None))
            while under_way and (proposal is None or len(under_way) > DEPTH):
                first = under_way[0]
                yield first.commands, await first.verdicts(settle)
                under_way.popleft()
            if proposal is None:
                yield chunk, await settle(chunk)
        while under_way:
            first = under_way[0]
            yield first.commands, await first.verdicts(settle)
            under_way.popleft()
    finally:
        if under_way:
            await asyncio.wait([each.writing for each in under_way])


class _UnderWay:
    """A chunk that is being written, if and once the one before it is."""

    def __init__(
        self, commands: Sequence[Command], proposal: Proposal, before: "_UnderWay | None"
    ) -> None:
        self.commands = commands
        self.proposal = proposal
        self.writing: asyncio.Task[bool] = asyncio.create_task(
            self._write(before.writing if before else None)
        )

    async def _write(self, before: "asyncio.Task[bool] | None") -> bool:
        try:
            return await self.proposal.write(after=before)
        except asyncpg.UniqueViolationError:
            return False  # a key used twice: judged again, its first use will be seen

    async def verdicts(self, settle: Settle) -> Sequence[Verdict]:
        """Of the writing, or of another try when it failed."""
        return self.proposal.verdicts if await self.writing else await settle(self.commands)


async def chunked(commands: Commands, size: int) -> AsyncIterator[list[Command]]:
    """The commands in lists of `size`, drawn only as they are needed."""
    if not isinstance(commands, AsyncIterable):
        drawn = iter(commands)
        while chunk := list(islice(drawn, size)):
            yield chunk
        return
    chunk = []
    async for command in commands:
        chunk.append(command)
        if len(chunk) == size:
            yield chunk
            chunk = []
    if chunk:
        yield chunk
