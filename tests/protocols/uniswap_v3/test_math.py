"""Uniswap v3 arithmetic by itself; tests on the contracts are in test_world.py."""

from fractions import Fraction
from math import isqrt

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from world.actors import uniswap
from world.anvil import Anvil
from world.world import World

from protocols.uniswap_v3 import math

ticks = st.integers(-math.MAX_TICK, math.MAX_TICK)
ranges = st.tuples(ticks, ticks).filter(lambda pair: pair[0] < pair[1])
liquidities = st.integers(1, math.U128)
words = st.integers(0, math.U256)


def test_sqrt_ratio_at_tick__ends__are_the_contracts_limits() -> None:
    assert math.sqrt_ratio_at_tick(-math.MAX_TICK) == math.MIN_SQRT_RATIO
    assert math.sqrt_ratio_at_tick(math.MAX_TICK) == math.MAX_SQRT_RATIO
    assert math.sqrt_ratio_at_tick(0) == math.Q96


@pytest.mark.parametrize("tick", [math.MAX_TICK + 1, -math.MAX_TICK - 1])
def test_sqrt_ratio_at_tick__beyond_the_ends__raises(tick: int) -> None:
    with pytest.raises(ValueError, match="beyond"):
        math.sqrt_ratio_at_tick(tick)


@given(st.integers(-400_000, 400_000))
def test_sqrt_ratio_at_tick__is_the_root_of_the_power(tick: int) -> None:
    ratio = Fraction(10001, 10000) ** abs(tick % 1000)  # exact, and small enough to compute
    moved = math.sqrt_ratio_at_tick(tick - tick % 1000)
    exact = isqrt(int(moved * moved * ratio))
    assert abs(math.sqrt_ratio_at_tick(tick) - exact) <= exact // 10**9 + 1


@given(ticks)
def test_sqrt_ratio_at_tick__rises_with_the_tick(tick: int) -> None:
    assume(tick < math.MAX_TICK)
    assert math.sqrt_ratio_at_tick(tick) < math.sqrt_ratio_at_tick(tick + 1)


@given(ranges, ticks, liquidities)
def test_amounts__never_more_than_minting_would_take(
    span: tuple[int, int], tick: int, liquidity: int
) -> None:
    price = math.sqrt_ratio_at_tick(tick)
    got = math.amounts(price, tick, *span, liquidity)
    a, b = (math.sqrt_ratio_at_tick(edge) for edge in span)
    here = min(max(price, a), b)
    exact0 = Fraction(liquidity << 96, 1) * (b - here) / (b * here)
    exact1 = Fraction(liquidity * (here - a), math.Q96)
    assert 0 <= exact0 - got[0] < 2
    assert 0 <= exact1 - got[1] < 1


def test_amounts__tick_just_crossed__goes_by_the_tick_not_the_price() -> None:
    edge = math.sqrt_ratio_at_tick(60)
    assert math.amounts(edge, 59, 0, 60, 10**18) == (0, math.amounts(edge, 60, 0, 60, 10**18)[1])
    assert math.amounts(edge, 59, 60, 120, 10**18)[1] == 0
    assert math.amounts(edge, 60, 60, 120, 10**18)[1] == 0


@given(words, words, words, words, ranges, ticks, liquidities)
def test_accrued__shifting_every_counter_with_wrap__changes_nothing(
    growth: int, lower: int, upper: int, shift: int, span: tuple[int, int], tick: int, size: int
) -> None:
    """Fee growth counts from an arbitrary origin: only differences may matter."""
    before = math.fee_growth_inside(growth, lower, upper, tick, *span)
    growth, lower, upper = ((value + shift) & math.U256 for value in (growth, lower, upper))
    after = math.fee_growth_inside(growth, lower, upper, tick, *span)
    # In range both outsides are subtracted from the global, out of range one from the other.
    drift = (after - before) & math.U256
    assert drift in (0, (-shift) & math.U256)
    assert math.accrued(after, (before + drift) & math.U256, size) == 0


@given(words, st.integers(0, math.U128), liquidities)
def test_accrued__over_the_wrap__is_what_was_earned(last: int, earned: int, size: int) -> None:
    now = (last + earned) & math.U256
    assert math.accrued(now, last, size) == (earned * size // math.Q128) & math.U128


@pytest.mark.parametrize("tick", [-300, -60, 0, 59, 60, 61, 300])
def test_greeks__are_the_derivatives_of_the_value(tick: int) -> None:
    """Central differences, to 1e-6 relative; at the edges, one side of the kink counts."""
    size, step = 10**24, 2**76

    def at(sqrt_price: int) -> math.Greeks:
        return math.greeks(sqrt_price, tick, -60, 60, size, (18, 6))

    here = math.sqrt_ratio_at_tick(tick) + 2**70
    low, high = at(here - step), at(here + step)
    prices = [Fraction(root, math.Q96) ** 2 * 10**12 for root in (here - step, here + step)]
    width = float(prices[1] - prices[0])
    found = at(here)
    assert (high.value - low.value) / width == pytest.approx(found.delta, rel=1e-6, abs=1e-9)
    assert (high.delta - low.delta) / width == pytest.approx(found.gamma, rel=1e-6, abs=1e-15)


def test_greeks__value__is_what_the_amounts_are_worth() -> None:
    tick, size, decimals = -196256, 10**17, (18, 6)
    price = math.sqrt_ratio_at_tick(tick)
    for lower, upper in ((-197000, -195000), (-196000, -195000), (-198000, -197000)):
        found = math.greeks(price, tick, lower, upper, size, decimals)
        amounts = math.amounts(price, tick, lower, upper, size)
        whole = amounts[0] / 1e18 * 1.0001**tick * 1e12 + amounts[1] / 1e6
        assert found.value == pytest.approx(whole, rel=1e-6)
        assert (found.lvr > 0) is (lower <= tick < upper)


def test_sqrt_ratio_at_tick__every_bit__equals_the_pools_own(world: World[Anvil]) -> None:
    """A pool put at a tick by its square-root price says which tick that is."""
    factory = world.contract("uniswap-v3/UniswapV3Factory", world.book["uniswap-v3"]["factory"])
    tokens = [
        world.book.tokens[symbol].address for symbol in uniswap.in_order(world, "DAI", "LINK")
    ]
    admin = world.book.admin
    factory.send(admin, "createPool", *tokens, 3000)
    pool = uniswap.pool(world, "DAI", "LINK", 3000)
    wanted = [sign * (1 << bit) for bit in range(20) for sign in (1, -1)]
    for tick in [*wanted, 0, 123_456, -654_321, math.MAX_TICK - 1, -math.MAX_TICK]:
        price = math.sqrt_ratio_at_tick(tick)
        for sqrt_price, expected in ((price, tick), (price - 1, tick - 1)):
            if not math.MIN_SQRT_RATIO <= sqrt_price < math.MAX_SQRT_RATIO:
                continue
            world.node.set_storage(pool.address, 0, 0)  # as if it had no price yet
            pool.send(admin, "initialize", sqrt_price)
            assert tuple(pool.call("slot0")[:2]) == (sqrt_price, expected)
