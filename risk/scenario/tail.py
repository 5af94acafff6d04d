"""Tails of simulated losses: value at risk, expected shortfall, the worst of a sphere."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from math import inf

import numpy as np
from numpy.typing import NDArray

F64 = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Tail:
    """How bad it gets at one level."""

    level: float
    var_usd: float
    es_usd: float
    """The mean of the losses from there on: never below `var_usd`."""
    var_low_usd: float
    """Ends of the 95 % interval of `var_usd` that so many paths allow."""
    var_high_usd: float


def tail(losses: F64, level: float) -> Tail:
    """Return value at risk and expected shortfall of equally likely losses [paths].

    VaR is the smallest loss that at least `level` of the paths do not exceed; ES the mean of the
    worst share 1 − level, with the path that straddles it in part. Raises `ValueError` without
    paths or where one is not known.
    """
    n = len(losses)
    if n == 0 or not np.isfinite(losses).all():
        raise ValueError("every path needs a known loss")
    ordered = np.sort(losses)
    at = min(n - 1, int(np.ceil(level * n - 1e-9)) - 1)
    share = (1 - level) * n
    whole = int(np.floor(share + 1e-9))
    part = share - whole
    worst = float(ordered[n - whole :].sum())
    if part > 1e-9:
        worst += part * float(ordered[n - whole - 1])
    spread = 1.96 * (n * level * (1 - level)) ** 0.5
    low, high = (min(max(round(at + k * spread), 0), n - 1) for k in (-1, 1))
    return Tail(level, float(ordered[at]), worst / share, float(ordered[low]), float(ordered[high]))


def correlated(daily: F64, toward_one: float, volatility: float = 1.0) -> F64:
    """Return a covariance whose correlations went toward one: C_s = (1 − s)·C + s·11ᵀ.

    Standard deviations are multiplied by `volatility`.
    """
    sigma = np.sqrt(np.diag(daily))
    correlation = daily / np.outer(sigma, sigma)
    mixed = (1 - toward_one) * correlation + toward_one
    found: F64 = mixed * np.outer(sigma, sigma) * volatility**2
    return found


def normal_moves(daily: F64, horizon_days: float, paths: int, seed: int = 1) -> F64:
    """Return log moves [paths, 1, n], normal with that covariance; positive semi-definite will do.

    The same seed draws the same shocks, so that sweeps differ by what is swept alone.
    """
    values, vectors = np.linalg.eigh(daily * horizon_days)
    root = vectors * np.sqrt(np.maximum(values, 0.0))
    drawn = np.random.default_rng(seed).standard_normal((paths, len(daily)))
    moves: F64 = (drawn @ root.T)[:, None, :]
    return moves


@dataclass(frozen=True, slots=True)
class Worst:
    """The worst shock found within so many sigmas; a search, so never certified."""

    sigmas: float
    loss_usd: float
    moves: Mapping[str, float]
    """Multipliers."""
    tried: int
    certified: bool = False


def worst_within(
    loss: Callable[[F64], F64],
    factors: Sequence[str],
    covariance: F64,
    sigmas: float,
    *,
    starts: int = 32,
    seed: int = 1,
) -> Worst:
    """Return the worst of {β ≤ sigmas}: log moves of Mahalanobis length up to `sigmas`.

    `loss` takes log moves [m, n] and returns [m]. Liquidations make it neither smooth nor monotone,
    so directions are drawn and the best of them refined, at several lengths; what is found is
    reached, what is worse may exist.
    """
    values, vectors = np.linalg.eigh(covariance)
    root = vectors * np.sqrt(np.maximum(values, 0.0))
    dice = np.random.default_rng(seed)
    n = len(factors)
    # the principal directions, each price alone, all down together, and dice
    alone = np.linalg.pinv(root) @ np.eye(n)
    drawn = np.vstack(
        [np.eye(n), -np.eye(n), alone.T, -alone.T, -alone.sum(axis=1),
         dice.standard_normal((starts, n))]
    )  # fmt: skip
    lengths = np.linalg.norm(drawn, axis=1, keepdims=True)
    units = drawn[lengths[:, 0] > 0] / lengths[lengths[:, 0] > 0] * sigmas
    tries = np.vstack([np.zeros((1, n)), units, 0.6 * units])
    best, best_u, tried = -inf, np.zeros(n), 0
    for step in (0.5, 0.25, 0.125, 0.0625, 0.0):
        found = loss(tries @ root.T)
        tried += len(tries)
        at = int(found.argmax())
        if found[at] > best:
            best, best_u = float(found[at]), tries[at]
        tries = best_u + dice.standard_normal((starts, n)) * step * sigmas / max(1.0, n**0.5)
        lengths = np.linalg.norm(tries, axis=1, keepdims=True)
        tries *= np.minimum(1.0, sigmas / np.maximum(lengths, 1e-300))
    moves = dict(zip(factors, np.exp(root @ best_u).tolist(), strict=True))
    return Worst(sigmas, best, moves, tried)
