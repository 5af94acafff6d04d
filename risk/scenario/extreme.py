"""The tail beyond the sample: peaks over a threshold, with what that is worth and where it ends.

Pickands (1975), Balkema and de Haan (1974): beyond a high threshold u, excesses are near a
generalised Pareto distribution, P(Y > y) = (1 + ξy/β)^(−1/ξ). Value at risk and expected shortfall
at levels that no sample reaches follow from ξ and β (McNeil, Frey and Embrechts, 2005, ch. 7).

The threshold is the lowest of a few (the largest share of the sample) above which Cramér and von
Mises' statistic does not speak against the fit at 10 %. Standard errors are of maximum likelihood,
(1 + ξ)/k·[[1 + ξ, −β], [−β, 2β²]] for ξ > −½ (Smith, 1987), by the delta method; they hold what a
sample of that size does not know, and nothing of the model that drew it.
"""

from dataclasses import dataclass
from math import exp, log, sqrt
from typing import Final

import numpy as np
from numpy.typing import NDArray

F64 = NDArray[np.float64]

SHARES: Final = (0.2, 0.15, 0.1, 0.075, 0.05, 0.025)
"""Of the sample, largest first: how much of it may lie above the threshold."""
FEWEST: Final = 100
"""Excesses below which nothing is fitted: ξ would be off by more than a tenth."""
CRITICAL: Final = (
    (-0.4, 0.145),
    (-0.2, 0.132),
    (0.0, 0.124),
    (0.2, 0.112),
    (0.4, 0.103),
    (0.7, 0.096),
)
"""(ξ, what one in ten right samples' W² passes), by simulation: with ξ and β fitted it is less than
the textbook's, and hangs on ξ (Choulakian and Stephens, 2001)."""


class TooSmall(ValueError):
    """The sample says nothing of what lies beyond it; the message says why."""


@dataclass(frozen=True, slots=True)
class Beyond:
    """Value at risk and expected shortfall at one level, with their standard errors."""

    level: float
    var_usd: float
    var_se_usd: float
    es_usd: float
    es_se_usd: float


@dataclass(frozen=True, slots=True)
class Peaks:
    """A generalised Pareto tail."""

    threshold: float
    excesses: int
    paths: int
    shape: float
    """ξ: 0 for an exponential tail, 1/ν for a Student t, below 0 where losses end."""
    shape_se: float
    scale: float
    """β."""
    statistic: float
    """Cramér and von Mises' W²."""

    @property
    def least_level(self) -> float:
        """Return the level of the threshold itself: below it the sample is the better judge."""
        return 1 - self.excesses / self.paths

    def at(self, level: float) -> Beyond:
        """Return the tail at a level; raises `ValueError` for one below the threshold's."""
        if not self.least_level <= level < 1:
            raise ValueError(f"{level} is not beyond the threshold's level {self.least_level}")
        xi, beta = self.shape, self.scale
        reach = log(self.excesses / self.paths / (1 - level))
        # q = ((1 + …)^ξ − 1)/ξ and its slope in ξ, by their series where ξ is next to nothing
        if abs(xi) > 1e-6:
            q = (exp(xi * reach) - 1) / xi
            dq = (reach * exp(xi * reach) - q) / xi
        else:
            q, dq = reach, reach * reach / 2
        var = self.threshold + beta * q
        es = self.threshold + (beta * q + beta) / (1 - xi)
        var_slope = np.array([beta * dq, q])
        es_slope = np.array(
            [(beta * dq) / (1 - xi) + (beta * q + beta) / (1 - xi) ** 2, (q + 1) / (1 - xi)]
        )
        spread = self._covariance()
        errors = (sqrt(float(slope @ spread @ slope)) for slope in (var_slope, es_slope))
        var_se, es_se = errors
        return Beyond(level, var, var_se, es, es_se)

    def _covariance(self) -> F64:
        xi, beta = self.shape, self.scale
        whole = np.array([[1 + xi, -beta], [-beta, 2 * beta * beta]])
        found: F64 = (1 + xi) / self.excesses * whole
        return found


def peaks(losses: F64) -> Peaks:
    """Return the tail of equally likely losses [paths].

    Raises `TooSmall` where there are too few of them, no threshold fits, or the fitted tail is so
    heavy that it has no mean, or ends so abruptly that errors cannot be told.
    """
    n = len(losses)
    if not np.isfinite(losses).all():
        raise TooSmall("not every path's loss is known")
    if n * SHARES[0] < FEWEST:
        raise TooSmall(f"{n} paths are too few: {round(FEWEST / SHARES[0])} at least")
    ordered = np.sort(losses)
    refused: Peaks | None = None
    for share in SHARES:
        k = int(n * share)
        if k < FEWEST:
            break
        threshold = float(ordered[n - k - 1])
        excess = ordered[n - k :] - threshold
        if excess[0] <= 0 or len(np.unique(excess)) < k // 2:
            continue  # many paths lose the very same: no density, no fit
        xi, beta = fit(excess)
        statistic = cramer_von_mises(excess, xi, beta)
        found = Peaks(threshold, k, n, xi, (1 + xi) / sqrt(k), beta, statistic)
        if statistic <= critical(xi):
            return _sound(found)
        refused = found
    if refused is None:
        raise TooSmall("too many paths lose the very same to tell a tail from them")
    raise TooSmall(
        f"no threshold fits: above the last, of {refused.excesses} paths, W² is "
        f"{refused.statistic:.2f} where {critical(refused.shape):.2f} is the most"
    )


def _sound(found: Peaks) -> Peaks:
    if found.shape >= 1:
        raise TooSmall(f"the tail is so heavy (shape {found.shape:.2f}) that it has no mean")
    if found.shape <= -0.5:
        raise TooSmall(f"losses end so abruptly (shape {found.shape:.2f}) that errors are unknown")
    return found


def fit(excess: F64) -> tuple[float, float]:
    """Return (ξ, β) of greatest likelihood; excesses above 0, in any order.

    With θ = ξ/β the best ξ is the mean of log(1 + θy) (Grimshaw, 1993): one number is searched, on
    a grid of θ·max(y) and then by golden section around its best.
    """
    y = excess / float(excess.mean())
    most = float(y.max())

    def cost(theta: float) -> float:
        if abs(theta) < 1e-9:
            return 1.0  # exponential: log β + 1 with β = mean = 1
        xi = float(np.log1p(theta * y).mean())
        return log(xi / theta) + xi + 1

    # below −1/max the density is not defined, next to it the likelihood has no bound
    low = -1 / most * (1 - 1e-3)
    grid = np.concatenate([np.linspace(low, 0, 60), np.expm1(np.linspace(0, 4, 60))[1:]])
    costs = [cost(float(theta)) for theta in grid]
    at = int(np.argmin(costs))
    a, b = float(grid[max(0, at - 1)]), float(grid[min(len(grid) - 1, at + 1)])
    ratio = (sqrt(5) - 1) / 2
    c, d = b - ratio * (b - a), a + ratio * (b - a)
    for _ in range(60):
        if cost(c) < cost(d):
            b, d = d, c
            c = b - ratio * (b - a)
        else:
            a, c = c, d
            d = a + ratio * (b - a)
    theta = (a + b) / 2
    if abs(theta) < 1e-9:
        return 0.0, float(excess.mean())
    xi = float(np.log1p(theta * y).mean())
    return xi, xi / theta * float(excess.mean())


def cramer_von_mises(excess: F64, xi: float, beta: float) -> float:
    """Return W² of excesses, ascending, against the fitted distribution."""
    n = len(excess)
    if abs(xi) < 1e-9:
        below = -np.expm1(-excess / beta)
    else:
        below = 1 - np.maximum(1 + xi * excess / beta, 0.0) ** (-1 / xi)
    steps = (2 * np.arange(1, n + 1) - 1) / (2 * n)
    return float(((below - steps) ** 2).sum() + 1 / (12 * n))


def critical(xi: float) -> float:
    """Return what one in ten samples' W² passes where the distribution is right."""
    shapes, values = zip(*CRITICAL, strict=True)
    return float(np.interp(xi, shapes, values))
