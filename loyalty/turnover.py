"""A customer's turnover and tier: kept with each receipt, and looked at again when time goes by.

The rules are `loyalty.rules.tiers`. Whoever changes a turnover has judged one version of it, and
writes only if that one still stands.
"""

import json
from dataclasses import dataclass
from typing import Any

from loyalty import events
from loyalty.clock import Clock
from loyalty.conflicts import OvertakenError, until_settled
from loyalty.database import after_commit, query, transaction
from loyalty.ids import next_id
from loyalty.instants import NEVER, to_micros
from loyalty.ledger.companion import Companion, DemandError
from loyalty.rule_book import RuleBook
from loyalty.rules.months import month_of, month_starts_at
from loyalty.rules.programme import ProgrammeRules
from loyalty.rules.tiers import Assessed, Holding, assess, window
from loyalty.sql import turnover as sql
from loyalty.sql.events import EventRow

BATCH = 200
"""Customers that are assessed in one transaction."""


@dataclass(frozen=True, slots=True)
class Turnover:
    """What is known of a customer: `version` 0 has never been written.

    `window_minor` is the turnover of the window of the instant that was asked about.
    `is_unsummed`: she has receipts from before turnover was kept; `sum_up` comes first.
    """

    customer_id: int
    version: int
    receipts: int
    holding: Holding
    window_minor: int
    is_unsummed: bool


def turnover_of(row: Any, customer_id: int) -> Turnover:
    """Out of a row that has the columns of `loyalty.sql.turnover`."""
    if row["version"] is None:
        unsummed = bool(row["is_unsummed"])
        return Turnover(customer_id, 0, 0, Holding(), row["window_minor"], unsummed)
    holding = Holding(
        tier=row["tier"],
        rises=tuple((code, since) for code, since in json.loads(row["rises"])),
        falls_at=row["falls_at"],
        near_told=row["near_told"],
        near_at=row["near_at"],
    )
    return Turnover(
        customer_id, row["version"], row["receipts"], holding, row["window_minor"], False
    )


@dataclass(frozen=True, slots=True)
class TurnoverRows:
    """A turnover as it will be, with what is told of it, ready to be written with its cause."""

    row: sql.TurnoverRow
    month: sql.MonthRow
    events: tuple[EventRow, ...]

    @property
    def version(self) -> int:
        return self.row[1]

    def companion(self) -> Companion:
        """For the statement of a receipt, on Postgres. Demands TURNOVER_SEEN."""
        return sql.companion(self.row, self.month, self.events)

    async def write(self) -> None:
        """Inside the transaction of its cause. Raises DemandError when somebody was quicker."""
        await sql.write(self.row, self.month, self.events)


def bought(
    seen: Turnover, rules: ProgrammeRules, *, paid_minor: int, month: int, now: int
) -> TurnoverRows:
    """After a receipt of `month` (see `rules.months`), recorded now. `rules` are those in force."""
    return _moved(seen, rules, paid_minor, receipts=1, month=month, now=now, undone_at=None)


def undone(
    seen: Turnover,
    rules: ProgrammeRules,
    *,
    paid_minor: int,
    whole: bool,
    month: int,
    recorded_at: int,
    now: int,
) -> TurnoverRows:
    """After a receipt of `month` is cancelled (`whole`), or `paid_minor` of it are returned.

    `month` is the one that it was counted in. `recorded_at` is the receipt's: a tier that was
    reached since may go with it.
    """
    receipts = -1 if whole else 0
    return _moved(
        seen, rules, -paid_minor, receipts=receipts, month=month, now=now, undone_at=recorded_at
    )


def _moved(
    seen: Turnover,
    rules: ProgrammeRules,
    minor: int,
    *,
    receipts: int,
    month: int,
    now: int,
    undone_at: int | None,
) -> TurnoverRows:
    first, last = window(month_of(now, rules.timezone))
    turnover_minor = seen.window_minor + (minor if first <= month <= last else 0)
    assessed = _assess(seen.holding, turnover_minor, rules, now, undone_at)
    row = _row(
        seen, assessed.holding, turnover_minor, rules, now, receipts=seen.receipts + receipts
    )
    told = _events(seen.customer_id, assessed, turnover_minor, now)
    return TurnoverRows(row, (seen.customer_id, month, minor, receipts), told)


def _assess(
    holding: Holding, turnover_minor: int, rules: ProgrammeRules, now: int, undone_at: int | None
) -> Assessed:
    return assess(
        holding,
        turnover_minor,
        rules.tiers,
        now=now,
        month_ends_at=month_starts_at(month_of(now, rules.timezone) + 1, rules.timezone),
        undone_at=undone_at,
    )


def _row(
    seen: Turnover,
    holding: Holding,
    turnover_minor: int,
    rules: ProgrammeRules,
    now: int,
    *,
    receipts: int,
) -> sql.TurnoverRow:
    return (
        seen.customer_id, seen.version + 1, max(receipts, 0), holding.tier,
        json.dumps(holding.rises), holding.falls_at, holding.near_told, holding.near_at,
        turnover_minor, _due_at(holding, turnover_minor, rules, now),
    )  # fmt: skip


def _due_at(holding: Holding, turnover_minor: int, rules: ProgrammeRules, now: int) -> int:
    """When time alone may change it: the next month moves the window, grace may end before."""
    if not (holding.tier or turnover_minor) or not rules.tiers.levels:
        return NEVER
    month_ends_at = month_starts_at(month_of(now, rules.timezone) + 1, rules.timezone)
    return min(holding.falls_at, month_ends_at)


def _events(
    customer_id: int, assessed: Assessed, turnover_minor: int, now: int
) -> tuple[EventRow, ...]:
    told = []
    if assessed.changed is not None:
        changed = assessed.changed
        payload: dict[str, Any] = {"was": changed.was, "tier": changed.now, "why": changed.why}
        told.append(("tier.changed", payload | {"turnover_minor": turnover_minor}))
    if assessed.near is not None:
        near = assessed.near
        payload = {"tier": near.tier, "missing_minor": near.missing_minor}
        told.append(("tier.near", payload | {"turnover_minor": turnover_minor}))
    return tuple(
        (next_id(), kind, customer_id, now, events.encode(payload)) for kind, payload in told
    )


# --- without a receipt ---


async def sum_up(customer_id: int, rules: ProgrammeRules, now: int) -> None:
    """Make the turnover of a customer out of her receipts of the time before it was kept."""

    async def attempt() -> None:
        async with transaction():
            if (await _of(customer_id, rules, now)).version:
                return  # somebody else has just done so
            months: dict[int, list[int]] = {}
            for row in await query(sql.RECEIPTS_OF, None, customer_id):
                if row["state"] != "cancelled":
                    sums = months.setdefault(month_of(row["at"], rules.timezone), [0, 0])
                    sums[0] += row["kept_minor"]
                    sums[1] += 1
            first, last = window(month_of(now, rules.timezone))
            minor = sum(paid for month, (paid, _) in months.items() if first <= month <= last)
            seen = Turnover(customer_id, 0, 0, Holding(), minor, False)
            # What she has had for long is no news to her.
            holding = _assess(Holding(), minor, rules, now, None).holding
            receipts = sum(count for _, count in months.values())
            row = _row(seen, holding, minor, rules, now, receipts=receipts)
            try:
                await sql.write(row, None, ())
            except DemandError:
                raise OvertakenError from None
            added = [(customer_id, month, *sums) for month, sums in sorted(months.items())]
            await query(*sql.INSERT_MONTHS, json.dumps(added))

    await until_settled(attempt)


async def _of(customer_id: int, rules: ProgrammeRules, now: int) -> Turnover:
    first, last = window(month_of(now, rules.timezone))
    [row] = await query(sql.OF_CUSTOMER, None, customer_id, first, last)
    return turnover_of(row, customer_id)


class Tiers:
    """What is done about tiers when nobody buys anything."""

    def __init__(self, clock: Clock, book: RuleBook) -> None:
        self._clock = clock
        self._book = book

    async def assess_due(self, *, batch: int = BATCH) -> int:
        """Look again at those whose window has moved or whose grace has ended; how many.

        May be run by several processes at once, broken off, and repeated: it catches up.
        """
        done = 0
        while count := await self._assess_some(batch):
            done += count
        return done

    async def _assess_some(self, batch: int) -> int:
        now, rules = to_micros(self._clock.now()), self._book.rules
        months = window(month_of(now, rules.timezone))
        async with transaction():
            due = await query(*sql.DUE, now, batch, *months)
            seen = [turnover_of(row, row["customer_id"]) for row in due]
            judged = [_assess(each.holding, each.window_minor, rules, now, None) for each in seen]
            rows: list[sql.TurnoverRow] = []
            told: list[EventRow] = []
            for each, assessed in zip(seen, judged, strict=True):
                minor, holding = each.window_minor, assessed.holding
                rows.append(_row(each, holding, minor, rules, now, receipts=each.receipts))
                told += _events(each.customer_id, assessed, minor, now)
            await sql.write_many(rows, told)
            after_commit(events.announce)
        return len(due)

    async def sum_up_all(self, *, batch: int = BATCH) -> int:
        """Sum up whoever has receipts from before turnover was kept; how many."""
        done = last = 0
        while rows := await query(sql.UNSUMMED, None, last, batch):
            async with transaction():  # a commit takes longer than a customer
                for row in rows:
                    await sum_up(row["id"], self._book.rules, to_micros(self._clock.now()))
            done, last = done + len(rows), rows[-1]["id"]
        return done
