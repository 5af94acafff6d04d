"""Morpho's integer maths, by its own rules."""

from decimal import Decimal, localcontext

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chain.units import WAD, YEAR
from protocols import morpho
from protocols.morpho import AccrualReverts, Totals, accrue, taylor_compounded
from protocols.morpho_blue import math

AMOUNTS = st.integers(0, 10**30)
RATES = st.integers(0, 8 * WAD // YEAR)


@st.composite
def totals(draw: st.DrawFn) -> Totals:
    supply = draw(st.integers(1, 10**27))
    borrow = draw(st.integers(0, supply))
    return Totals(
        supply,
        draw(st.integers(supply, supply * 10**6)),
        borrow,
        draw(st.integers(borrow, borrow * 10**6 + 1)),
        1_700_000_000,
        draw(st.sampled_from((0, WAD // 10, WAD // 4))),
    )


@given(AMOUNTS, AMOUNTS, AMOUNTS)
def test_shares__there_and_back__favours_the_market(assets: int, total: int, shares: int) -> None:
    assert morpho.to_assets_down(morpho.to_shares_down(assets, total, shares), total, shares) <= (
        assets
    )
    assert morpho.to_assets_up(morpho.to_shares_up(assets, total, shares), total, shares) >= assets
    assert morpho.to_shares_up(assets, total, shares) - morpho.to_shares_down(
        assets, total, shares
    ) in (0, 1)


@given(totals(), RATES, st.integers(0, 3 * YEAR))
def test_accrue__any_market__suppliers_gain_what_borrowers_owe(
    market: Totals, rate: int, elapsed: int
) -> None:
    accrued = accrue(market, rate, market.last_update + elapsed)
    later = accrued.totals
    assert later.borrow_assets - market.borrow_assets == accrued.interest
    assert later.supply_assets - market.supply_assets == accrued.interest
    assert later.supply_shares - market.supply_shares == accrued.fee_shares
    assert later.borrow_shares == market.borrow_shares
    assert later.liquidity == market.liquidity
    fee_worth = morpho.to_assets_down(accrued.fee_shares, later.supply_assets, later.supply_shares)
    assert fee_worth <= accrued.interest * market.fee // WAD
    assert (accrued.fee_shares == 0) or market.fee > 0


def test_accrue__same_second__changes_nothing_whatever_the_rate() -> None:
    market = Totals(10, 10**7, 5, 5 * 10**6, 1000, 0)
    assert accrue(market, 2**200, 1000) == morpho.Accrued(market, 0, 0)


@pytest.mark.parametrize(
    ("market", "rate", "elapsed"),
    [
        (Totals(2**127, 1, 2**127, 1, 0, 0), WAD, 100),  # totals over 128 bits
        (Totals(10, 10, 10, 10, 0, 0), 2**127, 100),  # first term squared over 256 bits
        (Totals(2**127, 1, 2**127, 1, 0, 0), WAD, 10**8),  # interest over 256 bits
    ],
)
def test_accrue__numbers_that_do_not_fit__reverts_as_morpho(
    market: Totals, rate: int, elapsed: int
) -> None:
    with pytest.raises(AccrualReverts):
        accrue(market, rate, elapsed)


@given(RATES, st.integers(0, YEAR))
def test_taylor__any_rate__is_below_the_true_exponential_and_above_simple_interest(
    rate: int, elapsed: int
) -> None:
    growth = taylor_compounded(rate, elapsed)
    assert growth >= rate * elapsed
    x = rate * elapsed / WAD
    assert growth <= (x + x * x / 2 + x**3 / 6) * WAD * (1 + 1e-12) + 1


@given(
    st.integers(1, 10**30),
    st.integers(1, 10**30),
    st.integers(WAD // 1000, WAD - 1),
)
def test_lowest_safe_price__any_position__is_the_edge_of_max_borrow(
    borrowed: int, collateral: int, lltv: int
) -> None:
    price = math.lowest_safe_price(borrowed, collateral, lltv)
    assert price is not None
    assert math.max_borrow(collateral, price, lltv) >= borrowed
    assert math.max_borrow(collateral, price - 1, lltv) < borrowed


def test_lowest_safe_price__no_collateral_or_no_threshold__none() -> None:
    assert math.lowest_safe_price(1, 0, WAD // 2) is None
    assert math.lowest_safe_price(1, 10**18, 0) is None


@pytest.mark.parametrize(
    ("lltv", "factor"),
    [
        # min(1.15, 1/(1 − 0.3(1 − lltv))) in wads, by hand.
        (385 * WAD // 1000, 1150000000000000000),
        (860 * WAD // 1000, 1043841336116910229),
        (945 * WAD // 1000, 1016776817488561260),
        (0, 1150000000000000000),
    ],
)
def test_incentive_factor__known_thresholds__as_published(lltv: int, factor: int) -> None:
    assert math.incentive_factor(lltv) == factor


@given(
    totals(),
    st.integers(1, 10**30),
    st.integers(0, 10**45),
    st.sampled_from((385, 625, 860, 915, 980)),
    st.floats(0.01, 1),
)
def test_full_liquidation__any_position__never_takes_more_than_there_is(
    market: Totals, collateral: int, price: int, lltv: int, part: float
) -> None:
    shares = int(market.borrow_shares * part)
    seized, repaid, bad = math.full_liquidation(
        market, shares, collateral, lltv * WAD // 1000, price
    )
    owed = market.borrowed(shares)
    assert 0 <= seized <= collateral
    assert 0 <= repaid <= owed
    assert bad == 0 or seized == collateral
    assert bad <= market.borrow_assets
    if seized < collateral:
        assert repaid == owed


@given(st.integers(-50 * WAD, 100 * WAD))
def test_w_exp__any_exponent__within_the_error_of_its_polynomial(x: int) -> None:
    with localcontext() as context:
        context.prec = 60
        true = (Decimal(x) / WAD).exp() * WAD
    if x >= math.W_EXP_UPPER_BOUND:
        assert math.w_exp(x) == math.W_EXP_UPPER_VALUE
    elif x < math.LN_WEI:
        assert math.w_exp(x) == 0
    else:
        assert abs(math.w_exp(x) - true) <= true * Decimal("0.0092") + 1


@given(totals(), st.integers(0, 2 * WAD // YEAR), st.integers(0, 5 * YEAR))
def test_average_rate__any_market__within_the_curve_and_its_bounds(
    market: Totals, at_target: int, elapsed: int
) -> None:
    rate = math.average_rate(at_target, market, market.last_update + elapsed)
    assert rate >= math.MIN_RATE_AT_TARGET // 4 - 1 or at_target < math.MIN_RATE_AT_TARGET
    assert rate <= 4 * math.MAX_RATE_AT_TARGET


@given(
    totals(),
    st.integers(math.MIN_RATE_AT_TARGET, math.MAX_RATE_AT_TARGET),
    st.integers(1, YEAR),
)
def test_rate_segments__any_second_between_two__has_no_step(
    market: Totals, at_target: int, second: int
) -> None:
    edges = math.rate_segments(market, YEAR)
    assert edges[0] == 0
    assert edges == sorted(set(edges))
    assert edges[-1] <= YEAR
    step = abs(
        math.average_rate(at_target, market, market.last_update + second)
        - math.average_rate(at_target, market, market.last_update + second - 1)
    )
    # The rate at target moves by at most 50/year; a step of the exponential is a thousand times
    # that.
    if second not in edges:
        assert step <= 10 + math.MAX_RATE_AT_TARGET * 4 * 2 // 1_000_000


def test_rate_segments__half_utilization__the_rate_falls_at_the_edges() -> None:
    market = Totals(10**24, 10**30, 45 * 10**22, 10**30, 0, 0)
    at_target = math.MAX_RATE_AT_TARGET // 10
    falls = [
        math.average_rate(at_target, market, e - 1) - math.average_rate(at_target, market, e)
        for e in math.rate_segments(market, YEAR)[1:6]
    ]
    assert min(falls) > at_target // 10_000


@given(st.integers(-(10**40), 10**40), st.integers(1, 10**20))
def test_quotient__any_sign__truncates_toward_zero(a: int, b: int) -> None:
    assert math.quotient(a, b) == (abs(a) // b) * (1 if a >= 0 else -1)
    assert math.quotient(a, -b) == (abs(a) // b) * (-1 if a >= 0 else 1)
