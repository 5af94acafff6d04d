"""What of a whole market could be liquidated as a price falls or rises."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction

import numpy as np

from risk.bulk.exposure import Exposure
from risk.bulk.screen import screen


@dataclass(frozen=True, slots=True)
class CurvePoint:
    """The market with some factors moved by one fraction, all at once."""

    move: Fraction
    """−1/5: they fell by a fifth."""
    liquidatable: int
    """Accounts that can be liquidated: the exact set's size."""
    collateral: float
    """All collateral of these accounts at the moved prices, in base currency units."""
    debt: float
    """All their debt; a single liquidation may be allowed to repay less."""
    shortfall: float
    """Σ max(debt − collateral, 0): debt that no collateral stands for any more."""
    settled: int
    """How many accounts only the integers could decide."""


@dataclass(frozen=True, slots=True)
class Curve:
    """A market's liquidation curve along some factors."""

    factors: tuple[str, ...]
    points: tuple[CurvePoint, ...]
    unknown: int
    """Accounts that no point can judge."""


def curve(exposure: Exposure, raws: Mapping[str, int], moves: Sequence[Fraction]) -> Curve:
    """Return the curve of moving factors together; `raws` are their present values.

    A moved value is rounded down, and at least 1.
    """
    points = []
    for move in moves:
        prices = {name: max(1, int(raw * (1 + move))) for name, raw in raws.items()}
        found = screen(exposure, prices)
        taken = found.liquidatable
        collateral, debt = found.collateral[taken], found.debt[taken]
        points.append(
            CurvePoint(
                move,
                int(taken.sum()),
                float(collateral.sum()),
                float(debt.sum()),
                float(np.maximum(debt - collateral, 0.0).sum()),
                found.settled,
            )
        )
    return Curve(tuple(raws), tuple(points), len(exposure.unknown))
