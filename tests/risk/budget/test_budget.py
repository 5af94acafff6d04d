"""Parts that add up, budgets that are met, and the least shortfall against sorted tails."""

import sys

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from risk.budget.contribution import of_shortfall, of_volatility
from risk.budget.parity import NoWeights, by_budget
from risk.budget.shortfall import least_shortfall
from risk.scenario.tail import tail

F64 = NDArray[np.float64]
SEEDS = st.integers(0, 2**32 - 1)


def covariance_of(dice: np.random.Generator, n: int) -> F64:
    """A random covariance with volatilities a thousandfold apart."""
    root = dice.standard_normal((n, n + 2))
    scale = 10 ** dice.uniform(-3, 0, n)
    found: F64 = (root @ root.T / (n + 2)) * np.outer(scale, scale)
    return found


def fat_returns(dice: np.random.Generator, paths: int, n: int) -> F64:
    mixed = dice.standard_t(4, (paths, n)) @ dice.uniform(-0.02, 0.05, (n, n))
    return mixed + dice.normal(0, 0.001, n)


@given(SEEDS, st.integers(1, 12))
def test_volatility__parts__add_up_and_are_the_derivatives(seed: int, n: int) -> None:
    dice = np.random.default_rng(seed)
    covariance, weights = covariance_of(dice, n), dice.normal(0, 1, n)
    found = of_volatility(weights, covariance)
    assert found.parts.sum() == pytest.approx(found.total, rel=1e-8, abs=1e-15)
    assert found.total == pytest.approx(float(weights @ covariance @ weights) ** 0.5)
    step = 1e-6
    for i in range(n):
        more, less = weights.copy(), weights.copy()
        more[i] += step
        less[i] -= step
        slope = (of_volatility(more, covariance).total - of_volatility(less, covariance).total) / (
            2 * step
        )
        assert found.parts[i] == pytest.approx(weights[i] * slope, rel=1e-3, abs=1e-5 * found.total)


@given(SEEDS, st.integers(1, 6), st.integers(1, 400), st.sampled_from([0.0, 0.5, 0.95, 0.99]))
def test_shortfall__parts__add_up_to_the_sorted_tail(
    seed: int, n: int, paths: int, level: float
) -> None:
    losses = -fat_returns(np.random.default_rng(seed), paths, n)
    found = of_shortfall(losses, level)
    assert found.parts.sum() == pytest.approx(found.total, rel=1e-8, abs=1e-12)
    assert found.total == pytest.approx(tail(losses.sum(axis=1), level).es_usd, rel=1e-8, abs=1e-12)


@settings(max_examples=200)
@given(SEEDS, st.integers(1, 20))
def test_parity__random_covariance__contributions_are_the_budgets(seed: int, n: int) -> None:
    dice = np.random.default_rng(seed)
    covariance, budgets = covariance_of(dice, n), dice.uniform(0.01, 1, n)
    for wanted in (None, budgets):
        weights = by_budget(covariance, wanted)
        assert weights.sum() == pytest.approx(1)
        assert (weights > 0).all()
        found = of_volatility(weights, covariance)
        shares = np.ones(n) / n if wanted is None else wanted / wanted.sum()
        assert np.abs(found.parts / found.total - shares).max() <= 1e-4


def test_parity__two_uncorrelated__inverse_to_volatility() -> None:
    weights = by_budget(np.diag([0.04, 0.01]))
    assert weights == pytest.approx([1 / 3, 2 / 3], rel=1e-9)


@pytest.mark.parametrize(
    ("covariance", "budgets", "why"),
    [
        (np.array([[1.0, 2.0], [2.0, 1.0]]), None, "positive definite"),
        (np.array([[1.0, 0.0], [0.0, 0.0]]), None, "variance above zero"),
        (np.eye(2) * np.nan, None, "variance above zero"),
        (np.eye(2), np.array([1.0, 0.0]), "budget above zero"),
        (np.eye(2), np.array([1.0]), "budget above zero"),
        (np.empty((0, 0)), None, "budget above zero"),
    ],
)
def test_parity__what_has_no_answer__says_why(
    covariance: F64, budgets: F64 | None, why: str
) -> None:
    with pytest.raises(NoWeights, match=why):
        by_budget(covariance, budgets)


@pytest.mark.parametrize("seed", range(5))
def test_least_shortfall__against_sorted_tails__nothing_near_is_better(seed: int) -> None:
    pytest.importorskip("scipy")
    dice = np.random.default_rng(seed)
    returns = fat_returns(dice, 500, 5)
    weights = least_shortfall(returns, 0.9)
    best = tail(-(returns @ weights), 0.9).es_usd
    for other in [*dice.dirichlet(np.ones(5), 300), *np.eye(5)]:
        for share in (1.0, 0.1, 0.001):
            mixed = (1 - share) * weights + share * other
            assert tail(-(returns @ mixed), 0.9).es_usd >= best - 1e-6


def test_least_shortfall__programme__equals_the_sorted_tail() -> None:
    """The programme's own optimum is the shortfall of the weights that it gives."""
    optimise = pytest.importorskip("scipy.optimize")
    returns = fat_returns(np.random.default_rng(3), 400, 4)
    weights = least_shortfall(returns, 0.95)
    losses = -(returns @ weights)
    over = optimise.minimize_scalar(
        lambda v: v + np.maximum(losses - v, 0).mean() / 0.05,
        bounds=(losses.min(), losses.max()),
        method="bounded",
        options={"xatol": 1e-12},
    )
    assert over.fun == pytest.approx(tail(losses, 0.95).es_usd, abs=1e-6)


def test_least_shortfall__limits__are_kept_or_refused() -> None:
    pytest.importorskip("scipy")
    returns = fat_returns(np.random.default_rng(1), 300, 4)
    assert least_shortfall(returns, 0.95, most=0.3).max() <= 0.3 + 1e-9
    means = returns.mean(axis=0)
    asked = float(np.sort(means)[-2:].mean())
    assert least_shortfall(returns, 0.95, least_mean=asked) @ means >= asked - 1e-9
    with pytest.raises(NoWeights, match="no weights were found"):
        least_shortfall(returns, 0.95, least_mean=float(means.max()) + 1)
    with pytest.raises(NoWeights, match="known return"):
        least_shortfall(returns * np.nan, 0.95)


def test_least_shortfall__without_scipy__names_the_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "scipy.optimize", None)
    with pytest.raises(NoWeights, match=r"underkeel\[risk\]"):
        least_shortfall(np.ones((3, 2)), 0.5)


def test_shortfall__unknown_loss__is_refused() -> None:
    for losses in (np.empty((0, 2)), np.array([[1.0, np.nan]])):
        with pytest.raises(ValueError, match="known loss"):
            of_shortfall(losses, 0.95)
    with pytest.raises(ValueError, match="level"):
        of_shortfall(np.ones((3, 1)), 1.0)
