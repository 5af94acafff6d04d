"""How much of a portfolio's risk is each part's: the parts add up to the whole.

A measure that doubles when every holding doubles is the sum of `w_i · ∂ρ/∂w_i` (Euler). For
volatility that is `w_i · (Σw)_i / σ`; for expected shortfall the mean of the part's own losses on
the paths that make up the whole's tail.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

F64 = NDArray[np.float64]


@dataclass(frozen=True, slots=True, eq=False)
class Contributions:
    """A risk and whose it is."""

    total: float
    parts: F64
    """[n], in the unit of `total`; a negative one hedges. They add up to `total`."""


def of_volatility(weights: F64, covariance: F64) -> Contributions:
    """Return each holding's part of the standard deviation; zero where nothing moves.

    `weights` [n] are amounts or shares, `covariance` [n, n] of their returns over the horizon.
    """
    pull = covariance @ weights
    variance = float(weights @ pull)
    if variance <= 0:
        return Contributions(0.0, np.zeros(len(weights)))
    total = variance**0.5
    return Contributions(total, weights * pull / total)


def of_shortfall(losses: F64, level: float) -> Contributions:
    """Return each holding's part of the mean of the worst share 1 − level of the paths.

    `losses` [paths, n] are equally likely and of one path together. The path that straddles the
    share counts in part, as in `risk.scenario.tail.tail`. Raises `ValueError` without a path, where
    a loss is not known, or for a level outside [0, 1).
    """
    paths = len(losses)
    if not paths or not np.isfinite(losses).all():
        raise ValueError("every path needs a known loss")
    if not 0 <= level < 1:
        raise ValueError("the level is a share below one")
    order = np.argsort(losses.sum(axis=1), kind="stable")[::-1]
    share = (1 - level) * paths
    whole = min(paths, int(np.floor(share + 1e-9)))
    weight = np.zeros(paths)
    weight[order[:whole]] = 1.0
    if whole < paths:
        weight[order[whole]] = max(share - whole, 0.0)
    parts: F64 = weight @ losses / weight.sum()
    return Contributions(float(parts.sum()), parts)
