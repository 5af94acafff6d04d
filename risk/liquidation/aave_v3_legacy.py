"""Aave v3.0 to v3.4 and Spark: the average threshold is truncated to whole basis points.

`L = ⌊S/C⌋`, `X = ⌊(C·L + 5000)/1e4⌋`, `HF = ⌊(X·1e18 + ⌊D/2⌋)/D⌋`. As a price rises, L may step
down and health with it: liquidatable prices need not be one interval. L over a box is bounded by
corners, because S/C moves monotonically with each single value; once L is known on an interval,
health is monotone on it again.
Source: `GenericLogic.calculateUserAccountData`, `PercentageMath.percentMul`.
"""

from collections.abc import Sequence
from typing import Final

from chain.units import BPS, UINT256_MAX, WAD, mul_div_half_up
from risk.liquidation.aave import AaveEngine, Box


def health_factor(collateral: int, average: int, debt: int) -> int:
    """Return the health factor in wad; `UINT256_MAX` without debt."""
    if debt == 0:
        return UINT256_MAX
    return mul_div_half_up(mul_div_half_up(collateral, average, BPS), WAD, debt)


def average_bounds(boxes: Sequence[Box]) -> tuple[int, int]:
    """Return the least and the greatest truncated average threshold over a box."""
    held = sorted((box for box in boxes if box.collateral[1]), key=lambda box: box.threshold)
    if not held:
        return 0, 0
    if held[0].threshold == held[-1].threshold:
        # nothing is collateral at the low corner when every value there is 0: the average is 0
        empty = not any(box.collateral[0] for box in held)
        return (0 if empty else held[0].threshold), held[0].threshold
    averages = []
    for low_end, high_end in ((1, 0), (0, 1)):
        # below the split values at one end, above it at the other
        value = sum(box.collateral[high_end] for box in held)
        weighted = sum(box.collateral[high_end] * box.threshold for box in held)
        averages.append(_average(weighted, value))
        for box in held:
            change = box.collateral[low_end] - box.collateral[high_end]
            value += change
            weighted += change * box.threshold
            averages.append(_average(weighted, value))
    return min(averages), max(averages)


def _average(weighted: int, value: int) -> int:
    return weighted // value if value else 0


def judge(boxes: Sequence[Box]) -> bool | None:
    """Judge an interval by bounds of collateral, average threshold and debt."""
    least, greatest = average_bounds(boxes)
    low_debt, high_debt = sum(box.debt[0] for box in boxes), sum(box.debt[1] for box in boxes)
    if health_factor(sum(box.collateral[0] for box in boxes), least, high_debt) >= WAD:
        return False
    best = health_factor(sum(box.collateral[1] for box in boxes), greatest, low_debt)
    return True if best < WAD else None


def slack(collateral: int, debt: int) -> tuple[int, int]:
    """Return how far S may differ from 1e4·D without telling which side health is on.

    Truncating L loses less than C of S; rounding X adds up to half of 1e4 or loses less than that;
    rounding HF adds up to D/2e18 whole units.
    """
    return collateral - BPS // 2, BPS // 2 + debt // (2 * WAD) * BPS


ENGINE: Final = AaveEngine(judge, slack, average_bounds)
