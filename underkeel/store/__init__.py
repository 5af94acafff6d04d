"""What the service knows, in one database that every other part reads: docs/storage.md."""
