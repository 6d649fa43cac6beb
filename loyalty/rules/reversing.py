"""Taking back and giving back: how a transaction is undone, whole or in part. Pure.

Points given are clawed back from their own lots and then as the policy says; spent points return to
the very lots that they came from.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from loyalty.refusals import No, Refusal, refuse
from loyalty.rules.accounts import Account, Lot, Original
from loyalty.rules.commands import Clawback, Reverse, Verdict
from loyalty.rules.journal import Journal, Move
from loyalty.rules.receipts import DAY

REVERSIBLE = ("accrual", "redemption", "adjustment")


@dataclass
class Reversals(Journal):
    """A journal that can undo `originals`, by the id of their transaction."""

    originals: Mapping[int, Original] = field(default_factory=dict)

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
        move = Move("reversal", 0, original.counter)
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
        self, command: Reverse, account: Account, original: Original, points: int, move: Move
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
        self, command: Reverse, account: Account, original: Original, points: int, move: Move
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
        self, account: Account, lot: Lot, points: int, grace_days: int, move: Move
    ) -> None:
        lot = account.bring_back_lot(lot)
        if lot.expires_at <= self.now and grace_days and lot.origin_id is None:
            # Its time has passed: the points come back as a lot of their own, and only once.
            until = self.now + grace_days * DAY
            self._make_lot(
                move, account, points, available_at=self.now, expires_at=until, origin_id=lot.id
            )
            return
        move.take(lot, -points)


def _plan_takes(lots: Sequence[Lot], points: int) -> dict[int, int]:
    """How much to take from which lot, in their order, until `points` are found or lots end."""
    plan: dict[int, int] = {}
    for lot in lots:
        part = min(lot.free, points)
        if part > 0:
            plan[lot.id] = part
            points -= part
    return plan
