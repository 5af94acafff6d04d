"""Integer maths of Morpho positions and of the AdaptiveCurveIrm, for adapter and engine alike.

Scales: wads; rates are wads per second. Signed quotients truncate toward zero, as the EVM's do.
Mirrors `Morpho._isHealthy`, `Morpho.liquidate`, `AdaptiveCurveIrm._borrowRate`, `ExpLib.wExp`.
"""

from typing import Final

from chain.units import WAD, YEAR, div_up, mul_div_down, mul_div_up
from protocols.morpho import (
    AccrualReverts,
    Accrued,
    MarketParams,
    Totals,
    accrue,
    to_assets_down,
    to_assets_up,
    to_shares_down,
    to_shares_up,
)

__all__ = [
    "ORACLE_PRICE_SCALE",
    "AccrualReverts",
    "Accrued",
    "MarketParams",
    "Totals",
    "accrue",
    "average_rate",
    "full_liquidation",
    "incentive_factor",
    "lowest_safe_price",
    "max_borrow",
    "rate_segments",
    "to_assets_down",
    "to_assets_up",
    "to_shares_down",
    "to_shares_up",
    "w_exp",
]

ORACLE_PRICE_SCALE: Final = 10**36
LIQUIDATION_CURSOR: Final = 3 * WAD // 10
MAX_INCENTIVE: Final = 115 * WAD // 100

CURVE_STEEPNESS: Final = 4 * WAD
ADJUSTMENT_SPEED: Final = 50 * WAD // YEAR
TARGET_UTILIZATION: Final = 9 * WAD // 10
INITIAL_RATE_AT_TARGET: Final = 4 * WAD // 100 // YEAR
MIN_RATE_AT_TARGET: Final = WAD // 1000 // YEAR
MAX_RATE_AT_TARGET: Final = 2 * WAD // YEAR

LN_2: Final = 693147180559945309
LN_WEI: Final = -41446531673892822312
W_EXP_UPPER_BOUND: Final = 93859467695000404319
W_EXP_UPPER_VALUE: Final = 57716089161558943949701069502944508345128422502756744429568


def quotient(a: int, b: int) -> int:
    """Return a/b truncated toward zero."""
    return a // b if (a < 0) == (b < 0) else -(-a // b)


def max_borrow(collateral: int, price: int, lltv: int) -> int:
    """Return the most that collateral bears; a position is healthy while it owes no more."""
    return mul_div_down(mul_div_down(collateral, price, ORACLE_PRICE_SCALE), lltv, WAD)


def lowest_safe_price(borrowed: int, collateral: int, lltv: int) -> int | None:
    """Return the lowest oracle price at which the debt is borne; None where none does."""
    if collateral == 0 or lltv == 0:
        return None
    value = mul_div_up(borrowed, WAD, lltv)
    return mul_div_up(value, ORACLE_PRICE_SCALE, collateral)


def incentive_factor(lltv: int) -> int:
    """Return what a liquidator receives per unit repaid, a wad.

    min(1.15, 1/(1 − 0.3·(1 − lltv))), rounded as `Morpho.liquidate` does.
    """
    discount = mul_div_down(LIQUIDATION_CURSOR, WAD - lltv, WAD)
    return min(MAX_INCENTIVE, mul_div_down(WAD, WAD, WAD - discount))


def full_liquidation(
    totals: Totals, borrow_shares: int, collateral: int, lltv: int, price: int
) -> tuple[int, int, int]:
    """Return (seized collateral, repaid assets, bad debt) of the largest possible liquidation.

    `totals` are accrued. All shares are repaid when the collateral is worth it; otherwise all the
    collateral is seized and what stays owed is bad debt, taken from the market's suppliers.
    """
    factor = incentive_factor(lltv)
    borrow, shares = totals.borrow_assets, totals.borrow_shares
    if price:
        owed = to_assets_down(borrow_shares, borrow, shares)
        seized = mul_div_down(mul_div_down(owed, factor, WAD), ORACLE_PRICE_SCALE, price)
        if seized <= collateral:
            return seized, to_assets_up(borrow_shares, borrow, shares), 0
    quoted = mul_div_up(collateral, price, ORACLE_PRICE_SCALE)
    repaid_shares = to_shares_up(mul_div_up(quoted, WAD, factor), borrow, shares)
    repaid = to_assets_up(repaid_shares, borrow, shares)
    left_assets = max(0, borrow - repaid)
    left_shares = shares - repaid_shares
    bad = min(left_assets, to_assets_up(borrow_shares - repaid_shares, left_assets, left_shares))
    return collateral, repaid, bad


def w_exp(x: int) -> int:
    """Return e^x of a wad as the IRM approximates it: 2^q·(1 + r + r²/2), |r| ≤ ln2/2.

    Not continuous: where `q` steps, the value jumps by about 1.4 %.
    """
    if x < LN_WEI:
        return 0
    if x >= W_EXP_UPPER_BOUND:
        return W_EXP_UPPER_VALUE
    q = quotient(x + (LN_2 // 2 if x >= 0 else -(LN_2 // 2)), LN_2)
    r = x - q * LN_2
    exp_r = WAD + r + r * r // WAD // 2
    return exp_r << q if q >= 0 else exp_r >> -q


def utilization_error(totals: Totals) -> int:
    """Return how far utilization is from its target, a signed wad in [−1, 1]."""
    used = totals.borrow_assets * WAD // totals.supply_assets if totals.supply_assets else 0
    norm = WAD - TARGET_UTILIZATION if used > TARGET_UTILIZATION else TARGET_UTILIZATION
    return quotient((used - TARGET_UTILIZATION) * WAD, norm)


def average_rate(rate_at_target: int, totals: Totals, at: int) -> int:
    """Return what `borrowRateView` answers at `at` seconds: the average rate since last update.

    `rate_at_target` is the stored one, 0 before the market's first interaction.
    """
    err = utilization_error(totals)
    average = INITIAL_RATE_AT_TARGET
    if rate_at_target:
        adaptation = _speed(err) * (at - totals.last_update)
        average = rate_at_target
        if adaptation:
            end = _new_rate_at_target(rate_at_target, adaptation)
            mid = _new_rate_at_target(rate_at_target, quotient(adaptation, 2))
            average = (rate_at_target + end + 2 * mid) // 4
    coefficient = WAD - quotient(WAD * WAD, CURVE_STEEPNESS) if err < 0 else CURVE_STEEPNESS - WAD
    return quotient((quotient(coefficient * err, WAD) + WAD) * average, WAD)


def rate_segments(totals: Totals, horizon_s: int) -> list[int]:
    """Return the seconds since last update, ascending from 0, at which the rate may jump.

    Between two of them, and after the last, the interest owed grows but for rounding: `w_exp`
    is smooth there. From where both samples are at their bound nothing jumps any more.
    """
    speed = abs(_speed(utilization_error(totals)))
    starts = {0}
    if speed:
        # |ln(MAX/MIN)| = ln 2000 < 11·ln2: beyond 12 steps the bounds hold.
        for step in range(1, 13):
            edge = step * LN_2 - LN_2 // 2
            for scale in (1, 2):
                starts.add(div_up(edge * scale, speed))
    return sorted(s for s in starts if s <= horizon_s)


def _speed(err: int) -> int:
    return quotient(ADJUSTMENT_SPEED * err, WAD)


def _new_rate_at_target(start: int, adaptation: int) -> int:
    moved = quotient(start * w_exp(adaptation), WAD)
    return max(MIN_RATE_AT_TARGET, min(MAX_RATE_AT_TARGET, moved))
