"""The checkout: quote → hold → commit → cancel, for tills that are impatient and sometimes offline.

`service` is the way in; `quoting`, `committing` and `cancelling` are its verbs; the pure rules are
`loyalty.rules.earning` and `loyalty.rules.receipts`, the SQL is `loyalty.sql.checkout`.
"""

from loyalty.checkout.answers import (
    Lookup,
    QuoteAnswer,
    QuotedLine,
    ReceiptAnswer,
    ReceiptSummary,
)
from loyalty.checkout.service import Checkout
from loyalty.rules.receipts import Line, Spend

__all__ = [
    "Checkout",
    "Line",
    "Lookup",
    "QuoteAnswer",
    "QuotedLine",
    "ReceiptAnswer",
    "ReceiptSummary",
    "Spend",
]
