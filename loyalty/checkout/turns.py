"""One at a time for one customer, within this process; the database sees to the rest.

Whoever meets another at the same account has to judge again. Waiting here, before the transaction
begins and any row is locked, spares that to all who come from one process.
"""

import asyncio
from weakref import WeakValueDictionary


class Turn(asyncio.Lock):
    """Also tells who waited for it that what she saw of the customer before is out of date.

    `version` is that of the turnover as it was last written here, while anybody waited; 0: unknown.
    """

    version = 0


class Turns:
    def __init__(self) -> None:
        self._locks: WeakValueDictionary[int, Turn] = WeakValueDictionary()

    def of(self, customer_id: int) -> Turn:
        """The customer's lock; it is forgotten when nobody holds it or waits."""
        lock = self._locks.get(customer_id)
        if lock is None:
            lock = self._locks[customer_id] = Turn()
        return lock
