"""bytes <-> batches: formats, listing, atomic output, the ledger. Knows nothing of stages."""
