"""What `--json` prints: versioned documents, and how they are made from a portfolio."""
