"""Carry out plans: what a wallet may sign, what is known when it does, and how it ended."""
