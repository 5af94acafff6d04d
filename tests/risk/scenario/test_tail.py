"""Tails of losses: against sorted lists and closed forms."""

import numpy as np
import pytest
from numpy.typing import NDArray

from risk.scenario.tail import correlated, normal_moves, tail, worst_within

DICE = np.random.default_rng(3)


def test_tail__is_the_sorted_tails_mean() -> None:
    losses = DICE.normal(size=1_000)
    ordered = np.sort(losses)
    found = tail(losses, 0.95)
    assert found.var_usd == ordered[949]
    assert found.es_usd == pytest.approx(ordered[950:].mean(), abs=1e-12)
    assert found.var_low_usd <= found.var_usd <= found.var_high_usd <= ordered[-1]


def test_tail__share_of_a_path__counted_in_part() -> None:
    found = tail(np.arange(1.0, 11.0), 0.85)
    assert found.var_usd == 9.0
    assert found.es_usd == pytest.approx((10 + 0.5 * 9) / 1.5)


def test_tail__is_coherent__es_minimises_the_convex_form() -> None:
    losses = DICE.standard_t(4, size=500)
    found = tail(losses, 0.9)
    form = [z + np.maximum(losses - z, 0).mean() / 0.1 for z in np.sort(losses)]
    assert found.es_usd == pytest.approx(min(form), abs=1e-9)


@pytest.mark.parametrize("bad", [np.array([]), np.array([1.0, np.nan])])
def test_tail__nothing_known__refused(bad: NDArray[np.float64]) -> None:
    with pytest.raises(ValueError, match="every path"):
        tail(bad, 0.95)


def test_correlated__to_one__keeps_variances_and_ends_singular() -> None:
    daily = np.array([[0.04, 0.01], [0.01, 0.09]])
    assert correlated(daily, 0.0) == pytest.approx(daily)
    one = correlated(daily, 1.0, 2.0)
    assert np.diag(one) == pytest.approx(4 * np.diag(daily))
    assert one[0, 1] == pytest.approx(4 * 0.2 * 0.3)
    moves = normal_moves(one, 7.0, 20_000)[:, 0]
    assert float(np.asarray(np.corrcoef(moves.T))[0, 1]) == pytest.approx(1.0)
    assert moves.std(axis=0) == pytest.approx(np.sqrt(7 * np.diag(one)), rel=0.03)


def test_worst__linear_loss__is_the_closed_form() -> None:
    covariance = np.array([[0.04, 0.01], [0.01, 0.01]])
    slope = np.array([2.0, 1.0])

    def loss(log: NDArray[np.float64]) -> NDArray[np.float64]:
        return np.asarray(-log @ slope)

    found = worst_within(loss, ("a", "b"), covariance, 2.0)
    best = 2.0 * float(np.sqrt(slope @ covariance @ slope))
    assert found.loss_usd == pytest.approx(best, rel=0.02)
    assert found.loss_usd <= best * (1 + 1e-9)
    assert not found.certified
