"""Uniswap v3 arithmetic: prices at ticks, amounts behind liquidity, fees with their wraps.

Mirrors `TickMath.getSqrtRatioAtTick`, `SqrtPriceMath.getAmount{0,1}Delta` (rounded down, as a
burn pays), `Tick.getFeeGrowthInside`, and the fee accrual of `Position.update` and of the
position manager. Square-root prices are Q64.96, fee growth is Q128.128 per unit of liquidity and
wraps at 2^256; fees wrap at 2^128. Everything is an exact integer but the greeks, which are floats.
"""

from dataclasses import dataclass
from decimal import Decimal, localcontext
from functools import lru_cache
from math import sqrt
from typing import Final

MAX_TICK: Final = 887272
MIN_SQRT_RATIO: Final = 4295128739
MAX_SQRT_RATIO: Final = 1461446703485210103287273052203988822378723970342

Q96: Final = 1 << 96
Q128: Final = 1 << 128
U128: Final = (1 << 128) - 1
U256: Final = (1 << 256) - 1


def _powers() -> tuple[int, ...]:
    """Return 1.0001^(−2^i / 2) for each bit of a tick, Q128.128, rounded to nearest."""
    with localcontext(prec=100):
        ratio = (Decimal(10000) / 10001).sqrt()
        powers = []
        for _ in range(MAX_TICK.bit_length()):
            powers.append(int(ratio * Q128 + Decimal("0.5")))
            ratio *= ratio
    return tuple(powers)


POWERS: Final = _powers()


@lru_cache(maxsize=1 << 16)
def sqrt_ratio_at_tick(tick: int) -> int:
    """Return √(1.0001^tick) as Q64.96, rounded up from Q128.128 as the contract does.

    Raises `ValueError` beyond ±887272, where the contract reverts.
    """
    if abs(tick) > MAX_TICK:
        raise ValueError(f"tick {tick} is beyond ±{MAX_TICK}")
    ratio, bits = Q128, abs(tick)
    for power in POWERS:
        if bits & 1:
            ratio = ratio * power >> 128
        bits >>= 1
    if tick > 0:
        ratio = U256 // ratio
    return -(-ratio >> 32)


def amount0(sqrt_a: int, sqrt_b: int, liquidity: int) -> int:
    """Return the token0 between two prices, a ≤ b, rounded down twice as a burn pays it."""
    return (liquidity << 96) * (sqrt_b - sqrt_a) // sqrt_b // sqrt_a


def amount1(sqrt_a: int, sqrt_b: int, liquidity: int) -> int:
    """Return the token1 between two prices, a ≤ b, rounded down as a burn pays it."""
    return liquidity * (sqrt_b - sqrt_a) // Q96


def amounts(sqrt_price: int, tick: int, lower: int, upper: int, liquidity: int) -> tuple[int, int]:
    """Return (token0, token1) that burning `liquidity` pays now.

    The pool decides by its tick, not by its price: they differ by one at a tick just crossed.
    """
    a, b = sqrt_ratio_at_tick(lower), sqrt_ratio_at_tick(upper)
    if tick < lower:
        return amount0(a, b, liquidity), 0
    if tick >= upper:
        return 0, amount1(a, b, liquidity)
    return amount0(sqrt_price, b, liquidity), amount1(a, sqrt_price, liquidity)


def fee_growth_inside(
    growth_global: int, outside_lower: int, outside_upper: int, tick: int, lower: int, upper: int
) -> int:
    """Return one token's fee growth between two ticks, modulo 2^256; only differences mean much."""
    below = outside_lower if tick >= lower else growth_global - outside_lower
    above = outside_upper if tick < upper else growth_global - outside_upper
    return (growth_global - below - above) & U256


def accrued(inside_now: int, inside_last: int, liquidity: int) -> int:
    """Return the fees earned since `inside_last`, modulo 2^128 as the contract keeps them."""
    return (((inside_now - inside_last) & U256) * liquidity // Q128) & U128


@dataclass(frozen=True, slots=True)
class Greeks:
    """How a range's value V, in whole token1, moves with P, whole token1 per whole token0."""

    value: float
    """V, without fees."""
    delta: float
    """dV/dP: whole token0 held in effect."""
    gamma: float
    """d²V/dP²; zero out of range."""
    lvr: float
    """Loss to arbitrage per year and unit of annual variance: L√P/4, in whole token1."""


def greeks(
    sqrt_price: int, tick: int, lower: int, upper: int, liquidity: int, decimals: tuple[int, int]
) -> Greeks:
    """Return value, delta, gamma and the LVR rate of a range, as floats.

    In range V = L(2√P − √Pa − P/√Pb), Δ = L(1/√P − 1/√Pb), Γ = −L/(2P^1.5); below it the range is
    token0 only, above it token1 only.
    """
    scale = 10.0 ** (decimals[0] - decimals[1])  # whole price = raw price · scale
    size = liquidity / 10.0 ** ((decimals[0] + decimals[1]) / 2)  # L in √(whole0 · whole1)
    p, a, b = (
        root / Q96 * sqrt(scale)
        for root in (sqrt_price, sqrt_ratio_at_tick(lower), sqrt_ratio_at_tick(upper))
    )
    if tick < lower:
        delta = size * (1 / a - 1 / b)
        return Greeks(delta * p * p, delta, 0.0, 0.0)
    if tick >= upper:
        return Greeks(size * (b - a), 0.0, 0.0, 0.0)
    return Greeks(
        size * (2 * p - a - p * p / b),
        size * (1 / p - 1 / b),
        -size / (2 * p**3),
        size * p / 4,
    )
