"""10,000 paths over 7 days for one wallet: `python -m bench.probability [positions] [factors]`."""

import resource
import sys
import time
from math import inf

import numpy as np

from risk.distance.linear import Margin
from risk.distance.probability import Course, simulate
from risk.market.types import Gjr, Residuals
from risk.oracle.replay import Behaviour

HOUR, WEEK = 3_600, 604_800
PATHS = 10_000


def main(positions: int = 4, factors: int = 6) -> None:
    """Print seconds and the highest memory of a wallet of so many positions and factors."""
    names = tuple(f"f{i}" for i in range(factors))
    shocks = np.random.default_rng(0).standard_t(5, (2 * 365 * 24, factors)) * (3 / 5) ** 0.5
    models = tuple(Gjr(6e-7, 0.04, 0.05, 0.9, 5.0) for _ in names)
    residuals = Residuals(
        names, HOUR, np.arange(len(shocks)), shocks, np.full(factors, 0.008), models, ()
    )
    weights = np.append(np.ones(factors - 1), -0.8 * (factors - 1))
    margin = Margin(names, weights, np.eye(factors), np.full(factors, inf))
    courses = {f"position {i}": Course(margin) for i in range(positions)}
    feeds = dict.fromkeys(names, Behaviour(0.005, HOUR))
    took = []
    for _ in range(5):
        start = time.perf_counter()
        found = simulate(courses, residuals, (HOUR, 24 * HOUR, WEEK), feeds=feeds, paths=PATHS)
        took.append(time.perf_counter() - start)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(
        f"{PATHS:,} paths, {WEEK // HOUR} steps, {positions} positions on {factors} factors: "
        f"{min(took):.2f} s at best, {sorted(took)[2]:.2f} s in the middle, {peak:.0f} MB at most"
    )
    print(f"p over 7 days: {found['position 0'][-1].p}")


if __name__ == "__main__":
    main(*map(int, sys.argv[1:]))
