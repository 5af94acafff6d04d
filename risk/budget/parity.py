"""Weights whose parts of the volatility are as budgeted: risk parity and its uneven kin.

The minimum of `½xᵀΣx − Σ b_i·ln x_i` over positive x has `x_i·(Σx)_i = b_i`: each part of the
variance is its budget. The function is strictly convex and self-concordant, so a damped Newton
method reaches the one minimum from anywhere.
"""

from typing import Final

import numpy as np
from numpy.typing import NDArray

F64 = NDArray[np.float64]

STEPS: Final = 200
ENOUGH: Final = 1e-12
"""Of the Newton decrement squared: then every budget is met to some 1e-6 of itself."""


class NoWeights(ValueError):
    """There are no weights that do what was asked; says why."""


def by_budget(covariance: F64, budgets: F64 | None = None) -> F64:
    """Return weights [n] that add up to one, with parts of the volatility as `budgets` [n].

    Budgets are positive and need not add up to one; equal ones where none are given. Raises
    `NoWeights` for a covariance [n, n] that is not positive definite or budgets that are not
    positive.
    """
    n = len(covariance)
    wanted = np.ones(n) if budgets is None else np.asarray(budgets, dtype=np.float64)
    if n == 0 or wanted.shape != (n,) or not np.isfinite(wanted).all() or (wanted <= 0).any():
        raise NoWeights("every holding needs a budget above zero")
    wanted = wanted / wanted.sum()
    sigma = np.sqrt(np.diag(covariance))
    if not np.isfinite(covariance).all() or (sigma <= 0).any():
        raise NoWeights("every holding needs a variance above zero")
    # in units of each one's own volatility, which evens the scales out
    correlation = covariance / np.outer(sigma, sigma)
    try:
        np.linalg.cholesky(correlation)
    except np.linalg.LinAlgError:
        raise NoWeights("the covariance is not positive definite") from None
    x = np.sqrt(wanted)
    for _ in range(STEPS):
        gradient = correlation @ x - wanted / x
        step = np.linalg.solve(correlation + np.diag(wanted / x**2), gradient)
        decrement = float(gradient @ step)
        if decrement <= ENOUGH * ENOUGH:
            break
        # Within the ellipsoid in which the function is like its square, hence always positive.
        length = float(np.sqrt((wanted * (step / x) ** 2 / wanted.min()).sum()))
        x = x - step / (1 + length)
    else:
        raise NoWeights("the search for weights did not end")
    weights = x / sigma
    shares: F64 = weights / weights.sum()
    return shares
