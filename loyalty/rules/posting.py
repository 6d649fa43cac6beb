"""The ledger's judgement: commands and accounts in, verdicts and rows to write out. Pure.

One batch at a time: `Batch.judge` takes the commands one by one, each seeing what those before it
did. A refused command changes nothing. The database is not here: `loyalty.ledger` loads what a
batch needs, and writes `Batch.rows` in one transaction, or nothing.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

from loyalty.refusals import No, Refusal, refuse
from loyalty.rules.accounts import (
    DAY_MICROS,
    Account,
    HoldRecord,
    Lot,
    Original,
    programme_account_id,
)
from loyalty.rules.chain import link
from loyalty.rules.commands import (
    POINTS_MAX,
    Accrue,
    Capture,
    Clawback,
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

REVERSIBLE = ("accrual", "redemption", "adjustment")
ACTIVITY = ("accrual", "redemption")
"""Kinds of transaction that keep sliding lots alive: what the customer herself did."""


class NeedsLotsError(Exception):
    """The judgement needs lots of this account that were not loaded.

    The batch is spoilt: load all again, with these lots, and judge from the start.
    """

    def __init__(self, account_id: int, *, everything: bool = False) -> None:
        self.account_id = account_id
        self.everything = everything


@dataclass(frozen=True, slots=True)
class Remembered:
    """An earlier command under the same key: what it meant and what was answered."""

    fingerprint: bytes
    verdict: Posted | Held


@dataclass(slots=True)
class Rows:
    """What a batch writes. Tuples are in the order of the tables' columns."""

    recorded_at: int
    transactions: list[tuple[object, ...]] = field(default_factory=list)
    postings: list[tuple[int, int, int, int, int]] = field(default_factory=list)
    counter_postings: list[tuple[int, int, int]] = field(default_factory=list)
    """Programme account, transaction, points: numbered and balanced where they are written."""
    takes: list[tuple[int, int, int, int]] = field(default_factory=list)
    new_lots: dict[int, Lot] = field(default_factory=dict)
    changed_lots: dict[int, Lot] = field(default_factory=dict)
    new_holds: dict[int, HoldRecord] = field(default_factory=dict)
    changed_holds: dict[int, HoldRecord] = field(default_factory=dict)
    accounts: dict[int, int] = field(default_factory=dict)
    """Account changed -> its version before."""


@dataclass(slots=True)
class _Move:
    """A transaction in the making: which lots it makes, takes from and gives back to."""

    kind: str
    points: int
    counter: str
    made: list[Lot] = field(default_factory=list)
    takes: dict[int, int] = field(default_factory=dict)

    def take(self, lot: Lot, points: int) -> None:
        """Take `points` (> 0) from a lot, or give them back (< 0)."""
        lot.remaining -= points
        self.takes[lot.id] = self.takes.get(lot.id, 0) + points


@dataclass
class Batch:
    """Accounts as loaded, and what is known of the keys. `now` is the moment of recording."""

    now: int
    next_id: Callable[[], int]
    accounts: Mapping[int, Account]
    keys: dict[str, Remembered] = field(default_factory=dict)
    business_keys: dict[str, int] = field(default_factory=dict)
    originals: Mapping[int, Original] = field(default_factory=dict)
    holds: Mapping[int, HoldRecord] = field(default_factory=dict)
    """Closed holds that a command names; the open ones are with their accounts."""
    chain: bool = True
    rows: Rows = field(init=False)

    def __post_init__(self) -> None:
        self.rows = Rows(self.now)

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
        move = _Move(kind, command.points, command.source)
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

    def _make_lot(
        self,
        move: _Move,
        account: Account,
        points: int,
        *,
        available_at: int,
        expires_at: int,
        sliding_days: int = 0,
        origin_id: int | None = None,
    ) -> Lot:
        lot = Lot(
            self.next_id(), account.id, 0, points, points, 0, available_at, expires_at,
            sliding_days, origin_id,
        )  # fmt: skip
        move.made.append(lot)
        account.add_lot(lot)
        return lot

    def _absorb_deficit(self, move: _Move, account: Account) -> None:
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
        move = _Move(kind, -command.points, command.sink)
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
        move = _Move("redemption", -points, "redeemed")
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

    def _close_hold(self, account: Account, hold: HoldRecord, state: str) -> None:
        for lot_id, points in hold.shares.items():
            lot = account.lots[lot_id]
            lot.held -= points
            self._touch_lot(lot)
        hold.state = state
        hold.closed_at = self.now
        if hold.id not in self.rows.new_holds:
            self.rows.changed_holds[hold.id] = hold
        self._touch(account)

    def _time_out_holds(self, account: Account) -> None:
        """Holds whose time has passed let go by themselves, whether or not a job came by."""
        for hold in account.holds.values():
            if hold.state == "held" and hold.expires_at <= self.now:
                if not all(lot_id in account.lots for lot_id in hold.shares):
                    raise NeedsLotsError(account.id)
                self._close_hold(account, hold, "timed_out")

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
        move = _Move("expiry", -lot.free, "expired")
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

    # -- reversing ------------------------------------------------------------------------------

    def _reverse(self, command: Reverse, account: Account, mark: bytes) -> Verdict:
        original = self.originals.get(command.transaction_id)
        if original is None or original.account_id != account.id:
            return refuse(No.TRANSACTION_NOT_FOUND)
        if original.kind not in REVERSIBLE:
            return refuse(No.NOT_REVERSIBLE, kind=original.kind)
        left = abs(original.points) - abs(original.reversed_points)
        if left == 0:
            return refuse(No.ALREADY_REVERSED)
        points = left if command.points is None else command.points
        if points > left:
            return refuse(No.EXCEEDS_ORIGINAL, left=left)
        self._need_lots(account, everything=True)
        self._time_out_holds(account)
        move = _Move("reversal", 0, original.counter)
        if original.points > 0:
            refusal = self._take_back(command, account, original, points, move)
        else:
            self._give_back(command, account, original, points, move)
            refusal = None
        if refusal is not None:
            return refusal
        original.reversed_points += move.points
        return self._post(command, account, move, mark, reverses_id=original.id)

    def _take_back(
        self, command: Reverse, account: Account, original: Original, points: int, move: _Move
    ) -> Refusal | None:
        """Claw back given points: from their own lots, then as the policy says.

        Points of it that have expired are gone already and are not asked for twice; those that a
        till holds count as spent, and others are taken in their stead.
        """
        own = [lot for lot in original.lots.values() if lot.transaction_id == original.id]
        spent = sum(lot.points - lot.free for lot in own)
        from_others = spent - original.expired_points - abs(original.reversed_points)
        open_own = [account.lots[lot.id] for lot in own if lot.id in account.lots]
        if command.clawback is Clawback.ONLY_PENDING:
            open_own = [lot for lot in open_own if lot.available_at > self.now]
            from_others = 0
        plan = _plan_takes(open_own, points)
        left = min(points - sum(plan.values()), max(0, from_others))
        others = [lot for lot in account.spendable_lots(self.now) if lot.id not in original.lots]
        plan |= _plan_takes(others, left)
        taken = sum(plan.values())
        owed = 0
        if command.clawback is Clawback.ALLOW_DEFICIT:
            owed = left - sum(plan.get(lot.id, 0) for lot in others)
        if taken + owed == 0:
            return refuse(No.NOTHING_TO_TAKE_BACK)
        for lot_id, part in plan.items():
            move.take(account.lots[lot_id], part)
        account.deficit += owed
        move.points = -(taken + owed)
        return None

    def _give_back(
        self, command: Reverse, account: Account, original: Original, points: int, move: _Move
    ) -> None:
        """Return spent points to the very lots, the longest-lived first."""
        by_expiry = sorted(
            original.takes, key=lambda i: (original.lots[i].expires_at, i), reverse=True
        )
        missing = points
        for lot_id in by_expiry:
            part = min(original.takes[lot_id], missing)
            if part > 0:
                self._restore(account, original.lots[lot_id], part, command.grace_days, move)
                original.takes[lot_id] -= part
                missing -= part
        assert missing == 0, "a redemption takes all its points from lots"
        move.points = points

    def _restore(
        self, account: Account, lot: Lot, points: int, grace_days: int, move: _Move
    ) -> None:
        lot = account.bring_back_lot(lot)
        if lot.expires_at <= self.now and grace_days and lot.origin_id is None:
            # Its time has passed: the points come back as a lot of their own, and only once.
            until = self.now + grace_days * DAY_MICROS
            self._make_lot(
                move, account, points, available_at=self.now, expires_at=until, origin_id=lot.id
            )
            return
        move.take(lot, -points)

    # -- writing --------------------------------------------------------------------------------

    def _post(
        self,
        command: Accrue | Redeem | Capture | Reverse,
        account: Account,
        move: _Move,
        mark: bytes,
        reverses_id: int | None = None,
    ) -> Posted:
        """Number, seal and write down one transaction."""
        rows, account_id, points = self.rows, account.id, move.points
        transaction_id = self.next_id()
        account.balance = balance = account.balance + points
        account.seq = seq = account.seq + 1
        if account.slides and move.kind in ACTIVITY:
            self._slide(account, command.at)
        for lot in move.made:
            lot.transaction_id = transaction_id
            rows.new_lots[lot.id] = lot
        takes = sorted(take for take in move.takes.items() if take[1]) if move.takes else []
        for lot_id, taken in takes:
            rows.takes.append((transaction_id, lot_id, account_id, taken))
            self._touch_lot(account.lots[lot_id])
        columns = (
            transaction_id, account_id, seq, move.kind, points, command.at, self.now,
            command.key, command.business_key, reverses_id, command.reason, command.reference,
        )  # fmt: skip
        if self.chain:
            seals = [
                (made.id, made.points, made.available_at,
                 0 if made.sliding_days else made.expires_at, made.sliding_days, made.origin_id)
                for made in move.made
            ]  # fmt: skip
            account.head = link(account.head, (*columns, mark.hex(), balance), seals, takes)
        rows.transactions.append((*columns, mark, account.head if self.chain else b""))
        rows.postings.append((account_id, seq, transaction_id, points, balance))
        counter = programme_account_id(move.counter, account_id)
        rows.counter_postings.append((counter, transaction_id, -points))
        self._touch(account)
        return Posted(transaction_id, points, balance, command.at)

    def _slide(self, account: Account, at: int) -> None:
        """Activity moves the expiry of sliding lots on, never back."""
        for lot in account.lots.values():
            if lot.sliding_days and lot.remaining and lot.expires_at > self.now:
                lot.expires_at = max(lot.expires_at, at + lot.sliding_days * DAY_MICROS)
                self._touch_lot(lot)
                account.reorder()

    def _need_lots(self, account: Account, *, everything: bool = False) -> None:
        if not account.knows_lots or (
            not account.knows_all_lots and (everything or account.slides)
        ):
            raise NeedsLotsError(account.id, everything=everything or account.slides)

    def _touch(self, account: Account) -> None:
        if account.id not in self.rows.accounts:
            self.rows.accounts[account.id] = account.version
            account.version += 1

    def _touch_lot(self, lot: Lot) -> None:
        if lot.id not in self.rows.new_lots:
            self.rows.changed_lots[lot.id] = lot


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


def _plan_takes(lots: Sequence[Lot], points: int) -> dict[int, int]:
    """How much to take from which lot, in their order, until `points` are found or lots end."""
    plan: dict[int, int] = {}
    for lot in lots:
        part = min(lot.free, points)
        if part > 0:
            plan[lot.id] = part
            points -= part
    return plan
