"""GJR-GARCH(1,1) with Student-t shocks, by maximum likelihood.

Glosten, Jagannathan and Runkle (1993); the t density is scaled to variance one (Bollerslev 1987).
The level is targeted at the sample variance, so four parameters are searched.
"""

from collections.abc import Callable
from itertools import accumulate
from math import inf, lgamma, log, pi
from typing import Final

import numpy as np
from numpy.typing import NDArray

from risk.market.types import Gjr

Vector = NDArray[np.float64]

MOST_STEPS: Final = 3_000
"""The fit looks at so many latest steps."""
BLOCK: Final = 48
LAGS: Final = np.arange(BLOCK) - np.arange(BLOCK)[:, None]
"""[from, to]: how many steps later."""
PERSISTENCE: Final = 0.998
STARTS: Final = ((0.05, 0.05, 0.90, 6.0), (0.10, 0.00, 0.80, 4.0), (0.02, 0.02, 0.96, 8.0))
"""alpha, gamma, beta, nu."""


def variances(r: Vector, model: Gjr, first: float | None = None) -> Vector:
    """Return `[t + 1]`: the variance of each step as known before it, and of the one to come."""
    shock = model.omega + (model.alpha + model.gamma * (r < 0)) * r * r
    return decayed(shock, model.beta, model.level if first is None else first)


def decayed(x: Vector, beta: float, begin: float) -> Vector:
    """Return `[t + 1]`: v0 = begin, v' = beta·v + x, in blocks: one product in place of a loop."""
    t = len(x)
    rows = -(-t // BLOCK)
    padded = np.zeros(rows * BLOCK)
    padded[:t] = x
    powers = beta ** np.arange(BLOCK + 1)
    inside = padded.reshape(rows, BLOCK) @ np.where(LAGS >= 0, powers[np.maximum(LAGS, 0)], 0.0)
    whole = float(powers[-1])
    starts = list(
        accumulate(inside[:, -1].tolist(), lambda v, last: whole * v + last, initial=begin)
    )
    found = inside + np.outer(starts[:-1], powers[1:])
    return np.concatenate([[begin], found.ravel()[:t]])


def ahead(model: Gjr, following: Vector, steps: int) -> Vector:
    """Return the variance summed over the next `steps`, given that of the first of them."""
    left, level = model.persistence, model.level
    return steps * level + (following - level) * (1 - left**steps) / (1 - left)


def log_likelihood(r: Vector, model: Gjr, first: float | None = None) -> float:
    """Return the log likelihood of returns under a model."""
    v = variances(r, model, first)[:-1]
    nu = model.nu
    if nu == inf:
        return -0.5 * float(np.sum(np.log(2 * pi * v) + r * r / v))
    constant = lgamma((nu + 1) / 2) - lgamma(nu / 2) - 0.5 * log(pi * (nu - 2))
    tails = np.log1p(r * r / (v * (nu - 2)))
    return len(r) * constant - 0.5 * float(np.sum(np.log(v) + (nu + 1) * tails))


def fit(r: Vector) -> Gjr:
    """Return the model that makes the latest returns likeliest.

    Raises `ValueError` where they have no variance.
    """
    r = r[-MOST_STEPS:]
    target = float(np.mean(r * r)) if len(r) else 0.0
    if not np.isfinite(target) or target <= 0:
        raise ValueError("the returns have no variance")
    r = r / target**0.5  # of variance one, so that the search is of one scale

    def cost(point: Vector) -> float:
        value = -log_likelihood(r, _model(point, 1.0), 1.0) / len(r)
        return value if np.isfinite(value) else inf

    begin = min((_point(*start) for start in STARTS), key=cost)
    return _model(_descend(cost, begin), target)


def _model(point: Vector, target: float) -> Gjr:
    """Return the model of four free numbers: persistence, shares of it, and tails."""
    persistence = PERSISTENCE * _unit(point[0])
    news = persistence * _unit(point[1])  # alpha + gamma / 2
    tilt = _unit(point[2])  # 0: only falls count, 1: rises and falls alike
    nu = 2.05 + np.exp(min(point[3], 4.6))
    alpha = news * tilt
    return Gjr(target * (1 - persistence), alpha, 2 * (news - alpha), persistence - news, float(nu))


def _point(alpha: float, gamma: float, beta: float, nu: float) -> Vector:
    news = alpha + gamma / 2
    persistence = news + beta
    units = (persistence / PERSISTENCE, news / persistence, min(alpha / news, 0.99))
    return np.array([*(log(u / (1 - u)) for u in units), log(nu - 2.05)])


def _unit(x: float) -> float:
    return float(1 / (1 + np.exp(-np.clip(x, -30, 30))))


def _descend(cost: Callable[[Vector], float], begin: Vector, most: int = 240) -> Vector:
    """Return the lowest point that Nelder and Mead's simplex finds."""
    simplex = [begin, *(begin + 0.6 * axis for axis in np.eye(len(begin)))]
    values = [cost(point) for point in simplex]
    spent = len(simplex)
    while spent < most:
        order = np.argsort(values)
        simplex, values = [simplex[i] for i in order], [values[i] for i in order]
        if values[-1] - values[0] < 1e-7:
            break
        centre = np.mean(simplex[:-1], axis=0)
        away = centre - simplex[-1]
        tried, value = centre + away, cost(centre + away)
        spent += 1
        if value < values[0]:
            further, lower = centre + 2 * away, cost(centre + 2 * away)
            spent += 1
            if lower < value:
                tried, value = further, lower
        elif value >= values[-2]:
            side = 0.5 if value < values[-1] else -0.5
            tried, value = centre + side * away, cost(centre + side * away)
            spent += 1
            if value >= values[-1]:
                simplex[1:] = [simplex[0] + (p - simplex[0]) / 2 for p in simplex[1:]]
                values[1:] = [cost(p) for p in simplex[1:]]
                spent += len(simplex) - 1
                continue
        simplex[-1], values[-1] = tried, value
    return simplex[int(np.argmin(values))]
