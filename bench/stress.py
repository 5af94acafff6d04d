"""Many paths through liquidations: `python -m bench.stress [paths] [loans]`.

A wallet of leveraged loans (Aave 3.0 and 3.6 in turns), each of two assets on feeds of its own or
shared, far enough from the edge that a part of the paths liquidates. Prints what simulating, the
sweep and the search for the worst took, and how many paths were liquidated; beside it the player
that takes every path step by step, on a hundredth of them.
"""

import sys
import time

import numpy as np

from risk.market.paths import simulate
from risk.market.types import DAY_S, Gjr, Residuals
from risk.scenario.many import outcomes
from risk.scenario.play import play
from risk.scenario.tail import normal_moves
from risk.scenario.types import Exposed, Point
from tests.risk.scenario.build import ETH, USD, loan

WEEK = 7 * DAY_S


def book(loans: int) -> list[Exposed]:
    """Return loans from 70 % to 95 % of what their collateral bears."""
    used = np.linspace(0.70, 0.95, loans).tolist()
    return [loan(10 if i % 2 else 3, debt=16_000 * part) for i, part in enumerate(used)]


def main(paths: int = 10_000, loans: int = 4) -> None:
    """Print seconds."""
    factors = (ETH, USD)
    z = np.random.default_rng(0).standard_t(5, (500, 2)) * (3 / 5) ** 0.5
    models = tuple(Gjr(s * s * 0.05, 0.04, 0.05, 0.885, 5.0) for s in (0.04, 0.002))
    sigma = np.array([0.04, 0.002])
    residuals = Residuals(factors, DAY_S, np.arange(len(z)), z, sigma, models, ())
    held = book(loans)
    begin = time.perf_counter()
    log = simulate(residuals, WEEK, paths).log
    drawn = time.perf_counter()
    found = [outcomes(one, factors, log) for one in held]
    played = time.perf_counter()
    hit = np.any([f.liquidated for f in found], axis=0)
    plays = sum(int(f.liquidated.sum()) for f in found)
    print(
        f"{paths:,} paths, {log.shape[1]} steps, {loans} loans: drawn in {drawn - begin:.2f} s, "
        f"played in {played - drawn:.2f} s; {hit.mean():.1%} of paths liquidate, {plays:,} loans"
    )
    begin = time.perf_counter()
    for many in (1.0, 2.0, 3.0):
        moves = normal_moves(np.diag((sigma * many) ** 2), 7.0, 1_000)
        for one in held:
            outcomes(one, factors, moves)
    print(f"a third of the sweep, 3 × 1,000 paths: {time.perf_counter() - begin:.2f} s")
    few = max(1, paths // 100)
    begin = time.perf_counter()
    for one in held:
        for row in np.exp(log[:few]):
            moves_ = [dict(zip(factors, step.tolist(), strict=True)) for step in row]
            play(one, tuple(Point(m, m) for m in moves_))
    slow = time.perf_counter() - begin
    print(f"step by step, {few:,} paths: {slow:.2f} s, {slow * paths / few:.1f} s for all of them")


if __name__ == "__main__":
    main(*map(int, sys.argv[1:]))
