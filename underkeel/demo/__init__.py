"""The demo: a local chain with the real protocols, a crash, and what it does."""
