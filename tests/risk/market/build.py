"""Histories made by hand, and returns of known models."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from risk.market.types import DAY_S, Gjr, PriceSeries, Returns

BEGIN = 19_000 * DAY_S


def series(
    times: Sequence[int] | NDArray[np.int64],
    prices: Sequence[float] | NDArray[np.float64],
    factor: str = "A",
) -> PriceSeries:
    """Return a history."""
    return PriceSeries(
        factor, factor, np.asarray(times, np.int64), np.asarray(prices, np.float64), "test"
    )


def daily(log: NDArray[np.float64], factor: str = "A", begin: int = BEGIN) -> PriceSeries:
    """Return the history of a price that made these returns, one a day."""
    prices = np.exp(np.concatenate([[0.0], np.cumsum(log)]))
    return series(begin + DAY_S * np.arange(len(prices)), prices, factor)


def returns(log: NDArray[np.float64], step_s: int = DAY_S) -> Returns:
    """Return returns of factors F0, F1, …"""
    ends = BEGIN + step_s * np.arange(1, len(log) + 1)
    return Returns(tuple(f"F{i}" for i in range(log.shape[1])), step_s, ends, log)


def simulated(model: Gjr, steps: int, seed: int) -> NDArray[np.float64]:
    """Return returns of a GJR-GARCH-t, step by step as the model is written down."""
    rng = np.random.default_rng(seed)
    shocks = rng.standard_t(model.nu, steps) * ((model.nu - 2) / model.nu) ** 0.5
    v, out = model.level, []
    for z in shocks:
        r = v**0.5 * z
        out.append(r)
        v = model.omega + (model.alpha + (model.gamma if r < 0 else 0)) * r * r + model.beta * v
    return np.array(out)
