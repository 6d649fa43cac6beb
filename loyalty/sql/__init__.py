"""Hand-written SQL of the programme, one file per noun; the ledger keeps its own."""
