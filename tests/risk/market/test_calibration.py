"""Levels that learn: the share of violations comes out right where the forecast is wrong."""

import numpy as np
import pytest
from numpy.typing import NDArray

from risk.market.calibration import MOST, Calibration

F64 = NDArray[np.float64]


def broken(levels: tuple[float, ...], scale: float, steps: int, seed: int = 1) -> F64:
    """Return the share of violations where real losses are so many times what is foretold."""
    dice = np.random.default_rng(seed)
    forecast = np.sort(np.random.default_rng(0).normal(size=500))
    found, hits = Calibration(1, levels), np.zeros(len(levels))
    for loss in (dice.normal(size=steps) * scale).tolist():
        asked = np.ceil(np.clip(found.levels[0], 0, 1) * (len(forecast) - 1)).astype(int)
        hits += loss > forecast[asked]
        found.learn(np.array([1 - np.searchsorted(forecast, loss) / len(forecast)]))
    return hits / steps


def test_levels__before_anything_came__are_those_asked_for() -> None:
    assert Calibration(3, (0.95, 0.99)).levels == pytest.approx(np.tile([0.95, 0.99], (3, 1)))


@pytest.mark.parametrize("scale", [0.6, 1.0, 1.2])
def test_levels__forecast_too_wide_right_or_narrow__violations_are_as_many_as_said(
    scale: float,
) -> None:
    share = broken((0.95, 0.99), scale, 6_000)
    assert share == pytest.approx([0.05, 0.01], abs=0.01)


def test_levels__without_learning__would_be_wrong() -> None:
    dice = np.random.default_rng(1).normal(size=3_000) * 0.6
    assert (dice > 1.645).mean() < 0.01


def test_levels__violation__asks_for_more_and_calm_for_less() -> None:
    found = Calibration(1, (0.95,))
    found.learn(np.array([0.0]))
    after = float(found.levels[0, 0])
    assert after > 0.95
    for _ in range(200):
        found.learn(np.array([0.9]))
    assert float(found.levels[0, 0]) < 0.95
    assert float(found.levels[0, 0]) >= 1 - MOST


def test_levels__portfolios_apart__learn_apart() -> None:
    found = Calibration(2, (0.99,))
    for _ in range(50):
        found.learn(np.array([0.0, 0.5]))
    assert found.levels[0, 0] > 0.99 > found.levels[1, 0]
