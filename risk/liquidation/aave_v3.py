"""Aave v3.5 to v3.7: thresholds summed exactly, debt rounded up.

`HF = ⌊(S·1e18 + ⌊D/2⌋)/D⌋ / 1e4`, S = Σ value·threshold, liquidatable if and only if HF < 1e18.
HF rises with S and falls with D, so the corners of a box bound it.
Source: `GenericLogic.calculateUserAccountData`.
"""

from collections.abc import Sequence
from typing import Final

from chain.units import BPS, UINT256_MAX, WAD, mul_div_half_up
from risk.liquidation.aave import AaveEngine, Box


def health_factor(weighted: int, debt: int) -> int:
    """Return the health factor in wad; `UINT256_MAX` without debt."""
    return mul_div_half_up(weighted, WAD, debt) // BPS if debt else UINT256_MAX


def judge(boxes: Sequence[Box]) -> bool | None:
    """Judge an interval by its safest and its least safe corner."""
    worst = health_factor(
        sum(box.collateral[0] * box.threshold for box in boxes), sum(box.debt[1] for box in boxes)
    )
    if worst >= WAD:
        return False
    best = health_factor(
        sum(box.collateral[1] * box.threshold for box in boxes), sum(box.debt[0] for box in boxes)
    )
    return True if best < WAD else None


def slack(collateral: int, debt: int) -> tuple[int, int]:
    """Return how far S may differ from 1e4·D without telling which side health is on.

    S ≥ 1e4·D is safe. Half a unit of rounding in the division hides at most D/2e18 below it.
    """
    return 0, debt // (2 * WAD) + 1


ENGINE: Final = AaveEngine(judge, slack)
