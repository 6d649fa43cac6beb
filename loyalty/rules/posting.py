"""The ledger's judgement: commands and accounts in, verdicts and rows to write out. Pure.

One batch at a time: `Batch.judge` takes the commands one by one, each seeing what those before it
did. A refused command changes nothing. The database is not here: `loyalty.ledger` loads what a
batch needs, and writes `Batch.rows` in one transaction, or nothing.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field

from loyalty.refusals import No, Refusal, refuse
from loyalty.rules.accounts import Account, HoldRecord
from loyalty.rules.commands import (
    POINTS_MAX,
    Accrue,
    Capture,
    Command,
    Expire,
    Held,
    Hold,
    Posted,
    Redeem,
    Release,
    Released,
    Reverse,
    Verdict,
)
from loyalty.rules.fingerprint import fingerprint
from loyalty.rules.journal import Move, NeedsLotsError
from loyalty.rules.reversing import Reversals


@dataclass(frozen=True, slots=True)
class Remembered:
    """An earlier command under the same key: what it meant and what was answered."""

    fingerprint: bytes
    verdict: Posted | Held


@dataclass
class Batch(Reversals):
    """Accounts as loaded, and what is known of the keys."""

    accounts: Mapping[int, Account] = field(default_factory=dict)
    keys: dict[str, Remembered] = field(default_factory=dict)
    business_keys: dict[str, int] = field(default_factory=dict)
    holds: Mapping[int, HoldRecord] = field(default_factory=dict)
    """Closed holds that a command names; the open ones are with their accounts."""

    def judge(self, command: Command) -> Verdict:
        """Decide one command. Raises NeedsLotsError, which spoils the whole batch."""
        if isinstance(command, Expire):
            account = self.accounts.get(command.account_id)
            return self._expire(command, account) if account else _unknown(command.account_id)
        earlier = self.keys.get(command.key)
        mark = fingerprint(command)
        if earlier is not None:
            return _repeat(earlier, mark)
        refusal = _out_of_bounds(command)
        if refusal is not None:
            return refusal
        account = self.accounts.get(command.account_id)
        if account is None:
            return _unknown(command.account_id)
        business_key = getattr(command, "business_key", None)
        if business_key is not None and business_key in self.business_keys:
            done = self.business_keys[business_key]
            return refuse(No.DUPLICATE_BUSINESS_KEY, transaction_id=done)
        verdict = self._dispatch(command, account, mark)
        if isinstance(verdict, Posted | Held):
            self.keys[command.key] = Remembered(mark, verdict)
            if business_key is not None and isinstance(verdict, Posted):
                self.business_keys[business_key] = verdict.transaction_id
        return verdict

    def _dispatch(self, command: Command, account: Account, mark: bytes) -> Verdict:
        match command:
            case Accrue():
                return self._accrue(command, account, mark)
            case Redeem():
                return self._redeem(command, account, mark)
            case Hold():
                return self._hold(command, account, mark)
            case Capture():
                return self._capture(command, account, mark)
            case Release():
                return self._release(command, account)
            case Reverse():
                return self._reverse(command, account, mark)
            case Expire():  # pragma: no cover - judged before
                return self._expire(command, account)

    # -- giving ---------------------------------------------------------------------------------

    def _accrue(self, command: Accrue, account: Account, mark: bytes) -> Verdict:
        if command.expires_at <= max(command.at, command.available_at):
            return refuse(No.INVALID_PERIOD)
        if account.slides:
            self._need_lots(account, everything=True)
        kind = "accrual" if command.source == "issued" else "adjustment"
        move = Move(kind, command.points, command.source)
        self._make_lot(
            move,
            account,
            command.points,
            available_at=command.available_at or command.at,
            expires_at=command.expires_at,
            sliding_days=command.sliding_days,
        )
        if command.sliding_days:
            account.slides = True
        self._absorb_deficit(move, account)
        return self._post(command, account, move, mark)

    def _absorb_deficit(self, move: Move, account: Account) -> None:
        """What this transaction gave first fills what the account owes."""
        for lot in move.made:
            owed = min(account.deficit, lot.free)
            if owed > 0:
                move.take(lot, owed)
                account.deficit -= owed

    # -- spending -------------------------------------------------------------------------------

    def _redeem(self, command: Redeem, account: Account, mark: bytes) -> Verdict:
        shares = self._choose(account, command.points)
        if isinstance(shares, Refusal):
            return shares
        kind = "redemption" if command.sink == "redeemed" else "adjustment"
        move = Move(kind, -command.points, command.sink)
        for lot_id, points in shares.items():
            move.take(account.lots[lot_id], points)
        return self._post(command, account, move, mark)

    def _choose(self, account: Account, points: int) -> dict[int, int] | Refusal:
        """Which lots pay for `points`: the soonest to expire first."""
        self._need_lots(account)
        self._time_out_holds(account)
        shares: dict[int, int] = {}
        missing, seen = points, 0
        for lot in account.spendable_lots(self.now):
            if seen >= points + account.deficit:
                break
            seen += lot.free
            part = min(lot.free, missing)
            if part:
                shares[lot.id] = part
                missing -= part
        if seen >= points + account.deficit:
            return shares
        if not account.knows_all_lots:
            raise NeedsLotsError(account.id)
        return self._insufficient(account)

    def _insufficient(self, account: Account) -> Refusal:
        free = sum(lot.free for lot in account.spendable_lots(self.now))
        return refuse(No.INSUFFICIENT_POINTS, available=max(0, free - account.deficit))

    def _hold(self, command: Hold, account: Account, mark: bytes) -> Verdict:
        if command.expires_at <= self.now:
            return refuse(No.INVALID_PERIOD)
        shares = self._choose(account, command.points)
        if isinstance(shares, Refusal):
            return shares
        hold = HoldRecord(
            self.next_id(), account.id, command.key, mark, command.points, 0, "held",
            command.at, command.expires_at, None, command.reference, shares,
        )  # fmt: skip
        for lot_id, points in shares.items():
            account.lots[lot_id].held += points
            self._touch_lot(account.lots[lot_id])
        account.holds[hold.id] = hold
        self.rows.new_holds[hold.id] = hold
        self._touch(account)
        return Held(hold.id, hold.points, hold.expires_at)

    def _capture(self, command: Capture, account: Account, mark: bytes) -> Verdict:
        hold = self._find_hold(command.hold_id, account)
        if isinstance(hold, Refusal):
            return hold
        if hold.state == "timed_out" or (hold.state == "held" and hold.expires_at <= self.now):
            return refuse(No.HOLD_EXPIRED)
        if hold.state != "held":
            return refuse(No.HOLD_CLOSED, state=hold.state)
        points = hold.points if command.points is None else command.points
        if points > hold.points:
            return refuse(No.EXCEEDS_HOLD, held=hold.points)
        move = Move("redemption", -points, "redeemed")
        self._close_hold(account, hold, "captured")
        missing = points
        for lot in sorted(
            (account.lots[i] for i in hold.shares), key=lambda lot: (lot.expires_at, lot.id)
        ):
            part = min(hold.shares[lot.id], missing)
            if part:
                move.take(lot, part)
                missing -= part
        hold.captured = points
        return self._post(command, account, move, mark)

    def _release(self, command: Release, account: Account) -> Verdict:
        hold = self._find_hold(command.hold_id, account)
        if isinstance(hold, Refusal):
            return hold
        if hold.state == "captured":
            return refuse(No.HOLD_CLOSED, state=hold.state)
        if hold.state != "held":
            return Released(hold.id, hold.points, replayed=True)
        timed_out = hold.expires_at <= self.now
        self._close_hold(account, hold, "timed_out" if timed_out else "released")
        return Released(hold.id, hold.points)

    def _find_hold(self, hold_id: int, account: Account) -> HoldRecord | Refusal:
        hold = account.holds.get(hold_id) or self.holds.get(hold_id)
        if hold is None:
            if not account.knows_lots:
                raise NeedsLotsError(account.id)
            return refuse(No.HOLD_NOT_FOUND)
        if hold.account_id != account.id:
            return refuse(No.HOLD_NOT_FOUND)
        if hold.state == "held" and not all(lot_id in account.lots for lot_id in hold.shares):
            raise NeedsLotsError(account.id)
        return hold

    # -- expiring -------------------------------------------------------------------------------

    def _expire(self, command: Expire, account: Account) -> Verdict:
        self._need_lots(account)
        lot = account.lots.get(command.lot_id)
        if lot is None and not account.knows_all_lots:
            raise NeedsLotsError(account.id)
        if lot is None or lot.expires_at > self.now:
            return refuse(No.NOT_YET_EXPIRED)
        self._time_out_holds(account)
        if lot.free <= 0:
            return refuse(No.NOT_YET_EXPIRED)
        move = Move("expiry", -lot.free, "expired")
        move.take(lot, lot.free)
        # The account's number of the posting makes the key: a lot may expire in several parts.
        row = Redeem(
            key=f"expire:{lot.id}:{account.seq + 1}",
            account_id=account.id,
            points=-move.points,
            at=lot.expires_at,
            reason="expiry",
        )
        return self._post(row, account, move, fingerprint(command))


def _repeat(earlier: Remembered, mark: bytes) -> Verdict:
    if earlier.fingerprint != mark:
        return refuse(No.KEY_REUSED)
    verdict = earlier.verdict
    if isinstance(verdict, Held):
        return Held(verdict.hold_id, verdict.points, verdict.expires_at, replayed=True)
    return Posted(
        verdict.transaction_id, verdict.points, verdict.balance, verdict.at, replayed=True
    )


def _unknown(account_id: int) -> Refusal:
    return refuse(No.UNKNOWN_ACCOUNT, account_id=account_id)


def _out_of_bounds(command: Accrue | Redeem | Hold | Capture | Release | Reverse) -> Refusal | None:
    points = None if isinstance(command, Release) else command.points
    if points is not None and not 0 < points <= POINTS_MAX:
        return refuse(No.INVALID_POINTS, points=points)
    return None
