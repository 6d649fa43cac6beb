"""The hash chain of an account: each transaction's link seals it together with all before it.

`link = SHA-256(previous link + canonical JSON of the transaction, its postings, lots and takes)`.
Whoever changes or removes any of these rows breaks the chain from there on. The first link follows
an empty one. There is one chain per account, because one for all would make every till wait.
"""

import hashlib
from collections.abc import Sequence

import orjson

LotSeal = tuple[int, int, int, int, int, int | None]
"""id, points, available_at, expires_at (0 when it slides), sliding_days, origin_id"""


def link(
    previous: bytes,
    transaction: Sequence[int | str | None],
    lots: Sequence[LotSeal],
    takes: Sequence[tuple[int, int]],
) -> bytes:
    """Seal one transaction. `transaction` are its columns and postings in a fixed order."""
    return hashlib.sha256(previous + orjson.dumps((transaction, lots, takes))).digest()
