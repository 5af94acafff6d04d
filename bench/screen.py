"""Screen a made-up market for liquidations: `python -m bench.screen [accounts] [reserves]`.

Prints the time from columns to the exact set at one price vector, checks the set against integers
on 10,000 accounts of which 2,000 stand exactly on the boundary, and the time of a curve.
"""

import resource
import sys
import time
from fractions import Fraction

import numpy as np

from bench.synthetic import crafted, exact_health, market
from chain.units import WAD
from risk.bulk import Exposure, Verdict, curve, distances, screen
from risk.bulk.distance import factors_of

SAMPLE = 10_000
EDGES = 2_000


def main(accounts: int, width: int) -> None:
    """Measure both families of engines."""
    for revision in (10, 3):
        columns = market(accounts, width, revision)
        dice = np.random.default_rng(7)
        sample = dice.permutation(accounts)[:SAMPLE]
        columns = crafted(columns, sample[:EDGES].tolist())
        took = []
        for _ in range(3):
            start = time.perf_counter()
            exposure = Exposure.of(columns)
            ready = time.perf_counter()
            found = screen(exposure)
            took.append((ready - start, time.perf_counter() - ready))
        prepared, judged = (sorted(t)[1] for t in zip(*took, strict=True))
        wrong = 0
        for row in sample.tolist():
            state = columns.account_state(row)
            broken = exact_health(state) < WAD
            wrong += broken != bool(found.verdict[row] == Verdict.LIQUIDATABLE)
        start = time.perf_counter()
        distances(exposure, found)
        near = time.perf_counter() - start
        raws = {name: quote.raw for name, quote in list(factors_of(exposure).items())[:3]}
        start = time.perf_counter()
        curve(exposure, raws, [Fraction(-5 * i, 100) for i in range(1, 11)])
        bent = time.perf_counter() - start
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
        print(
            f"rev {revision}: {accounts:,} × {width}, {len(columns.account):,} amounts: "
            f"prepare {prepared:.2f} s, screen {judged:.2f} s ({found.settled:,} by integers, "
            f"{int(found.liquidatable.sum()):,} liquidatable), distances {near:.2f} s, "
            f"curve of 10 points {bent:.2f} s; {wrong} of {len(sample):,} wrong; "
            f"peak memory {peak:,.0f} MB"
        )


if __name__ == "__main__":
    main(*(int(a) for a in (*sys.argv[1:], *("1000000", "30")[len(sys.argv) - 1 :])))
