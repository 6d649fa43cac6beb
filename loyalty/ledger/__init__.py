"""The points ledger: double entry, whole points, append-only, lots with expiry.

`service` takes commands, `reads` answers questions, `verify` proves it all; `store` and `sql_*`
hold the SQL. What may happen is decided by the pure `loyalty.rules.posting`.
"""

from loyalty.ledger.bulk import BulkResult
from loyalty.ledger.reads import (
    Balance,
    Entry,
    Expiring,
    Liability,
    LiabilityMonth,
)
from loyalty.ledger.service import Ledger
from loyalty.ledger.verify import Finding, Report, verify

__all__ = [
    "Balance",
    "BulkResult",
    "Entry",
    "Expiring",
    "Finding",
    "Ledger",
    "Liability",
    "LiabilityMonth",
    "Report",
    "verify",
]
