"""Judge every account of a market at once: floats decide what they can prove, integers the rest.

table = Exposure.of(columns)
verdicts = screen(table)                       # at the block's prices
verdicts = screen(table, {factor: raw})        # at others
"""

from risk.bulk.curve import Curve, CurvePoint, curve
from risk.bulk.distance import Distances, distances
from risk.bulk.exposure import Exposure
from risk.bulk.screen import Verdict, Verdicts, screen

__all__ = [
    "Curve",
    "CurvePoint",
    "Distances",
    "Exposure",
    "Verdict",
    "Verdicts",
    "curve",
    "distances",
    "screen",
]
