"""What an account's lots and holds add up to at an instant. Pure; twin of the ledger's query."""

from dataclasses import dataclass

from loyalty.instants import NEVER
from loyalty.rules.accounts import Account


@dataclass(frozen=True, slots=True)
class Standing:
    """Points by what can be done with them; instants in microseconds.

    `available` can be spent, `pending` not yet, `held` is set aside by tills, `lapsed` waits for
    its expiry posting. `next_expiry`: points and when.
    """

    posted: int
    available: int
    held: int
    pending: int
    lapsed: int
    next_expiry: tuple[int, int] | None
    next_available_at: int | None


def standing(account: Account, now: int) -> Standing:
    """Needs all open lots of the account."""
    assert account.knows_all_lots, "a balance needs all open lots"
    lots = [lot for lot in account.lots.values() if lot.remaining > 0]
    holds = [h for h in account.holds.values() if h.state == "held" and h.expires_at > now]
    gone = {lot.id for lot in lots if lot.expires_at <= now}
    waiting = [lot for lot in lots if lot.available_at > now and lot.id not in gone]
    held_gone = sum(points for h in holds for lot, points in h.shares.items() if lot in gone)
    lapsed = sum(lot.remaining for lot in lots if lot.id in gone) - held_gone
    pending = sum(lot.remaining for lot in waiting)
    held = sum(hold.points for hold in holds)
    soonest = min((lot.expires_at for lot in lots if lot.id not in gone), default=NEVER)
    expiring = sum(lot.remaining for lot in lots if lot.expires_at == soonest)
    return Standing(
        posted=account.balance,
        available=account.balance - held - pending - lapsed,
        held=held,
        pending=pending,
        lapsed=lapsed,
        next_expiry=None if soonest == NEVER else (expiring, soonest),
        next_available_at=min((lot.available_at for lot in waiting), default=None),
    )
