"""Tails beyond the sample, on distributions whose tails are known."""

from math import sqrt

import numpy as np
import pytest
from numpy.typing import NDArray

from risk.scenario.extreme import Peaks, TooSmall, cramer_von_mises, critical, fit, peaks

F64 = NDArray[np.float64]


def pareto(xi: float, beta: float, size: int, seed: int) -> F64:
    """Draw from the generalised Pareto distribution by its inverse."""
    u = np.random.default_rng(seed).random(size)
    return np.asarray(-beta * np.log(u) if xi == 0 else beta * (u**-xi - 1) / xi)


@pytest.mark.parametrize("xi", [-0.3, -0.1, 0.0, 0.2, 0.5])
def test_fit__generalised_pareto__shape_and_scale_within_three_standard_errors(xi: float) -> None:
    n = 2_000
    for seed in range(5):
        shape, scale = fit(pareto(xi, 3.0, n, seed))
        assert abs(shape - xi) < 3 * (1 + xi) / sqrt(n)
        assert abs(scale - 3.0) < 3 * 3.0 * sqrt(2 * (1 + xi) / n)


def test_fit__is_the_greatest_likelihood__of_all_on_a_grid() -> None:
    y = pareto(0.25, 1.0, 500, 1)

    def likelihood(xi: float, beta: float) -> float:
        return float(-len(y) * np.log(beta) - (1 + 1 / xi) * np.log1p(xi * y / beta).sum())

    best = likelihood(*fit(y))
    for xi in np.linspace(0.01, 0.6, 40).tolist():
        for beta in np.linspace(0.6, 1.5, 40).tolist():
            assert likelihood(xi, beta) <= best + 1e-9


def test_peaks__exact_pareto__levels_beyond_the_sample_are_the_closed_form() -> None:
    xi, beta = 0.2, 2.0
    found = peaks(pareto(xi, beta, 20_000, 4))
    for level in (0.99, 0.999, 0.9999):
        var = beta / xi * ((1 - level) ** -xi - 1)
        es = (var + beta) / (1 - xi)
        told = found.at(level)
        assert abs(told.var_usd - var) < 3 * told.var_se_usd
        assert abs(told.es_usd - es) < 3 * told.es_se_usd
        assert told.es_usd > told.var_usd


def test_peaks__standard_errors__hold_as_often_as_they_say() -> None:
    xi, beta, level = 0.2, 1.0, 0.999
    var = beta / xi * ((1 - level) ** -xi - 1)
    es = (var + beta) / (1 - xi)
    inside, tried = 0, 0
    for seed in range(200):
        try:
            told = peaks(pareto(xi, beta, 2_000, seed)).at(level)
        except TooSmall:  # the test of the fit is wrong in its share of samples
            continue
        tried += 1
        inside += abs(told.es_usd - es) <= 1.96 * told.es_se_usd
    assert tried > 180
    assert 0.88 <= inside / tried <= 0.99


def test_peaks__student_t__shape_is_its_inverse_degrees_and_es_is_near() -> None:
    losses = np.random.default_rng(2).standard_t(4, 40_000)
    found = peaks(losses)
    assert abs(found.shape - 0.25) < 3 * found.shape_se + 0.05  # a t is Pareto in the limit only
    far = np.sort(np.random.default_rng(3).standard_t(4, 4_000_000))[-4_000:]
    told = found.at(0.999)
    assert abs(told.es_usd - far.mean()) < 3 * told.es_se_usd


def test_peaks__normal_body_with_a_pareto_tail__the_threshold_goes_up_to_the_tail() -> None:
    dice = np.random.default_rng(5)
    body = dice.uniform(-1, 1, 9_000)
    found = peaks(np.concatenate([body, 1.5 + pareto(0.3, 1.0, 1_000, 6)]))
    assert found.excesses <= 1_000
    assert abs(found.shape - 0.3) < 3 * found.shape_se


def test_critical__one_in_ten_right_samples_passes_it() -> None:
    for xi in (-0.2, 0.1, 0.4):
        told = []
        for seed in range(150):
            y = np.sort(pareto(xi, 1.0, 200, seed))
            told.append(cramer_von_mises(y, *fit(y)))
        share = float((np.array(told) > critical(xi)).mean())
        assert 0.04 < share < 0.17


@pytest.mark.parametrize(
    ("losses", "said"),
    [
        (np.arange(499.0), "499 paths are too few: 500 at least"),
        (np.full(5_000, np.nan), "not every path's loss is known"),
        (np.full(5_000, 7.0), "lose the very same"),
        (np.concatenate([np.zeros(500), np.full(500, 9.0)]), "lose the very same"),
        (pareto(1.4, 1.0, 5_000, 1), "no mean"),
        (-pareto(-0.8, 1.0, 5_000, 1) * -1, "end so abruptly"),
        (np.repeat([10.0, 20.0], 2_500) + np.linspace(0, 0.01, 5_000), "no threshold fits|abrupt"),
        (np.repeat(np.arange(250.0), 20) + np.tile(np.linspace(0, 0.01, 20), 250), "no threshold"),
    ],
)  # fmt: skip
def test_peaks__no_tail_to_tell__refused_with_its_cause(losses: F64, said: str) -> None:
    with pytest.raises(TooSmall, match=said):
        peaks(losses)


def test_peaks__level_within_the_sample__is_the_samples_to_judge() -> None:
    found = Peaks(1.0, 100, 1_000, 0.0, 0.1, 1.0, 0.05)
    assert found.least_level == pytest.approx(0.9)
    assert found.at(0.99).var_usd == pytest.approx(1 + np.log(10))
    assert found.at(0.99).es_usd == pytest.approx(2 + np.log(10))
    with pytest.raises(ValueError, match="not beyond"):
        found.at(0.8)
