"""The checkout: quote → hold → commit → cancel or return, for impatient tills, sometimes offline.

`service` is the way in; `quoting`, `committing`, `cancelling` and `returning` are its verbs; the
pure rules are `loyalty.rules.earning`, `receipts` and `returns`, the SQL is `loyalty.sql.checkout`
and `loyalty.sql.returns`.
"""

from loyalty.checkout.answers import (
    Lookup,
    QuoteAnswer,
    QuotedLine,
    ReceiptAnswer,
    ReceiptSummary,
)
from loyalty.checkout.return_answers import (
    Movement,
    ReturnableLine,
    ReturnAnswer,
    ReturnedLine,
    ReturnQuote,
)
from loyalty.checkout.service import Checkout
from loyalty.rules.receipts import Line, Spend
from loyalty.rules.returns import Back, SoldAt

__all__ = [
    "Back",
    "Checkout",
    "Line",
    "Lookup",
    "Movement",
    "QuoteAnswer",
    "QuotedLine",
    "ReceiptAnswer",
    "ReceiptSummary",
    "ReturnAnswer",
    "ReturnQuote",
    "ReturnableLine",
    "ReturnedLine",
    "SoldAt",
    "Spend",
]
