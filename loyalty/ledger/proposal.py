"""Commands that are judged and not yet written, for a caller who has rows of her own to write."""

from collections.abc import Awaitable, Mapping

from loyalty.instants import from_micros
from loyalty.ledger.companion import Companion
from loyalty.ledger.reads import Balance, Expiring
from loyalty.ledger.store import freeze, write, write_with
from loyalty.rules.accounts import Account
from loyalty.rules.balances import standing
from loyalty.rules.commands import Verdict
from loyalty.rules.journal import Rows


class Proposal:
    """What will hold once `write` has been awaited (and its transaction, if any, is committed).

    Its rows are frozen: the accounts may be judged on while it is being written.
    """

    def __init__(
        self,
        verdicts: list[Verdict],
        accounts: Mapping[int, Account],
        rows: Rows,
    ) -> None:
        self.verdicts = verdicts
        self.accounts = accounts
        self._rows = rows
        self._batch = freeze(rows, accounts)

    def balance(self, account_id: int) -> Balance:
        """The balance as it will be."""
        account = self.accounts[account_id]
        adds_up = standing(account, self._rows.recorded_at)
        expiry, available_at = adds_up.next_expiry, adds_up.next_available_at
        return Balance(
            posted=adds_up.posted,
            available=adds_up.available,
            held=adds_up.held,
            pending=adds_up.pending,
            expired=adds_up.lapsed,
            deficit=account.deficit,
            next_expiry=Expiring(expiry[0], from_micros(expiry[1])) if expiry else None,
            next_available_at=None if available_at is None else from_micros(available_at),
        )

    async def write(
        self, companion: Companion | None = None, *, after: Awaitable[bool] | None = None
    ) -> bool:
        """Lock the accounts and write; the last step before the commit, or all of it in one.

        False, and nothing written, if somebody was quicker: take the transaction back, begin again.
        A companion is for Postgres only; raises DemandError when it asks too much. `after`: another
        writing that this one was judged by, and that must succeed first.
        """
        if companion is not None:
            return await write_with(freeze(self._rows, self.accounts, in_sets=True), companion)
        return await write(self._batch, after)
