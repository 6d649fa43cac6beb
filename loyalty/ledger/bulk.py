"""Any number of commands, a chunk at a time: one chunk is judged while another is being written."""

import asyncio
from collections.abc import (
    AsyncIterable,
    AsyncIterator,
    Awaitable,
    Callable,
    Iterable,
    Mapping,
    Sequence,
)
from contextlib import suppress
from dataclasses import dataclass, field

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
    """Judge a chunk while the one before it is being written.

    Where both touch an account the second is judged by what the first will have written. Should
    that writing fail, the second judgement is thrown away with it.
    """
    before: _UnderWay | None = None
    try:
        async for chunk in chunks:
            proposal = await propose_ahead(chunk, before.proposal.accounts if before else {})
            if before is not None:
                yield before.commands, await before.verdicts(settle)
                if not before.is_written:
                    proposal = None
            if proposal is None:
                before = None
                yield chunk, await settle(chunk)
            else:
                before = _UnderWay(chunk, proposal)
        if before is not None:
            yield before.commands, await before.verdicts(settle)
    finally:
        if before is not None:
            await asyncio.wait([before.writing])


class _UnderWay:
    """A chunk that is being written."""

    def __init__(self, commands: Sequence[Command], proposal: Proposal) -> None:
        self.commands = commands
        self.proposal = proposal
        self.writing = asyncio.create_task(proposal.write())
        self.is_written = False

    async def verdicts(self, settle: Settle) -> Sequence[Verdict]:
        """Of the writing, or of another try when it failed."""
        # A key used twice: judge again, now that its first use can be seen.
        with suppress(asyncpg.UniqueViolationError):
            self.is_written = await self.writing
        return self.proposal.verdicts if self.is_written else await settle(self.commands)


async def chunked(commands: Commands, size: int) -> AsyncIterator[list[Command]]:
    """The commands in lists of `size`, drawn only as they are needed."""
    chunk: list[Command] = []
    async for command in _as_async(commands):
        chunk.append(command)
        if len(chunk) == size:
            yield chunk
            chunk = []
    if chunk:
        yield chunk


async def _as_async(commands: Commands) -> AsyncIterator[Command]:
    if isinstance(commands, AsyncIterable):
        async for command in commands:
            yield command
    else:
        for command in commands:
            yield command
