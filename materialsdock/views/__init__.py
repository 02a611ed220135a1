"""Report, exports, catalog and explanations, rebuilt from the ledger at any time."""
