"""Covariances: shrunk, positive definite, never without a wanted factor."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from risk.market.covariance import (
    ASSUMED_YEARLY,
    WIDER,
    covariance,
    ledoit_wolf,
    repair,
    with_volatility,
)
from tests.risk.market.build import returns

HOUR = 3600


@given(st.integers(2, 60), st.integers(1, 12), st.integers(0, 10_000))
def test_covariance__any_returns__is_positive_definite(t: int, n: int, seed: int) -> None:
    rng = np.random.default_rng(seed)
    log = rng.normal(0, 10.0 ** rng.uniform(-4, -1, n), (t, n))
    log[:, -1] = log[:, 0]  # one feed behind two factors
    found = covariance(returns(log))
    assert np.array_equal(found.daily, found.daily.T)
    scale = np.sqrt(np.diag(found.daily))
    assert np.linalg.eigvalsh(found.daily / np.outer(scale, scale))[0] > 0
    assert np.diag(found.daily) == pytest.approx(log.var(axis=0), rel=1e-9)


@given(st.integers(1, 8), st.integers(0, 10_000))
def test_repair__any_symmetric_matrix__is_positive_definite_with_its_diagonal(
    n: int, seed: int
) -> None:
    rng = np.random.default_rng(seed)
    matrix = rng.normal(0, 1, (n, n))
    matrix = matrix + matrix.T
    np.fill_diagonal(matrix, rng.uniform(0.01, 1, n))
    fixed, repaired = repair(matrix)
    assert np.diag(fixed) == pytest.approx(np.diag(matrix))
    scale = np.sqrt(np.diag(fixed))
    assert np.linalg.eigvalsh(fixed / np.outer(scale, scale))[0] > 0
    assert repaired or np.array_equal(fixed, matrix)


@pytest.mark.parametrize("bad", [0.0, -1.0, np.nan])
def test_repair__no_positive_variance__is_refused(bad: float) -> None:
    with pytest.raises(ValueError, match="variances"):
        repair(np.array([[1.0, 0.1], [0.1, bad]]))


def test_ledoit_wolf__against_the_paper_term_by_term__agrees() -> None:
    x = np.random.default_rng(3).normal(0, 1, (40, 5)) @ np.random.default_rng(4).normal(
        0, 1, (5, 5)
    )
    x -= x.mean(axis=0)
    t, n = x.shape
    sample = sum(np.outer(row, row) for row in x) / t
    mean = np.trace(sample) / n
    spread = np.linalg.norm(sample - mean * np.eye(n)) ** 2 / n
    noise = sum(np.linalg.norm(np.outer(row, row) - sample) ** 2 for row in x) / t**2 / n
    share = min(noise, spread) / spread
    found, intensity = ledoit_wolf(x)
    assert intensity == pytest.approx(share)
    assert found == pytest.approx(share * mean * np.eye(n) + (1 - share) * sample)


def test_covariance__hourly_steps__is_per_day() -> None:
    log = np.random.default_rng(0).normal(0, 0.01, (5_000, 1))
    found = covariance(returns(log, HOUR))
    assert found.daily[0, 0] == pytest.approx(24 * log.var())
    assert "208 days of 3600 s steps" in found.method


def test_covariance__long_history__keeps_the_correlation() -> None:
    rng = np.random.default_rng(0)
    common = rng.normal(0, 0.03, 2_000)
    log = np.stack([common + rng.normal(0, 0.01, 2_000), common, rng.normal(0, 1e-4, 2_000)], 1)
    found = covariance(returns(log))
    scale = np.sqrt(np.diag(found.daily))
    correlation = found.daily / np.outer(scale, scale)
    assert correlation[0, 1] == pytest.approx(np.corrcoef(log[:, 0], log[:, 1])[0, 1], abs=0.01)
    assert scale[2] == pytest.approx(1e-4, rel=0.1)  # not pulled up by the others


def test_covariance__factor_without_history__is_wide_alone_and_said() -> None:
    log = np.random.default_rng(0).normal(0, 0.1, (400, 2))
    given = replace(returns(log), missing={"new": "its history is 3 steps"})
    found = covariance(given, ["new", "F1", "never heard of"])
    assert found.factors == ("new", "F1", "never heard of")
    assert found.daily[0, 0] == pytest.approx((WIDER * log.std(axis=0).max()) ** 2)
    assert found.daily[0, 1] == found.daily[0, 2] == 0
    assert found.assumed["new"].startswith("its history is 3 steps; assumed")
    assert "no history" in found.assumed["never heard of"]
    assert covariance(given).factors == ("F0", "F1", "new")
    told = covariance(given, ["new"], sigma_assumed={"new": 0.5})
    assert told.daily[0, 0] == pytest.approx(0.25)


def test_covariance__nothing_known__is_all_assumed() -> None:
    empty = replace(returns(np.empty((0, 0))), factors=())
    found = covariance(empty, ["X"])
    assert found.daily[0, 0] == pytest.approx(ASSUMED_YEARLY**2 / 365)
    assert found.method == "assumed: no history"


def test_with_volatility__a_forecast__keeps_the_correlation() -> None:
    log = np.random.default_rng(0).multivariate_normal([0, 0], [[4e-4, 3e-4], [3e-4, 4e-4]], 500)
    before = covariance(returns(log))
    after = with_volatility(before, {"F0": 0.06})
    assert after.daily[0, 0] == pytest.approx(0.06**2)
    assert after.daily[1, 1] == pytest.approx(before.daily[1, 1])
    old, new = (m.daily[0, 1] / np.sqrt(m.daily[0, 0] * m.daily[1, 1]) for m in (before, after))
    assert new == pytest.approx(old)
