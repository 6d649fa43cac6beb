"""The points ledger's tables. Written only by `loyalty.ledger`; instants are microseconds (BIGINT).

No foreign keys between these tables: rows are written in sets whose parts `ledger verify` proves
to belong together, and a key check per row would cost a third of the posting. The three tables with
two-column keys (`ledger_posting`, `ledger_take`, `ledger_hold_share`) have no model, because
Tortoise has no such keys: the migration makes them, and only `loyalty.ledger` touches them.
"""

from tortoise import fields
from tortoise.models import Model


class LedgerAccount(Model):
    """A customer's account has the customer's id, the programme's own have `kind * 100 + stripe`.

    `balance` = sum of postings = sum of `remaining` of the lots - `deficit`.
    `version` grows with every change of the account, its lots or holds; `seq` with every posting.
    `head` is the last link of the account's hash chain.
    """

    id = fields.BigIntField(primary_key=True, generated=False)
    kind = fields.CharField(max_length=12)  # customer | issued | redeemed | expired | adjusted
    balance = fields.BigIntField(default=0)
    deficit = fields.BigIntField(default=0)
    version = fields.BigIntField(default=0)
    seq = fields.BigIntField(default=0)
    slides = fields.BooleanField(default=False)
    head = fields.BinaryField()

    class Meta:
        table = "ledger_account"


class LedgerTransaction(Model):
    """One command that moved points. `points` is signed, as the customer sees it. Append-only."""

    id = fields.BigIntField(primary_key=True, generated=False)
    account_id = fields.BigIntField()
    seq = fields.BigIntField()  # of its posting to that account
    kind = fields.CharField(max_length=12)  # accrual | redemption | adjustment | reversal | expiry
    points = fields.BigIntField()
    at = fields.BigIntField()
    recorded_at = fields.BigIntField()
    key = fields.CharField(max_length=200, unique=True)
    fingerprint = fields.BinaryField()
    business_key = fields.CharField(max_length=200, null=True)  # unique where there is one
    reverses_id = fields.BigIntField(null=True)
    reason = fields.CharField(max_length=64)
    reference = fields.CharField(max_length=200, default="")
    link = fields.BinaryField()

    class Meta:
        table = "ledger_transaction"


class LedgerLot(Model):
    """Points of one accrual with one expiry (NEVER sorts last). `remaining` includes the held.

    The database adds a column `open`, `remaining > 0`: the indexes ask for that, so that a lot is
    entered into them anew only when it is emptied or filled, not at every spending.
    """

    id = fields.BigIntField(primary_key=True, generated=False)
    account_id = fields.BigIntField()
    transaction_id = fields.BigIntField()
    points = fields.BigIntField()
    remaining = fields.BigIntField()
    held = fields.BigIntField(default=0)
    available_at = fields.BigIntField()
    delayed = fields.BooleanField()  # was not available yet when it was recorded
    expires_at = fields.BigIntField()
    sliding_days = fields.IntField(default=0)
    origin_id = fields.BigIntField(null=True)  # the expired lot whose points came back with grace

    class Meta:
        table = "ledger_lot"


class LedgerHold(Model):
    """Points set aside for a receipt that is being paid, until captured, released or timed out."""

    id = fields.BigIntField(primary_key=True, generated=False)
    account_id = fields.BigIntField()
    key = fields.CharField(max_length=200, unique=True)
    fingerprint = fields.BinaryField()
    points = fields.BigIntField()
    captured = fields.BigIntField(default=0)
    state = fields.CharField(max_length=12)  # held | captured | released | timed_out
    at = fields.BigIntField()
    expires_at = fields.BigIntField()
    closed_at = fields.BigIntField(null=True)
    reference = fields.CharField(max_length=200, default="")

    class Meta:
        table = "ledger_hold"
