"""The service: follows every chain, reads by risk, and writes what it saw into the store."""
