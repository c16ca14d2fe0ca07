"""What is on disk: the Parquet catalog, its ledger, its health. Knows no broker, no screen."""
