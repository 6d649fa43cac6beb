"""Accounts as this process last wrote them, so that the next posting need not load them.

A guess, never a truth: a write counts only if the account still has the version that was judged, so
an account that another process has changed meanwhile is merely loaded after all. Whoever judges an
account takes it out; only a durable write puts it back.
"""

from collections import OrderedDict
from collections.abc import Iterable

from loyalty.rules.accounts import Account

ACCOUNTS_MAX = 4096
LOTS_MAX = 64
"""Accounts with more open lots are not remembered: loading the first few is cheaper."""


class Memory:
    """The accounts written last; the longest unused are forgotten first."""

    def __init__(self, limit: int = ACCOUNTS_MAX) -> None:
        self._limit = limit
        self._accounts: OrderedDict[int, Account] = OrderedDict()

    def take(self, account_ids: Iterable[int]) -> dict[int, Account] | None:
        """Take these accounts out, or none of them if one is not remembered."""
        if any(account_id not in self._accounts for account_id in account_ids):
            return None
        return {account_id: self._accounts.pop(account_id) for account_id in account_ids}

    def put(self, accounts: Iterable[Account]) -> None:
        """Remember accounts as they have just been written."""
        for account in accounts:
            if not _tidy(account):
                continue
            self._accounts[account.id] = account
            self._accounts.move_to_end(account.id)
        while len(self._accounts) > self._limit:
            self._accounts.popitem(last=False)

    def forget(self, account_ids: Iterable[int]) -> None:
        for account_id in account_ids:
            self._accounts.pop(account_id, None)


def _tidy(account: Account) -> bool:
    """Drop what is over; False if the account is too large or too little known to be worth it."""
    if not account.knows_all_lots:
        return False
    for lot_id in [lot.id for lot in account.lots.values() if not lot.remaining]:
        del account.lots[lot_id]
    for hold_id in [hold.id for hold in account.holds.values() if hold.state != "held"]:
        del account.holds[hold_id]
    return len(account.lots) <= LOTS_MAX
