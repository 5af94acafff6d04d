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
    returns: Returns, weights: Vector, levels: tuple[float, ...], first: int
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return one-step-ahead VaR `[t − first, k, levels]` and losses `[t − first, k]`, as fractions.

    `weights` `[k, n]` are dollars per factor of a dollar's equity, for k portfolios. Filtered
    historical simulation: at each step the volatilities foretold by the chosen models, times the
    latest joint shocks. No forecast has seen the step that it is for, nor was its model chosen or
    fitted on it.
    """
    log_returns, t = returns.log, len(returns.log)
    per_day = max(1, round(DAY_S / returns.step_s))
    told = np.empty((t - first, len(weights), len(levels)))
    for begin in range(first, t, REFIT_STEPS):
        end = min(begin + REFIT_STEPS, t)
        past = log_returns[:begin]
        z = joint_shocks(past, returns.step_s)[1]
        sigma = np.empty((end - begin, past.shape[1]))
        for i in range(past.shape[1]):
            model = MODELS[foretell(past[:, i], "", returns.step_s).model]
            ahead = model(past[:, i], log_returns[:end, i], per_day, 1)
            sigma[:, i] = np.sqrt(ahead[begin:end])
        for j in range(end - begin):
            losses = -(np.expm1(z * sigma[j]) @ weights.T)
            told[begin - first + j] = np.quantile(losses, levels, axis=0, method="higher").T
    return told, -(np.expm1(log_returns[first:]) @ weights.T)
