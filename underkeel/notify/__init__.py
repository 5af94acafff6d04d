"""Deliver what the alerts decided to say: channels, the outbox's worker, receipts, a heartbeat."""
