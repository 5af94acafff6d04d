"""Filtered historical simulation: paths of all factors from their own joint shocks."""

from collections.abc import Iterator
from typing import Final

import numpy as np
from numpy.typing import NDArray

from risk.market.types import Paths, Residuals

MOST_VARIANCE: Final = 1.0
"""Per step: a recursion that heavy tails drove beyond this says nothing any more."""
MOST_LOG: Final = 25.0
"""A price that moved by e^25 is gone; further it cannot overflow."""


def walk(
    residuals: Residuals, steps: int, paths: int, *, seed: int
) -> Iterator[NDArray[np.float64]]:
    """Yield `[paths, n]` after each step: cumulative log returns; the array is used again.

    Each path draws whole rows of shocks, so factors move together as they did on that date; each
    factor's variance begins at `sigma²` and follows its own model.
    """
    rng = np.random.default_rng(seed)
    models = residuals.models
    omega, alpha, gamma, beta = (
        np.array([getattr(model, name) for model in models])
        for name in ("omega", "alpha", "gamma", "beta")
    )
    variance = np.tile(residuals.sigma**2, (paths, 1))
    total = np.zeros_like(variance)
    for _ in range(steps):
        rows = rng.integers(0, len(residuals.z), paths)
        r = np.sqrt(variance) * residuals.z[rows]
        total += r
        np.clip(total, -MOST_LOG, MOST_LOG, out=total)
        yield total
        variance = omega + (alpha + gamma * (r < 0)) * r * r + beta * variance
        np.minimum(variance, MOST_VARIANCE, out=variance)


def simulate(residuals: Residuals, horizon_s: int, paths: int = 10_000, *, seed: int = 1) -> Paths:
    """Return paths to a horizon, in whole steps, at least one; the same seed gives the same.

    Takes 8 bytes for each path, step and factor: `walk` keeps only one step.
    """
    steps = max(1, -(-horizon_s // residuals.step_s))
    log = np.empty((paths, steps, len(residuals.factors)))
    for i, total in enumerate(walk(residuals, steps, paths, seed=seed)):
        log[:, i] = total
    return Paths(residuals.factors, residuals.step_s, log, residuals.assumed)
