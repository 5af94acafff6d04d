"""What a Uniswap v3 range pays when its pair's price has moved: token amounts at the new price.

The pool is taken to follow the market: arbitrage moves it to the new ratio of both tokens' prices.
"""

from math import isqrt

from protocols.types import Leg, Side
from protocols.uniswap_v3.math import (
    MAX_SQRT_RATIO,
    MIN_SQRT_RATIO,
    amount0,
    amount1,
    sqrt_ratio_at_tick,
)
from protocols.uniswap_v3.state import UniswapV3State

SCALE = 1 << 128


def amounts_at(state: UniswapV3State, sqrt_price: int) -> tuple[int, int]:
    """Return what burning all liquidity pays at a price, rounded down as the pool does."""
    low, high = sqrt_ratio_at_tick(state.tick_lower), sqrt_ratio_at_tick(state.tick_upper)
    if sqrt_price <= low:
        return amount0(low, high, state.liquidity), 0
    if sqrt_price >= high:
        return 0, amount1(low, high, state.liquidity)
    return (
        amount0(sqrt_price, high, state.liquidity),
        amount1(low, sqrt_price, state.liquidity),
    )


def moved_price(state: UniswapV3State, ratio: float) -> int:
    """Return √price after the pair's price was multiplied by `ratio`, within the pool's limits."""
    scaled = state.sqrt_price_x96 * isqrt(int(ratio * SCALE) << 128) // SCALE
    return min(max(scaled, MIN_SQRT_RATIO), MAX_SQRT_RATIO - 1)


def moved_amounts(state: UniswapV3State, ratio: float) -> tuple[int, int]:
    """Return the amounts after the pair's price was multiplied by `ratio`."""
    return amounts_at(state, moved_price(state, ratio))


def pair(legs: tuple[Leg, ...]) -> tuple[int, int] | None:
    """Return which legs hold token0 and token1: a pool orders its tokens by address."""
    found = [i for i, leg in enumerate(legs) if leg.side is Side.ASSET]
    if len(found) != 2:
        return None
    first, second = sorted(found, key=lambda i: int(legs[i].token.address, 16))
    return first, second
