"""β against independent solvers: linear algebra done otherwise, cvxpy, and brute force."""

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from risk.distance.joint import ON_BOUNDARY, closed_form, joint
from risk.distance.linear import Array, Margin, margin_of
from tests.risk import aave_states as aave
from tests.risk import morpho_states as morpho


def covariance(n: int, seed: int, scale: float = 0.05) -> Array:
    """Return a random positive definite covariance with volatilities about `scale`."""
    mixed = np.random.default_rng(seed).standard_normal((n, 2 * n))
    spread: Array = mixed @ mixed.T / (2 * n) * scale**2
    return spread


def margin(weights: list[float], powers: list[list[float]], **more: Any) -> Margin:
    """Return a margin over factors f0, f1 …"""
    rows = np.array(powers, dtype=float)
    ceilings = np.array(more.get("ceilings", [np.inf] * len(weights)))
    names = tuple(f"f{i}" for i in range(rows.shape[1]))
    return Margin(names, np.array(weights), rows, ceilings)


def unit(n: int, count: int) -> list[list[float]]:
    """Return `count` rows that name a factor each, and one of a constant."""
    return [*np.eye(n)[:count].tolist(), [0.0] * n]


def test_closed_form__random_margins__equals_the_distance_to_the_plane() -> None:
    dice = np.random.default_rng(1)
    for seed in range(200):
        n = int(dice.integers(2, 8))
        g = dice.uniform(0.1, 2, n) * dice.choice([1, 1, -0.2], n)
        h0 = float(dice.uniform(0.01, 0.5) * np.abs(g).sum())
        sigma = covariance(n, seed)
        found = closed_form(margin([*g, h0 - g.sum()], unit(n, n)), sigma)
        assert found is not None
        # independent: whiten by Cholesky, then the distance from the origin to a plane
        normal = np.linalg.cholesky(sigma).T @ g
        assert found.beta == pytest.approx(h0 / np.linalg.norm(normal), rel=1e-12)
        assert abs(h0 + g @ found.shock) <= 1e-12 * np.abs(g).sum()
        distance = float(found.shock @ np.linalg.solve(sigma, found.shock)) ** 0.5
        assert found.beta == pytest.approx(distance, rel=1e-9)
        assert found.rejected == bool((found.shock <= -1).any())


def test_closed_form__factor_would_lose_more_than_everything__is_rejected() -> None:
    safe = margin([1.0, 1.0, -0.1], unit(2, 2))
    found = closed_form(safe, np.diag([1.0, 1e-6]))
    assert found is not None
    assert found.rejected
    # the exact boundary is there all the same, and every shock is above −1
    exact = joint(safe, np.diag([1.0, 1e-6]))
    assert exact is not None
    assert (exact.shock > -1).all()


def test_closed_form__nothing_moves_it__is_none() -> None:
    still = margin([2.0, -1.0], [[0.0], [0.0]])
    assert closed_form(still, np.eye(1)) is None
    assert joint(still, np.eye(1)) is None


def test_joint__one_debt_factor__is_certified_on_the_boundary_and_below_brute_force() -> None:
    dice = np.random.default_rng(2)
    for seed in range(60):
        n = int(dice.integers(2, 7))
        held = dice.uniform(0.05, 2, n - 1)
        debt = float(held.sum() * dice.uniform(0.3, 0.98))
        some = margin([*held, -debt], np.eye(n).tolist())
        sigma = covariance(n, seed, float(dice.uniform(0.01, 0.3)))
        found = joint(some, sigma)
        assert found is not None
        assert found.certified
        assert found.method == ("closed form in logs" if n == 2 else "convex")
        assert found.residual <= ON_BOUNDARY
        length = float(found.log @ np.linalg.solve(sigma, found.log)) ** 0.5
        assert found.beta == pytest.approx(length, rel=1e-8)
        # nothing inside the ball of that radius is liquidatable
        moves = dice.standard_normal((4000, n))
        moves *= 0.9999 * found.beta / np.linalg.norm(moves, axis=1)[:, None]
        assert (some.value(moves @ np.linalg.cholesky(sigma).T) > 0).all()


def test_joint__one_debt_factor__equals_clarabel() -> None:
    cp = pytest.importorskip("cvxpy")
    dice = np.random.default_rng(3)
    for seed in range(12):
        n = int(dice.integers(2, 7))
        held = dice.uniform(0.05, 2, n)
        debt = float(held.sum() * dice.uniform(0.4, 0.97))
        sigma = covariance(n, seed, 0.1)
        found = joint(margin([*held, -debt], unit(n, n)), sigma)
        assert found is not None
        y = cp.Variable(n)
        fallen = cp.log_sum_exp(np.linalg.cholesky(sigma) @ y + np.log(held / debt)) <= 0
        problem = cp.Problem(cp.Minimize(cp.sum_squares(y)), [fallen])
        problem.solve(solver=cp.CLARABEL)
        assert found.beta == pytest.approx(float(np.linalg.norm(y.value)), rel=1e-6)


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 10**6), st.floats(1.01, 9.0))
def test_joint__covariance_scales_up__beta_falls_by_the_root(seed: int, factor: float) -> None:
    dice = np.random.default_rng(seed)
    n = int(dice.integers(2, 6))
    held = dice.uniform(0.05, 2, n)
    some = margin([*held, -float(held.sum() * 0.8)], unit(n, n))
    sigma = covariance(n, seed)
    near, far = joint(some, sigma * factor), joint(some, sigma)
    assert near is not None
    assert far is not None
    assert near.beta < far.beta
    assert near.beta == pytest.approx(far.beta / factor**0.5, rel=1e-8)


def test_joint__two_debt_factors__best_of_many_starts_and_not_certified() -> None:
    dice = np.random.default_rng(4)
    for seed in range(20):
        held, owed = dice.uniform(0.5, 1.5, 2), dice.uniform(0.2, 0.6, 2)
        some = margin([*held, *-owed], np.eye(4).tolist())
        sigma = covariance(4, seed, 0.2)
        if some.h0 <= 0:
            continue
        found = joint(some, sigma)
        assert found is not None
        assert not found.certified
        assert found.method == "multistart"
        assert found.residual <= ON_BOUNDARY
        moves = dice.standard_normal((20_000, 4))
        moves *= 0.999 * found.beta / np.linalg.norm(moves, axis=1)[:, None]
        assert (some.value(moves @ np.linalg.cholesky(sigma).T) > 0).all()


def test_joint__capped_collateral__waits_until_it_falls_below_its_cap() -> None:
    sigma = np.diag([0.01, 0.04])
    weights, powers = [1.0, 1.0, -1.5], [[1.0, 0.0], [0.0, 1.0], [0.0, 0.0]]
    # the first price stands at twice its cap: only below half does it count
    capped = margin([2.0, 1.0, -1.5], powers, ceilings=[0.5, np.inf, np.inf])
    found, free = joint(capped, sigma), joint(margin(weights, powers), sigma)
    assert found is not None
    assert free is not None
    assert found.certified
    assert found.beta > free.beta
    assert found.log[0] == 0
    assert found.shock[1] == pytest.approx(-0.5)


def test_joint__capped_debt__needs_its_collateral_to_fall_as_well() -> None:
    # only the debt's rise could liquidate soon, and it is capped just before
    some = margin([1.0, -0.8], [[1.0, 0.0], [0.0, 1.0]], ceilings=[np.inf, 1.05])
    found = joint(some, np.diag([1e-4, 1.0]))
    assert found is not None
    assert found.residual <= ON_BOUNDARY
    assert not found.certified
    assert -0.2 - 1e-9 <= found.shock[0] <= 0.8 * 1.05 - 1 + 1e-9  # the collateral has to fall


def test_joint__past_the_boundary__is_zero() -> None:
    found = joint(margin([1.0, -1.1], unit(1, 1)), np.eye(1))
    assert found is not None
    assert (found.beta, found.certified) == (0.0, True)


def test_joint__no_factor_at_all__is_none() -> None:
    still = Margin((), np.array([2.0, -1.0]), np.zeros((2, 0)), np.full(2, np.inf))
    assert closed_form(still, np.zeros((0, 0))) is None
    assert joint(still, np.zeros((0, 0))) is None


def test_joint__singular_covariance__uses_what_moves() -> None:
    some = margin([1.0, 1.0, -1.5], unit(2, 2))
    found = joint(some, np.ones((2, 2)) * 0.01)  # both factors move as one
    assert found is not None
    assert found.certified
    assert found.beta == pytest.approx(-np.log(0.75) / 0.1, rel=1e-9)


def test_margin__aave_account__is_health_in_the_factors() -> None:
    eth, btc = aave.quote(3000 * 10**8, "eth"), aave.quote(60_000 * 10**8, "btc")
    usd = aave.quote(10**8, "usd", constant=True)
    state = aave.account(
        10,
        aave.supplied(aave.reserve(0, eth), 10**19),
        aave.supplied(aave.reserve(1, btc), 10**17),
        aave.owed(aave.reserve(2, usd), 15_000 * 10**18),
    )
    found = margin_of(state)
    assert found is not None
    assert found.factors == ("btc", "eth")
    assert found.slope == pytest.approx([4800e8, 24_000e8])
    assert found.h0 == pytest.approx(13_800e8)
    assert found.debt == 15_000e8


def test_margin__collateral_and_debt_on_one_feed__are_one_term() -> None:
    eth = aave.quote(3000 * 10**8, "eth")
    state = aave.account(
        10, aave.supplied(aave.reserve(0, eth), 10**19), aave.owed(aave.reserve(1, eth), 10**18)
    )
    found = margin_of(state)
    assert found is not None
    assert found.weights == pytest.approx([21_000e8])
    assert joint(found, np.eye(1)) is None  # no move of that price liquidates it


def test_margin__morpho__is_exact_in_logs_of_its_feeds() -> None:
    state = morpho.position(oracle=oracle_of(morpho.parts()))
    found = margin_of(state)
    assert found is not None
    assert set(found.factors) == {morpho.BASE, morpho.QUOTE}
    joined = joint(found, np.diag([0.01, 0.0001]))
    assert joined is not None
    assert joined.method == "closed form in logs"
    health = 1 + found.h0 / found.debt
    assert joined.beta == pytest.approx(np.log(health) / 0.0101**0.5, rel=1e-12)


def test_margin__later__owes_more() -> None:
    now, later = margin_of(state := morpho.position()), margin_of(state, morpho.START + 10**7)
    assert now is not None
    assert later is not None
    assert later.debt > now.debt


def test_margin__no_debt__is_none() -> None:
    eth = aave.quote(3000 * 10**8, "eth")
    assert margin_of(aave.account(10, aave.supplied(aave.reserve(0, eth), 1))) is None
    assert margin_of(None) is None
    assert margin_of(morpho.position(shares=0)) is None


def oracle_of(parts: Any) -> Any:
    """Return an oracle made of feeds, at its own price."""
    from protocols.morpho_blue.state import MorphoOracle

    price = parts.price()
    assert price is not None
    return MorphoOracle(morpho.ORACLE, price, parts)
