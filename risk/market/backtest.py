"""Whether a value at risk held: how often losses passed it, and whether they came in clusters.

Kupiec (1995) tests the share of violations, Christoffersen (1998) that one does not foretell the
next, and both together. The statistics are likelihood ratios; p below 0.05 speaks against the
forecast.
"""

from dataclasses import dataclass
from math import erfc, exp, log, sqrt
from typing import Final

import numpy as np
from numpy.typing import NDArray

from risk.market.calibration import Calibration
from risk.market.residuals import joint_shocks
from risk.market.types import DAY_S, Returns
from risk.market.volatility import MODELS, foretell

Vector = NDArray[np.float64]
REFIT_STEPS: Final = 25
"""Models are chosen and fitted anew every so many steps, as a user's would be."""


@dataclass(frozen=True, slots=True)
class Backtest:
    """How a series of forecasts did."""

    days: int
    violations: int
    expected: float
    kupiec_p: float
    """Of the share of violations."""
    independence_p: float
    """Of violations that follow each other."""
    coverage_p: float
    """Of both together (conditional coverage)."""


def backtest(broken: NDArray[np.bool_], level: float) -> Backtest:
    """Return the tests of a series of violations of a VaR at a confidence such as 0.99."""
    n, hits, p = len(broken), int(broken.sum()), 1 - level
    pof = -2 * (_bernoulli(n - hits, hits, p) - _bernoulli(n - hits, hits, hits / max(n, 1)))
    before, after = broken[:-1], broken[1:]
    n00, n01 = int((~before & ~after).sum()), int((~before & after).sum())
    n10, n11 = int((before & ~after).sum()), int((before & after).sum())
    pooled = _bernoulli(n00 + n10, n01 + n11, (n01 + n11) / max(n - 1, 1))
    chained = _bernoulli(n00, n01, n01 / max(n00 + n01, 1))
    chained += _bernoulli(n10, n11, n11 / max(n10 + n11, 1))
    independent = max(-2 * (pooled - chained), 0.0)
    pof = max(pof, 0.0)
    return Backtest(
        days=n,
        violations=hits,
        expected=n * p,
        kupiec_p=erfc(sqrt(pof / 2)),
        independence_p=erfc(sqrt(independent / 2)),
        coverage_p=exp(-(pof + independent) / 2),
    )


def _bernoulli(misses: int, hits: int, p: float) -> float:
    """Return the log likelihood of so many misses and hits."""
    left = misses * log(1 - p) if misses and p < 1 else (0.0 if not misses else -np.inf)
    right = hits * log(p) if hits and p > 0 else (0.0 if not hits else -np.inf)
    return float(left + right)


def value_at_risk(
    returns: Returns,
    weights: Vector,
    levels: tuple[float, ...],
    first: int,
    learn_from: int | None = None,
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return one-step-ahead VaR `[t − first, k, levels]` and losses `[t − first, k]`, as fractions.

    `weights` `[k, n]` are dollars per factor of a dollar's equity, for k portfolios. Filtered
    historical simulation: at each step the volatilities foretold by the chosen models, times the
    latest joint shocks. No forecast has seen the step that it is for, nor was its model chosen or
    fitted on it. With `learn_from` levels are recalibrated by their own violations from that step
    on (`risk.market.calibration`); a VaR at a level of 1 is the worst that was simulated.
    """
    log_returns, t = returns.log, len(returns.log)
    told = np.empty((t - first, len(weights), len(levels)))
    fixed = np.broadcast_to(np.array(levels), (len(weights), len(levels)))
    learned = None if learn_from is None else Calibration(len(weights), levels)
    begin = first if learn_from is None else min(learn_from, first)
    for start in range(begin, t, REFIT_STEPS):
        end = min(start + REFIT_STEPS, t)
        z, sigma = _foretold(returns, start, end)
        for step in range(start, end):
            losses = np.sort(-(np.expm1(z * sigma[step - start]) @ weights.T), axis=0)
            if step >= first:
                asked = fixed if learned is None else learned.levels
                told[step - first] = _quantiles(losses, asked)
            if learned is not None:
                came = -(np.expm1(log_returns[step]) @ weights.T)
                learned.learn(np.asarray((losses >= came).mean(axis=0)))
    return told, -(np.expm1(log_returns[first:]) @ weights.T)


def _foretold(returns: Returns, start: int, end: int) -> tuple[Vector, Vector]:
    """Return joint shocks `[rows, n]` and sigmas `[end − start, n]`, by what is known at `start`.

    The models are those of `start`; each sigma has seen the steps before its own.
    """
    past, per_day = returns.log[:start], max(1, round(DAY_S / returns.step_s))
    sigma = np.empty((end - start, past.shape[1]))
    for i in range(past.shape[1]):
        model = MODELS[foretell(past[:, i], "", returns.step_s).model]
        ahead = model(past[:, i], returns.log[:end, i], per_day, 1)
        sigma[:, i] = np.sqrt(ahead[start:end])
    return joint_shocks(past, returns.step_s)[1], sigma


def _quantiles(ordered: Vector, levels: Vector) -> Vector:
    """Return quantiles `[k, l]` of losses `[rows, k]` in order, the higher of two neighbours."""
    rows = len(ordered)
    at = np.ceil(np.clip(levels, 0.0, 1.0) * (rows - 1) - 1e-9).astype(int)
    return np.asarray(np.take_along_axis(ordered, at.T, axis=0).T)
