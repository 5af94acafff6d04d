"""Histories of prices as arrays. Times are seconds since 1970; returns are natural logarithms."""

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

DAY_S = 86_400


@dataclass(frozen=True, slots=True, eq=False)
class PriceSeries:
    """What one factor was worth, whenever its source said so."""

    factor: str
    """As `Price.factor`: a feed's address, or the text of an expression."""
    label: str
    times: NDArray[np.int64]
    """[n], strictly increasing: when a value became known, so none looks ahead."""
    prices: NDArray[np.float64]
    """[n], positive."""
    source: str
    """`rounds`, `observe`, or the name of a file."""


@dataclass(frozen=True, slots=True, eq=False)
class Returns:
    """Log returns of several factors on one grid, without look-ahead."""

    factors: tuple[str, ...]
    step_s: int
    ends: NDArray[np.int64]
    """[t]: when each step ended."""
    log: NDArray[np.float64]
    """[t, n], finite."""
    missing: Mapping[str, str] = field(default_factory=dict)
    """Factors asked for that are not among `factors`, and why. Whoever needs one widens or says
    unknown; none is dropped in silence."""


@dataclass(frozen=True, slots=True, eq=False)
class Covariance:
    """Covariance of log returns per day; over a horizon of h seconds it is `daily * h / DAY_S`."""

    factors: tuple[str, ...]
    daily: NDArray[np.float64]
    """[n, n], symmetric, positive definite."""
    method: str
    """How it was estimated, in words: `Ledoit-Wolf, shrinkage 0.12, 730 days`."""
    assumed: Mapping[str, str] = field(default_factory=dict)
    """Factors without enough history whose variance was assumed, and what was assumed."""


@dataclass(frozen=True, slots=True)
class Gjr:
    """A GJR-GARCH(1,1) of one factor's returns per step, without a mean, with Student-t shocks.

    v' = omega + (alpha + gamma·[r < 0])·r² + beta·v, r = √v·z, z of variance one.
    """

    omega: float
    alpha: float
    gamma: float
    beta: float
    nu: float
    """Degrees of freedom, above 2; infinite for a normal."""

    @property
    def persistence(self) -> float:
        """How much of a variance shock is left after one step; below 1."""
        return self.alpha + self.gamma / 2 + self.beta

    @property
    def level(self) -> float:
        """The variance per step that forecasts return to."""
        return self.omega / (1 - self.persistence)


@dataclass(frozen=True, slots=True)
class Score:
    """How well one model foretold variances that it had not seen."""

    model: str
    """`EWMA`, `HAR-RV` or `GJR-GARCH-t`."""
    qlike: float | None
    """Mean of ln h + RV/h over the held-out steps, less is better; None where it gave none."""
    sigma_daily: float | None
    """Its forecast: standard deviation of the log return over the coming day."""
    cause: str = ""
    """Why it gave none."""


@dataclass(frozen=True, slots=True)
class Volatility:
    """What one factor's volatility will be, by the model that foretold best."""

    factor: str
    sigma_daily: float
    """Standard deviation of the log return over the coming day."""
    model: str
    scores: tuple[Score, ...] = ()
    """Every model's, the chosen one among them."""
    held_out: int = 0
    """Forecasts that the scores are means of."""
    assumed: str = ""
    """What was assumed in place of a history; then `model` is `assumed`."""


@dataclass(frozen=True, slots=True, eq=False)
class Residuals:
    """Standardised shocks of several factors, by date, for filtered historical simulation.

    A row is what all factors did in one and the same step: resample whole rows. A path starts at
    variances `sigma²` and moves them by `models`; `risk.market.paths.simulate` does so.
    """

    factors: tuple[str, ...]
    step_s: int
    ends: NDArray[np.int64]
    """[t]: when each step ended; empty where all factors are assumed."""
    z: NDArray[np.float64]
    """[t, n], mean 0 and variance about 1 per factor."""
    sigma: NDArray[np.float64]
    """[n]: standard deviation of the next step's log return, by the model chosen for it."""
    models: tuple[Gjr, ...]
    """[n]: how each variance moves along a path."""
    volatility: tuple[Volatility, ...]
    """[n]: how each sigma was found."""
    assumed: Mapping[str, str] = field(default_factory=dict)
    """Factors without enough history, and what was assumed: they move alone, and widely."""


@dataclass(frozen=True, slots=True, eq=False)
class Paths:
    """Simulated log returns, cumulative from now."""

    factors: tuple[str, ...]
    step_s: int
    log: NDArray[np.float64]
    """[paths, steps, n]: ln(price at the end of the step / price now)."""
    assumed: Mapping[str, str] = field(default_factory=dict)
