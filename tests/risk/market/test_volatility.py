"""Models of volatility, judged by simulated truth and by an independent package."""

from math import inf

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from risk.market import garch, volatility
from risk.market.types import DAY_S, Gjr
from risk.market.volatility import forecast, foretell, qlike, realised
from tests.risk.market.build import returns, simulated

HOUR = 3600
TRUE = Gjr(omega=6e-5, alpha=0.04, gamma=0.14, beta=0.86, nu=6.0)


def test_fit__simulated_returns__are_no_less_likely_than_under_the_truth() -> None:
    for seed in range(3):
        log = simulated(TRUE, 2_500, seed)
        found = garch.fit(log)
        better = garch.log_likelihood(log, found) - garch.log_likelihood(log, TRUE)
        assert better > -1
        assert found.persistence == pytest.approx(TRUE.persistence, abs=0.03)
        assert found.gamma > found.alpha
        assert 4 < found.nu < 10


def test_fit__against_arch__is_as_likely() -> None:
    arch = pytest.importorskip("arch")
    log = simulated(TRUE, 2_000, 11)
    judge = arch.arch_model(100 * log, mean="Zero", p=1, o=1, q=1, dist="t")
    theirs = judge.fit(disp="off").loglikelihood + len(log) * np.log(100)
    ours = garch.log_likelihood(log, garch.fit(log), float(np.mean(log * log)))
    assert ours > theirs - 3  # one parameter fewer: the level is targeted


def test_ahead__many_steps__is_what_the_recursion_expects() -> None:
    v = np.array([3 * TRUE.level])
    total, now = 0.0, v[0]
    for _ in range(10):
        total += now
        now = TRUE.omega + TRUE.persistence * now
    assert garch.ahead(TRUE, v, 10)[0] == pytest.approx(total)


def test_log_likelihood__many_degrees__is_the_normal() -> None:
    log = simulated(TRUE, 300, 1)
    one, other = (Gjr(TRUE.omega, TRUE.alpha, TRUE.gamma, TRUE.beta, nu) for nu in (1e7, inf))
    assert garch.log_likelihood(log, one) == pytest.approx(
        garch.log_likelihood(log, other), rel=1e-4
    )


@pytest.mark.parametrize("log", [np.zeros(200), np.empty(0), np.full(5, np.nan)])
def test_fit__no_variance__is_refused(log: NDArray[np.float64]) -> None:
    with pytest.raises(ValueError, match="no variance"):
        garch.fit(log)


def test_forecast__simulated_garch__garch_foretells_better_than_ewma() -> None:
    strong = Gjr(omega=2e-5, alpha=0.02, gamma=0.5, beta=0.70, nu=8.0)
    wins = 0
    for seed in range(6):
        found = foretell(simulated(strong, 2_000, seed), "A", DAY_S)
        scores = {s.model: s.qlike for s in found.scores}
        assert set(scores) == {"EWMA", "HAR-RV", "GJR-GARCH-t"}
        wins += found.model == "GJR-GARCH-t"
    assert wins >= 5


@settings(max_examples=15, deadline=None)
@given(st.integers(0, 10_000), st.sampled_from([HOUR, 6 * HOUR, DAY_S]))
def test_foretell__any_seed__the_chosen_has_the_lowest_score(seed: int, step_s: int) -> None:
    found = foretell(simulated(TRUE, 700, seed), "A", step_s)
    rated = {s.model: s for s in found.scores if s.qlike is not None}
    best = min(rated.values(), key=lambda s: s.qlike or 0.0)
    assert found.model == best.model
    assert found.sigma_daily == best.sigma_daily


def test_foretell__held_out_future_changes__earlier_forecasts_do_not() -> None:
    log = simulated(TRUE, 600, 5)
    changed = np.concatenate([log[:400], 9 * log[400:]])
    for model in volatility.MODELS.values():
        one, other = (model(log[:300], x, 1, 1) for x in (log, changed))
        assert np.array_equal(one[:401], other[:401])


def test_forecast__constant_variance__is_about_it() -> None:
    log = np.random.default_rng(0).normal(0, 0.02, (1_500, 1))
    found = forecast(returns(log), "F0")
    assert found.sigma_daily == pytest.approx(0.02, rel=0.15)
    assert found.held_out == 750


def test_forecast__hourly__is_per_day() -> None:
    log = np.random.default_rng(0).normal(0, 0.01, (3_000, 1))
    assert forecast(returns(log, HOUR), "F0").sigma_daily == pytest.approx(0.01 * 24**0.5, rel=0.15)


def test_foretell__short_history__says_that_nothing_was_scored() -> None:
    found = foretell(simulated(TRUE, 30, 1), "A", DAY_S)
    assert found.model == "EWMA"
    causes = {s.model: s.cause for s in found.scores}
    assert "too few to score" in causes["EWMA"]
    assert "needs 60 days" in causes["HAR-RV"]


def test_foretell__nothing_moves__is_refused() -> None:
    with pytest.raises(ValueError, match="no variance"):
        foretell(np.zeros(300), "A", DAY_S)


def test_foretell__a_long_quiet_spell__is_no_promise_of_quiet() -> None:
    log = np.concatenate([simulated(TRUE, 300, 1), np.zeros(300)])
    found = foretell(log, "A", DAY_S)
    assert found.sigma_daily > 1e-4


def test_realised__windows__are_sums_of_squares() -> None:
    assert realised(np.array([1.0, 2.0, 3.0]), 2) == pytest.approx([5, 13])
    assert qlike(np.array([0.0, 1.0]), np.array([1.0, 1.0])) == 0.5


@given(
    st.lists(st.floats(0, 1e3), max_size=300),
    st.one_of(st.just(0.0), st.floats(1e-9, 0.999)),
    st.floats(0, 10),
)
def test_decayed__against_the_loop__agrees(x: list[float], beta: float, begin: float) -> None:
    expected = [begin]
    for one in x:
        expected.append(beta * expected[-1] + one)
    assert garch.decayed(np.array(x), beta, begin) == pytest.approx(expected, rel=1e-12, abs=1e-12)
