"""Chances of liquidation against closed forms, and what oracles do to them."""

from dataclasses import replace
from math import inf, log, nan, sqrt
from typing import Any

import numpy as np
import pytest

from risk.distance.linear import Array, Margin
from risk.distance.probability import (
    Course,
    Seen,
    closed_form,
    first_passage,
    first_passage_in_steps,
    simulate,
    wilson,
)
from risk.market.types import Gjr, Residuals
from risk.oracle.replay import Behaviour, replay

HOUR, DAY = 3600, 86_400
STEP_SIGMA = 0.01


def normal(n: int = 1, rows: int = 200_000, sigma: float = STEP_SIGMA) -> Residuals:
    """Return shocks of a geometric Brownian motion: normal, of constant variance."""
    z = np.random.default_rng(5).standard_normal((rows, n))
    z = (z - z.mean(axis=0)) / z.std(axis=0)
    names = tuple(f"f{i}" for i in range(n))
    models = tuple(Gjr(sigma**2, 0.0, 0.0, 0.0, inf) for _ in range(n))
    return Residuals(names, HOUR, np.arange(rows), z, np.full(n, sigma), models, ())


def loan(debt: float, powers: Array | None = None) -> Margin:
    """Return one unit of collateral on f0, and a debt that nothing moves."""
    rows = np.array([[1.0], [0.0]]) if powers is None else powers
    names = tuple(f"f{i}" for i in range(rows.shape[1]))
    return Margin(names, np.array([1.0, -debt]), rows, np.array([inf, inf]))


@pytest.mark.parametrize("debt", [0.95, 0.9, 0.8])
@pytest.mark.parametrize("hours", [24, 168])
def test_simulate__brownian_motion__within_three_standard_errors(debt: float, hours: int) -> None:
    paths = 40_000
    ((found,),) = simulate(
        {"x": Course(loan(debt))}, normal(), [hours * HOUR], paths=paths, seed=int(debt * 100)
    ).values()
    exact = first_passage_in_steps(log(debt), 0.0, STEP_SIGMA, hours, 1)
    assert found.p is not None
    assert abs(found.p - exact) <= 3 * sqrt(exact * (1 - exact) / paths)
    assert found.ci_lo is not None
    assert found.ci_hi is not None
    assert found.ci_lo <= found.p <= found.ci_hi


def test_first_passage__drift__equals_the_integral_of_its_density() -> None:
    barrier, drift, sigma, horizon = -0.3, -0.1, 0.4, 2.0
    t = np.linspace(1e-6, horizon, 400_001)
    density = -barrier / (sigma * np.sqrt(2 * np.pi * t**3))
    density = density * np.exp(-((barrier - drift * t) ** 2) / (2 * sigma**2 * t))
    integral = float(np.trapezoid(density, t))
    assert first_passage(barrier, drift, sigma, horizon) == pytest.approx(integral, rel=1e-6)
    assert first_passage(0.1, drift, sigma, horizon) == 1


def test_closed_form__beta_of_another_horizon__is_the_same_chance() -> None:
    a = closed_form(2.0, DAY, 7 * DAY, HOUR).p
    b = closed_form(2.0 / sqrt(7), 7 * DAY, 7 * DAY, HOUR).p
    assert a == pytest.approx(b)
    assert closed_form(0.0, DAY, DAY, HOUR).p == 1
    assert a is not None
    assert a < first_passage(-2.0, 0.0, 1.0, 7)  # watched at steps only


def test_simulate__two_factors_as_one__is_the_same_plane() -> None:
    both = loan(0.9, np.array([[1.0, -1.0], [0.0, 0.0]]))
    paths = 40_000
    ((found,),) = simulate({"x": Course(both)}, normal(2), [DAY], paths=paths).values()
    exact = first_passage_in_steps(log(0.9), 0.0, STEP_SIGMA * sqrt(2), 24, 1)
    assert found.p is not None
    assert abs(found.p - exact) <= 3 * sqrt(exact * (1 - exact) / paths)


def chance(margin: Margin, feed: Behaviour, **more: Any) -> float:
    ((found,),) = simulate(
        {"x": Course(margin)}, normal(), [DAY], feeds={"f0": feed}, **more
    ).values()
    assert found.p is not None
    return found.p


def test_simulate__feed_with_deviation__sees_less_and_later() -> None:
    every = chance(loan(0.97), Behaviour(0, inf))
    coarse = chance(loan(0.97), Behaviour(0.02, inf))
    silent = chance(loan(0.97), Behaviour(0.99, inf))
    assert silent == 0
    assert silent < coarse < every


def test_simulate__heartbeat_only__speaks_on_the_hour_that_it_is_due() -> None:
    daily = chance(loan(0.97), Behaviour(0.99, DAY))
    once = first_passage_in_steps(log(0.97), 0.0, STEP_SIGMA, 24, 1)
    assert 0 < daily < once
    # it was silent for half a day already: due within the horizon twice
    due = chance(loan(0.97), Behaviour(0.99, DAY / 2), ages_s={"f0": DAY / 4})
    assert due > daily


def test_simulate__latency__hears_fewer_steps() -> None:
    late = chance(loan(0.97), Behaviour(0, inf, 12 * HOUR))
    assert (
        0
        < late
        < chance(loan(0.97), Behaviour(0, inf, HOUR - 1))
        == chance(loan(0.97), Behaviour(0, inf))
    )


def test_simulate__interest__brings_it_nearer() -> None:
    grown = loan(0.99)
    held = simulate({"x": Course(loan(0.95))}, normal(), [DAY])["x"][0].p
    owed = simulate({"x": Course(loan(0.95), grown)}, normal(), [DAY])["x"][0].p
    assert held is not None
    assert owed is not None
    assert owed > held


def test_simulate__liquidatable_now__is_certain() -> None:
    assert simulate({"x": Course(loan(1.01))}, normal(), [DAY])["x"][0].p == 1


def test_simulate__factor_without_shocks__is_unknown_and_others_are_not() -> None:
    other = Margin(("elsewhere",), np.array([1.0, -0.9]), np.array([[1.0], [0.0]]), np.full(2, inf))
    found = simulate({"x": Course(other), "y": Course(loan(0.95))}, normal(), [DAY])
    assert found["x"][0].p is None
    assert "shocks" in found["x"][0].cause
    assert found["y"][0].p is not None


def test_simulate__shocks_that_are_no_numbers__are_unknown_not_safe() -> None:
    sound = normal(1, 1000)
    for broken in (
        replace(sound, z=np.full_like(sound.z, nan)),
        replace(sound, sigma=np.full_like(sound.sigma, inf)),
    ):
        (found,) = simulate({"x": Course(loan(0.9))}, broken, [3600], paths=50)["x"]
        assert found.p is None


def test_simulate__horizon_below_a_step__is_unknown() -> None:
    found = simulate({"x": Course(loan(0.95))}, normal(), [HOUR // 2, HOUR])["x"]
    assert found[0].p is None
    assert found[1].p is not None


def test_simulate__more_paths_than_a_block__counts_all() -> None:
    found = simulate({"x": Course(loan(0.95))}, normal(), [DAY], paths=25_000)["x"][0]
    assert found.p is not None
    assert (found.p * 25_000) == pytest.approx(round(found.p * 25_000))
    assert 0.2 < found.p < 0.5


def test_wilson__edges__are_not_certain() -> None:
    low, high = wilson(0, 100)
    assert (low, round(high, 4)) == (0.0, 0.037)
    low, high = wilson(100, 100)
    assert (round(low, 4), high) == (0.963, 1.0)
    low, high = wilson(50, 100)
    assert (round(low, 4), round(high, 4)) == (0.4038, 0.5962)


def test_oracle__step_by_step__says_what_the_replay_of_whole_paths_says() -> None:
    moves = np.random.default_rng(6).standard_normal((500, 100)).cumsum(axis=1) * 0.004
    rule = Behaviour(0.01, 20 * HOUR)
    whole = replay(moves, HOUR, rule, age_s=7 * HOUR)
    oracle = Seen(HOUR, [rule], [7.0 * HOUR], 500)
    heard = [oracle.hear(moves[:, i : i + 1])[:, 0].copy() for i in range(100)]
    assert np.array_equal(np.stack(heard, axis=1), whole)
