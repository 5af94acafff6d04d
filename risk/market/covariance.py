"""Covariance of factors: shrunk, positive definite, and wide where nothing is known.

Ledoit and Wolf, "A well-conditioned estimator for large-dimensional covariance matrices" (2004),
applied to standardised returns: correlations shrink towards none, and the variance of a stablecoin
is not pulled towards that of the rest.
"""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Final

import numpy as np
from numpy.typing import NDArray

from risk.market.types import DAY_S, Covariance, Returns

ASSUMED_YEARLY: Final = 1.5
"""Volatility a year of a factor of which nothing is known: that of a small coin."""
WIDER: Final = 1.5
"""And no less than so many times the most volatile known factor."""
LEAST_EIGENVALUE: Final = 1e-8
"""Of a correlation matrix, relative to its largest."""

Matrix = NDArray[np.float64]


def covariance(
    returns: Returns,
    wanted: Sequence[str] = (),
    *,
    sigma_assumed: Mapping[str, float] | None = None,
) -> Covariance:
    """Return the covariance per day of `wanted` factors, in that order; of all, if none are named.

    A wanted factor without returns gets an assumed variance and no correlation; which, and why, is
    in `assumed`. `sigma_assumed` overrides its standard deviation per day.
    """
    order = tuple(wanted) or (*returns.factors, *returns.missing)
    x = returns.log - returns.log.mean(axis=0) if returns.factors else returns.log
    each = x.std(axis=0) if returns.factors else np.empty(0)
    sigma = each * (DAY_S / returns.step_s) ** 0.5
    shrunk, intensity = ledoit_wolf(x / np.where(each > 0, each, 1.0))
    correlation, repaired = repair(shrunk)
    place = {name: i for i, name in enumerate(returns.factors)}
    assumed: dict[str, str] = {}
    sigmas = np.empty(len(order))
    full = np.eye(len(order))
    widest = assumed_sigma(sigma)
    known = [(at, place[name]) for at, name in enumerate(order) if name in place]
    for at, name in enumerate(order):
        if name in place:
            sigmas[at] = sigma[place[name]]
            continue
        given = (sigma_assumed or {}).get(name)
        sigmas[at] = widest if given is None else given
        cause = returns.missing.get(name, "it has no history")
        assumed[name] = assumption(cause, sigmas[at], stated=given is not None)
    for a, i in known:
        for b, j in known:
            full[a, b] = correlation[i, j]
    daily = full * np.outer(sigmas, sigmas)
    days = len(returns.ends) * returns.step_s / DAY_S
    method = f"Ledoit-Wolf, shrinkage {intensity:.3g}, {days:.0f} days of {returns.step_s} s steps"
    if not known:
        method = "assumed: no history"
    elif repaired:
        method += ", repaired"
    return Covariance(order, daily, method, assumed)


def assumed_sigma(sigma: Matrix) -> float:
    """Return the standard deviation per day for factors of which nothing is known."""
    floor = ASSUMED_YEARLY / 365**0.5
    return float(max(floor, WIDER * sigma.max(initial=0.0)))


def assumption(cause: str, sigma_daily: float, *, stated: bool = False) -> str:
    """Say what was assumed, and why; of a volatility that the user stated that it was."""
    whose = "as stated" if stated else "assumed"
    return f"{cause}; {whose} {sigma_daily:.1%} a day, moving alone"


def ledoit_wolf(x: Matrix) -> tuple[Matrix, float]:
    """Return the shrunk covariance of centred data `[t, n]`, and the intensity from 0 to 1."""
    t, n = x.shape
    if n == 0 or t == 0:
        return np.empty((n, n)), 0.0
    sample = x.T @ x / t
    mean = float(np.trace(sample)) / n
    spread = float(((sample - mean * np.eye(n)) ** 2).sum()) / n
    noise = (float((np.einsum("ij,ij->i", x, x) ** 2).mean()) - float((sample**2).sum())) / t / n
    intensity = 0.0 if spread <= 0 else min(max(noise, 0.0), spread) / spread
    return intensity * mean * np.eye(n) + (1 - intensity) * sample, intensity


def repair(matrix: Matrix) -> tuple[Matrix, bool]:
    """Return the matrix made positive definite, its diagonal kept, and whether it was not.

    Eigenvalues of the correlation below the floor are raised to it (Higham's first step), then the
    diagonal is scaled back. Raises `ValueError` for a variance that is not positive.
    """
    if matrix.size == 0:
        return matrix, False
    symmetric = (matrix + matrix.T) / 2
    variance = np.diag(symmetric)
    if not np.all(np.isfinite(symmetric)) or np.any(variance <= 0):
        raise ValueError("a covariance needs finite values and positive variances")
    scale = np.sqrt(variance)
    values, vectors = np.linalg.eigh(symmetric / np.outer(scale, scale))
    floor = LEAST_EIGENVALUE * float(values[-1])
    if values[0] >= floor:
        return symmetric, False
    raised = (vectors * np.maximum(values, floor)) @ vectors.T
    ones = np.sqrt(np.diag(raised))
    fixed = raised / np.outer(ones, ones) * np.outer(scale, scale)
    return (fixed + fixed.T) / 2, True


def with_volatility(found: Covariance, sigma_daily: Mapping[str, float]) -> Covariance:
    """Return the same correlations with other volatilities, such as forecasts; others stay."""
    old = np.sqrt(np.diag(found.daily))
    new = np.array([sigma_daily.get(f, s) for f, s in zip(found.factors, old, strict=True)])
    factor = new / old
    method = found.method + "; volatility forecast"
    return replace(found, daily=found.daily * np.outer(factor, factor), method=method)
