"""Signers: what turns a transaction into signed bytes. Only the executor and `wallet` use it."""
