"""Whether a value at risk held, judged by the tests' own definitions and by known truth."""

from math import log

import numpy as np
import pytest

from risk.market.backtest import backtest, value_at_risk
from risk.market.types import Gjr
from tests.risk.market.build import returns, simulated


def spread(n: int, hits: int) -> np.ndarray:
    """Return violations at regular distances."""
    broken = np.zeros(n, bool)
    broken[np.linspace(5, n - 5, hits).astype(int)] = True
    return broken


def test_backtest__as_many_as_expected__speaks_for_it() -> None:
    found = backtest(spread(1_000, 50), 0.95)
    assert (found.days, found.violations) == (1_000, 50)
    assert found.expected == pytest.approx(50)
    assert found.kupiec_p == pytest.approx(1)
    assert found.coverage_p > 0.05


def test_backtest__kupiec__is_the_textbooks_ratio() -> None:
    found = backtest(spread(250, 6), 0.99)
    ratio = -2 * log(0.99**244 * 0.01**6 / ((1 - 6 / 250) ** 244 * (6 / 250) ** 6))
    assert ratio == pytest.approx(3.5554, abs=1e-3)
    assert found.kupiec_p == pytest.approx(0.0593, abs=1e-4)  # chi-squared, one degree


@pytest.mark.parametrize("hits", [10, 120])
def test_backtest__too_few_or_too_many__is_refused(hits: int) -> None:
    assert backtest(spread(1_000, hits), 0.95).kupiec_p < 0.001


def test_backtest__clustered__is_refused_though_the_share_is_right() -> None:
    broken = np.zeros(1_000, bool)
    broken[300:325] = broken[700:725] = True
    found = backtest(broken, 0.95)
    assert found.kupiec_p == pytest.approx(1)
    assert found.independence_p < 1e-6
    assert found.coverage_p < 1e-6


@pytest.mark.parametrize(
    "broken", [np.zeros(100, bool), np.ones(100, bool), np.zeros(1, bool), np.zeros(0, bool)]
)
def test_backtest__extremes__are_numbers(broken: np.ndarray) -> None:
    found = backtest(broken, 0.99)
    for p in (found.kupiec_p, found.independence_p, found.coverage_p):
        assert 0 <= p <= 1


def test_value_at_risk__simulated_garch__holds() -> None:
    truth = Gjr(omega=6e-5, alpha=0.04, gamma=0.14, beta=0.86, nu=6.0)
    log_returns = np.stack([simulated(truth, 900, seed) for seed in (1, 2)], axis=1)
    weights = np.array([[1.0, 0.0], [0.5, 0.5], [1.0, -1.0]])
    told, losses = value_at_risk(returns(log_returns), weights, (0.95, 0.99), 700)
    assert told.shape == (200, 3, 2)
    for i in range(3):
        found = backtest(losses[:, i] > told[:, i, 0], 0.95)
        assert found.kupiec_p > 0.01
    assert np.all(told[:, :, 1] >= told[:, :, 0])


def test_value_at_risk__the_future_changes__forecasts_do_not() -> None:
    truth = Gjr(omega=6e-5, alpha=0.04, gamma=0.14, beta=0.86, nu=6.0)
    log_returns = simulated(truth, 420, 3)[:, None]
    changed = np.concatenate([log_returns[:410], 5 * log_returns[410:]])
    weights = np.array([[1.0]])
    for learn_from in (None, 350):
        one, other = (
            value_at_risk(returns(x), weights, (0.95,), 400, learn_from)[0]
            for x in (log_returns, changed)
        )
        assert np.array_equal(one[:11], other[:11])
