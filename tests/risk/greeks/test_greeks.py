"""Greeks against central differences of the full revaluation, relative 1e-6."""

from dataclasses import replace
from decimal import Decimal, getcontext

import numpy as np
import pytest

from protocols.types import Side
from protocols.uniswap_v3.math import greeks as in_pair
from protocols.uniswap_v3.state import UniswapV3State
from risk.greeks import CONSTANT, greeks, net
from risk.market.types import Covariance
from risk.scenario.play import value
from risk.scenario.types import Exposed
from tests.risk.aave_states import RAY, account, owed, quote, reserve, supplied
from tests.risk.morpho_states import position as morpho
from tests.risk.scenario.build import ETH, USD, exposed_loan, leg, loan, pool_range, valued, wallet

RATIO = "ratio(v)"
SIGMA = Covariance((ETH, USD), np.array([[0.0016, 1e-5], [1e-5, 1e-6]]), "made")

RANGES = {
    "inside": pool_range(100, -6_000, 6_000),
    "narrow": pool_range(-37, -60, 60),
    "below": pool_range(-9_000, -6_000, 6_000),
    "above": pool_range(9_000, -6_000, 6_000),
    "staked": pool_range(0, -900, 1_200, powers=({ETH: 1, RATIO: 1}, {ETH: 1})),
    "inverse": pool_range(0, -900, 1_200, powers=({USD: 1}, {ETH: -1, RATIO: 2})),
}
HOLDINGS = {
    "loan": loan(3),
    "vault": wallet(valued(leg(5, 10**18, Side.ASSET), 4_000.0, {ETH: 1, RATIO: 2})),
    "quotient": wallet(valued(leg(5, 10**18, Side.ASSET), 4_000.0, {ETH: -1})),
}


def around(held: Exposed, factor: str, step: float) -> tuple[float, float]:
    """Return f·∂V/∂f and f²·∂²V/∂f² by differences of fourth order."""
    h = step
    at = {k: value(held, None, {factor: 1 + k * h}) or 0.0 for k in (-2, -1, 1, 2)}
    now = value(held, None, {factor: 1 + 1e-300}) or 0.0
    first = (8 * (at[1] - at[-1]) - (at[2] - at[-2])) / (12 * h)
    second = (16 * (at[1] + at[-1]) - (at[2] + at[-2]) - 30 * now) / (12 * h * h)
    return first, second


@pytest.mark.parametrize("name", [*RANGES, *HOLDINGS])
def test_delta_and_gamma__central_differences__agree_to_a_millionth(name: str) -> None:
    held = {**RANGES, **HOLDINGS}[name]
    scale = sum(abs(v.usd or 0.0) for v in held.legs)
    for greek in greeks(held).by_factor:
        if greek.factor == CONSTANT:
            continue
        narrow = name == "narrow"
        first, _ = around(held, greek.factor, 1e-4 if narrow else 1e-3)
        _, second = around(held, greek.factor, 5e-4 if narrow else 4e-3)
        assert greek.delta_usd == pytest.approx(first, rel=1e-6, abs=1e-6 * scale)
        assert greek.gamma_usd_per_1pct == pytest.approx(
            second / 100, rel=1e-6, abs=1e-6 * scale / 100
        )


def test_range__gamma__exact_formula_by_decimal_differences() -> None:
    """Of V itself in 60 digits: no rounding hides behind the tolerance."""
    getcontext().prec = 60
    held = RANGES["inside"]
    state = held.position.state
    assert isinstance(state, UniswapV3State)
    root = Decimal(state.sqrt_price_x96) / 2**96
    low, high = (Decimal("1.0001") ** (Decimal(t) / 2) for t in (-6_000, 6_000))
    size, unit = Decimal(state.liquidity), Decimal(1) / 10**18
    price0 = Decimal(float(root) ** 2)

    def worth(many: Decimal) -> Decimal:
        here = root * many.sqrt()
        x0, x1 = size * (1 / here - 1 / high), size * (here - low)
        return (x0 * price0 * many + x1) * unit

    h = Decimal("1e-12")
    first = (worth(1 + h) - worth(1 - h)) / (2 * h)
    second = (worth(1 + h) - 2 * worth(Decimal(1)) + worth(1 - h)) / (h * h)
    (greek,) = [g for g in greeks(held).by_factor if g.factor == ETH]
    assert greek.delta_usd == pytest.approx(float(first), rel=1e-6)
    assert greek.gamma_usd_per_1pct == pytest.approx(float(second) / 100, rel=1e-6)


def test_range__in_its_own_pair__is_what_the_adapter_says() -> None:
    held = RANGES["inside"]
    state = held.position.state
    assert isinstance(state, UniswapV3State)
    pair = in_pair(state.sqrt_price_x96, state.tick, -6_000, 6_000, state.liquidity, (18, 18))
    price = (state.sqrt_price_x96 / 2**96) ** 2
    (greek,) = [g for g in greeks(held, SIGMA).by_factor if g.factor == ETH]
    assert greek.delta_usd == pytest.approx(pair.delta * price, rel=1e-9)
    assert greek.lvr_usd_per_variance == pytest.approx(pair.lvr, rel=1e-9)
    assert greek.gamma_usd_per_1pct == pytest.approx(pair.gamma * price**2 / 100, rel=1e-9)
    variance = 365 * (0.0016 + 1e-6 - 2e-5)
    thetas = [g.theta_usd_per_day or 0.0 for g in greeks(held, SIGMA).by_factor]
    assert sum(thetas) == pytest.approx(-pair.lvr * variance / 365, rel=1e-9)


def test_vega__central_difference_of_what_arbitrage_takes__agrees() -> None:
    held = RANGES["inside"]

    def yearly(up: float) -> float:
        """Return the year's theta with ETH's annual volatility up by some points."""
        sigma = np.sqrt(np.diag(SIGMA.daily) * 365)
        moved = sigma + np.array([up / 100, 0.0])
        daily = SIGMA.daily * np.outer(moved / sigma, moved / sigma)
        found = greeks(held, Covariance((ETH, USD), daily, "made")).by_factor
        return 365 * sum(g.theta_usd_per_day or 0.0 for g in found)

    (greek,) = [g for g in greeks(held, SIGMA).by_factor if g.factor == ETH]
    assert greek.vega_usd_per_volpt == pytest.approx(
        (yearly(1e-3) - yearly(-1e-3)) / 2e-3, rel=1e-6
    )


def test_range__no_volatility__vega_and_theta_unknown_not_zero() -> None:
    for greek in greeks(RANGES["inside"]).by_factor:
        assert greek.vega_usd_per_volpt is None
        assert greek.theta_usd_per_day is None
    half = Covariance((ETH,), SIGMA.daily[:1, :1], "made")
    assert all(g.theta_usd_per_day is None for g in greeks(RANGES["inside"], half).by_factor)
    assert all(g.theta_usd_per_day == 0 for g in greeks(RANGES["below"]).by_factor)


def test_lending__theta__is_interest_at_the_rates_of_now() -> None:
    first = reserve(0, quote(2_000 * 10**8, ETH), liquidity_rate=RAY // 50)
    second = reserve(1, quote(10**8, USD), borrow_rate=RAY // 10)
    held = exposed_loan(account(10, supplied(first, 10**19), owed(second, 10_000 * 10**18)))
    found = {g.factor: g for g in greeks(held).by_factor}
    assert found[ETH].theta_usd_per_day == pytest.approx(20_000 * 0.02 / 365)
    assert found[USD].theta_usd_per_day == pytest.approx(-10_000 * 0.10 / 365)
    assert found[USD].delta_usd == pytest.approx(-10_000)
    assert found[ETH].gamma_usd_per_1pct == 0


def test_morpho__theta__debt_pays_and_supply_earns_its_share() -> None:
    state = replace(morpho(rate=10**9), supply_shares=10**15)
    legs = (
        replace(leg(1, 10**18, Side.DEBT)),
        replace(leg(1, 10**18, Side.ASSET)),
        replace(leg(2, 10**18, Side.COLLATERAL)),
    )
    base = wallet(*(valued(one, 100.0, {USD: 1}) for one in legs))
    debt, asset, collateral = (
        replace(base, position=replace(base.position, state=state), legs=(v,)) for v in base.legs
    )
    yearly = 10**9 * 31_536_000 / 10**18
    (owing,) = greeks(debt).by_factor
    assert owing.theta_usd_per_day == pytest.approx(-100 * yearly / 365)
    (earning,) = greeks(asset).by_factor
    totals = state.accrued.totals
    used = totals.borrow_assets / totals.supply_assets
    assert earning.theta_usd_per_day == pytest.approx(100 * yearly * used / 365)
    assert greeks(collateral).by_factor[0].theta_usd_per_day == 0


def test_net__same_factor_long_and_short__cancels() -> None:
    long = wallet(valued(leg(5, 10**18, Side.ASSET), 100.0, {ETH: 1}))
    short = wallet(valued(leg(5, 10**18, Side.DEBT), 100.0, {ETH: 1}))
    (greek,) = net([long, short]).by_factor
    assert greek.delta_usd == 0


def test_cap_that_binds__nothing_moves_it() -> None:
    held = wallet(valued(leg(5, 10**18, Side.ASSET), 100.0, {ETH: 1}, room=0.9))
    assert greeks(held).by_factor == ()


def test_unpriced_or_blind__in_no_number_and_listed() -> None:
    unpriced = wallet(valued(leg(5, 10**18, Side.ASSET), None, {}, cause="no source"))
    blind = wallet(valued(leg(5, 10**18, Side.ASSET), 1.0, {}, blind=frozenset({ETH})))
    found = net([unpriced, blind])
    assert found.by_factor == ()
    assert [u.split(": ", 1)[1] for u in found.unknown] == [
        "T5 has no price: no source",
        "T5: how its price moves cannot be told",
    ]
