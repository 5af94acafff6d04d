"""Slow documents of a portfolio: exposure, oracles, the ladder of prices.

    for kind, chain, document in compute(config, portfolio, cache):
        documents.put(db, kind, chain, document, at=now)

Each is of all chains at once (`chain` is empty), at the blocks that the portfolio was read at.
"""

from underkeel.studies.run import Studies, compute

__all__ = ["Studies", "compute"]
