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
