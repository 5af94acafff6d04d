"""The formulas of when a rescue is worth its cost, and their worked example."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from executor import fees
from executor.value import (
    RED_MARGIN,
    Costs,
    Hazard,
    avoided,
    loss,
    repayment,
    worth_it,
)

DEBT, ETH, GAS, TARGET = 120_000.0, 3_000.0, 465_000, 1.25
HOUR = Hazard(sigma=0.6, horizon_s=3_600, deviation=0.005)
COSTS_OF_REPAYMENT = 0.0015
"""Ten hundredths of a percent for the swap, five for the loan."""


def gwei_cap(health: float) -> int:
    value = avoided(HOUR, health, TARGET, loss(DEBT, 0.05, 0.5))
    other = repayment(DEBT, health, TARGET, 0.8) * COSTS_OF_REPAYMENT
    wei = 10**18 / ETH
    cap = fees.cap_from_value(
        int(value * wei), int(other * wei), GAS, absolute=10**18, gas_limit=GAS
    )
    return round(cap / 10**9)


@pytest.mark.parametrize(("health", "gwei"), [(1.02, 0), (1.01, 877), (1.00, 2_079)])
def test_fee_cap__worked_example__is_met(health: float, gwei: int) -> None:
    assert gwei_cap(health) == gwei


def test_worth_it__worked_example__waits_at_1_02() -> None:
    value = avoided(HOUR, 1.02, TARGET, loss(DEBT, 0.05, 0.5))
    costs = Costs(gas=GAS * 1e-9 * ETH, swap=repayment(DEBT, 1.02, TARGET, 0.8) * 0.0015)
    assert not worth_it(value, costs, red_zone=True)


@given(st.floats(0.9, 1.3), st.floats(0.9, 1.3))
def test_fee_cap__lower_health__never_pays_less_for_the_loss(a: float, b: float) -> None:
    low, high = sorted((a, b))
    assert HOUR.chance(low) >= HOUR.chance(high)
    assert avoided(HOUR, low, TARGET, 1.0) >= avoided(HOUR, high, TARGET, 1.0)


def test_chance__edges() -> None:
    assert HOUR.chance(1.0) == 1.0
    assert HOUR.chance(0.0) == 1.0
    assert HOUR.chance(-1.0) == 1.0
    assert HOUR.chance(2.0) == pytest.approx(0.0, abs=1e-12)
    still = Hazard(sigma=0.0, horizon_s=3_600)
    assert (still.chance(1.01), still.chance(0.99)) == (0.0, 1.0)


def test_chance__oracle_above_the_market__is_nearer() -> None:
    late = Hazard(sigma=0.6, horizon_s=3_600, deviation=0.005, oracle_over_spot=1.02)
    early = Hazard(sigma=0.6, horizon_s=3_600, deviation=0.005, oracle_over_spot=0.98)
    assert late.distance(1.05) == pytest.approx(math.log(1.05) - 0.005 - math.log(1.02))
    assert early.distance(1.05) == HOUR.distance(1.05)
    assert late.chance(1.03) > HOUR.chance(1.03)


def test_chance__jumps__add_their_tail() -> None:
    jumpy = Hazard(sigma=0.0, horizon_s=31_536_000, jumps_per_year=0.5, mean_jump=0.1)
    assert jumpy.chance(math.e**0.2) == pytest.approx(0.5 * math.e**-2)


@given(st.floats(1.0, 1.2), st.floats(0.5, 0.95))
def test_repayment__after_it__health_is_the_target(health: float, threshold: float) -> None:
    amount = repayment(DEBT, health, TARGET, threshold)
    collateral = health * DEBT / threshold
    if amount < DEBT:
        after = (collateral - amount) * threshold / (DEBT - amount)
        assert after == pytest.approx(TARGET)


def test_repayment__edges() -> None:
    assert repayment(DEBT, 1.3, 1.25, 0.8) == 0.0
    assert repayment(DEBT, 1.0, 0.7, 0.8) == DEBT


def test_worth_it__margin__is_smaller_in_the_red_zone() -> None:
    costs = Costs(1.0, 1.0, 1.0, 1.0)
    assert costs.total == 4.0
    assert not worth_it(5.9, costs)
    assert worth_it(6.1, costs)
    assert worth_it(4.1, costs, red_zone=True)
    assert not worth_it(4.0 * RED_MARGIN, costs, red_zone=True)
