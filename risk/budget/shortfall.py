"""Weights of the least expected shortfall, by the linear programme of Rockafellar and Uryasev."""

import numpy as np
from numpy.typing import NDArray

from risk.budget.parity import NoWeights

F64 = NDArray[np.float64]


def least_shortfall(
    returns: F64, level: float, *, most: float = 1.0, least_mean: float | None = None
) -> F64:
    """Return weights [n], from zero up to `most` each and adding up to one, of the least shortfall.

    `returns` [paths, n] are equally likely, fractions; `least_mean` is the lowest mean return that
    will do. Raises `NoWeights` where there are none, or where the solver gives up: never weights
    that it does not vouch for. Needs scipy (the extra `risk`).
    """
    try:
        from scipy.optimize import linprog
        from scipy.sparse import csr_array, hstack, identity
    except ImportError:
        raise NoWeights("the search needs scipy: pip install 'underkeel[risk]'") from None
    paths, n = returns.shape
    if not paths or not n or not np.isfinite(returns).all() or not 0 <= level < 1:
        raise NoWeights("every path needs a known return, and the level is a share below one")
    # Unknown: weights, the value at risk, and by how much each path exceeds it.
    cost = np.concatenate([np.zeros(n), [1.0], np.full(paths, 1 / ((1 - level) * paths))])
    left = hstack([csr_array(-returns), csr_array(-np.ones((paths, 1))), -identity(paths)])
    right = np.zeros(paths)
    if least_mean is not None:
        row = np.concatenate([-returns.mean(axis=0), np.zeros(1 + paths)])
        left = csr_array(np.vstack([left.toarray(), row]))
        right = np.append(right, -least_mean)
    one = csr_array(np.concatenate([np.ones(n), np.zeros(1 + paths)])[None, :])
    bounds = [(0.0, most)] * n + [(None, None)] + [(0.0, None)] * paths
    found = linprog(cost, A_ub=left, b_ub=right, A_eq=one, b_eq=[1.0], bounds=bounds)
    if not found.success:
        raise NoWeights(f"no weights were found: {found.message}")
    weights: F64 = np.clip(found.x[:n], 0.0, most)
    shares: F64 = weights / weights.sum()
    return shares
