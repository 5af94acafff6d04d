"""Joint shocks, and paths made of them."""

from dataclasses import replace

import numpy as np
import pytest
from numpy.typing import NDArray

from risk.market.paths import simulate, walk
from risk.market.residuals import standardise
from risk.market.types import DAY_S, Gjr, Residuals, Volatility
from tests.risk.market.build import returns, simulated

TRUE = Gjr(omega=6e-5, alpha=0.04, gamma=0.14, beta=0.86, nu=6.0)


def two(rho: float = 0.8) -> Residuals:
    """Return the shocks of two factors that move together."""
    one = simulated(TRUE, 1_000, 1)
    noise = simulated(TRUE, 1_000, 2)
    return standardise(returns(np.stack([one, rho * one + (1 - rho) * noise], axis=1)))


def correlation(columns: NDArray[np.float64]) -> float:
    """Return that of the first two columns."""
    one, other = columns[:, 0], columns[:, 1]
    return float(np.mean((one - one.mean()) * (other - other.mean())) / one.std() / other.std())


def constant(sigma: float, z: NDArray[np.float64]) -> Residuals:
    """Return shocks whose variance never changes."""
    n = z.shape[1]
    names = tuple(f"F{i}" for i in range(n))
    told = tuple(Volatility(name, sigma, "EWMA") for name in names)
    model = Gjr(sigma**2, 0, 0, 0, np.inf)
    ends = np.arange(len(z))
    return Residuals(names, DAY_S, ends, z, np.full(n, sigma), (model,) * n, told)


def test_standardise__simulated_returns__leave_unit_shocks_without_clusters() -> None:
    found = two()
    assert found.z.mean(axis=0) == pytest.approx([0, 0], abs=1e-12)
    assert found.z.std(axis=0) == pytest.approx([1, 1], rel=0.15)
    assert found.z.shape == (500, 2) == (len(found.ends), 2)
    assert found.ends[-1] == returns(np.empty((1_000, 1))).ends[-1]
    squares = found.z[:, 0] ** 2
    clustered = correlation(np.stack([squares[1:], squares[:-1]], axis=1))
    assert abs(clustered) < 0.1
    assert found.sigma == pytest.approx([v.sigma_daily for v in found.volatility])


def test_standardise__factor_without_history__moves_alone_and_widely() -> None:
    log = np.stack([simulated(TRUE, 500, 1), simulated(TRUE, 500, 2)], axis=1)
    given = replace(returns(log), missing={"new": "it has no history"})
    found = standardise(given, ["F1", "new"])
    assert found.factors == ("F1", "new")
    assert "it has no history; assumed" in found.assumed["new"]
    assert found.volatility[1].model == "assumed"
    assert found.sigma[1] > found.sigma[0]
    assert abs(correlation(found.z)) < 0.15


def test_standardise__given_sigma__is_what_is_assumed() -> None:
    empty = replace(returns(np.empty((0, 0))), factors=())
    found = standardise(empty, ["X"], sigma_assumed={"X": 0.001})
    assert found.sigma.tolist() == [0.001]
    assert "as stated 0.1% a day" in found.assumed["X"]


def test_standardise__nothing_known__is_made_up_and_said() -> None:
    found = standardise(replace(returns(np.empty((0, 0))), factors=()), ["X", "Y"])
    assert found.z.shape == (1_000, 2)
    assert set(found.assumed) == {"X", "Y"}
    assert len(found.ends) == 0
    assert abs(correlation(found.z)) < 0.15


def test_simulate__constant_variance_normal_shocks__is_the_normal_law() -> None:
    z = np.random.default_rng(0).normal(0, 1, (20_000, 1))
    z = (z - z.mean()) / z.std()
    log = simulate(constant(0.02, z), 7 * DAY_S, 20_000, seed=3).log
    assert log.shape == (20_000, 7, 1)
    for k in range(7):
        spread = 0.02 * (k + 1) ** 0.5
        assert log[:, k].std() == pytest.approx(spread, rel=0.03)
        assert abs(log[:, k].mean()) < 4 * spread / 20_000**0.5


def test_simulate__joint_rows__keep_the_correlation() -> None:
    found = two()
    log = simulate(found, 5 * DAY_S, 4_000).log[:, -1]
    rows = correlation(found.z)
    assert correlation(log) == pytest.approx(rows, abs=0.07)


def test_simulate__mean_of_variances__is_what_the_model_expects() -> None:
    z = np.random.default_rng(1).normal(0, 1, (50_000, 1))
    z = (z - z.mean()) / z.std()
    mild = Gjr(omega=1e-5, alpha=0.05, gamma=0.06, beta=0.85, nu=np.inf)
    given = replace(constant(0.03, z), models=(mild,))
    log = simulate(given, 10 * DAY_S, 50_000).log[:, -1, 0]
    left, level = mild.persistence, mild.level
    expected = 10 * level + (0.03**2 - level) * (1 - left**10) / (1 - left)
    assert log.var() == pytest.approx(expected, rel=0.05)


def test_simulate__seed__decides_all() -> None:
    found = two()
    assert np.array_equal(simulate(found, DAY_S, 50).log, simulate(found, DAY_S, 50).log)
    other = simulate(found, DAY_S, 50, seed=2).log
    assert not np.array_equal(simulate(found, DAY_S, 50).log, other)


def test_simulate__horizon_inside_a_step__is_one_step() -> None:
    assert simulate(two(), 60, 10).log.shape == (10, 1, 2)


def test_walk__absurd_shocks__stay_finite() -> None:
    wild = Gjr(omega=1e-4, alpha=0.5, gamma=0.5, beta=0.2, nu=2.1)
    z = np.random.default_rng(0).standard_t(2.1, (500, 1)) * 10
    given = replace(constant(0.5, z), models=(wild,))
    for total in walk(given, 200, 500, seed=1):
        assert np.all(np.isfinite(np.exp(total)))
