"""Profit and loss over simulated paths: value at risk, expected shortfall, the worst of a sphere.

Where no path comes near a liquidation a position is revalued at once for all of them, in floats;
every path that touches one is played step by step by the contracts' integers.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from math import exp
from typing import Final

import numpy as np
from numpy.typing import NDArray

from protocols.uniswap_v3.math import Q96, sqrt_ratio_at_tick
from protocols.uniswap_v3.state import UniswapV3State
from risk.distance.linear import margin_of
from risk.scenario.liquidity import pair
from risk.scenario.play import play, range_units, value
from risk.scenario.types import Exposed, Path, Point, Valued
from risk.valuation import sign

F64 = NDArray[np.float64]
Widen = Callable[[Mapping[str, float], Exposed], Mapping[str, float]]
"""Adds to a move the engines' factors that are products of others."""

NEAR: Final = 1e-6
"""Of the debt: paths whose margin comes as near as this are played by integers."""


@dataclass(frozen=True, slots=True)
class Outcomes:
    """What every path does to one position."""

    loss_usd: F64
    """[paths]; NaN where it is not known."""
    liquidated: NDArray[np.bool_]
    """[paths]"""
    cause: str = ""


def outcomes(
    held: Exposed,
    factors: Sequence[str],
    log: F64,
    widen: Widen = lambda moves, _held: moves,
    gas_usd: float = 0.0,
) -> Outcomes:
    """Return what paths [paths, steps, n] of cumulative log returns do to a position."""
    paths = log.shape[0]
    start = value(held, None, {})
    causes = held.causes({})
    if start is None or causes:
        why = "; ".join(causes) or "not all of it has a price"
        return Outcomes(np.full(paths, np.nan), np.zeros(paths, bool), why)
    place = {name: i for i, name in enumerate(factors)}
    lost = start - final_values(held, place, log[:, -1])
    touched = _touched(held, place, log)
    rows = np.flatnonzero(touched)
    hit = np.zeros(paths, bool)
    for row in rows.tolist():
        fate = play(held, path_of(held, factors, log[row], widen), gas_usd)
        lost[row] = np.nan if fate.after_usd is None else start - fate.after_usd
        hit[row] = bool(fate.taken)
    return Outcomes(lost, hit)


def path_of(held: Exposed, factors: Sequence[str], log: F64, widen: Widen) -> Path:
    """Return one path [steps, n] as points."""
    points = []
    for row in np.exp(log):
        moves = widen(dict(zip(factors, row.tolist(), strict=True)), held)
        points.append(Point(moves, moves))
    return tuple(points)


def _touched(held: Exposed, place: Mapping[str, int], log: F64) -> NDArray[np.bool_]:
    """Return which paths are liquidatable at any step, or so near that floats cannot tell."""
    margin = margin_of(held.position.state)
    if margin is None:
        return np.zeros(log.shape[0], bool)
    # a factor that is not simulated stays
    full = np.concatenate([log, np.zeros((*log.shape[:2], 1))], axis=2)
    own = [place.get(f, log.shape[2]) for f in margin.factors]
    touched: NDArray[np.bool_] = margin.value(full[:, :, own]).min(axis=1) <= NEAR * margin.debt
    return touched


def final_values(held: Exposed, place: Mapping[str, int], log: F64) -> F64:
    """Return what a position is worth at log moves [paths, n], liquidations apart."""
    total = np.zeros(log.shape[0])
    skip: Sequence[int] = ()
    state = held.position.state
    if isinstance(state, UniswapV3State):
        sides, units = pair(tuple(v.leg for v in held.legs)), range_units(held, state)
        if sides is None or units is None:
            return np.full(log.shape[0], np.nan)
        total += _range_values(held, state, sides, units, place, log)
        skip = sides
    for i, valued in enumerate(held.legs):
        weight = sign(valued.leg.side)
        if i in skip or not weight or not valued.leg.amount:
            continue
        total += weight * (valued.usd or 0.0) * multiples(valued, place, log)
    if margin_of(state) is not None:
        total = np.maximum(total, 0.0)
    return total


def multiples(valued: Valued, place: Mapping[str, int], log: F64) -> F64:
    """Return what a leg's price is multiplied by, [paths]; NaN where that cannot be told."""
    raised = np.zeros(log.shape[0])
    for factor, power in valued.powers.items():
        if factor in place:
            raised += power * log[:, place[factor]]
    many: F64 = np.exp(raised)
    if valued.room != np.inf:
        many = np.minimum(many, valued.room) / min(1.0, valued.room)
    if any(f in place for f in valued.blind):
        return np.full(log.shape[0], np.nan)
    return many


def _range_values(
    held: Exposed,
    state: UniswapV3State,
    sides: tuple[int, int],
    units: tuple[float, float],
    place: Mapping[str, int],
    log: F64,
) -> F64:
    """Return what a range pays at the moved prices of its pair."""
    m0, m1 = (multiples(held.legs[i], place, log) for i in sides)
    low, high = (sqrt_ratio_at_tick(tick) / Q96 for tick in (state.tick_lower, state.tick_upper))
    root = np.clip(state.sqrt_price_x96 / Q96 * np.sqrt(m0 / m1), low, high)
    size = float(state.liquidity)
    worth: F64 = size * (1 / root - 1 / high) * units[0] * m0 + size * (root - low) * units[1] * m1
    return worth


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
    loss: Callable[[Mapping[str, float]], float],
    factors: Sequence[str],
    covariance: F64,
    sigmas: float,
    *,
    starts: int = 32,
    seed: int = 1,
) -> Worst:
    """Return the worst of {β ≤ sigmas}: log moves of Mahalanobis length up to `sigmas`.

    Liquidations make the loss neither smooth nor monotone, so directions are drawn and the best of
    them refined, at several lengths; what is found is reached, what is worse may exist.
    """
    values, vectors = np.linalg.eigh(covariance)
    root = vectors * np.sqrt(np.maximum(values, 0.0))
    dice = np.random.default_rng(seed)
    n = len(factors)
    tried = 0

    def judge(u: F64) -> tuple[float, dict[str, float]]:
        nonlocal tried
        tried += 1
        log = root @ u
        moves = {f: exp(x) for f, x in zip(factors, log.tolist(), strict=True)}
        return loss(moves), moves

    axes = np.vstack([np.eye(n), -np.eye(n)])
    # the principal directions, each price alone, all down together, and dice
    alone = np.linalg.pinv(root) @ np.eye(n)
    drawn = [*axes, *alone.T, *-alone.T, -alone.sum(axis=1), *dice.standard_normal((starts, n))]
    best_u, best = np.zeros(n), judge(np.zeros(n))
    for u in drawn:
        length = float(np.linalg.norm(u))
        if length == 0:
            continue
        for share in (1.0, 0.6):
            point = u / length * sigmas * share
            found = judge(point)
            if found[0] > best[0]:
                best_u, best = point, found
    step = 0.5
    for _ in range(4):
        for _ in range(starts // 2):
            u = best_u + dice.standard_normal(n) * step * sigmas / max(1.0, n**0.5)
            length = float(np.linalg.norm(u))
            u = u * min(1.0, sigmas / length) if length else u
            found = judge(u)
            if found[0] > best[0]:
                best_u, best = u, found
        step /= 2
    return Worst(sigmas, best[0], best[1], tried)
