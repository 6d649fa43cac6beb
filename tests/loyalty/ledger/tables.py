"""Reads the text tables beside this file and plays them against a ledger.

One command a line, its expected status last; `#` begins a comment. An account is a capital letter
and exists from the first mention by `accrue`. The words are in `PLAY` below.
"""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

from loyalty.clock import VirtualClock
from loyalty.database import query
from loyalty.instants import NEVER, from_micros_or_never, to_micros
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
    Released,
    Reverse,
    Verdict,
)

FOLDER = Path(__file__).parent / "tables"
DAY = 86_400_000_000
TABLES = sorted(path.stem for path in FOLDER.glob("*.txt"))


def instant(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


def micros(text: str) -> int:
    return NEVER if text == "never" else to_micros(instant(text))


class TableError(AssertionError):
    """A line whose outcome is not the one that stands beside it."""


@dataclass
class Player:
    """Plays one table. Names (`as x`, hold names) stand for ids."""

    ledger: Ledger
    clock: VirtualClock
    names: dict[str, tuple[int, int]] = field(default_factory=dict)
    accounts: dict[str, int] = field(default_factory=dict)
    count: int = 0

    async def play(self, table: str) -> None:
        for number, line in enumerate((FOLDER / f"{table}.txt").read_text().splitlines(), 1):
            words = line.split("#")[0].split()
            if not words:
                continue
            try:
                await PLAY[words[0]](self, words[1:])
                report = await verify()
                assert not report.findings, report.findings[:3]
            except AssertionError as error:
                raise TableError(f"{table}.txt:{number}: {line.strip()}\n  {error}") from error

    # -- the verbs ------------------------------------------------------------------------------

    async def at(self, words: list[str]) -> None:
        self.clock.set(instant(words[0]))

    async def accrue(self, words: list[str]) -> None:
        name, points, *rest, status = words
        if name not in self.accounts:
            self.accounts[name] = 1_000 + ord(name)
            await self.ledger.open_accounts([self.accounts[name]])
        options = _options(rest)
        now = to_micros(self.clock.now())
        days = int(options.get("sliding", 0))
        command = Accrue(
            key=self._key(options), account_id=self.accounts[name], points=int(points), at=now,
            available_at=micros(options["available"]) if "available" in options else 0,
            expires_at=now + days * DAY if days else micros(options.get("expires", "never")),
            sliding_days=days, business_key=options.get("business"),
        )  # fmt: skip
        await self._post(command, status, options.get("as"))

    async def redeem(self, words: list[str]) -> None:
        name, points, *rest, status = words
        options = _options(rest)
        command = Redeem(
            key=self._key(options), account_id=self.accounts.get(name, 999_999),
            points=int(points), at=to_micros(self.clock.now()),
        )  # fmt: skip
        await self._post(command, status, options.get("as"))

    async def hold(self, words: list[str]) -> None:
        hold, name, points, *rest, status = words
        options = _options(rest)
        command = Hold(
            key=self._key(options), account_id=self.accounts[name], points=int(points),
            at=to_micros(self.clock.now()), expires_at=micros(options["until"]),
        )  # fmt: skip
        await self._post(command, status, hold)

    async def capture(self, words: list[str]) -> None:
        hold, *points, status = words
        hold_id, account_id = self.names.get(hold, (999, next(iter(self.accounts.values()))))
        command = Capture(
            key=self._key({}), account_id=account_id, hold_id=hold_id,
            points=int(points[0]) if points else None, at=to_micros(self.clock.now()),
        )  # fmt: skip
        await self._post(command, status, None)

    async def release(self, words: list[str]) -> None:
        hold_id, account_id = self.names[words[0]]
        command = Release(
            key=self._key({}), account_id=account_id, hold_id=hold_id,
            at=to_micros(self.clock.now()),
        )  # fmt: skip
        await self._post(command, words[1], None)

    async def reverse(self, words: list[str]) -> None:
        moved = None
        if "moved" in words:
            moved = int(words[-1])
            words = words[:-2]
        name, *rest, status = words
        points = int(rest.pop(0)) if rest and rest[0].isdigit() else None
        policies = {policy.value: policy for policy in Clawback}
        policy = policies[rest.pop(0)] if rest and rest[0] in policies else Clawback.WITHIN_BALANCE
        options = _options(rest)
        transaction_id, account_id = self.names.get(name, (1, next(iter(self.accounts.values()))))
        command = Reverse(
            key=self._key(options), account_id=account_id, transaction_id=transaction_id,
            points=points, clawback=policy, grace_days=int(options.get("grace", 0)),
            at=to_micros(self.clock.now()),
        )  # fmt: skip
        verdict = await self._post(command, status, None)
        if moved is not None:
            assert isinstance(verdict, Posted)
            assert verdict.points == moved, f"moved {verdict.points}"

    async def expire(self, words: list[str]) -> None:
        done = await self.ledger.expire_due()
        assert done.posted == int(words[0]), f"{done.posted} expired"

    # -- the questions --------------------------------------------------------------------------

    async def balance(self, words: list[str], at: datetime | None = None) -> None:
        name, available, *rest = words
        balance = await self.ledger.balance(self.accounts[name], at)
        assert not isinstance(balance, Refusal)
        assert balance.available == int(available), f"{balance}"
        for figure, expected in _options(rest).items():
            if figure == "next":
                soonest = balance.next_expiry
                assert soonest is not None
                assert f"{soonest.points}@{soonest.at.date()}" == expected, f"{soonest}"
            else:
                assert getattr(balance, figure) == int(expected), f"{figure}: {balance}"

    async def was(self, words: list[str]) -> None:
        await self.balance(words[1:], instant(words[0]))

    async def lots(self, words: list[str]) -> None:
        rows = await query(
            "SELECT remaining, expires_at FROM ledger_lot WHERE account_id = $1 AND remaining > 0 "
            "ORDER BY expires_at, id",
            None,
            self.accounts[words[0]],
        )
        seen = [f"{left}@{_day(until)}" for left, until in map(tuple, rows)]
        assert seen == words[1:], f"lots {seen}"

    async def left(self, words: list[str]) -> None:
        rows = await query(
            "SELECT SUM(remaining) FROM ledger_lot WHERE transaction_id = $1",
            None,
            self.names[words[0]][0],
        )
        assert rows[0][0] == int(words[1]), f"{rows[0][0]} left"

    # -- helpers --------------------------------------------------------------------------------

    def _key(self, options: dict[str, str]) -> str:
        self.count += 1
        return options.get("key", f"line {self.count}")

    async def _post(self, command: Command, status: str, name: str | None) -> Verdict:
        verdict = await self.ledger.post(command)
        seen = status_of(verdict)
        assert seen == status, f"{seen}: {verdict}"
        if name is not None and isinstance(verdict, Posted | Held) and not verdict.replayed:
            made = verdict.transaction_id if isinstance(verdict, Posted) else verdict.hold_id
            self.names[name] = (made, command.account_id)
        return verdict


def status_of(verdict: Verdict) -> str:
    match verdict:
        case Refusal():
            return verdict.code.value
        case Released():
            return "released"
        case Posted() | Held() if verdict.replayed:
            return "replayed"
        case Posted():
            return "posted"
        case Held():
            return "held"


def _options(words: list[str]) -> dict[str, str]:
    words = [word for word in words if word != "never"]
    return dict(zip(words[::2], words[1::2], strict=True))


def _day(until: int) -> str:
    instant = from_micros_or_never(until)
    return str(instant.date()) if instant else "never"


PLAY: dict[str, Callable[[Player, list[str]], Awaitable[None]]] = {
    "at": Player.at, "accrue": Player.accrue, "redeem": Player.redeem, "hold": Player.hold,
    "capture": Player.capture, "release": Player.release, "reverse": Player.reverse,
    "expire": Player.expire, "balance": Player.balance, "was": Player.was, "will": Player.was,
    "lots": Player.lots, "left": Player.left,
}  # fmt: skip
