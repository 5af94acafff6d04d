"""The executor: turns an approved plan into at most one effect on chain."""
